"""Connections: where a URL leads, whom it lets in, what is told of it, how many there are, and what each is set to."""

import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from secrets import token_hex
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from tests.support.postgres_line import open_line
from tests.support.postgres_stores import open_postgres
from tests.support.postgres_urls import with_parameters

import clew
from clew import limits
from clew.errors import StorageError
from clew.postgres import PostgresBackend, connections, registry
from clew.postgres.transaction import PostgresTransaction
from clew.relational.transaction import Transaction
from clew.testing.contract.together import together

if TYPE_CHECKING:
    from tests.support.postgres_server import PostgresServer

SECRET = "s3cret"


@pytest.fixture
def hand(postgres_url: str) -> Iterator["psycopg.Connection[Any]"]:
    """A connection for what is done behind the store's back."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def dead_port() -> Iterator[int]:
    """A port that nobody answers at, and nobody else can have."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield int(bound.getsockname()[1])


def own(url: str, name: str = "own", **options: Any) -> PostgresBackend:
    """A backend with a pool of its own."""
    return open_postgres(with_parameters(url, application_name=name), **options)


def ask(backend: PostgresBackend, query: str) -> Any:
    """The one value that a statement of the store's gives."""

    def run(db: Transaction) -> Any:
        assert isinstance(db, PostgresTransaction)
        row = db._cursor.execute(query.encode()).fetchone()
        return None if row is None else row[0]

    value = backend._read(run)
    return value.decode() if isinstance(value, bytes) else value


# -- how many there are


