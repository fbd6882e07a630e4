"""The search index of a file: kept up by whoever searches, whatever happens to them."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

import clew
from clew import limits
from clew.cursors import encode_cursor
from clew.errors import InvalidRequestError
from clew.relational import indexing
from clew.search import texts
from clew.sqlite.transaction import SQLiteTransaction
from clew.testing.contract.base import active, findings, user


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[clew.Store]:
    with clew.open(path, durability="normal") as store:
        yield store


def snippets(store: clew.Store, query: str) -> set[str]:
    return {hit.snippet for hit in store.search(query, limit=1_000)}


def rows(path: Path, statement: str) -> list[Any]:
    connection = apsw.Connection(str(path))
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def test_no_write_of_messages_touches_the_index(path: Path, store: clew.Store) -> None:
    session = store.create_session("", messages=[user("boiler")])
    store.append(session.id, [user("more")])
    store.fork_session(session.id)
    assert rows(path, "SELECT count(*) FROM message_index_docsize") == [(0,)]
    store.search("boiler")
    before = rows(path, "SELECT * FROM message_index_docsize"), rows(path, "SELECT * FROM search_state")
    store.append(session.id, [user("much more")])
    assert (rows(path, "SELECT * FROM message_index_docsize"), rows(path, "SELECT * FROM search_state")) == before


def test_an_interrupted_search_goes_on_where_it_was(store: clew.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every batch is committed on its own: what one brought is not done again, and nothing is missed or doubled."""
    monkeypatch.setattr(limits, "INDEX_BATCH_MESSAGES", 64)
    session = store.create_session("", messages=[user(f"word {n}") for n in range(300)])
    store.create_session("", messages=[user(f"word other {n}") for n in range(70)])
    insert, indexed = SQLiteTransaction.index, list[int]()

    def fails(db: SQLiteTransaction, messages: Any) -> None:
        insert(db, messages)
        indexed.append(len(messages))
        if len(indexed) % 3 == 0:
            raise apsw.InterruptError("in the middle")

    monkeypatch.setattr(SQLiteTransaction, "index", fails)
    failed, found = 0, None
    while found is None:
        try:
            found = store.search("word", limit=1_000)
        except clew.InternalError:
            failed += 1
    assert len(found) == 370
    assert failed > 1
    assert findings(store) == []
    monkeypatch.setattr(SQLiteTransaction, "index", insert)
    assert [hit.position for hit in store.search("256", session_id=session.id)] == [256]


