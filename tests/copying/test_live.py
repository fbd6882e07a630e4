"""Others go on working in both stores while one is copied into the other."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from tests.copying.shapes import root_of, users
from tests.copying.stores import READS, WRITES, Hands, copy_whole, everything, open_file, without_order

import clew
from clew import Store
from clew.copying import Copy
from clew.testing import Clock

Change = Callable[[Store, UUID], object]


THIRD = 3


def first_place(change: str) -> int:
    """Each change comes at every third call; together they come at every one."""
    return 1 + [*CHANGES, *DELETIONS].index(change) % THIRD


class Once:
    """A hand that does something else before one of the calls that pass through it."""

    def __init__(self, number: int, act: Callable[[], object]) -> None:
        self.calls = 0
        self.done = False
        self._number = number
        self._act = act

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        self.calls += 1
        if self.calls == self._number:
            self.done = True
            self._act()
        return call()


def begin(store: Store) -> UUID:
    """A session with a few of everything."""
    session = store.create_session("talk", messages=users("a"))
    store.append(session.id, users("b"), label="x", attachments={"f": b"1"})
    last = store.append(session.id, users("c"))
    store.append(store.fork_session(session.id).id, users("d"))
    store.set_label(last.id, "y")
    store.set_active_checkpoint(session.id, root_of(store, session.id))
    return session.id


CHANGES: dict[str, Change] = {
    "append": lambda store, id: store.append(id, users("live"), attachments={"g": b"2"}),
    "branch": lambda store, id: store.create_checkpoint(id, users("live"), label="live"),
    "rename": lambda store, id: store.update_session(id, title="live"),
    "rewind": lambda store, id: store.set_active_checkpoint(id, clew.Label("x")),
    "label": lambda store, id: store.set_label(root_of(store, id), "x", move=True),
    "attach": lambda store, id: store.attach(id, {"f": b"live"}, label="y"),
    "detach": lambda store, id: store.detach(id, "f", label="x"),
    "wait": lambda store, id: store.attach(id, {"f": b"live"}, label="live"),
    "fork": lambda store, id: store.append(store.fork_session(id).id, users("live")),
    "another": lambda store, id: store.create_session("live"),
}

DELETIONS: dict[str, Change] = {
    "delete": lambda store, id: store.delete_checkpoints(id, root_of(store, id)),
    "delete the end": lambda store, id: store.delete_checkpoints(id, store.find_checkpoint(id, "y").id),
    "purge": lambda store, id: store.purge_session(id),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_source_that_changes_meanwhile_raises_no_alarm_and_the_next_copy_brings_the_rest(
    clock: Clock, change: str
) -> None:
    number, done = first_place(change), True
    while done:
        with open_file(None, clock) as laptop, open_file(None, clock) as team:
            id = begin(laptop)
            once = Once(number, lambda: CHANGES[change](laptop, id))  # noqa: B023 - called at once
            source: Any = Hands(laptop._backend, once, READS)
            assert Copy(source, team._backend).run().failed == []
            assert list(team.verify()) == []
            done = once.done
            copy_whole(laptop, team)
            assert everything(team) == everything(laptop)
        number += THIRD
    assert number > 15


@pytest.mark.parametrize("change", DELETIONS)
def test_what_the_source_deletes_meanwhile_raises_no_alarm(clock: Clock, change: str) -> None:
    number, done = first_place(change), True
    while done:
        with open_file(None, clock) as laptop, open_file(None, clock) as team:
            id = begin(laptop)
            once = Once(number, lambda: DELETIONS[change](laptop, id))  # noqa: B023 - called at once
            source: Any = Hands(laptop._backend, once, READS)
            assert Copy(source, team._backend).run().failed == []
            done = once.done
            copy_whole(laptop, team)
            here, there = everything(laptop), everything(team)
            for session in here:
                assert here[session]["checkpoints"].keys() <= there[session]["checkpoints"].keys()
            assert list(team.verify()) == []
        number += THIRD
    assert number > 15


@pytest.mark.parametrize("names", [READS, WRITES], ids=["before a read", "before a write"])
@pytest.mark.parametrize("change", [change for change in CHANGES if change != "branch"])
def test_what_is_changed_in_the_destination_meanwhile_is_not_lost(
    clock: Clock, change: str, names: tuple[str, ...]
) -> None:
    """It is the later one, so it counts, and the laptop gets it with the copy back."""
    number, done = first_place(change), True
    while done:
        with open_file(None, clock) as laptop, open_file(None, clock) as team:
            id = begin(laptop)
            copy_whole(laptop, team)
            laptop.append(id, users("z"), label="z")
            laptop.update_session(id, cwd="/mine")
            before = everything(team)
            once = Once(number, lambda: CHANGES[change](team, id))  # noqa: B023 - called at once
            destination: Any = Hands(team._backend, once, names)
            source: Any = laptop._backend
            assert Copy(source, destination).run().failed == []
            done = once.done
            copy_whole(laptop, team)
            has = everything(team)
            assert before[id]["checkpoints"].keys() <= has[id]["checkpoints"].keys()
            assert everything(laptop)[id]["checkpoints"].keys() <= has[id]["checkpoints"].keys()
            assert done is False or _is_there(team, id, change)
            copy_whole(team, laptop)
            assert without_order(everything(laptop)) == without_order(has)
            assert list(team.verify()) == []
        number += THIRD
    assert number > 4


def _is_there(store: Store, id: UUID, change: str) -> bool:
    session = store.get_session(id)
    messages = [store.get_messages(item.id, start=-1) for item in store.list_checkpoints(id)]
    return {
        "append": lambda: [{"role": "user", "content": "e"}] in messages,
        "rename": lambda: session.title == "live",
        "rewind": lambda: True,  # the active checkpoint goes with what was done last, on either side
        "label": lambda: store.find_checkpoint(id, "x").id == root_of(store, id),
        "attach": lambda: store.get_attachments(store.find_checkpoint(id, "y").id).popitem()[1] == {"f": b"live"},
        "detach": lambda: store.list_attachments(store.find_checkpoint(id, "x").id) == [],
        "wait": lambda: list(store.list_waiting(id)) == ["live"],
        "fork": lambda: store.list_sessions().total == 3,
        "another": lambda: store.list_sessions(search="live").items != [],
    }[change]()