@contextmanager
def held(backend: PostgresBackend, number: int) -> Iterator[None]:
    """So many connections of the store are in use."""
    leave, inside = threading.Event(), threading.Barrier(number + 1)

    def hold(_: Transaction) -> None:
        inside.wait(60)
        assert leave.wait(60)

    threads = [threading.Thread(target=backend._read, args=(hold,)) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        inside.wait(60)
        yield
    finally:
        leave.set()
        for thread in threads:
            thread.join()


class TestThePool:
    @pytest.fixture
    def small(self, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresBackend]:
        """A store with two connections."""
        monkeypatch.setattr(limits, "MAX_POOL", 2)
        with closing(own(postgres_url, "small", busy_timeout=0.2)) as backend:
            yield backend

    def test_a_call_that_gets_no_connection_within_its_time_says_so(self, small: PostgresBackend) -> None:
        store = clew.Store(small)
        session = store.create_session("")
        with held(small, 2):
            calls: list[Callable[[], Any]] = [
                lambda: store.get_session(session.id),
                lambda: store.append(session.id, []),
                lambda: store.update_session(session.id, title="new"),
            ]
            for outcome in together(calls):
                assert isinstance(outcome, clew.UnavailableError)
                assert "all 2 connections of the store stayed busy within the time limit" in str(outcome)
        assert store.get_session(session.id) == session

    def test_every_connection_comes_back_whatever_happens_on_it(self, small: PostgresBackend) -> None:
        store = clew.Store(small)
        session = store.create_session("")
        step = store.append(session.id, [], label="point")

        def fail(_: Transaction) -> None:
            raise KeyboardInterrupt

        calls: list[Callable[[], Any]] = [
            lambda: store.get_session(step.id),
            lambda: store.append(session.id, [], label="point"),
            lambda: store.append(session.id, [], if_active=session.id),
            lambda: ask(small, "SELECT 1 / 0"),
            lambda: ask(small, "SELECT pg_terminate_backend(pg_backend_pid())"),
            lambda: small._write(fail),
        ]
        for call in calls * 3:
            with pytest.raises((StorageError, KeyboardInterrupt)):
                call()
        with held(small, 2):
            pass

    def test_more_callers_than_connections_are_all_served(
        self, postgres_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "MAX_POOL", 2)
        with closing(own(postgres_url, "crowded")) as backend:
            store = clew.Store(backend)
            session = store.create_session("")
            assert together([lambda: store.get_session(session.id)] * 12) == [session] * 12

    def test_stores_of_one_url_and_setting_share_it_until_the_last_is_closed(self, postgres_url: str) -> None:
        with closing(own(postgres_url)) as one, closing(own(postgres_url)) as two:
            assert one._pool is two._pool
            together([one.close] * 8)
            assert ask(two, "SELECT 1") == 1
        assert two._pool.closed
        assert two._pool not in [pool for pool, _ in registry._pools.values()]

    def test_a_closed_store_says_so(self, postgres_url: str) -> None:
        store = clew.open(postgres_url, durability="normal")
        session = store.create_session("")
        store.close()
        store.close()
        calls: list[Callable[[], Any]] = [
            lambda: store.get_session(session.id),
            lambda: store.append(session.id, []),
            lambda: list(store.verify()),
            store.compact,
            store.backend_info,
        ]
        for call in calls:
            with pytest.raises(clew.UnavailableError, match="the store is closed"):
                call()


FORKED = """
import os, sys, clew
url = sys.argv[1]

def process_of(store):
    return store._backend._read(lambda db: db._cursor.connection.info.backend_pid)

def lives(process):
    find = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1"
    return store._backend._read(lambda db: db._cursor.execute(find, (process,)).fetchone()) == (1,)

def child(work):
    pid = os.fork()
    if pid:
        _, status = os.waitpid(pid, 0)
        assert status == 0, status
        return
    try:
        work()
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)
    # As a program ends that has no care for what it holds: nothing of the parent's may be closed.
    sys.exit(0)

store = clew.open(url, durability="normal")
session = store.create_session("parent")
before = process_of(store)

def write():
    try:
        store.append(session.id, [{"role": "child"}])
    except clew.UnavailableError as error:
        assert "fork" in str(error), error
    else:
        raise AssertionError
    with clew.open(url, durability="normal") as own:
        assert process_of(own) != before
        own.append(session.id, [{"role": "child"}])
    store.close()

child(write)
assert lives(before)
store.append(session.id, [{"role": "parent"}])
assert [m["role"] for m in store.get_active_checkpoint(session.id).state.messages] == ["child", "parent"]
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork here")
def test_a_forked_child_has_connections_of_its_own_and_leaves_the_parents_alone(postgres_url: str) -> None:
    # In a process of its own: forking the test run would copy its threads' locks.
    subprocess.run([sys.executable, "-c", FORKED, postgres_url], check=True, timeout=60)


# -- where a URL leads


class TestSeveralHosts:
    def test_the_one_that_lives_is_found(self, postgres_url: str, dead_port: int) -> None:
        given = conninfo_to_dict(postgres_url)
        hosts = f"127.0.0.1,{given.get('host') or '127.0.0.1'}"
        ports = f"{dead_port},{given.get('port') or 5432}"
        url = with_parameters(postgres_url, host=hosts, port=ports, target_session_attrs="read-write")
        with clew.open(url, durability="normal") as store:
            session = store.create_session("")
            assert store.get_session(session.id) == session
            assert str(dead_port) in str(store.backend_info().endpoint)

    def test_a_string_of_names_and_values_leads_where_a_url_does(self, postgres_url: str, dead_port: int) -> None:
        given = {**conninfo_to_dict(postgres_url), "target_session_attrs": "read-write"}
        hosts = f"127.0.0.1,{given.pop('host', '127.0.0.1')}"
        ports = f"{dead_port},{given.pop('port', 5432)}"
        words = make_conninfo("", port=ports, **{name: str(value) for name, value in given.items()})
        with clew.open(postgres_url) as store, clew.open(f"host={hosts} {words}", durability="normal") as same:
            session = store.create_session("")
            assert same.get_session(session.id) == session

    def test_a_store_goes_on_with_another_when_its_own_is_gone(self, postgres_url: str) -> None:
        with open_line(postgres_url) as first, open_line(postgres_url) as second:
            both = first.url.replace(f"127.0.0.1:{first.port}", f"127.0.0.1:{first.port},127.0.0.1:{second.port}")
            with clew.open(with_parameters(both, target_session_attrs="read-write"), durability="normal") as store:
                session = store.create_session("")
                first.break_down()
                assert store.append(session.id, [{"n": 1}]).session_id == session.id
                assert store.get_session(session.id).revision == 2


def test_the_time_to_connect_is_shared_by_the_hosts() -> None:
    from clew.postgres.addresses import parameters_of

    assert parameters_of("postgresql://a/d")["connect_timeout"] == "5"
    assert parameters_of("postgresql://a,b/d")["connect_timeout"] == "2"
    assert parameters_of("postgresql://a,b/d?connect_timeout=9")["connect_timeout"] == "9"


# -- what is told


class TestAPasswordIsNeverTold:
    @pytest.fixture(autouse=True)
    def _everything_is_logged(self, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
        with caplog.at_level(logging.DEBUG):
            yield
            assert SECRET not in caplog.text

    @pytest.mark.parametrize(
        "url",
        [
            f"postgresql://user:{SECRET}@127.0.0.1:1/name",
            f"postgresql://user:{SECRET}@127.0.0.1:1,127.0.0.1:1/name",
            f"postgresql://user@127.0.0.1:1/name?password={SECRET}",
            f"postgresql://user:{SECRET}@no.such.host.invalid:1/name",
            f"postgresql://user:{SECRET}%zz@127.0.0.1/name",
            f"postgresql://user:{SECRET}@127.0.0.1:port/name",
            f"postgresql://user:{SECRET}@127.0.0.1:99999999/name",
            f"postgresql://user:{SECRET}@[127.0.0.1/name",
            f"postgresql://user:x@{SECRET}@127.0.0.1:1/name",
            f"postgresql://user:1/{SECRET}@127.0.0.1:1/name",
            f"postgresql://user:{SECRET}/x@127.0.0.1:1/name",
            f"postgresql://user:{SECRET}@127.0.0.1:1/name?sslmode=bad",
            f"postgresql://user:{SECRET}@127.0.0.1:1/name?nothing=1",
            f"POSTGRESQL://user:{SECRET}@127.0.0.1:1/name",
            f"host=127.0.0.1 port=1 user=user password={SECRET}",
            f"host=127.0.0.1 port=1 user=user password={SECRET} nothing=1",
        ],
    )
    def test_by_what_fails(self, url: str) -> None:
        with pytest.raises((clew.UnavailableError, clew.InvalidRequestError)) as caught:
            clew.open(url, busy_timeout=0)
        error: BaseException | None = caught.value
        while error is not None:
            assert SECRET not in f"{error} {error!r} {error.__dict__}"
            error = error.__cause__ or error.__context__

    def test_by_a_store(self, postgres_url: str) -> None:
        parts = urlsplit(postgres_url)
        user, _, place = parts.netloc.rpartition("@")
        secret = str(conninfo_to_dict(postgres_url).get("password") or SECRET)
        url = parts._replace(netloc=f"{user.partition(':')[0]}:{secret}@{place}").geturl()
        with clew.open(url, durability="normal", busy_timeout=0.1) as store:
            backend = store._backend
            assert isinstance(backend, PostgresBackend)
            for shown in (store, backend, backend._pool, store.backend_info(), backend._settings):
                assert secret not in f"{shown!r} {shown}"
            backend._read(lambda db: None)
            with pytest.raises(clew.StorageError) as caught:
                ask(backend, "SELECT pg_terminate_backend(pg_backend_pid())")
            assert secret not in str(caught.value)


class TestClearErrors:
    def test_nobody_answers(self, dead_port: int) -> None:
        with pytest.raises(clew.UnavailableError, match=r"no connection to the server could be made.*refused"):
            clew.open(f"postgresql://clew@127.0.0.1:{dead_port}/name")

    def test_a_server_that_has_gone_away(self, postgres_url: str) -> None:
        with open_line(postgres_url) as line:
            store = clew.open(line.url, durability="normal", busy_timeout=0.2)
            session = store.create_session("")
        calls: list[Callable[[], Any]] = [lambda: store.get_session(session.id), lambda: store.append(session.id, [])]
        for outcome in together(calls):
            assert isinstance(outcome, clew.UnavailableError)
            assert "refused" in str(outcome) or "closed the connection" in str(outcome)
        store.close()

    def test_a_server_that_refuses(self) -> None:
        reply = b'SFATAL\0C28P01\0Mpassword authentication failed for user "clew"\0\0'
        with refusing(reply) as port, pytest.raises(clew.UnauthorizedError, match="password authentication failed"):
            clew.open(f"postgresql://clew:{SECRET}@127.0.0.1:{port}/name?sslmode=disable&gssencmode=disable")

    def test_a_server_that_is_too_old(self, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connections, "_OLDEST_SERVER", 99)
        with pytest.raises(clew.UnavailableError, match="older than PostgreSQL 99"):
            clew.open(postgres_url)

    def test_a_database_that_keeps_text_in_another_encoding(self, postgres_server: "PostgresServer") -> None:
        name = f"clew_test_{token_hex(8)}"
        with psycopg.connect(postgres_server.url, autocommit=True) as hand:
            hand.execute(
                f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc".encode()
            )
            try:
                with pytest.raises(clew.UnavailableError, match="another encoding than UTF8"):
                    clew.open(urlsplit(postgres_server.url)._replace(path=f"/{name}").geturl())
            finally:
                hand.execute(f"DROP DATABASE {name}".encode())


@contextmanager
def refusing(reply: bytes) -> Iterator[int]:
    """The port of a server that says no to one who comes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(10_000)
                client.sendall(b"E" + (len(reply) + 4).to_bytes(4) + reply)

        thread = threading.Thread(target=refuse)
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join()


# -- schemas and roles


@pytest.fixture
def schemas(hand: "psycopg.Connection[Any]") -> Iterator[list[str]]:
    """Two schemas, one with a name that has to be quoted."""
    names = [f"clew_{token_hex(4)}", f'clew "{token_hex(4)}'.upper()]
    for name in names:
        hand.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    yield names
    for name in names:
        hand.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))


