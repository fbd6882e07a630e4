"""Moving sessions along with the directory that they are about."""

from pathlib import PurePosixPath

import pytest

from clew import limits
from clew.errors import InvalidRequestError
from clew.store import Store
from clew.testing.contract.base import (
    Contract,
    findings,
    ids,
    nothing_changes,
    revision,
    titles,
    users,
)

MOVES = [
    ("/a/b", "/a/b", "/n", "/n"),
    ("/a/b/c", "/a/b", "/n", "/n/c"),
    ("/a/b/c/", "/a/b/", "/n/", "/n/c/"),
    ("/a/b/", "/a/b", "/n", "/n"),
    ("/a/bc", "/a/b", "/n", None),
    ("/a", "/a/b", "/n", None),
    ("/x/a/b", "/a/b", "/n", None),
    ("/a/B", "/a/b", "/n", None),
    ("/a_b/%", "/a_b", "/n", "/n/%"),
    ("/aXb", "/a_b", "/n", None),
    ("/abc", "/%", "/n", None),
    ("/a/b", "/", "/n", "/n/a/b"),
    ("/a/b", "/a", "/", "/b"),
    ("/a", "/a", "/a/b", "/a/b"),
    ("/a/b\\c", "/a/b", "/n", None),
    ("/a/b\\c", "/a/b\\c", "/n", "/n"),
    ("C:\\a\\b", "C:\\a", "D:\\n", "D:\\n\\b"),
    ("C:\\a\\b", "C:\\a\\", "/n", "/n/b"),
    ("C:\\ab", "C:\\a", "D:\\n", None),
    ("/a/b/c", "/a", "C:\\n", "C:\\n\\b\\c"),
    ("/\u00e9/\U0001f9f6", "/\u00e9", "/n", "/n/\U0001f9f6"),
    ("/a/b", "/a", "/a", "/a/b"),
]
"""Where a session is, what is moved to where, and where it is then."""


