"""What model providers refuse of a conversation, and how it is mended."""

from uuid import UUID

import pytest

from clew import limits
from clew.backend import NewCheckpoint
from clew.errors import ConflictError, InvalidRequestError, NotFoundError
from clew.model import Checkpoint, Label
from clew.store import Store
from clew.testing.contract.base import (
    Contract,
    active,
    attached,
    backend_of,
    emptied,
    missing,
    nothing_changes,
    revision,
    user,
    users,
)
from clew.testing.contract.statistics import answer, call


class RepairContract(Contract):
    """A conversation that providers refuse is told, and can be mended without losing what it was."""

    def test_a_conversation_in_order_has_no_flaw_and_is_not_written_again(self, store: Store) -> None:
        session = store.create_session("", messages=[*users("a"), call("1", "2"), answer("2"), answer("1")])
        with nothing_changes(store):
            assert store.validate(session.id) == []
            assert store.repair(session.id) is None

    def test_flaws_say_where_they_are_and_of_which_call(self, store: Store) -> None:
        messages = [user("a"), call("1"), user("b"), answer("9"), {"role": "assistant", "content": None}, call("2")]
        session = store.create_session("", messages=messages)
        with nothing_changes(store):
            found = [(flaw.position, flaw.code, flaw.id) for flaw in store.validate(session.id)]
        assert found == [
            (1, "call_without_result", "1"), (3, "result_without_call", "9"), (4, "empty_content", None),
            (5, "interrupted", "2"),
        ]  # fmt: skip

    def test_a_repair_is_a_new_checkpoint_and_keeps_the_one_that_it_repairs(self, store: Store) -> None:
        session = store.create_session("", messages=users("ab"))
        broken = store.append(session.id, [call("1")], metadata={"k": 1}, attachments={"f": b"bytes"}, label="here")
        made = store.repair(session.id)
        assert made is not None
        assert (made.parent_id, made.session_id) == (broken.id, session.id)
        assert active(store.get_session(session.id)).id == made.id
        assert made.state.messages[:3] == store.get_messages(broken.id) == [*users("ab"), call("1")]
        assert made.state.messages[3]["tool_call_id"] == "1"
        assert made.state.metadata == {"k": 1}
        assert attached(store, made.id) == attached(store, broken.id) == {"f": b"bytes"}
        assert store.find_checkpoint(session.id, "here").id == broken.id
        assert store.validate(session.id) == []
        assert store.repair(session.id) is None

    def test_a_dangling_call_can_be_dropped(self, store: Store) -> None:
        session = store.create_session("", messages=[user("a"), call("1"), user("b"), call("2", "3"), answer("3")])
        made = store.repair(session.id, dangling="drop")
        assert made is not None
        assert made.state.messages == [user("a"), user("b"), call("3"), answer("3")]

    def test_what_is_before_the_first_change_is_shared_and_not_sent_again(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        session = store.create_session("", messages=[*users("abcdef"), call("1"), user("g")])
        before, backend, written = store.store_stats(), backend_of(store), list[NewCheckpoint]()
        write = backend.write_checkpoint

        def note(session_id: UUID, new: NewCheckpoint) -> Checkpoint:
            written.append(new)
            return write(session_id, new)

        monkeypatch.setattr(backend, "write_checkpoint", note)
        made = store.repair(session.id)
        assert made is not None
        assert [(new.after, len(new.bodies)) for new in written] == [(7, 2)]
        assert store.store_stats().message_count == before.message_count + 1
        assert made.state.messages[:7] == store.get_messages(active(session).id)[:7]

    def test_any_checkpoint_of_the_session_can_be_checked_and_repaired(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        step = store.append(session.id, [call("1")], label="broken")
        store.append(session.id, users("b"), parent_id=active(session).id)
        assert store.validate(session.id) == []
        for place in (step.id, Label("broken")):
            assert [flaw.code for flaw in store.validate(session.id, checkpoint_id=place)] == ["interrupted"]
        made = store.repair(session.id, checkpoint_id=Label("broken"))
        assert made is not None
        assert made.parent_id == step.id

    def test_a_flaw_beyond_what_is_read_at_once_is_found_and_repaired(self, store: Store) -> None:
        count = limits.STATS_BATCH
        session = store.create_session("", messages=[user(str(number)) for number in range(count)])
        store.append(session.id, [call("1")])
        assert [flaw.position for flaw in store.validate(session.id)] == [count]
        made = store.repair(session.id)
        assert made is not None
        assert len(made.state.messages) == count + 2

    def test_a_step_written_meanwhile_is_not_lost(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        session = store.create_session("", messages=[call("1")])
        backend = backend_of(store)
        read = backend.get_messages
        steps: list[Checkpoint] = []

        def then_write(*arguments: object) -> list[bytes]:
            if not steps:
                steps.append(store.append(session.id, [answer("1")]))
            return read(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(backend, "get_messages", then_write)
        with pytest.raises(ConflictError):
            store.repair(session.id)
        assert active(store.get_session(session.id)).id == steps[0].id

    def test_a_repair_can_be_bound_to_the_active_checkpoint(self, store: Store) -> None:
        session = store.create_session("", messages=[call("1")])
        with nothing_changes(store), pytest.raises(ConflictError):
            store.repair(session.id, if_active=missing())
        before = revision(store, session.id)
        assert store.repair(session.id, if_active=active(session).id) is not None
        assert revision(store, session.id) == before + 1

    def test_what_is_not_there_can_be_neither_checked_nor_repaired(self, store: Store) -> None:
        session, other = store.create_session(""), store.create_session("")
        for place in (missing(), active(other).id):
            for look in (store.validate, store.repair):
                with pytest.raises(NotFoundError):
                    look(session.id, checkpoint_id=place)
        with pytest.raises(NotFoundError):
            store.validate(missing())
        empty = emptied(store)
        assert (store.validate(empty.id), store.repair(empty.id)) == ([], None)

    def test_a_repair_says_what_becomes_of_calls_or_is_refused(self, store: Store) -> None:
        session = store.create_session("", messages=[call("1")])
        with nothing_changes(store), pytest.raises(InvalidRequestError, match="dangling"):
            store.repair(session.id, dangling="keep")  # type: ignore[arg-type]