def within(url: str, *schemas: str) -> str:
    """The URL with a search_path, spelled as libpq's options are."""
    path = ",".join('"' + schema.replace('"', '""').replace(" ", "\\ ") + '"' for schema in schemas)
    return with_parameters(url, options=f"-csearch_path={path}")


@contextmanager
def connection_of(store: clew.Store) -> Iterator["psycopg.Connection[Any]"]:
    """A connection of the store's pool."""
    backend = store._backend
    assert isinstance(backend, PostgresBackend)
    with backend._pool.connection() as connection:
        yield connection


class TestSchemas:
    def test_two_stores_in_two_schemas_of_a_database_do_not_see_each_other(
        self, postgres_url: str, schemas: list[str], hand: "psycopg.Connection[Any]"
    ) -> None:
        """Not even where the schema of one comes to be where the other would look first."""
        first, second = schemas
        hand.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(second)))
        with clew.open(within(postgres_url, second, first), durability="normal") as one:
            session = one.create_session("one")
            hand.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(second)))
            with clew.open(within(postgres_url, second), durability="normal") as two:
                assert two.list_sessions().items == []
                two.create_session("two", id=session.id)
                with connection_of(one) as connection:
                    connection.close()  # a new one finds the same tables
                one.append(session.id, [])
                assert two.get_session(session.id).revision == 1
                two.compact()
                assert [list(store.verify()) for store in (one, two)] == [[], []]
                assert one.backend_info() != two.backend_info()
        rows = hand.execute("SELECT schemaname FROM pg_tables WHERE tablename = 'clew_session'").fetchall()
        assert {name for (name,) in rows} >= set(schemas)
        assert hand.execute("SELECT count(*) FROM clew_session").fetchone() == (0,)

    def test_a_search_path_that_leads_nowhere(self, postgres_url: str) -> None:
        with pytest.raises(clew.UnavailableError, match="no schema of the search_path"):
            clew.open(within(postgres_url, "clew_nowhere"))


