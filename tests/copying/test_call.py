"""How a copy is asked for, what it tells, and what it holds in memory."""

import asyncio
import weakref
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.copying.shapes import fill, users
from tests.copying.stores import WRITES, Counter, Hands, copy_whole, everything, open_file

import clew
from clew import Copied, InvalidRequestError, NotFoundError, Progress, Store
from clew.copying import Copy, prepare_copy
from clew.testing import Clock


def test_the_result_counts_what_was_done(laptop: Store, team: Store) -> None:
    session = laptop.create_session("talk", messages=users("ab"))
    laptop.append(session.id, users("c"), metadata={"k": 1}, attachments={"f": b"12345"})
    laptop.fork_session(session.id)
    size = 3 * len('{"role":"user","content":"a"}') + len('{"k":1}') + len("12345")
    assert clew.copy_store(laptop, team) == Copied(
        created=2, checkpoints=3, messages=3, attachments=1, bytes=size, verified=True
    )
    laptop.append(session.id, users("d"))
    laptop.create_session("new")
    assert clew.copy_store(laptop, team, verify=False) == Copied(
        created=1, updated=1, unchanged=1, checkpoints=2, messages=1, bytes=36
    )


def test_a_dry_run_writes_nothing_and_counts_what_a_copy_does(laptop: Store, team: Store) -> None:
    talk = fill(laptop)
    for _ in range(2):
        source: Any = laptop._backend
        destination: Any = Hands(team._backend, Counter(0), WRITES)
        told = Copy(source, destination, dry_run=True).run()
        done = copy_whole(laptop, team)
        assert (told.created, told.updated, told.unchanged) == (done.created, done.updated, done.unchanged)
        assert (told.checkpoints, told.messages, told.verified, told.dry_run) == (done.checkpoints, 0, False, True)
        laptop.append(talk.id, users("z"))
        laptop.create_session("new")


def test_progress_counts_checkpoints_up_to_all(laptop: Store, team: Store) -> None:
    session = laptop.create_session("talk", messages=users("a"))
    for letter in "bcd":
        laptop.append(session.id, users(letter))
    laptop.create_session("other")
    told: list[Progress] = []
    for _ in range(2):
        told.clear()
        clew.copy_store(laptop, team, progress=told.append)
        assert {(progress.total, progress.unit) for progress in told} == {(5, "checkpoints")}
        counts = [progress.done for progress in told]
        assert (counts[0], counts[-1]) == (0, 5)
        assert counts == sorted(counts)
    assert len(told) < 5


def test_awaited_stores_are_taken_as_well(tmp_path: Path, laptop: Store) -> None:
    fill(laptop)

    async def copied() -> Copied:
        async with clew.open_async(tmp_path / "team.db") as team:
            return await asyncio.to_thread(clew.copy_store, laptop.aio, team)

    assert asyncio.run(copied()).created == len(everything(laptop))
    with clew.open(tmp_path / "team.db") as team:
        assert everything(team) == everything(laptop)


def test_a_store_is_not_copied_onto_itself(tmp_path: Path, laptop: Store) -> None:
    path = tmp_path / "agent.db"
    with clew.open(path) as one, clew.open(path) as same:
        (tmp_path / "link.db").symlink_to(path)
        with clew.open(tmp_path / "link.db") as linked:
            for other in (one, one.aio, same, linked):
                with pytest.raises(InvalidRequestError, match="the same store"):
                    clew.copy_store(one, other)
        assert clew.copy_store(one, laptop).failed == []
    with pytest.raises(InvalidRequestError, match="the same store"):
        clew.copy_store(laptop, laptop)


def test_two_stores_in_memory_are_two(clock: Clock) -> None:
    with open_file(None, clock) as one, open_file(None, clock) as other:
        one.create_session("talk")
        assert clew.copy_store(one, other).created == 1


def test_a_database_is_not_copied_onto_itself(postgres_url: str, clock: Clock) -> None:
    from tests.support.postgres_stores import open_store

    with open_store(postgres_url, clock) as one, open_store(postgres_url, clock) as again:
        for same in (one, again):
            with pytest.raises(InvalidRequestError, match="the same store"):
                clew.copy_store(one, same)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"source": "agent.db"}, "source"),
        ({"destination": None}, "destination"),
        ({"sessions": ["x"]}, "sessions"),
        ({"sessions": 1}, "sessions"),
        ({"progress": 1}, "progress"),
    ],
)
def test_arguments_that_nothing_can_be_done_with_are_refused_by_name(
    laptop: Store, team: Store, arguments: dict[str, Any], named: str
) -> None:
    laptop.create_session("talk")
    with pytest.raises(InvalidRequestError, match=named):
        clew.copy_store(**{"source": laptop, "destination": team, **arguments})
    assert team.list_sessions().total == 0


def test_a_chosen_session_that_is_not_there_is_not_found_and_nothing_is_copied(laptop: Store, team: Store) -> None:
    session, missing = laptop.create_session("talk"), uuid4()
    with pytest.raises(NotFoundError, match=str(missing)):
        clew.copy_store(laptop, team, sessions=[session.id, missing])
    assert team.list_sessions().total == 0
    assert clew.copy_store(laptop, team, sessions=str(session.id)).created == 1
    assert clew.copy_store(laptop, team, sessions=[]).sessions == 0


def test_a_copy_that_is_prepared_has_not_begun(laptop: Store, team: Store) -> None:
    laptop.create_session("talk")
    prepared = prepare_copy(laptop, team)
    assert team.list_sessions().total == 0
    assert prepared.run().created == 1


class Held:
    """A source that counts how many answers with messages, and with attachments, are still held by somebody."""

    class Bodies(list[bytes]):
        """Messages that can be referred to weakly."""

    class Items(dict[str, Any]):
        """Attachments that can."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._bodies: weakref.WeakSet[Any] = weakref.WeakSet()
        self.most_attachments = 0
        self.most_messages = 0
        self._alive: list[weakref.ref[Any]] = []

    def arriving(self) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def _held(self, answer: Any) -> int:
        alive = [found for found in (ref() for ref in self._alive) if type(found) is type(answer)]
        self._alive.append(weakref.ref(answer))
        return len(alive) + 1

    def get_messages(self, id: UUID, start: Any, stop: Any) -> list[bytes]:
        answer = Held.Bodies(self._backend.get_messages(id, start, stop))
        self.most_messages = max(self.most_messages, self._held(answer))
        return answer

    def get_checkpoint(self, id: UUID) -> Any:
        answer = self._backend.get_checkpoint(id)
        self.most_messages = max(self.most_messages, self._held(Held.Bodies()))
        return answer

    def get_attachments(self, ids: list[UUID], prefix: str) -> dict[UUID, Any]:
        assert len(ids) == 1
        answer = {id: Held.Items(items) for id, items in self._backend.get_attachments(ids, prefix).items()}
        self.most_attachments = max(self.most_attachments, self._held(answer[ids[0]]))
        return answer


def test_no_more_than_one_conversation_and_the_attachments_of_one_checkpoint_are_held(
    laptop: Store, team: Store
) -> None:
    session = laptop.create_session("talk", messages=users("ab"))
    for number in range(10):
        laptop.append(session.id, users("c"), attachments={"f": str(number).encode()})
        laptop.create_checkpoint(session.id, users("zz" + "y" * number), parent_id=clew.ACTIVE)
    source: Any = Held(laptop._backend)
    assert Copy(source, team._backend).run().failed == []
    assert (source.most_messages, source.most_attachments) == (1, 1)
    assert everything(team) == everything(laptop)