def test_a_search_that_fails_at_any_statement_leaves_the_next_one_all_there_is(
    path: Path, store: clew.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever statement of whichever batch it is: what is half done is not there, nothing is missed or doubled."""
    monkeypatch.setattr(limits, "INDEX_BATCH_MESSAGES", 64)
    session = store.create_session("", messages=[user(f"word {n}") for n in range(100)])
    store.append(store.fork_session(session.id).id, [user("word of a fork")])
    run = {name: getattr(SQLiteTransaction, name) for name in ("fetch_all", "execute", "index", "insert_places")}
    left, failed = 0, 0

    def failing(name: str) -> Any:
        def call(db: SQLiteTransaction, *arguments: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                raise apsw.InterruptError("here")
            return run[name](db, *arguments)

        return call

    for number in range(1, 200):
        for name in run:
            monkeypatch.setattr(SQLiteTransaction, name, failing(name))
        left = number
        try:
            store.update_search_index()
        except clew.InternalError:
            failed += 1
        for name, method in run.items():
            monkeypatch.setattr(SQLiteTransaction, name, method)
        if left > 0:
            break
        assert len(store.search("word", limit=1_000)) == 101
        assert findings(store) == []
        store._backend._write(indexing.reset)  # type: ignore[attr-defined]
    assert failed > 20


_KILLED = """
import os, sys, clew
from clew import limits
from clew.sqlite.transaction import SQLiteTransaction
limits.INDEX_BATCH_MESSAGES = 64
insert, batches = SQLiteTransaction.index, []
def index(db, messages):
    insert(db, messages)
    batches.append(1)
    if len(batches) == 3:
        os._exit(9)
SQLiteTransaction.index = index
with clew.open(sys.argv[1]) as store:
    store.search("word")
"""


def test_a_process_that_is_killed_while_it_indexes_loses_nothing(path: Path) -> None:
    with clew.open(path) as store:
        session = store.create_session("", messages=[user(f"word {n}") for n in range(300)])
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(path)], check=False)
    assert killed.returncode == 9
    assert rows(path, "SELECT count(*) FROM message_index_docsize") == [(128,)]
    with clew.open(path) as store:
        assert len(store.search("word", limit=1_000)) == 300
        assert findings(store) == []
        store.purge_session(session.id)
        assert findings(store) == []


def test_several_processes_that_search_at_once_index_once(path: Path) -> None:
    with clew.open(path) as store:
        store.create_session("", messages=[user(f"word {n}") for n in range(600)])
    code = (
        "import sys, clew\nwith clew.open(sys.argv[1], busy_timeout=60) as s: print(len(s.search('word', limit=999)))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert [process.communicate()[0] for process in running] == ["600\n"] * 3
    with clew.open(path) as store:
        assert findings(store) == []
    assert rows(path, "SELECT count(*) FROM message_index_docsize") == [(600,)]


def test_others_write_between_two_batches(store: clew.Store, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "INDEX_BATCH_MESSAGES", 64)
    session = store.create_session("", messages=[user(f"word {n}") for n in range(300)])
    gone = store.create_session("", messages=[user("word gone")])
    insert, done = SQLiteTransaction.lock_index, list[int]()
    with clew.open(path) as other:

        def lock_index(db: SQLiteTransaction) -> None:
            insert(db)
            done.append(1)

        monkeypatch.setattr(SQLiteTransaction, "lock_index", lock_index)
        store._backend._index = _between(store._backend._index, lambda: other.append(session.id, [user("word late")]))  # type: ignore[attr-defined]
        assert len(store.search("word", limit=1_000)) >= 301
        other.purge_session(gone.id)
        assert snippets(store, "late") == {"word late"}
        assert snippets(store, "gone") == set()
        assert findings(store) == []


def test_an_index_that_is_thrown_away_between_two_batches_is_made_anew(
    store: clew.Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "INDEX_BATCH_MESSAGES", 64)
    for number in range(3):
        store.create_session("", messages=[user(f"word {number} {n}") for n in range(64)])
    with clew.open(path) as other:
        throws_away = iter([lambda: other._backend._write(indexing.reset)])  # type: ignore[attr-defined]
        store._backend._index = _between(store._backend._index, lambda: next(throws_away, int)())  # type: ignore[attr-defined]
        assert len(store.search("word", limit=1_000)) == 192
    assert findings(store) == []


def _between(index: Any, write: Any) -> Any:
    def run(work: Any) -> Any:
        result = index(work)
        write()
        return result

    return run


# -- where nothing may be written


def test_a_read_only_store_searches_what_nobody_has_indexed(path: Path, store: clew.Store) -> None:
    session = store.create_session("", messages=[user("boiler one")])
    with clew.open(path, read_only=True) as reader:
        assert snippets(reader, "boiler") == {"boiler one"}
        store.append(session.id, [user("boiler two")])
        assert snippets(reader, "boiler") == {"boiler one", "boiler two"}
        store.delete_checkpoints(session.id, active(store.get_session(session.id)).id)
        store.append(session.id, [user("other"), user("boiler three")])
        assert snippets(reader, "boiler") == {"boiler one", "boiler three"}
        assert rows(path, "SELECT count(*) FROM message_index_docsize") == [(0,)]
        store.search("x")
        assert snippets(reader, "boiler") == {"boiler one", "boiler three"}


def test_where_there_is_no_space_to_index_a_search_finds_all_the_same(
    store: clew.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create_session("", messages=[user("boiler")])

    def full(db: SQLiteTransaction, *_: Any) -> None:
        if full.times == 0:  # type: ignore[attr-defined]
            full.times = 1  # type: ignore[attr-defined]
            raise apsw.FullError("no space")
        insert(db, *_)

    insert = SQLiteTransaction.index
    full.times = 0  # type: ignore[attr-defined]
    monkeypatch.setattr(SQLiteTransaction, "index", full)
    assert snippets(store, "boiler") == {"boiler"}


def test_a_file_that_may_not_be_written_is_searched(path: Path) -> None:
    with clew.open(path) as store:
        store.create_session("", messages=[user("boiler")])
    path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        with clew.open(path, read_only=True) as store:
            assert snippets(store, "boiler") == {"boiler"}
    finally:
        path.parent.chmod(0o700)


# -- what is taken out of it


@pytest.mark.parametrize("limit", [limits.MAX_UNINDEXED_MESSAGES, 2])
def test_words_of_what_is_purged_are_in_no_file(
    path: Path, store: clew.Store, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """Words by words where they are few, the whole index where they are many."""
    monkeypatch.setattr(limits, "MAX_UNINDEXED_MESSAGES", limit)
    for number in range(4):
        store.create_session("", messages=[user(f"kept{number}word boiler {n}") for n in range(50)])
        store.create_session("", messages=[user(f"needle{number}{n}word boiler") for n in range(50)])
        store.search("boiler")
    assert any(b"needle3" in file.read_bytes() for file in path.parent.iterdir())
    for item in store.list_sessions():
        assert item.active_checkpoint_id is not None
        if store.get_messages(item.active_checkpoint_id)[0]["content"].startswith("needle"):
            store.purge_session(item.id)
    for file in path.parent.iterdir():
        assert b"needle" not in file.read_bytes()
    assert store.search("needle*").items == []
    assert len(store.search("boiler", limit=1_000)) == 200
    assert findings(store) == []


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many messages each transaction takes out of the index."""
    for name in ("UNINDEX_BATCH_MESSAGES", "MERGED_BATCH_MESSAGES"):
        monkeypatch.setattr(limits, name, 16)
    monkeypatch.setattr(limits, "MERGED_BATCH_PAGES", 1)
    unindex, sizes = SQLiteTransaction.unindex, list[int]()

    def counted(db: SQLiteTransaction, messages: Any, **how: Any) -> None:
        sizes.append(len(messages))
        unindex(db, messages, **how)

    monkeypatch.setattr(SQLiteTransaction, "unindex", counted)
    return sizes


@pytest.mark.parametrize("ratio", [0, 1_000], ids=["one by one", "merged"])
def test_a_long_session_is_taken_out_in_batches_and_leaves_no_word(
    path: Path, store: clew.Store, monkeypatch: pytest.MonkeyPatch, small_batches: list[int], ratio: int
) -> None:
    monkeypatch.setattr(limits, "MERGED_PER_UNINDEXED", ratio)
    store.create_session("", messages=[user(f"kept{n}word boiler") for n in range(100)])
    session = store.create_session("", messages=[user(f"needle{n}word boiler") for n in range(100)])
    fork = store.fork_session(session.id)
    store.append(session.id, [user(f"pinword{n} boiler") for n in range(50)])
    store.search("boiler")
    store.purge_session(session.id)
    assert max(small_batches) == 16
    assert rows(path, "SELECT v FROM message_index_config WHERE k = 'secure-delete'") == [(1,)]
    assert sum(small_batches) == 150
    for file in path.parent.iterdir():
        assert b"pinword" not in file.read_bytes()
    assert findings(store) == []
    assert len(store.search("needle*", session_id=fork.id, limit=1_000)) == 100
    assert store.search("pin*").items == []
    assert len(store.search("boiler", limit=1_000)) == 200
    assert rows(path, "SELECT count(*) FROM family_to_index") == [(0,)]
    store.purge_session(fork.id)
    for file in path.parent.iterdir():
        assert b"needle" not in file.read_bytes()
    assert findings(store) == []
    assert rows(path, "SELECT count(*) FROM family_to_index") == [(0,)]


@pytest.mark.parametrize("ratio", [0, 1_000], ids=["one by one", "merged"])
@pytest.mark.parametrize("failing", ["unindex", "merge_index", "delete_session"])
def test_a_purge_that_breaks_off_hides_nothing_and_the_next_one_leaves_no_word(
    path: Path, store: clew.Store, monkeypatch: pytest.MonkeyPatch, small_batches: list[int], ratio: int, failing: str
) -> None:
    monkeypatch.setattr(limits, "MERGED_PER_UNINDEXED", ratio)
    session = store.create_session("", messages=[user(f"needle{n}word boiler") for n in range(100)])
    other = store.create_session("", messages=[user("needle of another")])
    store.search("boiler")
    execute, unindex = SQLiteTransaction.execute, SQLiteTransaction.unindex

    def fails(db: SQLiteTransaction, name: str, parameters: Any) -> None:
        if name == failing:
            raise apsw.FullError("no space")
        execute(db, name, parameters)

    def fails_late(db: SQLiteTransaction, messages: Any, **how: Any) -> None:
        if len(small_batches) == 3:
            raise apsw.FullError("no space")
        unindex(db, messages, **how)

    with monkeypatch.context() as patch:
        patch.setattr(SQLiteTransaction, "execute", fails)
        if failing == "unindex":
            patch.setattr(SQLiteTransaction, "unindex", fails_late)
        if failing != "merge_index" or ratio:
            with pytest.raises(clew.UnavailableError):
                store.purge_session(session.id)
    assert findings(store) == []
    if ratio:  # what is marked only is gone whoever is purged next
        store.purge_session(other.id)
        if failing == "delete_session":
            assert not any(b"needle7word" in row for (row,) in rows(path, "SELECT block FROM message_index_data"))
    if failing != "merge_index" or ratio:
        assert len(store.search("boiler", limit=1_000)) == 100
        store.purge_session(session.id)
    else:
        store.purge_session(session.id)
    for file in path.parent.iterdir():
        assert b"needle7word" not in file.read_bytes()
    assert store.search("boiler").items == []
    assert findings(store) == []


def test_the_index_is_brought_up_by_itself_and_says_how_far_it_is(path: Path, store: clew.Store) -> None:
    for _ in range(3):
        store.create_session("", messages=[user("boiler")])
    told: list[Any] = []
    store.update_search_index(progress=told.append)
    assert [(step.done, step.total) for step in told][-1:] == [(3, 3)]
    assert rows(path, "SELECT count(*) FROM message_index_docsize") == [(3,)]
    store.update_search_index(progress=told.append)
    assert len(told) == 1
    with clew.open(path, read_only=True) as reader:
        reader.update_search_index()


def test_another_way_to_cut_words_makes_another_index(store: clew.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    session = store.create_session("", messages=[user("boiler")])
    store.search("boiler")
    monkeypatch.setattr("clew.relational.indexing.VERSION", texts.VERSION + 1)
    store.purge_session(store.create_session("", messages=[user("gone")]).id)
    assert snippets(store, "boiler") == {"boiler"}
    store.purge_session(session.id)
    assert snippets(store, "boiler") == set()
    assert findings(store) == []


def test_rolling_back_drops_the_index_and_going_forward_makes_it_anew(path: Path) -> None:
    with clew.open(path) as store:
        store.create_session("", messages=[user("boiler")])
        store.search("boiler")
    with clew.migrations(path) as schema:
        while schema.status().current >= 6:
            schema.rollback(discard=True)
        left = rows(path, "SELECT name FROM sqlite_schema WHERE name GLOB 'message_*' OR name GLOB '*search*'")
        assert left == []
    with clew.open(path) as store:
        assert snippets(store, "boiler") == {"boiler"}


# -- damage


def test_rows_that_the_index_has_lost_are_found_and_mended(path: Path, store: clew.Store) -> None:
    store.create_session("", messages=[user("boiler"), user("other")])
    store.search("boiler")
    for loss in (
        "DELETE FROM message_place WHERE position = 0", "DELETE FROM message_index_docsize WHERE id = 1",
        "INSERT INTO message_place VALUES (99, 99, 0, 0)", "INSERT INTO indexed_timeline VALUES (99, 1, 0)",
        "INSERT INTO message_index (rowid, words, facts) VALUES (99, 'boiler', '')",
    ):  # fmt: skip
        rows(path, loss)
        assert {finding.kind for finding in findings(store)} & {"search_index", "file"}, loss
        assert len(store.list_sessions()) == 1
        store.compact()
        assert snippets(store, "boiler") == {"boiler"}
        assert findings(store) == []


def test_a_damaged_index_is_an_error_that_says_what_to_do(path: Path, store: clew.Store) -> None:
    store.create_session("", messages=[user(f"boiler {n}") for n in range(100)])
    store.search("boiler")
    rows(path, "UPDATE message_index_data SET block = x'00010203040506070809' WHERE id > 10")
    with clew.open(path) as fresh, pytest.raises(clew.CorruptStateError, match=r"search index is damaged.*compact"):
        fresh.search("boiler")
    with clew.open(path) as fresh:
        assert len(fresh.list_sessions()) == 1
        assert findings(fresh) != []
        fresh.compact()
        assert len(snippets(fresh, "boiler")) == 100
        assert findings(fresh) == []


def test_a_session_is_purged_though_the_index_is_damaged(path: Path, store: clew.Store) -> None:
    session = store.create_session("", messages=[user("needle")])
    store.create_session("", messages=[user("boiler")])
    store.search("boiler")
    rows(path, "UPDATE message_index_data SET block = x'00010203040506070809' WHERE id > 10")
    store.purge_session(session.id)
    assert snippets(store, "boiler OR needle") == {"boiler"}
    for file in path.parent.iterdir():
        assert b"needle" not in file.read_bytes()
    assert findings(store) == []


def test_scores_do_not_tell_which_words_others_have_written(tmp_path: Path) -> None:
    """Whoever guesses a word can write it down and look for it: no score must say whether they are the only one."""
    scores = []
    for number, word in enumerate(("secret", "public")):
        with clew.open(tmp_path / f"{number}.db", durability="normal") as store:
            store.create_session("", messages=[user(f"{word} {n}") for n in range(50)], owner="bob")
            store.create_session("", messages=[user("secret guess"), user("guess"), user("secret")], owner="eve")
            page = store.search("secret OR guess", owner="eve", limit=2)
            scores.append(([hit.score for hit in page], page.next_cursor))
    assert scores[0] == scores[1]


def test_pages_over_several_windows_stay_complete(store: clew.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows end where they ended for the page before, however many of their messages are purged meanwhile."""
    monkeypatch.setattr(limits, "MAX_RANKED_MESSAGES", 5)
    kept = [store.create_session("", messages=[user(f"boiler {'x ' * (n % 4)}{n}")]).id for n in range(30)]
    page, seen = store.search("boiler OR x", limit=2), []
    while True:
        seen += [hit.session_id for hit in page]
        if page.next_cursor is None:
            break
        store.purge_session(kept.pop(kept.index(seen[-1])))
        store.create_session("", messages=[user("boiler boiler")])
        page = store.search("boiler OR x", limit=2, cursor=page.next_cursor)
    assert len(seen) == len(set(seen)) == 30
    assert set(seen) >= set(kept)


@pytest.mark.parametrize("frozen", [b"", b"x" * 16, b"\xff" * 24, bytes(24), bytes(8) + b"\x7f\xf0" + bytes(14)])
def test_a_cursor_that_nobody_made_is_refused(store: clew.Store, frozen: bytes) -> None:
    store.create_session("", messages=[user("boiler")])
    cursor = encode_cursor("search", 2, 0, 0, frozen)
    with pytest.raises(InvalidRequestError, match="cursor"):
        store.search("boiler", cursor=cursor)
