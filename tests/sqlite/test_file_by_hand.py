"""What a person sees who opens the file with another tool."""

from pathlib import Path
from uuid import UUID

import apsw
import pytest
from tests.sqlite.conftest import Query

import clew


def test_the_views_show_plain_ids_times_and_text(path: Path, query: Query) -> None:
    with clew.open(path) as store:
        session = store.create_session(
            "Read me", messages=[{"role": "user", "content": "hi"}], session_metadata={"model": "m"}, cwd="/repo"
        )
        step = store.append(session.id, [{"role": "assistant", "content": "yo"}], label="answered", metadata={"n": 1})
        root = session.active_checkpoint
        assert root is not None
    assert query("SELECT id, title, cwd, metadata, message_count, active_checkpoint_id FROM sessions") == [
        (str(session.id), "Read me", "/repo", '{"model":"m"}', 2, str(step.id))
    ]
    assert query("SELECT id, parent_id, label, message_count, active, metadata FROM checkpoints") == [
        (str(root.id), None, None, 1, 0, None),
        (str(step.id), str(root.id), "answered", 2, 1, '{"n":1}'),
    ]
    assert query("SELECT session_id, position, role, content FROM messages") == [
        (str(session.id), 0, "user", "hi"),
        (str(session.id), 1, "assistant", "yo"),
    ]
    ((created_at,),) = query("SELECT created_at FROM sessions")
    assert created_at.endswith("Z")
    assert created_at[:19] == session.created_at.strftime("%Y-%m-%dT%H:%M:%S")


def test_the_messages_view_follows_a_fork_of_a_fork(path: Path, query: Query) -> None:
    with clew.open(path) as store:
        first = store.create_session("first", messages=[{"n": 0}, {"n": 1}])
        second = store.fork_session(first.id)
        store.append(second.id, [{"n": 2}])
        third = store.fork_session(second.id)
        store.append(third.id, [{"n": 3}, {"n": 4}])
    rows = query(f"SELECT position, body FROM messages WHERE session_id = '{third.id}'")
    assert rows == [(n, f'{{"n":{n}}}') for n in range(5)]


