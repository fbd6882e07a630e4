"""Creating, finding and ensuring sessions."""

import enum
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import pytest

from clew.errors import ConflictError, InvalidRequestError, NotFoundError
from clew.model import SessionStatus, Visibility
from clew.store import Store
from clew.testing.contract.base import (
    Contract,
    active,
    ids,
    missing,
    nothing_changes,
    revision,
    said,
    summary,
    user,
    users,
)
from clew.testing.contract.calls import EVERY, OF_A_CHECKPOINT, OF_A_PART, OF_A_SESSION, spellings

NO_IDS: list[Any] = ["", "nonsense", "0" * 31, 7, b"0" * 16, ["id"]]
"""What is no id, and no text of one."""


class SessionContract(Contract):
    """A session and its root checkpoint come into being together, and are found by id or by another program's name."""

    def test_a_new_session_has_a_root_checkpoint_that_is_active(self, store: Store) -> None:
        session = store.create_session("Fix the flaky test", messages=[user("hello")])
        root = active(session)
        assert root.session_id == session.id
        assert root.parent_id is None
        assert root.label is None
        assert root.state.messages == [user("hello")]
        assert root.state.metadata is None
        assert store.get_active_checkpoint(session.id) == root
        assert ids(store.list_checkpoints(session.id)) == [root.id]

    def test_ids_that_the_store_makes_are_uuids_of_version_7_and_differ(self, store: Store) -> None:
        sessions = [store.create_session("") for _ in range(3)]
        made = [id for session in sessions for id in (session.id, active(session).id)]
        made.append(store.append(sessions[0].id, []).id)
        made.append(store.fork_session(sessions[0].id).id)
        assert all(isinstance(id, UUID) and id.version == 7 for id in made)
        assert len(set(made)) == len(made)

    def test_a_session_begins_private_active_and_at_revision_1(self, store: Store) -> None:
        session = store.create_session("plain")
        assert session.visibility is Visibility.PRIVATE
        assert session.status is SessionStatus.ACTIVE
        assert session.revision == 1
        assert session.created_at == session.updated_at
        assert [
            session.cwd, session.source, session.source_id, session.parent_session_id, session.forked_from,
            session.metadata,
        ] == [None] * 6  # fmt: skip

    def test_everything_given_to_a_new_session_is_kept(self, store: Store) -> None:
        parent = store.create_session("parent")
        session = store.create_session(
            "child",
            messages=users("ab"),
            metadata={"step": 1},
            visibility=Visibility.PUBLIC,
            cwd="/repo",
            source="tool",
            source_id="7",
            parent_session_id=parent.id,
            session_metadata={"team": "blue"},
        )
        assert (session.title, session.visibility, session.cwd) == ("child", Visibility.PUBLIC, "/repo")
        assert (session.source, session.source_id) == ("tool", "7")
        assert (session.parent_session_id, session.forked_from) == (parent.id, None)
        assert session.metadata == {"team": "blue"}
        assert active(session).state.metadata == {"step": 1}
        assert store.get_session(session.id) == session

    def test_a_session_may_begin_without_messages(self, store: Store) -> None:
        session = store.create_session("empty")
        assert store.get_session(session.id).active_checkpoint == session.active_checkpoint
        assert active(session).state.messages == []
        assert active(session).state.messages_json == b"[]"

    def test_any_text_is_a_title(self, store: Store) -> None:
        for title in ("", " ", "two\nlines", "t" * 10_000, "Ω \U0001d538 \U0001f9f6 e\u0301", "'; --", "%_\\"):
            session = store.create_session(title)
            assert store.get_session(session.id).title == title
            assert summary(store, session.id).title == title

    def test_a_directory_may_be_given_as_a_path(self, store: Store) -> None:
        session = store.create_session("", cwd=PurePosixPath("/repo/src"))
        assert store.get_session(session.id).cwd == "/repo/src"

    def test_enums_equal_their_text_and_may_be_given_as_text(self, store: Store) -> None:
        session = store.get_session(store.create_session("", visibility="PUBLIC").id)
        assert isinstance(session.visibility, enum.StrEnum)
        assert isinstance(session.status, enum.StrEnum)
        assert (session.visibility, session.status) == ("PUBLIC", "ACTIVE")
        assert (str(Visibility.PRIVATE), str(SessionStatus.DELETED)) == ("PRIVATE", "DELETED")

    def test_any_other_visibility_is_refused(self, store: Store) -> None:
        wrong: list[Any] = ["public", "", "SECRET", None, 1, ["PUBLIC"]]
        for visibility in wrong:
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="visibility"):
                store.create_session("", visibility=visibility)

    def test_a_parent_session_that_does_not_exist_is_not_found(self, store: Store) -> None:
        with nothing_changes(store), pytest.raises(NotFoundError):
            store.create_session("child", messages=users("a"), parent_session_id=missing())

    # -- ids

    @pytest.mark.parametrize("spelling", range(4))
    def test_an_id_may_be_given_as_a_uuid_or_as_its_text(self, store: Store, spelling: int) -> None:
        session = store.create_session("", source="tool", source_id="1")
        store.attach(session.id, {"attached": b"bytes"})
        session_id, checkpoint_id = (spellings(id)[spelling] for id in (session.id, active(session).id))
        for call in (*OF_A_PART.values(), *EVERY.values()):
            call(store, session_id, checkpoint_id)
        with pytest.raises(NotFoundError):
            store.get_session(session.id)

    def test_what_is_no_session_id_is_refused_by_every_method(self, store: Store) -> None:
        root = active(store.create_session("")).id
        for name in (*OF_A_SESSION, "create_session", "ensure_session", "list_sessions"):
            for wrong in NO_IDS:
                with nothing_changes(store), pytest.raises(InvalidRequestError, match="id"):
                    EVERY[name](store, wrong, root)

    def test_what_is_no_checkpoint_id_is_refused_by_every_method(self, store: Store) -> None:
        session = store.create_session("")
        for call in (*OF_A_CHECKPOINT.values(), *OF_A_PART.values()):
            for wrong in NO_IDS:
                with nothing_changes(store), pytest.raises(InvalidRequestError, match=r"_id|id |checkpoint_a|ids"):
                    call(store, session.id, wrong)

    def test_a_missing_session_is_not_found_by_any_method(self, store: Store) -> None:
        other, id = store.create_session("other"), missing()
        for call in OF_A_SESSION.values():
            with nothing_changes(store), pytest.raises(NotFoundError) as caught:
                call(store, id, active(other).id)
            assert str(caught.value) == f"Not found: Session {id} not found"
            assert caught.value.code == "not_found"

    def test_a_missing_checkpoint_is_not_found_by_any_method(self, store: Store) -> None:
        session, id = store.create_session("", messages=users("a")), missing()
        for call in OF_A_CHECKPOINT.values():
            with nothing_changes(store), pytest.raises(NotFoundError) as caught:
                call(store, session.id, id)
            assert str(caught.value) == f"Not found: Checkpoint {id} not found"

    def test_a_checkpoint_of_another_session_is_not_found_in_this_one(self, store: Store) -> None:
        session, other = store.create_session("", messages=users("a")), store.create_session("", messages=users("b"))
        for call in OF_A_PART.values():
            for id in (missing(), active(other).id, session.id):
                with nothing_changes(store), pytest.raises(NotFoundError, match=f"Checkpoint {id} not found"):
                    call(store, session.id, id)

    def test_a_checkpoint_of_a_fork_is_not_one_of_its_origin(self, store: Store) -> None:
        origin = store.create_session("", messages=users("a"))
        fork = store.fork_session(origin.id)
        for call in OF_A_PART.values():
            with nothing_changes(store), pytest.raises(NotFoundError):
                call(store, origin.id, active(fork).id)
            with nothing_changes(store), pytest.raises(NotFoundError):
                call(store, fork.id, active(origin).id)

    def test_sessions_do_not_share_their_trees(self, store: Store) -> None:
        first = store.create_session("first", messages=users("a"))
        second = store.create_session("second", messages=users("a"))
        store.append(first.id, users("b"))
        assert said(store, store.get_active_checkpoint(first.id).id) == "ab"
        assert said(store, store.get_active_checkpoint(second.id).id) == "a"
        assert len(store.list_checkpoints(first.id)) == 2
        assert len(store.list_checkpoints(second.id)) == 1
        assert revision(store, second.id) == 1

    # -- the name that another program gave

    def test_a_session_is_found_by_the_name_another_program_gave_it(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"), source="tool", source_id="1")
        store.create_session("", source="tool", source_id="2")
        store.create_session("", source="other", source_id="1")
        assert store.find_session("tool", "1") == session
        assert store.find_session_summary("tool", "1") == store.get_session_summary(session.id)

    def test_a_name_is_found_only_exactly(self, store: Store) -> None:
        store.create_session("", source="tool", source_id="1")
        for source, source_id in (("tool", "2"), ("other", "1"), ("TOOL", "1"), ("tool", "1 "), ("", "1")):
            for find in (store.find_session, store.find_session_summary):
                with pytest.raises(NotFoundError):
                    find(source, source_id)

    def test_a_name_is_unique_in_the_store(self, store: Store) -> None:
        taken = store.create_session("", source="tool", source_id="1")
        store.delete_session(taken.id)
        with nothing_changes(store), pytest.raises(ConflictError):
            store.create_session("", messages=users("a"), source="tool", source_id="1")

    def test_source_and_source_id_come_together(self, store: Store) -> None:
        for source, source_id in (("tool", None), (None, "1")):
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="source"):
                store.create_session("", source=source, source_id=source_id)

    def test_both_parts_of_a_name_are_needed_to_find_or_ensure(self, store: Store) -> None:
        for source, source_id in (("tool", None), (None, "1"), (None, None)):
            with pytest.raises(InvalidRequestError, match="source"):
                store.find_session(source, source_id)  # type: ignore[arg-type]
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="source"):
                store.ensure_session(source, source_id)  # type: ignore[arg-type]

    def test_ensure_creates_the_session_that_is_missing(self, store: Store) -> None:
        session = store.ensure_session(
            "tool", "1", "title", messages=users("a"), metadata={"m": 1}, visibility="PUBLIC", cwd="/repo",
            session_metadata={"s": 1},
        )  # fmt: skip
        assert (session.source, session.source_id, session.title) == ("tool", "1", "title")
        assert (session.visibility, session.cwd, session.metadata) == ("PUBLIC", "/repo", {"s": 1})
        assert active(session).state.messages == users("a")
        assert active(session).state.metadata == {"m": 1}
        assert session.revision == 1
        assert store.get_session(session.id) == session

    def test_ensure_returns_a_session_that_exists_as_it_is(self, store: Store) -> None:
        session = store.create_session("kept", messages=users("a"), source="tool", source_id="1")
        store.append(session.id, users("b"))
        before = store.get_session(session.id)
        with nothing_changes(store):
            found = store.ensure_session("tool", "1", "another title", messages=users("xyz"), id=missing())
        assert found == before

    def test_ensure_finds_a_deleted_session(self, store: Store) -> None:
        session = store.ensure_session("tool", "1")
        store.delete_session(session.id)
        assert store.ensure_session("tool", "1").id == session.id
        assert store.find_session("tool", "1").status == "DELETED"

    def test_ensure_with_an_id_that_another_session_has_is_a_conflict(self, store: Store) -> None:
        taken = store.create_session("").id
        with nothing_changes(store), pytest.raises(ConflictError):
            store.ensure_session("tool", "1", id=taken)