class TestARoleThatMayDoLittle:
    @pytest.fixture
    def role(self, hand: "psycopg.Connection[Any]", schemas: list[str]) -> Iterator[str]:
        """One that may make something in the first schema, and nothing else."""
        name = f"clew_{token_hex(4)}"
        hand.execute(f"CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{SECRET}'".encode())
        hand.execute(f"GRANT USAGE, CREATE ON SCHEMA {schemas[0]} TO {name}".encode())
        yield name
        hand.execute(f"DROP OWNED BY {name} CASCADE".encode())
        hand.execute(f"DROP ROLE {name}".encode())

    def test_can_do_everything_in_its_schema(self, postgres_url: str, schemas: list[str], role: str) -> None:
        url = with_parameters(within(postgres_url, schemas[0]), user=role, password=SECRET)
        with clew.open(url, durability="normal") as store:
            session = store.create_session("", messages=[{"n": 1}])
            step = store.append(session.id, [{"n": 2}], metadata={"a": 1}, attachments={"f": b"1"})
            fork = store.fork_session(session.id)
            store.delete_checkpoints(session.id, step.id)
            store.purge_session(fork.id)
            store.compact()
            assert list(store.verify()) == []
            assert [change.session_id for change in store.watch(session_id=session.id, after=0, idle_timeout=0)] == [
                session.id
            ]

    def test_is_told_where_it_may_not(self, postgres_url: str, schemas: list[str], role: str) -> None:
        url = with_parameters(postgres_url, user=role, password=SECRET, options="-csearch_path=public")
        with pytest.raises(clew.UnauthorizedError, match="permission denied"):
            clew.open(url)