class TestSharing:
    def test_a_message_is_stored_once_in_a_family(self, path: Path, query: Query) -> None:
        message = {"role": "user", "content": "the same"}
        with clew.open(path) as store:
            session = store.create_session("one", messages=[message, message])
            store.append(session.id, [message])
            fork = store.fork_session(session.id)
            store.append(fork.id, [message])
            store.create_session("another family", messages=[message])
        assert query("SELECT count(*) FROM content") == [(2,)]
        assert query("SELECT count(*) FROM entry") == [(5,)]

    def test_a_fork_copies_no_row(self, path: Path, query: Query) -> None:
        with clew.open(path) as store:
            session = store.create_session("one", messages=[{"n": n} for n in range(100)])
            for _ in range(10):
                store.fork_session(session.id)
        assert query("SELECT count(*) FROM content") == [(100,)]
        assert query("SELECT count(*) FROM entry") == [(100,)]
        assert query("SELECT count(*) FROM timeline") == [(1,)]

    def test_a_full_list_stores_what_the_parent_lacks(self, path: Path, query: Query) -> None:
        messages = [{"n": n} for n in range(50)]
        with clew.open(path) as store:
            session = store.create_session("one", messages=messages)
            parent = session.active_checkpoint
            for n in range(50, 60):
                assert parent is not None
                messages = [*messages, {"n": n}]
                parent = store.create_checkpoint(session.id, messages, parent_id=parent.id)
        assert query("SELECT count(*) FROM entry") == [(60,)]
        assert query("SELECT count(*) FROM timeline") == [(1,)]

    def test_a_shorter_list_makes_no_timeline(self, path: Path, query: Query) -> None:
        messages = [{"n": n} for n in range(10)]
        with clew.open(path) as store:
            session = store.create_session("one", messages=messages)
            assert session.active_checkpoint is not None
            shorter = store.create_checkpoint(session.id, messages[:4], parent_id=session.active_checkpoint.id)
            store.create_checkpoint(session.id, [], parent_id=shorter.id)
        assert query("SELECT length, timeline IS NULL FROM checkpoint ORDER BY seq") == [(10, 0), (4, 0), (0, 1)]
        assert query("SELECT count(*) FROM timeline") == [(1,)]

    def test_an_append_after_a_beginning_stores_what_it_adds(self, path: Path, query: Query) -> None:
        with clew.open(path) as store:
            session = store.create_session("one", messages=[{"n": n} for n in range(50)])
            for n in range(50, 53):
                store.append(session.id, [{"n": n}], after=-1)
        assert query("SELECT length FROM checkpoint ORDER BY seq") == [(50,)] * 4
        assert query("SELECT count(*) FROM entry") == [(53,)]
        assert query("SELECT count(*) FROM content") == [(53,)]
        # No timeline is left for a message that was replaced: each goes on from the one that all are on.
        assert query("SELECT ancestor, ancestor_length FROM timeline ORDER BY key") == [(None, 0), *[(1, 49)] * 3]

    def test_taking_messages_back_makes_no_timeline(self, path: Path, query: Query) -> None:
        with clew.open(path) as store:
            session = store.create_session("one", messages=[{"n": n} for n in range(10)])
            for after in (-1, 4, 4, 0):
                store.append(session.id, [], after=after)
        assert query("SELECT length, timeline FROM checkpoint ORDER BY seq") == [
            (10, 1), (9, 1), (4, 1), (4, 1), (0, None),
        ]  # fmt: skip
        assert query("SELECT count(*) FROM timeline") == [(1,)]

    def test_all_of_the_parent_is_what_any_append_goes_on_from(self, path: Path, query: Query) -> None:
        with clew.open(path) as store:
            session = store.create_session("one", messages=[{"n": 0}])
            for n in range(1, 5):
                store.append(session.id, [{"n": n}], after=n)
        assert query("SELECT count(*) FROM timeline") == [(1,)]

    def test_rewriting_the_start_of_a_history_stores_references_only(self, path: Path, query: Query) -> None:
        messages = [{"n": n} for n in range(50)]
        with clew.open(path) as store:
            session = store.create_session("one", messages=messages)
            assert session.active_checkpoint is not None
            store.create_checkpoint(
                session.id, [{"summary": 1}, *messages[25:]], parent_id=session.active_checkpoint.id
            )
        assert query("SELECT count(*) FROM content") == [(51,)]

    def test_a_new_root_that_repeats_the_active_state_copies_nothing(self, path: Path, query: Query) -> None:
        messages = [{"n": n} for n in range(50)]
        with clew.open(path) as store:
            session = store.create_session("one", messages=messages)
            root = store.create_checkpoint(session.id, [*messages, {"n": 50}])
            assert root.parent_id is None
        assert query("SELECT count(*) FROM entry") == [(51,)]

    def test_two_bodies_with_one_hash_are_both_kept(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, query: Query
    ) -> None:
        for module in ("clew.relational.content", "clew.relational.timelines", "clew.hashing"):
            monkeypatch.setattr(f"{module}.content_hash", lambda _: bytes(16))
        with clew.open(path) as store:
            session = store.create_session("one", messages=[{"n": 1}, {"n": 2}, {"n": 1}])
            step = store.append(session.id, [{"n": 3}])
            assert store.get_messages(step.id) == [{"n": 1}, {"n": 2}, {"n": 1}, {"n": 3}]
        assert query("SELECT count(*) FROM content") == [(3,)]


