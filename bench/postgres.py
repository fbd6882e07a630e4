"""What a store in PostgreSQL costs: next to bare PostgreSQL, early and late, and next to LangGraph's saver."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import msgspec

import clew
from bench import langgraph_saver
from bench.conversation import Message, Talk
from bench.langgraph_saver import Put
from bench.measure import Action, Durability, Lab, interleaved
from bench.report import shown_bytes, shown_seconds
from bench.servers import Cluster, Database, cluster
from bench.sessions import AppendedSession, ShortSessions, WholeListSession, whole_lists
from bench.targets import Fact, Finding, Measured, Table

_WINDOW = 15
"""How many writes are measured at a turn."""

_LISTED = 20
_LISTABLE = 100
"""How many sessions there are at least, more than a page shows."""

_DELETED_EVERY = 10
_OLDER = (
    "INSERT INTO clew_session (key, id, family, title, visibility, created_at, seal)"
    " SELECT nextval('clew_key'), gen_random_uuid(), currval('clew_key'), 'Session ' || g, 'PRIVATE', g, 0"
    " FROM generate_series(1, {}) AS g",
    # The trigger would take minutes, and leave the counters with as many dead rows as no store ever has at once.
    "ALTER TABLE clew_tip DISABLE TRIGGER clew_session_count",
    "INSERT INTO clew_tip SELECT key, id, CASE WHEN key % 10 = 0 THEN 'DELETED' ELSE 'ACTIVE' END, 1, 2, 1, 1,"
    " created_at, created_at, 0, 0 FROM clew_session",
    "ALTER TABLE clew_tip ENABLE TRIGGER clew_session_count",
    "UPDATE clew_session_count AS c SET sessions = (SELECT count(*) FROM clew_tip AS t WHERE t.status = c.status)"
    " WHERE slot = 0",
    "INSERT INTO clew_checkpoint (family, session, seq, id, length, chain, created_at, attachment_count, seal)"
    " SELECT family, key, 1, gen_random_uuid(), 0, '', created_at, 0, 0 FROM clew_session",
)
"""Sessions from 1970 that no page shows which is measured."""


def append_floor(lab: Lab) -> Iterator[Finding]:
    """Appends next to two rows inserted by hand; then all of them without a flush of the log at every commit."""
    rows = []
    with cluster() as server:
        append, bare, spoken = _next_to_floor(lab, server, "full")
        rows.append(_floor_row("full", append, bare, spoken))
        rows.append(_floor_row("normal", *_next_to_floor(lab, server, "normal")))
    yield Measured("postgres append floor", append, bare)
    yield Table(
        title="PostgreSQL: an append next to two rows inserted by hand",
        header=["durability", "append 2 messages", "one INSERT of both rows", "BEGIN, INSERT, INSERT, COMMIT"],
        rows=rows,
        notes="The same bytes into a table with a primary key, statements prepared. In brackets: how many times that "
        "the append takes. The target is against the first, which commits itself and so is one round trip. Normal is "
        "synchronous_commit=off on all three.",
    )


def _floor_row(durability: str, append: float, bare: float, spoken: float) -> list[str]:
    others = (f"{shown_seconds(other)} ({append / other:.2f} ×)" for other in (bare, spoken))
    return [durability, shown_seconds(append), *others]


def _next_to_floor(lab: Lab, server: Cluster, durability: Durability) -> list[float]:
    """An append and the two floors, each in a database of its own that begins with the same messages."""
    turns = lab.some(500, 100)
    with ExitStack() as stack:
        names = (f"{name}-{durability}" for name in ("append", "bare", "spoken"))
        ours, bare, spoken = (server.database(name) for name in names)
        session = AppendedSession(stack.enter_context(ours.store(durability)), 1, turns)
        inserts = []
        for database in (bare, spoken):
            floor, talk = stack.enter_context(database.floor(durability)), Talk(1)
            add = floor.add if database is bare else floor.add_in_transaction
            for _ in range(turns):
                add(_bodies(talk))
            inserts.append(partial(_insert, add, talk))
        return interleaved(lab.some(1500, 100), session.step, *inserts)


def _insert(add: Callable[[list[bytes]], None], talk: Talk) -> Callable[[], object]:
    return partial(add, _bodies(talk))


def _bodies(talk: Talk) -> list[bytes]:
    return [msgspec.json.encode(message) for message in talk.turn()]


def append_late(lab: Lab) -> Iterator[Finding]:
    """A long session and short ones in one database."""
    with cluster() as server, server.database("late").store() as store:
        long = AppendedSession(store, 1, lab.some(3000, 600))
        late, early = interleaved(lab.some(600, 100), long.step, ShortSessions(store).step)
    yield Measured("postgres append late", late, early)


def listing(lab: Lab) -> Iterator[Finding]:
    """The first page, with its total, of a database with many sessions and of one with few."""
    older = lab.some(100_000, 5_000) - _LISTABLE
    rounds = lab.some(300, 50)
    with ExitStack() as stack:
        server = stack.enter_context(cluster())
        large = stack.enter_context(_stocked(server.database("list-large"), older))
        small = stack.enter_context(_stocked(server.database("list-small"), 0))
        assert large.list_sessions(limit=_LISTED).total == older + _LISTABLE
        whole, whole_few, active, active_few = interleaved(
            rounds,
            lambda: partial(large.list_sessions, limit=_LISTED),
            lambda: partial(small.list_sessions, limit=_LISTED),
            lambda: partial(large.list_sessions, limit=_LISTED, status="ACTIVE"),
            lambda: partial(small.list_sessions, limit=_LISTED, status="ACTIVE"),
        )
    yield Measured("postgres list", whole, whole_few)
    yield Measured("postgres list status", active, active_few)


@contextmanager
def _stocked(database: Database, older: int) -> Iterator[clew.Store]:
    """A store of which the newest sessions are written by it, and those before them by one statement for each table."""
    with database.store("normal") as store:
        database.run(*(statement.format(older) for statement in _OLDER))
        for number in range(_LISTABLE):
            session = store.create_session(f"Session {number}: fix the flaky test", messages=Talk(number).turn())
            if number % _DELETED_EVERY == 0:
                store.delete_session(session.id)
        yield store


def load(lab: Lab) -> Iterator[Finding]:
    """A session of 2,000 messages read and decoded, next to the decoders alone and to the saver."""
    with ExitStack() as stack:
        server = stack.enter_context(cluster())
        store = stack.enter_context(server.database("load").store())
        session = AppendedSession(store, 1, 1000)
        text = session.checkpoints[-1].state.messages_json
        messages = json.loads(text)
        assert _messages(store, session) == messages
        names = [f"json.loads of the {shown_bytes(len(text))}", "clew: get_session, decoded"]
        actions: list[Action] = [lambda: partial(json.loads, text), lambda: partial(_messages, store, session)]
        if (saver := langgraph_saver.name()) is not None:
            thread = stack.enter_context(langgraph_saver.thread(server.database("load-saver").url))
            thread.put(messages, None)
            assert thread.get() == messages
            names.append(f"{saver}: get")
            actions.append(lambda: thread.get)
        took = interleaved(lab.some(100, 20), *actions)
    yield Fact("server_load", took[1])
    yield Table(
        title="PostgreSQL: load a session of 2,000 messages",
        header=["", "time", "against json.loads"],
        rows=[
            [name, shown_seconds(seconds), f"{seconds / took[0]:.2f} ×"]
            for name, seconds in zip(names, took, strict=True)
        ],
        notes=_without_saver("The saver has one checkpoint, as dicts."),
    )


def _messages(store: clew.Store, session: AppendedSession) -> list[Message]:
    active = store.get_session(session.id).active_checkpoint
    assert active is not None
    return active.state.messages


def beside_langgraph(lab: Lab) -> Iterator[Finding]:
    """The same conversation growing in each, measured at some turns on its way."""
    saver = langgraph_saver.name()
    if saver is None:
        print("langgraph-checkpoint-postgres is not installed here: left out", end=" ")
        return
    with ExitStack() as stack:
        race = _Race(stack)
        rows = [row for turn in ((20, 60) if lab.quick else (300, 1000)) for row in race.measure_at(turn)]
    yield Table(
        title=f"PostgreSQL: beside {saver}, a checkpoint every turn",
        header=["at checkpoint", "PostgresSaver, put", "clew, create_checkpoint", "clew, append"],
        rows=rows,
        notes="The same dicts on the same server, each in a database of its own. In brackets: how many times what clew "
        "takes the saver does. Put and create_checkpoint are given the whole list. The saver writes that anew at every "
        "checkpoint, so its log and its tables grow with the square of the turns; at 3,000 they take gigabytes and "
        "minutes, and are not measured here. The log is what was written from the turn before on, by turn.",
    )


class _Race:
    """One conversation in three databases of one server: by the saver, by lists and by appends."""

    def __init__(self, stack: ExitStack) -> None:
        server = stack.enter_context(cluster())
        self._databases = [server.database(name) for name in ("saver", "lists", "appends")]
        self._thread = stack.enter_context(langgraph_saver.thread(self._databases[0].url))
        listed, self._store = (stack.enter_context(database.store()) for database in self._databases[1:])
        self._putting = WholeListSession[Put](self._thread.put)
        self._listing = whole_lists(listed)
        self._appended = AppendedSession(self._store, 7, 1)
        self._empty = [database.size().total for database in self._databases]
        self._turns = 1

    def measure_at(self, turn: int) -> Iterator[list[str]]:
        """Go on to a turn, and say what a write and a read take there, and what has been written by then."""
        logged = self._go_on(turn - _WINDOW // 2)
        put, *ours = interleaved(_WINDOW, self._putting.step, self._listing.step, self._appended.step)
        read = partial(_messages, self._store, self._appended)
        assert self._thread.get() == read()
        get, ours_read = interleaved(_WINDOW, lambda: self._thread.get, lambda: read)
        sizes = (database.size().total for database in self._databases)
        kept = [size - empty for size, empty in zip(sizes, self._empty, strict=True)]
        yield [f"{turn:,}: write", shown_seconds(put), *(_compared(put, seconds) for seconds in ours)]
        yield [f"{turn:,}: read the newest", shown_seconds(get), "", _compared(get, ours_read)]
        yield [f"{turn:,}: log a turn", *_beside_first(logged)]
        yield [f"{turn:,}: tables and indexes", *_beside_first(kept)]

    def _go_on(self, turns: int) -> list[float]:
        """Let all three have so many turns; the bytes of log that each of them took for one."""
        logged = []
        for write in (self._putting.write_each, self._listing.write_each, self._appended.advance):
            before = self._databases[0].log().position
            write(turns)
            logged.append((self._databases[0].log().position - before) / (turns - self._turns))
        self._turns = turns + _WINDOW
        return logged


def _beside_first(sizes: Sequence[float]) -> list[str]:
    return [shown_bytes(sizes[0]), *(_compared(sizes[0], size, shown_bytes(size)) for size in sizes[1:])]


def _without_saver(notes: str) -> str:
    return notes if langgraph_saver.name() else "langgraph-checkpoint-postgres was not installed."


def _compared(saver: float, ours: float, text: str | None = None) -> str:
    """What clew takes, and how many times that the saver takes."""
    return f"{text or shown_seconds(ours)} ({saver / ours:,.1f} ×)"