# -- what each is set to


class TestSettings:
    def test_a_commit_waits_for_the_disk_where_durability_is_full(self, postgres_url: str) -> None:
        with clew.open(postgres_url, durability="full") as full, clew.open(postgres_url, durability="normal") as normal:
            found = []
            for store in (full, normal, full):
                assert isinstance(store._backend, PostgresBackend)
                found.append(ask(store._backend, "SELECT current_setting('synchronous_commit')"))
        assert found == ["on", "off", "on"]

    @pytest.mark.parametrize(
        ("found", "full", "normal"),
        [
            ("off", "on", "off"),
            ("local", "local", "off"),
            ("remote_write", "remote_write", "off"),
            ("on", "on", "off"),
            ("remote_apply", "remote_apply", "remote_apply"),
        ],
    )
    def test_it_is_never_less_than_the_server_asks_for(
        self, found: str, full: str, normal: str, postgres_url: str
    ) -> None:
        url = with_parameters(postgres_url, options=f"-csynchronous_commit={found}")
        for durability, expected in (("full", full), ("normal", normal)):
            with clew.open(url, durability=durability) as store:  # type: ignore[arg-type]
                assert isinstance(store._backend, PostgresBackend)
                assert ask(store._backend, "SELECT current_setting('synchronous_commit')") == expected

    def test_a_store_opened_read_only_writes_nothing_whatever_is_asked(self, postgres_url: str) -> None:
        with clew.open(postgres_url, durability="normal") as store:
            session = store.create_session("")
        with clew.open(postgres_url, read_only=True) as reader:
            assert reader.get_session(session.id).id == session.id
            with pytest.raises(clew.InvalidRequestError, match="read-only"):
                reader.append(session.id, [])
            assert isinstance(reader._backend, PostgresBackend)
            assert ask(reader._backend, "SELECT current_setting('default_transaction_read_only')") == "on"
