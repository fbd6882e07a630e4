"""The store as a whole: closing and opening again, errors, and what it says of itself."""

from collections.abc import Callable
from typing import Any

import pytest

from clew import errors
from clew.errors import InvalidRequestError, StorageError, UnavailableError
from clew.model import BackendInfo, Checkpoint, SessionStatus, State, Visibility
from clew.store import Store
from clew.testing.contract.base import Contract, active, contents, missing, revision, said, users
from clew.testing.contract.calls import EVERY

CODES = {
    "NotFoundError": ("not_found", "Not found"),
    "InvalidRequestError": ("invalid_request", "Invalid request"),
    "ConflictError": ("conflict", "Conflict"),
    "UnauthorizedError": ("unauthorized", "Unauthorized"),
    "RateLimitedError": ("rate_limited", "Rate limited"),
    "CorruptStateError": ("corrupt_state", "Corrupt state"),
    "UnavailableError": ("connection_error", "Connection error"),
    "InternalError": ("internal_error", "Internal error"),
}


class WholeStoreContract(Contract):
    """What was written is there for whoever opens the data next; a closed store says so; errors are of one tree."""

    # -- opening again

    def test_what_was_written_is_there_after_opening_again(self, store: Store, reopen: Callable[[], Store]) -> None:
        session = store.create_session(
            "Título", messages=users("ab"), metadata={"k": 1}, source="tool", source_id="1", session_metadata={"s": 1}
        )
        step = store.create_checkpoint(session.id, users("axb"), parent_id=active(session).id, label="point")
        fork = store.fork_session(session.id, checkpoint_id=step.id)
        store.append(fork.id, users("c"))
        store.delete_session(session.id)
        gone = store.create_session("gone", messages=users("a"))
        store.purge_session(gone.id)
        store.attach(fork.id, {"f": b"1"})
        store.delete_checkpoints(fork.id, active(fork).id)
        store.copy_session(fork.id)
        before = contents(store)
        assert contents(reopen()) == before

    def test_work_goes_on_after_opening_again(self, store: Store, reopen: Callable[[], Store]) -> None:
        session = store.create_session("", messages=users("a"))
        step = store.create_checkpoint(session.id, users("ab"), id=missing())
        store.set_active_checkpoint(session.id, active(session).id)
        again = reopen()
        assert again.create_checkpoint(session.id, users("ab"), id=step.id).id == step.id
        assert said(again, again.append(session.id, users("c")).id) == "ac"
        assert said(again, again.create_checkpoint(session.id, users("abd"), parent_id=step.id).id) == "abd"
        assert revision(again, session.id) == 5

    # -- closing

    def test_a_closed_store_refuses_every_method(self, store: Store) -> None:
        session = store.create_session("", source="tool", source_id="1")
        store.close()
        for call in EVERY.values():
            with pytest.raises(UnavailableError) as caught:
                call(store, session.id, active(session).id)
            assert caught.value.code == "connection_error"

    def test_closing_twice_is_closing_once(self, store: Store) -> None:
        store.close()
        store.close()
        with pytest.raises(UnavailableError):
            store.list_sessions()

    def test_a_state_not_read_before_the_store_was_closed_is_unavailable(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        read, written = store.get_checkpoint(active(session).id), store.append(session.id, users("b"))
        store.close()
        assert read.state.messages == users("a")
        with pytest.raises(UnavailableError):
            _ = written.state.messages

    # -- errors

    def test_errors_have_stable_codes_and_say_their_kind(self) -> None:
        for name, (code, kind) in CODES.items():
            error = getattr(errors, name)("what happened")
            assert isinstance(error, StorageError)
            assert (error.code, error.message, str(error)) == (code, "what happened", f"{kind}: what happened")

    def test_the_root_of_all_errors_is_internal(self) -> None:
        assert (StorageError.code, str(StorageError("what"))) == ("internal_error", "Internal error: what")
        assert {cls.__name__ for cls in StorageError.__subclasses__()} >= set(CODES)

    @pytest.mark.parametrize(
        "call",
        [
            lambda store: store.get_session(missing()),
            lambda store: store.create_session("\0"),
            lambda store: store.create_session("", id=store.create_session("").id),
        ],
    )
    def test_one_except_clause_catches_every_refusal(self, store: Store, call: Callable[[Store], Any]) -> None:
        with pytest.raises(StorageError):
            call(store)

    def test_a_refusal_says_what_it_refused(self, store: Store) -> None:
        with pytest.raises(InvalidRequestError, match="title must be text, not int"):
            store.create_session(1)  # type: ignore[arg-type]

    # -- values

    def test_the_store_says_where_it_keeps_its_data(self, store: Store) -> None:
        info = store.backend_info()
        assert isinstance(info, BackendInfo)
        assert info.kind in {"local", "postgresql", "http"}
        assert (info.store_path is None) == (info.kind != "local")
        assert (info.endpoint is None) == (info.kind == "local")

    def test_enums_are_spelled_as_on_the_wire(self) -> None:
        assert [str(member) for member in Visibility] == ["PRIVATE", "PUBLIC"]
        assert [f"{member}" for member in SessionStatus] == ["ACTIVE", "DELETED"]

    def test_a_state_made_by_hand_equals_one_that_was_stored(self, store: Store) -> None:
        session = store.create_session("", messages=users("ab"), metadata={"k": 1})
        stored = store.get_checkpoint(active(session).id).state
        assert stored == State(users("ab"), {"k": 1})
        assert stored != State(users("ab"))
        assert (State().messages, State().metadata, State().messages_json) == ([], None, b"[]")
        assert State(users("ab")).messages_json == stored.messages_json

    def test_a_checkpoint_prints_its_state(self, store: Store) -> None:
        session = store.create_session("", messages=users("ab"))
        checkpoint: Checkpoint = store.append(session.id, users("c"))
        assert repr(users("abc")) in repr(checkpoint)
