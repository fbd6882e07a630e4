"""Many callers at once."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from clew.errors import ConflictError, NotFoundError
from clew.model import Label, Session
from clew.reports import Compaction, Finding
from clew.store import Store
from clew.testing.contract.base import (
    EVERYTHING,
    Contract,
    active,
    attached,
    checkpoint_pages,
    ids,
    labels,
    letters,
    missing,
    said,
    users,
)


def together(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """What the calls returned, or the errors they raised, each begun in its own thread when all were ready."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return call()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def conflicts(outcomes: list[Any]) -> int:
    """How many lost; nothing but a conflict may be raised."""
    errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert all(isinstance(error, ConflictError) for error in errors), errors
    return len(errors)


class TogetherContract(Contract):
    """Callers that write at once lose nothing; of callers that want the same thing one gets it."""

    def test_sessions_created_at_once_all_exist(self, store: Store) -> None:
        outcomes = together([lambda text=str(n): store.create_session(text) for n in range(20)])  # type: ignore[misc]
        assert conflicts(outcomes) == 0
        assert {session.title for session in store.list_sessions()} == {str(number) for number in range(20)}
        assert store.list_sessions().total == 20

    def test_two_appenders_never_lose_each_others_messages(self, store: Store) -> None:
        session = store.create_session("")

        def append_all(name: str) -> None:
            for number in range(12):
                store.append(session.id, users([f"{name}{number}"]))  # type: ignore[arg-type]

        assert conflicts(together([lambda name=name: append_all(name) for name in "abcd"])) == 0  # type: ignore[misc]
        line = [store.get_checkpoint(id) for id in ids(store.list_checkpoints(session.id, limit=EVERYTHING))]
        assert [step.parent_id for step in line[1:]] == [step.id for step in line[:-1]]
        contents = [message["content"] for message in line[-1].state.messages]
        assert sorted(contents) == sorted(f"{name}{number}" for name in "abcd" for number in range(12))
        for name in "abcd":
            assert [text for text in contents if text[0] == name] == [f"{name}{number}" for number in range(12)]
        assert store.get_session(session.id).revision == 1 + 48

    def test_of_writers_that_expect_the_same_active_checkpoint_one_wins(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        for round in range(1, 4):
            expected = store.get_active_checkpoint(session.id).id
            calls = [lambda: store.append(session.id, users("b"), if_active=expected)] * 4  # noqa: B023
            calls += [lambda: store.create_checkpoint(session.id, users("x"), if_active=expected)] * 4  # noqa: B023
            assert conflicts(together(calls)) == 7
            assert store.get_session(session.id).revision == 1 + round

    def test_of_updates_at_the_same_revision_one_wins(self, store: Store) -> None:
        session = store.create_session("")
        calls = [lambda title=str(n): store.update_session(session.id, title=title, if_revision=1) for n in range(8)]
        outcomes = together(calls)
        assert conflicts(outcomes) == 7
        (won,) = (outcome for outcome in outcomes if isinstance(outcome, Session))
        assert store.get_session(session.id) == won

    def test_of_callers_that_ensure_a_session_one_makes_it_and_all_get_it(self, store: Store) -> None:
        outcomes = together([lambda: store.ensure_session("tool", "1", messages=users("a"))] * 8)
        assert conflicts(outcomes) == 0
        assert len({session.id for session in outcomes}) == 1
        assert store.list_sessions().total == 1

    def test_of_sessions_of_the_same_name_one_is_made(self, store: Store) -> None:
        assert conflicts(together([lambda: store.create_session("", source="tool", source_id="1")] * 8)) == 7
        assert store.list_sessions().total == 1

    def test_a_write_repeated_at_once_is_written_once(self, store: Store) -> None:
        session_id, checkpoint_id = missing(), missing()
        outcomes = together([lambda: store.create_session("", messages=users("a"), id=session_id)] * 8)
        assert conflicts(outcomes) == 0
        assert all(session == outcomes[0] for session in outcomes)
        outcomes = together([lambda: store.append(session_id, users("b"), id=checkpoint_id)] * 8)
        assert conflicts(outcomes) == 0
        assert all(step == outcomes[0] for step in outcomes)
        assert said(store, store.get_active_checkpoint(session_id).id) == "ab"
        assert store.get_session(session_id).revision == 2

    def test_of_writes_with_the_same_label_one_happens(self, store: Store) -> None:
        session = store.create_session("")
        assert conflicts(together([lambda: store.append(session.id, users("a"), label="point")] * 8)) == 7
        assert said(store, store.get_active_checkpoint(session.id).id) == "a"

    def test_of_checkpoints_that_want_the_same_label_one_gets_it(self, store: Store) -> None:
        session = store.create_session("")
        made = [store.append(session.id, []).id for _ in range(8)]
        assert conflicts(together([lambda id=id: store.set_label(id, "point") for id in made])) == 7  # type: ignore[misc]
        assert labels(store.list_checkpoints(session.id)).count("point") == 1
        assert store.get_session(session.id).revision == 1 + 8 + 1

    def test_a_label_moved_by_many_at_once_is_with_one_in_the_end(self, store: Store) -> None:
        session = store.create_session("")
        made = [store.append(session.id, []).id for _ in range(8)]
        calls = [lambda id=id: store.set_label(id, "point", move=True) for id in made]
        assert conflicts(together(calls)) == 0
        assert labels(store.list_checkpoints(session.id)).count("point") == 1
        assert store.get_session(session.id).revision == 1 + 8 + 8

    def test_writes_that_take_a_label_along_all_happen_one_after_the_other(self, store: Store) -> None:
        session = store.create_session("")
        store.append(session.id, [], label="point")
        calls = [
            lambda text=text: store.append(session.id, users(text), label="point", move=True, if_active=Label("point"))
            for text in "abcdefgh"
        ]
        assert conflicts(together(calls)) == 0
        point = store.find_checkpoint(session.id, "point").id
        assert sorted(said(store, point)) == list("abcdefgh")
        assert store.get_session(session.id).active_checkpoint == store.get_checkpoint(point)
        assert labels(store.list_checkpoints(session.id)).count("point") == 1

    def test_a_label_given_and_written_at_once_is_with_one(self, store: Store) -> None:
        session = store.create_session("")
        root = active(session).id
        calls: list[Callable[[], Any]] = [lambda: store.append(session.id, users("a"), label="point")] * 4
        calls += [lambda: store.set_label(root, "point")]
        assert conflicts(together(calls)) == 4
        assert labels(store.list_checkpoints(session.id)).count("point") == 1

    def test_of_other_bytes_attached_at_once_under_a_name_one_wins(self, store: Store) -> None:
        session = store.create_session("")
        places: list[dict[str, Any]] = [{}, {"label": "later"}]
        for place in places:
            calls = [
                lambda n=n: store.attach(session.id, {"a": b"same", "f": str(n).encode()}, **place)  # noqa: B023
                for n in range(8)
            ]
            assert conflicts(together(calls)) == 7
        later = store.append(session.id, [], label="later")
        for id in (active(session).id, later.id):
            found = attached(store, id)
            assert (found["a"], len(found)) == (b"same", 2)
            assert found["f"] in {str(n).encode() for n in range(8)}

    def test_the_same_bytes_attached_at_once_are_attached_once(self, store: Store) -> None:
        session = store.create_session("")
        assert conflicts(together([lambda: store.attach(session.id, {"f": b"same"})] * 8)) == 0
        assert attached(store, active(session).id) == {"f": b"same"}
        assert store.get_session(session.id).revision == 2

    def test_what_is_attached_to_a_label_is_never_lost_while_its_checkpoint_comes(self, store: Store) -> None:
        session = store.create_session("")
        calls: list[Callable[[], Any]] = [
            lambda n=n: store.attach(session.id, {str(n): b"1"}, label="point")  # type: ignore[misc]
            for n in range(8)
        ]
        calls.append(lambda: store.append(session.id, users("a"), label="point"))
        assert conflicts(together(calls)) == 0
        found = store.find_checkpoint(session.id, "point")
        assert attached(store, found.id) == {str(n): b"1" for n in range(8)}

    def test_of_deletes_of_a_checkpoint_one_happens_and_the_others_find_nothing(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        step = store.append(session.id, users("b"))
        outcomes = together([lambda: store.delete_checkpoints(session.id, step.id)] * 8)
        won = [outcome for outcome in outcomes if isinstance(outcome, Session)]
        assert len(won) == 1
        assert all(isinstance(outcome, NotFoundError) for outcome in outcomes if outcome is not won[0]), outcomes
        assert ids(store.list_checkpoints(session.id)) == [active(session).id]

    def test_of_deletes_at_the_same_revision_one_happens(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        made = [store.append(session.id, users("b")).id for _ in range(6)]
        expected = store.get_session(session.id).revision
        calls = [lambda id=id: store.delete_checkpoints(session.id, id, if_revision=expected) for id in made]
        assert conflicts(together(calls)) == 5
        assert store.list_checkpoints(session.id).total == 6

    def test_a_checkpoint_written_upon_one_that_is_deleted_is_not_lost(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        for letter in "bcdefg":
            parent = store.append(session.id, users("p"), parent_id=active(session).id)
            append = [lambda: store.append(session.id, users(letter), parent_id=parent.id)]  # noqa: B023
            written, deleted = together([*append, lambda: store.delete_checkpoints(session.id, parent.id)])  # noqa: B023
            assert isinstance(deleted, Session)
            if isinstance(written, NotFoundError):
                assert ids(store.list_checkpoints(session.id)) == [active(session).id]
            else:
                assert store.get_checkpoint(written.id).parent_id == active(session).id
                assert said(store, written.id) == f"ap{letter}"
                store.delete_checkpoints(session.id, written.id)

    def test_a_copy_is_of_one_moment(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))

        def write() -> None:
            for _ in range(25):
                store.append(session.id, users("b"), label=None, attachments={"f": b"1"})

        *copies, written = together([lambda: store.copy_session(session.id)] * 3 + [write])
        assert written is None
        for copy in copies:
            line = store.list_checkpoints(copy.id, limit=EVERYTHING).items
            assert [item.message_count for item in line] == list(range(1, len(line) + 1))
            assert [item.parent_id for item in line] == [None, *(item.id for item in line[:-1])]
            assert active(copy).id == line[-1].id

    def test_nothing_is_found_wrong_while_others_write_delete_and_purge(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        done = threading.Event()

        def write() -> None:
            try:
                for number in range(12):
                    step = store.append(session.id, users("b"), attachments={"f": b"1", str(number): b"2"})
                    other = store.copy_session(session.id)
                    store.set_label(step.id, "point", move=True)
                    store.delete_checkpoints(session.id, ids(store.list_checkpoints(session.id))[0])
                    store.purge_session(other.id)
            finally:
                done.set()

        def verify() -> list[Finding]:
            found: list[Finding] = []
            while not done.is_set():
                found += store.verify()
            return found

        assert together([write, verify]) == [None, []]

    def test_a_store_is_made_compact_while_others_read_and_write(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        gone = store.append(session.id, [], attachments={"f": bytes(100_000)}, parent_id=None)
        store.delete_checkpoints(session.id, gone.id)

        def write() -> None:
            for _ in range(15):
                store.append(session.id, users("b"), attachments={"f": b"1"})

        def read() -> None:
            for _ in range(15):
                found = store.get_session(session.id)
                assert set(letters(active(found).state.messages)) <= {"a", "b"}

        *outcomes, compacted = together([write, read, store.compact])
        assert outcomes == [None, None]
        assert isinstance(compacted, Compaction)
        assert said(store, store.get_active_checkpoint(session.id).id) == "a" + "b" * 15

    def test_lists_of_checkpoints_hold_still_while_others_write(self, store: Store) -> None:
        """A reader turns pages in each order while writers append: what was there is seen once."""
        session = store.create_session("")
        for number in range(20):
            store.append(session.id, [], label=f"{number:03}")
        before = ids(store.list_checkpoints(session.id))
        done = threading.Event()

        def write() -> None:
            number = 20
            while not done.is_set() and number < 200:
                store.append(session.id, [], label=f"{number:03}")
                number += 1

        def read() -> None:
            try:
                orders: list[tuple[Any, list[Any]]] = [
                    ("created", before), ("-created", before[::-1]), ("label", before[1:]), ("-label", before[:0:-1]),
                ]  # fmt: skip
                for order, expected in orders:
                    pages = checkpoint_pages(store, session.id, 7, order=order)
                    seen = [id for page in pages for id in ids(page)]
                    assert [id for id in seen if id in expected] == expected
                    assert len(set(seen)) == len(seen)
            finally:
                done.set()

        assert together([write, read]) == [None, None]

    def test_branches_and_forks_made_at_once_keep_to_themselves(self, store: Store) -> None:
        session = store.create_session("", messages=users("ab"))
        root = active(session).id

        def branch(letter: str) -> tuple[str, str]:
            step = store.append(session.id, users(letter), parent_id=root)
            fork = store.fork_session(session.id, checkpoint_id=step.id)
            return said(store, step.id), said(store, store.append(fork.id, users(letter)).id)

        outcomes = together([lambda letter=letter: branch(letter) for letter in "cdefgh"])  # type: ignore[misc]
        assert outcomes == [(f"ab{letter}", f"ab{letter}{letter}") for letter in "cdefgh"]

    def test_a_reader_sees_a_write_whole_or_not_at_all(self, store: Store) -> None:
        session = store.create_session("", messages=users("ab"))
        done = threading.Event()

        def write() -> None:
            try:
                for _ in range(30):
                    store.append(session.id, users("cd"))
            finally:
                done.set()

        def read() -> None:
            finished = False
            while not finished:
                finished = done.is_set()
                found = store.get_session(session.id)
                assert len(active(found).state.messages) == 2 * found.revision
                assert set(letters(active(found).state.messages)[2:]) <= {"c", "d"}

        assert together([write, read, read]) == [None] * 3

    def test_a_purge_leaves_writers_of_its_session_with_nothing_found(self, store: Store) -> None:
        session = store.create_session("")
        begun = threading.Event()

        def write() -> None:
            while True:
                store.append(session.id, users("a"))
                begun.set()

        def purge() -> None:
            begun.wait()
            store.purge_session(session.id)

        *outcomes, purged = together([write, write, purge])
        assert all(isinstance(outcome, NotFoundError) for outcome in outcomes), outcomes
        assert purged is None
        assert store.list_sessions().items == []
