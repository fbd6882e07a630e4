"""Watching: every change is told, in order, to those who come late too, and nothing else is."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from clew import limits
from clew.errors import InvalidRequestError, UnavailableError
from clew.model import Change, Session
from clew.store import Store
from clew.testing.contract.base import Contract, active, missing, revision, users
from clew.testing.contract.together import together

WRITES: dict[str, Callable[[Store, Session], Any]] = {
    "append": lambda store, session: store.append(session.id, users("x")),
    "append of nothing": lambda store, session: store.append(session.id, []),
    "append of what is there": lambda store, session: store.append(session.id, users("a")),
    "full list": lambda store, session: store.create_checkpoint(session.id, users("b")),
    "title": lambda store, session: store.update_session(session.id, title="new"),
    "delete": lambda store, session: store.delete_session(session.id),
    "rewind": lambda store, session: store.set_active_checkpoint(
        session.id, store.list_checkpoints(session.id).items[0].id
    ),
    "label": lambda store, session: store.set_label(active(session).id, "label"),
    "attach": lambda store, session: store.attach(session.id, {"f": b"1"}),
    "attach to a label to come": lambda store, session: store.attach(session.id, {"f": b"1"}, label="later"),
    "delete a checkpoint": lambda store, session: store.delete_checkpoints(session.id, active(session).id),
}
"""Every kind of write to a session that has two checkpoints, a and ab."""


class WatchContract(Contract):
    """What `watch` yields, and what it can go on from."""

    @pytest.fixture
    def watched(self, store: Store) -> Session:
        """A session of the checkpoints a and ab."""
        session = store.create_session("watched", messages=users("a"))
        store.append(session.id, users("b"))
        return store.get_session(session.id)

    @pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
    def test_every_write_is_told_with_its_revision(
        self, store: Store, watched: Session, write: Callable[[Store, Session], Any]
    ) -> None:
        other = store.create_session("other")
        watch = self._from_now(store)
        write(store, watched)
        now = store.get_session(watched.id)
        told = next(watch)
        assert told.session_id == watched.id != other.id
        assert (told.revision, told.updated_at) == (now.revision, now.updated_at)
        assert told.active_checkpoint_id == active(now).id
        assert not told.is_purge
        assert told.sequence <= store.last_change()

    def test_all_that_has_changed_is_told_however_much_that_is(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also by a watch that waits for nothing."""
        monkeypatch.setattr(limits, "WATCH_PAGE", 2)
        begin = store.last_change()
        made = [store.create_session("").id for _ in range(7)]
        assert [change.session_id for change in self._told(store, begin)] == made

    def test_new_sessions_forks_and_copies_are_told(self, store: Store, watched: Session) -> None:
        watch = self._from_now(store)
        makes: list[Callable[[], Session]] = [
            lambda: store.create_session("new"),
            lambda: store.create_session("new", messages=users("a"), metadata={"k": 1}),
            lambda: store.fork_session(watched.id),
            lambda: store.copy_session(watched.id),
        ]
        for make in makes:
            made = make()
            told = next(watch)
            assert (told.session_id, told.revision) == (made.id, made.revision)

    def test_a_purge_is_told_and_so_is_what_comes_after_it(self, store: Store, watched: Session) -> None:
        other = store.create_session("other")
        watch = self._from_now(store)
        store.purge_session(watched.id)
        told = next(watch)
        assert (told.session_id, told.revision, told.updated_at) == (watched.id, None, None)
        assert told.is_purge
        store.update_session(other.id, title="renamed")
        assert next(watch).session_id == other.id
        store.create_session("", messages=users("a"))
        assert not next(watch).is_purge

    def test_calls_that_change_nothing_are_not_told(self, store: Store, watched: Session) -> None:
        before = store.last_change()
        store.update_session(watched.id, title="watched")
        store.set_active_checkpoint(watched.id, active(watched).id)
        store.get_session(watched.id)
        store.list_sessions()
        assert list(store.watch(after=before, idle_timeout=0)) == []

    def test_the_numbers_grow_with_every_change(self, store: Store, watched: Session) -> None:
        numbers = [store.last_change()]
        for write in WRITES.values():
            write(store, watched)
            numbers.append(self._told(store, numbers[-1])[-1].sequence)
        store.purge_session(watched.id)
        numbers.append(self._told(store, numbers[-1])[-1].sequence)
        assert numbers == sorted(set(numbers))

    def test_who_goes_on_from_a_number_misses_nothing(self, store: Store) -> None:
        sessions = [store.create_session(str(number)) for number in range(5)]
        begin = store.last_change()
        for session in sessions:
            store.append(session.id, users("a"))
        whole = self._told(store, begin)
        assert [change.session_id for change in whole] == [session.id for session in sessions]
        for index, change in enumerate(whole):
            assert self._told(store, change.sequence) == whole[index + 1 :]

    def test_many_changes_of_a_session_may_come_as_the_last_of_them(self, store: Store, watched: Session) -> None:
        begin = store.last_change()
        for text in "xyz":
            store.append(watched.id, users(text))
        told = self._told(store, begin)
        assert [change.session_id for change in told] == [watched.id] * len(told)
        assert told[-1].revision == revision(store, watched.id)

    def test_everything_there_is_comes_after_0(self, store: Store, watched: Session) -> None:
        other = store.create_session("other")
        gone = store.create_session("gone")
        store.purge_session(gone.id)
        told = {change.session_id: change.revision for change in self._told(store, 0)}
        assert told == {watched.id: watched.revision, other.id: other.revision, gone.id: None}

    def test_one_session_is_watched_alone(self, store: Store, watched: Session) -> None:
        begin = store.last_change()
        watch = self._from_now(store, str(watched.id))
        store.create_session("other", messages=users("a"))
        store.append(watched.id, users("x"))
        store.create_session("another")
        assert next(watch).session_id == watched.id
        store.purge_session(watched.id)
        assert next(watch).is_purge
        assert {change.session_id for change in store.watch(watched.id, after=begin, idle_timeout=0)} == {watched.id}

    def test_a_session_may_be_watched_before_it_is_there(self, store: Store) -> None:
        id = missing()
        watch = self._from_now(store, id)
        store.create_session("", id=id)
        assert next(watch).session_id == id

    def test_what_was_written_before_another_opened_the_store_can_be_gone_on_from(
        self, store: Store, watched: Session, reopen: Callable[[], Store]
    ) -> None:
        number = store.last_change()
        store.append(watched.id, users("c"))
        again = reopen()
        assert [change.revision for change in self._told(again, number)] == [watched.revision + 1]
        number = again.last_change()
        again.append(watched.id, users("d"))
        assert [change.revision for change in self._told(again, number)] == [watched.revision + 2]

    def test_changes_of_others_wake_whoever_waits(self, store: Store, watched: Session) -> None:
        watch = self._from_now(store)
        first, _ = together([lambda: next(watch), lambda: store.append(watched.id, users("x"))])
        assert first.session_id == watched.id
        second, _ = together([lambda: next(watch), lambda: store.update_session(watched.id, title="other")])
        assert second.revision == first.revision + 1

    def test_no_change_of_many_writers_is_missed(self, store: Store) -> None:
        sessions = [store.create_session(str(number)) for number in range(4)]
        watch = store.watch(after=0)

        def write(session: Session) -> None:
            for text in "abcdefgh":
                store.append(session.id, users(text))

        def follow() -> dict[Any, int | None]:
            seen: dict[Any, int | None] = {}
            while any(seen.get(session.id) != 9 for session in sessions):
                change = next(watch)
                assert (seen.get(change.session_id) or 0) <= (change.revision or 0)
                seen[change.session_id] = change.revision
            return seen

        seen, *_ = together([follow, *(partial(write, session) for session in sessions)])
        assert seen == {session.id: 9 for session in sessions}

    def test_what_no_store_could_go_on_from_is_refused(self, store: Store, watched: Session) -> None:
        wrong: list[dict[str, Any]] = [
            {"after": -1}, {"after": 1.0}, {"after": "1"}, {"after": True}, {"after": store.last_change() + 1_000_000},
            {"after": 2**64}, {"idle_timeout": -1}, {"idle_timeout": "1"}, {"idle_timeout": float("nan")},
            {"session_id": 1}, {"session_id": "x"},
        ]  # fmt: skip
        for arguments in wrong:
            with pytest.raises(InvalidRequestError, match=next(iter(arguments))):
                next(store.watch(**arguments))

    def test_closing_the_store_ends_a_watch_with_an_error(self, store: Store, watched: Session) -> None:
        watch = self._from_now(store)
        store.append(watched.id, users("x"))
        next(watch)
        store.close()
        with pytest.raises(UnavailableError):
            next(watch)
        with pytest.raises(UnavailableError):
            next(store.watch())

    def _from_now(self, store: Store, session_id: UUID | str | None = None) -> Iterator[Change]:
        """An awaited watch begins with its first item, so that where it begins is said."""
        return store.watch(session_id, after=store.last_change())

    def _told(self, store: Store, after: int) -> list[Change]:
        return list(store.watch(after=after, idle_timeout=0))
