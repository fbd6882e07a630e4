"""Many callers at once."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from clew.errors import ConflictError, NotFoundError
from clew.model import Session
from clew.store import Store
from clew.testing.contract.base import EVERYTHING, Contract, active, ids, letters, missing, said, users


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
