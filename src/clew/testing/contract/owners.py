"""Whose a session is."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from clew.errors import ConflictError, InvalidRequestError, NotFoundError
from clew.model import Session
from clew.store import Store
from clew.testing.contract.base import (
    EVERYTHING,
    Contract,
    active,
    backend_of,
    ids,
    nothing_changes,
    revision,
    summary,
    titles,
    users,
)

EVERYBODY = (None, "Ada", "Bob")


class OwnerContract(Contract):
    """A session may belong to somebody: lists of one owner hold their sessions, and names are unique within them."""

    # -- having one

    def test_a_session_belongs_to_nobody_unless_told(self, store: Store) -> None:
        for session in (store.create_session(""), store.ensure_session("tool", "1")):
            assert (session.owner, summary(store, session.id).owner) == (None, None)

    def test_the_owner_of_a_session_is_kept_and_shown_by_every_read(self, store: Store) -> None:
        session = store.create_session("", source="tool", source_id="1", owner="Ada")
        store.append(session.id, users("a"))
        shown = [
            session, store.get_session(session.id), store.find_session("tool", "1", owner="Ada"),
            store.ensure_session("tool", "1", owner="Ada"), store.get_session_summary(session.id),
            *store.list_sessions(), *store.list_sessions(owner="Ada"),
        ]  # fmt: skip
        assert [item.owner for item in shown] == ["Ada"] * 7
        assert {item.id for item in shown} == {session.id}

    def test_an_owner_is_no_empty_text(self, store: Store) -> None:
        session = store.create_session("")
        for call in (
            lambda: store.create_session("", owner=""), lambda: store.update_session(session.id, owner=""),
            lambda: store.fork_session(session.id, owner=""), lambda: store.copy_session(session.id, owner=""),
            lambda: store.list_sessions(owner=""), lambda: store.ensure_session("tool", "1", owner=""),
            lambda: store.find_session("tool", "1", owner=""),
        ):  # fmt: skip
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="owner must not be empty"):
                call()

    def test_a_fork_and_a_copy_belong_to_the_owner_of_their_origin_unless_told(self, store: Store) -> None:
        for owner in EVERYBODY:
            origin = store.create_session("", messages=users("a"), owner=owner)
            for make in (store.fork_session, store.copy_session):
                assert make(origin.id).owner == owner
                assert make(origin.id, owner="Cy").owner == "Cy"
                assert make(origin.id, owner=None).owner is None
            assert store.get_session(origin.id) == origin

    def test_a_repeated_fork_or_copy_for_another_owner_is_a_conflict(self, store: Store) -> None:
        origin = store.create_session("", messages=users("a"), owner="Ada")
        makers: list[Callable[..., Session]] = [store.fork_session, store.copy_session]
        for number, make in enumerate(makers):
            for place, owner in enumerate(EVERYBODY):
                id = UUID(int=10 * number + place + 1)
                made = make(origin.id, id=id, owner=owner)
                assert make(origin.id, id=id, owner=owner) == made
                for other in {*EVERYBODY} - {owner}:
                    with nothing_changes(store), pytest.raises(ConflictError):
                        make(origin.id, id=id, owner=other)
                with nothing_changes(store), pytest.raises(ConflictError):
                    make(origin.id, id=id)

    # -- changing it

    def test_a_session_can_be_given_to_another_owner_and_to_nobody(self, store: Store) -> None:
        session = store.create_session("kept", messages=users("a"))
        for owner in ("Ada", "Bob", None, "Ada"):
            before = revision(store, session.id)
            changed = store.update_session(session.id, owner=owner)
            assert (changed.owner, changed.title, changed.revision) == (owner, "kept", before + 1)
            assert store.get_session(session.id) == changed
            for listed in ("Ada", "Bob"):
                assert ids(store.list_sessions(owner=listed)) == ([session.id] if listed == owner else [])

    def test_a_change_of_something_else_leaves_the_owner(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"), owner="Ada")
        with nothing_changes(store):
            store.update_session(session.id, owner="Ada")
        assert store.update_session(session.id, title="changed", status="DELETED").owner == "Ada"
        store.append(session.id, users("b"))
        store.restore_session(session.id)
        assert store.set_active_checkpoint(session.id, active(session).id).owner == "Ada"
        assert ids(store.list_sessions(owner="Ada")) == [session.id]

    # -- names

    def test_a_name_is_unique_among_the_sessions_of_an_owner(self, store: Store) -> None:
        made = {owner: store.create_session("", source="tool", source_id="1", owner=owner).id for owner in EVERYBODY}
        assert len(set(made.values())) == 3
        for owner, id in made.items():
            assert store.find_session("tool", "1", owner=owner).id == id
            assert store.find_session_summary("tool", "1", owner=owner) == store.get_session_summary(id)
            with nothing_changes(store), pytest.raises(ConflictError, match="tool"):
                store.create_session("", source="tool", source_id="1", owner=owner)

    def test_a_name_is_found_only_among_the_sessions_of_its_owner(self, store: Store) -> None:
        for owner in EVERYBODY:
            store.create_session("", source="tool", source_id=f"of {owner}", owner=owner)
        for owner in EVERYBODY:
            for other in {*EVERYBODY} - {owner}:
                for find in (store.find_session, store.find_session_summary):
                    with pytest.raises(NotFoundError):
                        find("tool", f"of {owner}", owner=other)

    def test_ensure_makes_one_session_for_each_owner(self, store: Store) -> None:
        made = [store.ensure_session("tool", "1", owner=owner).id for owner in EVERYBODY]
        assert [store.ensure_session("tool", "1", owner=owner).id for owner in EVERYBODY] == made
        assert len(set(made)) == 3

    def test_a_name_that_the_new_owner_has_is_a_conflict_and_nothing_changes(self, store: Store) -> None:
        for owner in EVERYBODY:
            store.create_session("", messages=users("a"), source="tool", source_id="1", owner=owner)
        for owner in EVERYBODY:
            session = store.find_session("tool", "1", owner=owner)
            for other in {*EVERYBODY} - {owner}:
                with nothing_changes(store), pytest.raises(ConflictError, match="tool"):
                    store.update_session(session.id, title="changed", owner=other)
            with nothing_changes(store), pytest.raises(ConflictError, match="tool"):
                store.copy_session(session.id, source="tool", source_id="1")
            assert store.copy_session(session.id, source="tool", source_id="1", owner=f"{owner} 2").source_id == "1"

    def test_a_name_is_free_once_its_session_is_anothers(self, store: Store) -> None:
        session = store.create_session("", source="tool", source_id="1", owner="Ada")
        store.update_session(session.id, owner="Bob")
        assert store.create_session("", source="tool", source_id="1", owner="Ada").id != session.id
        store.purge_session(session.id)
        assert store.create_session("", source="tool", source_id="1", owner="Bob").owner == "Bob"

    # -- lists

    def test_a_list_of_an_owner_has_their_sessions_and_no_others(self, store: Store) -> None:
        made = self._some_of_everybody(store)
        for owner in ("Ada", "Bob"):
            assert titles(store.list_sessions(owner=owner)) == made[owner][::-1]
        assert titles(store.list_sessions(owner="ada")) == titles(store.list_sessions(owner="Ada ")) == []
        assert len(store.list_sessions()) == sum(map(len, made.values()))

    def test_a_list_of_an_owner_has_pages(self, store: Store) -> None:
        wanted = self._some_of_everybody(store)["Ada"][::-1]
        assert titles(store.list_sessions(owner="Ada", limit=2, offset=1)) == wanted[1:3]
        seen, cursor = list[str](), None
        while True:
            page = store.list_sessions(owner="Ada", limit=2, cursor=cursor)
            seen, cursor = seen + titles(page), page.next_cursor
            if cursor is None:
                break
        assert seen == wanted

    def test_an_owner_is_one_filter_among_others(self, store: Store) -> None:
        made = self._some_of_everybody(store)["Ada"]
        gone = store.list_sessions(owner="Ada", search=made[0]).items[0]
        store.delete_session(gone.id)
        assert titles(store.list_sessions(owner="Ada", status="DELETED")) == made[:1]
        assert titles(store.list_sessions(owner="Ada", status="ACTIVE")) == made[:0:-1]
        assert titles(store.list_sessions(owner="Ada", search=made[1])) == [made[1]]
        assert titles(store.list_sessions(owner="Bob", search=made[1])) == []
        filters: dict[str, Any] = {"visibility": "PUBLIC", "source": "tool", "metadata": {"k": 1}, "cwd": "/r"}
        store.create_session(
            "odd", visibility="PUBLIC", source="tool", source_id="1", session_metadata={"k": 1}, cwd="/r", owner="Ada"
        )
        for name, value in filters.items():
            assert titles(store.list_sessions(owner="Ada", **{name: value})) == ["odd"]
            assert titles(store.list_sessions(owner="Bob", **{name: value})) == []

    def test_the_sessions_of_an_owner_are_counted_only_when_asked_for(self, store: Store) -> None:
        made = self._some_of_everybody(store)
        store.delete_session(store.list_sessions(owner="Ada").items[0].id)
        assert store.list_sessions(owner="Ada").total is None
        assert store.list_sessions(owner="Ada", limit=1, count=True).total == len(made["Ada"])
        assert store.list_sessions(owner="Ada", status="DELETED", count=True).total == 1
        assert store.list_sessions(owner="nobody", count=True).total == 0
        assert store.list_sessions().total == sum(map(len, made.values()))

    # -- checkpoints and changes

    def test_checkpoints_are_found_among_the_sessions_of_one_owner(self, store: Store) -> None:
        made = {
            owner: store.create_session("", messages=users("a"), metadata={"k": 1}, owner=owner) for owner in EVERYBODY
        }
        for owner in ("Ada", "Bob"):
            assert ids(store.find_checkpoints(metadata={"k": 1}, owner=owner)) == [active(made[owner]).id]
        assert len(store.find_checkpoints(metadata={"k": 1})) == 3
        assert store.find_checkpoints(metadata=None, owner="ada").items == []
        with pytest.raises(InvalidRequestError, match="owner must not be empty"):
            store.find_checkpoints(metadata=None, owner="")

    def test_the_changes_of_one_owner_are_those_of_their_sessions_and_no_purges(self, store: Store) -> None:
        start = store.last_change()
        made = {owner: store.create_session("", owner=owner).id for owner in EVERYBODY}
        gone = store.create_session("", owner="Ada").id
        store.purge_session(gone)
        backend = backend_of(store)
        for owner in ("Ada", "Bob"):
            found = backend.list_changes(start, None, EVERYTHING, owner)
            assert [change.session_id for change in found.items] == [made[owner]]
            assert (found.decided, found.more) == (store.last_change(), False)
            assert [change.session_id for change in backend.list_changes(start, made["Ada"], 1, owner).items] == (
                [made["Ada"]] if owner == "Ada" else []
            )
        assert list(backend.list_changes(start, gone, 1, "Ada").items) == []
        assert {change.session_id for change in backend.list_changes(start, None, EVERYTHING).items} == {
            *made.values(), gone,
        }  # fmt: skip

    def test_changes_of_one_owner_come_in_pages_that_miss_nothing(self, store: Store) -> None:
        start = store.last_change()
        wanted = [store.create_session("", owner=owner).id for _ in range(3) for owner in ("Ada", "Bob")][::2]
        seen: list[UUID] = []
        more = True
        while more:
            found = backend_of(store).list_changes(start, None, 2, "Ada")
            seen += [change.session_id for change in found.items]
            start, more = found.decided, found.more
        assert seen == wanted

    # -- without the state

    def test_a_summary_is_what_a_list_shows(self, store: Store) -> None:
        session = store.create_session(
            "one", messages=users("ab"), source="tool", source_id="1", session_metadata={"k": 1}, owner="Ada", cwd="/r"
        )
        store.create_session("other", messages=users("a"))
        store.append(session.id, users("c"), label="point", metadata={"m": 1})
        store.delete_session(session.id)
        assert store.get_session_summary(session.id) == summary(store, session.id)
        assert store.get_session_summary(session.id).message_count == 3
        for item in store.list_checkpoints(session.id):
            assert store.get_checkpoint_summary(item.id) == item

    def test_a_session_without_checkpoints_has_a_summary(self, store: Store) -> None:
        session = store.create_session("emptied", messages=users("ab"))
        store.delete_checkpoints(session.id, active(session).id)
        found = store.get_session_summary(session.id)
        assert (found.active_checkpoint_id, found.message_count, found.checkpoint_count) == (None, 0, 0)

    def _some_of_everybody(self, store: Store) -> dict[str | None, list[str]]:
        """The titles of sessions of several owners, in the order in which they were made, one after the other."""
        made: dict[str | None, list[str]] = {owner: [] for owner in EVERYBODY}
        for number in range(5):
            for owner in EVERYBODY:
                session: Session = store.create_session(f"{owner} {number}", owner=owner)
                made[owner].append(session.title)
        return made