def test_a_write_has_the_fingerprint_that_it_always_had(path: Path, query: Query) -> None:
    """Or a call repeated after an upgrade would be another one. The hashes are of before appends took `after`."""
    session, first, second = (UUID(int=number) for number in (1, 2, 3))
    with clew.open(path) as store:
        store.create_session("t", messages=[{"n": 0}, {"n": 1}], id=session)
        store.append(session, [{"n": 2}], metadata={"k": 1}, label="l", attachments={"f": b"1"}, id=first)
        store.append(session, [{"n": 3}], id=second)
    assert query("SELECT lower(hex(fingerprint)) FROM checkpoint WHERE fingerprint IS NOT NULL ORDER BY seq") == [
        ("d3e521be7b7e4e6cb9d5b911804de954",), ("da562e7ba0af0df48d07b4ef2bd3d450",),
    ]  # fmt: skip


class TestPurge:
    def test_no_byte_of_a_purged_session_is_left_in_any_file(self, path: Path, query: Query) -> None:
        marker = "purge-me-" * 300
        with clew.open(path) as store:
            doomed = store.create_session(
                marker, messages=[{"role": "user", "content": marker}], metadata={"m": marker}
            )
            kept = store.create_session("kept", messages=[{"role": "user", "content": "keep me"}])
            for n in range(20):
                store.append(doomed.id, [{"n": n, "content": marker + str(n)}])
            store.purge_session(doomed.id)
            for file in path.parent.iterdir():
                assert b"purge-me" not in file.read_bytes(), file
            assert store.get_active_checkpoint(kept.id).state.messages == [{"role": "user", "content": "keep me"}]
            with pytest.raises(clew.NotFoundError):
                store.get_session(doomed.id)
        assert query("SELECT count(*) FROM content") == [(1,)]

    def test_a_fork_keeps_what_it_needs_and_the_rest_goes(self, path: Path, query: Query) -> None:
        with clew.open(path) as store:
            first = store.create_session("first", messages=[{"shared": n} for n in range(10)])
            assert first.active_checkpoint is not None
            store.append(first.id, [{"alone": n} for n in range(10)])
            fork = store.fork_session(first.id, checkpoint_id=first.active_checkpoint.id)
            step = store.append(fork.id, [{"own": 1}])
            store.purge_session(first.id)
            assert store.get_messages(step.id) == [*({"shared": n} for n in range(10)), {"own": 1}]
        assert query("SELECT count(*) FROM content") == [(11,)]
        assert query("SELECT count(*) FROM entry") == [(11,)]
        with clew.open(path) as store:
            store.append(fork.id, [{"own": 2}])
            store.purge_session(fork.id)
        for table in ("session", "checkpoint", "timeline", "entry", "content"):
            assert query(f"SELECT count(*) FROM {table}") == [(0,)], table

    def test_a_reader_that_holds_the_log_is_waited_for_and_then_named(self, path: Path) -> None:
        marker = "purge-me-" * 300
        with clew.open(path, busy_timeout=0.2) as store:
            doomed = store.create_session("doomed", messages=[{"content": marker}])
            reader = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM session").fetchall()
            with pytest.raises(clew.UnavailableError, match="is purged, but a reader"):
                store.purge_session(doomed.id)
            reader.close()
            with pytest.raises(clew.NotFoundError):
                store.get_session(doomed.id)
        assert b"purge-me" not in path.read_bytes()


def test_the_counters_agree_with_the_rows_whatever_happened(path: Path, query: Query) -> None:
    with clew.open(path) as store:
        ids = [store.create_session(str(n)).id for n in range(6)]
        store.delete_session(ids[0])
        store.delete_session(ids[1])
        store.restore_session(ids[1])
        store.delete_session(ids[2])
        store.purge_session(ids[2])
        store.purge_session(ids[3])
    counted = query("SELECT status, count(*) FROM session GROUP BY status ORDER BY status")
    assert counted == [("ACTIVE", 3), ("DELETED", 1)]
    assert query("SELECT name, value FROM counter WHERE name IN ('ACTIVE', 'DELETED') ORDER BY name") == counted
