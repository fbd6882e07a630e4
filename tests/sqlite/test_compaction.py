"""Space comes back when asked for, and only what nobody needs goes."""

from pathlib import Path

import apsw
import pytest
from tests.sqlite.conftest import Query

import clew
from clew.testing.contract.base import contents

BIG = "x" * 2_000


def test_compacting_gives_back_the_space_of_what_was_purged(path: Path) -> None:
    with clew.open(path, durability="normal") as store:
        kept = store.create_session("kept", messages=[{"n": n, "text": BIG} for n in range(50)])
        gone = store.create_session("gone", messages=[{"n": n, "text": BIG} for n in range(500)])
        store.purge_session(gone.id)
        before = contents(store)
        done = store.compact()
        assert done.bytes_after < done.bytes_before / 4
        assert done.bytes_after == path.stat().st_size
        assert contents(store) == before
        assert list(store.verify()) == []
        assert store.append(kept.id, [{"n": 50}]).session_id == kept.id


def test_compacting_removes_what_was_replaced_and_nothing_else(path: Path, query: Query) -> None:
    with clew.open(path) as store:
        session = store.create_session("one", messages=[{"n": 1}], session_metadata={"old": 1})
        store.update_session(session.id, metadata={"new": 1})
        store.attach(session.id, {"a": b"old" * 200_000, "b": b"kept"})
        store.attach(session.id, {"a": b"new"}, on_conflict="replace")
        store.attach(session.id, {"w": b"waits"}, label="later")
        store.compact()
        assert list(store.verify()) == []
        assert store.get_session(session.id).metadata == {"new": 1}
        step = store.append(session.id, [], label="later")
        assert store.get_attachments(step.id)[step.id] == {"w": b"waits"}
    kept = query("SELECT CAST(body AS BLOB) FROM content ORDER BY 1")
    assert kept == [(b"kept",), (b"new",), (b"waits",), (b'{"n":1}',), (b'{"new":1}',)]
    assert query("SELECT count(*) FROM chunk") == [(0,)]


def test_a_reader_goes_on_while_the_store_is_compacted_and_is_named_afterwards(path: Path) -> None:
    with clew.open(path, busy_timeout=0.2) as store:
        store.create_session("kept")
        gone = store.create_session("gone", messages=[{"n": n, "text": BIG} for n in range(100)])
        reader = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM session").fetchall() == [(2,)]
        store.delete_session(gone.id)
        with pytest.raises(clew.UnavailableError, match="the store is compact, but a reader"):
            store.compact()
        assert reader.execute("SELECT count(*) FROM session").fetchall() == [(2,)]
        reader.close()
        assert store.compact().bytes_after == path.stat().st_size
        assert list(store.verify()) == []


@pytest.mark.parametrize("sessions", [0, 1])
def test_a_store_that_is_read_only_is_not_compacted(path: Path, sessions: int) -> None:
    with clew.open(path) as store:
        for _ in range(sessions):
            store.create_session("kept")
    before = path.read_bytes(), path.stat().st_mtime_ns
    with clew.open(path, read_only=True) as store, pytest.raises(clew.InvalidRequestError, match="read-only"):
        store.compact()
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_a_store_in_memory_can_be_compacted() -> None:
    with clew.open(":memory:") as store:
        store.create_session("one", messages=[{"text": BIG}] * 3)
        assert store.compact().bytes_after > 0
        assert list(store.verify()) == []


def test_compacting_uses_no_memory_for_its_copy_and_puts_the_setting_back(path: Path) -> None:
    with clew.open(path) as store:
        store.create_session("one")
        store.compact()
        backend = store._backend
        assert backend._engine.alone(  # type: ignore[attr-defined]
            lambda connection: connection.execute("PRAGMA temp_store").fetchall(), timeout=5
        ) == [(2,)]