class DirectoryContract(Contract):
    """Sessions follow their directory, and are found by where they were."""

    def test_a_session_below_the_directory_is_where_that_is_now(self, store: Store) -> None:
        for cwd, old, new, expected in MOVES:
            session = store.create_session("", cwd=cwd)
            moved = store.move_directory(old, new)
            found = store.get_session(session.id).cwd
            assert found == (cwd if expected is None else expected), (cwd, old, new)
            is_told = expected is not None and expected != cwd
            assert [(item.session_id, item.old_cwd, item.cwd) for item in moved.sessions] == (
                [(session.id, cwd, expected)] if is_told else []
            )
            store.purge_session(session.id)

    def test_moved_sessions_are_found_by_their_old_directory_too(self, store: Store) -> None:
        here = store.create_session("here", cwd="/a/b", owner="Ada", source="tool", source_id="1")
        below = store.create_session("below", cwd="/a/b/c")
        store.create_session("elsewhere", cwd="/a/bc")
        assert len(store.move_directory("/a/b", PurePosixPath("/n")).sessions) == 2
        store.move_directory("/n", "/o")
        for cwd in ("/a/b", "/n", "/o"):
            assert titles(store.list_sessions(cwd=cwd, count=True)) == ["here"]
            assert store.list_sessions(cwd=cwd, count=True).total == 1
            assert ids(store.list_sessions(cwd=cwd, owner="Ada", count=True)) == [here.id]
            assert store.list_sessions(cwd=cwd, owner="Ada", count=True).total == 1
            assert ids(store.list_sessions(cwd=cwd, source="tool", source_id="1")) == [here.id]
            assert ids(store.list_sessions(cwd=f"{cwd}/c")) == [below.id]
        assert store.get_session(here.id).cwd == "/o"
        assert findings(store) == []

    def test_a_session_that_comes_back_is_listed_once(self, store: Store) -> None:
        store.create_session("", cwd="/a")
        store.move_directory("/a", "/b")
        store.move_directory("/b", "/a")
        assert [len(store.list_sessions(cwd=cwd)) for cwd in ("/a", "/b")] == [1, 1]

    def test_forks_and_copies_are_found_where_their_origin_was(self, store: Store) -> None:
        origin = store.create_session("origin", messages=users("a"), cwd="/a")
        store.fork_session(origin.id, title="before")
        store.move_directory("/a", "/b")
        store.fork_session(origin.id, title="fork")
        store.copy_session(origin.id, title="copy")
        assert sorted(titles(store.list_sessions(cwd="/a"))) == ["before", "copy", "fork", "origin"]
        store.purge_session(origin.id)
        assert sorted(titles(store.list_sessions(cwd="/a"))) == ["before", "copy", "fork"]
        assert findings(store) == []

    def test_each_session_gets_a_revision_keeps_its_place_and_is_told_to_watchers(self, store: Store) -> None:
        moved = [store.create_session(str(number), cwd="/a") for number in range(3)]
        other = store.create_session("other", cwd="/b")
        order, before = ids(store.list_sessions()), [revision(store, session.id) for session in moved]
        after = store.last_change()
        store.move_directory("/a", "/n")
        assert [revision(store, session.id) for session in moved] == [number + 1 for number in before]
        assert ids(store.list_sessions()) == order
        assert [store.get_session(session.id).updated_at for session in moved] == [item.updated_at for item in moved]
        told = {change.session_id for change in store.watch(after=after, idle_timeout=0)}
        assert told == {session.id for session in moved}
        assert other.id not in told

    def test_a_dry_run_tells_the_same_and_changes_nothing(self, store: Store) -> None:
        for cwd in ("/a", "/a/b", "/b", None):
            store.create_session(str(cwd), cwd=cwd)
        with nothing_changes(store):
            told = store.move_directory("/a", "/n", dry_run=True)
        assert sorted(item.title for item in told.sessions) == ["/a", "/a/b"]
        assert store.move_directory("/a", "/n") == told
        assert store.move_directory("/a", "/n").sessions == []

    def test_of_an_owner_only_their_sessions_move(self, store: Store) -> None:
        for owner in ("Ada", "Bob", None):
            store.create_session(str(owner), cwd="/a", owner=owner)
        assert [item.title for item in store.move_directory("/a", "/n", owner="Ada").sessions] == ["Ada"]
        assert sorted(titles(store.list_sessions(cwd="/a"))) == ["Ada", "Bob", "None"]
        assert titles(store.list_sessions(cwd="/n")) == ["Ada"]

    def test_deleted_sessions_move_too(self, store: Store) -> None:
        session = store.create_session("", cwd="/a")
        store.delete_session(session.id)
        store.move_directory("/a", "/n")
        assert (store.get_session(session.id).cwd, store.get_session(session.id).status) == ("/n", "DELETED")

    def test_all_sessions_move_or_none(self, store: Store) -> None:
        store.create_session("short", cwd="/a/b")
        store.create_session("long", cwd="/a/" + "b" * (limits.MAX_CWD_CHARS - 3))
        with nothing_changes(store), pytest.raises(InvalidRequestError, match="MAX_CWD_CHARS"):
            store.move_directory("/a", "/longer")

    def test_what_is_no_directory_is_refused(self, store: Store) -> None:
        store.create_session("", cwd="/a")
        for old, new in (("", "/n"), ("/a", ""), ("/a\0", "/n"), ("/a", "/\ud800"), (1, "/n"), ("/a", None)):
            with nothing_changes(store), pytest.raises(InvalidRequestError):
                store.move_directory(old, new)  # type: ignore[arg-type]

    def test_a_long_directory_is_found_by_what_it_was(self, store: Store) -> None:
        cwd = "/a/" + "\u00e9" * 20_000
        session = store.create_session("", cwd=cwd)
        store.move_directory("/a", "/n")
        assert ids(store.list_sessions(cwd=cwd)) == [session.id]
        assert ids(store.list_sessions(cwd=cwd[:-1])) == []
