"""A copy that was stopped goes on, and a later one brings what is new."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from tests.copying.shapes import SHAPES, fill, root_deleted, root_of, users
from tests.copying.stores import (
    READS,
    WRITES,
    Counter,
    Hands,
    Killed,
    copy,
    copy_whole,
    everything,
    killed_copies,
    open_file,
)

from clew import Store
from clew.copying import Copy
from clew.testing import Clock


def test_a_second_copy_writes_nothing_and_reads_no_message(here: Store, there: Store) -> None:
    fill(here)
    copy_whole(here, there)
    reads = Counter()
    source: Any = Hands(here._backend, reads, READS)
    destination: Any = Hands(there._backend, Counter(0), WRITES)
    copied = Copy(source, Hands(destination, reads, READS)).run()  # type: ignore[arg-type]
    assert (copied.unchanged, copied.checkpoints) == (len(everything(here)), 0)
    assert {"get_messages", "get_checkpoint", "get_session", "get_attachments"}.isdisjoint(reads.calls)


def test_a_later_copy_sends_only_what_is_new(here: Store, there: Store) -> None:
    talk = fill(here)
    copy_whole(here, there)
    for text in "xy":
        here.append(talk.id, users(text))
    here.create_session("new", messages=users("z"))
    copied = copy_whole(here, there)
    assert (copied.created, copied.updated, copied.checkpoints, copied.messages) == (1, 1, 3, 3)
    assert everything(there) == everything(here)


CHANGES: dict[str, Callable[[Store, UUID, UUID], object]] = {
    "fields": lambda store, talk, step: store.update_session(talk, title="t", cwd=None, metadata=None),
    "visibility": lambda store, talk, step: store.update_session(talk, visibility="PRIVATE"),
    "deleted": lambda store, talk, step: store.delete_session(talk),
    "rewound": lambda store, talk, step: store.set_active_checkpoint(talk, root_of(store, talk)),
    "label": lambda store, talk, step: store.set_label(step, "another"),
    "label gone": lambda store, talk, step: store.set_label(step, None),
    "label moved": lambda store, talk, step: store.set_label(root_of(store, talk), "moved", move=True),
    "attached": lambda store, talk, step: store.attach(talk, {"new": b"1"}, checkpoint_id=step),
    "replaced": lambda store, talk, step: store.attach(talk, {"f": b"9"}, checkpoint_id=step, on_conflict="replace"),
    "detached": lambda store, talk, step: store.detach(talk, ["f"], checkpoint_id=step),
    "waiting": lambda store, talk, step: store.attach(talk, {"more": b""}, label="later"),
    "waits replaced": lambda store, talk, step: store.attach(
        talk, {"w": b"WAITS"}, label="later", on_conflict="replace"
    ),
    "waits no more": lambda store, talk, step: store.detach(talk, ["w"], label="later"),
    "waited for": lambda store, talk, step: store.append(talk, [], label="later", attachments={"f": b""}),
    "label waited for": lambda store, talk, step: store.set_label(step, "later"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_arrives_with_the_next_copy(laptop: Store, team: Store, change: str) -> None:
    talk = fill(laptop)
    step = laptop.find_checkpoint(talk.id, "moved")
    copy_whole(laptop, team)
    CHANGES[change](laptop, talk.id, step.id)
    assert copy_whole(laptop, team).updated == 1
    assert everything(team) == everything(laptop)
    assert list(team.verify()) == []


def test_changes_arrive_one_after_the_other_in_every_kind_of_store(here: Store, there: Store) -> None:
    talk = fill(here)
    step = here.find_checkpoint(talk.id, "moved")
    for change in list(CHANGES)[:-1]:  # the last one's label is taken by the one before
        CHANGES[change](here, talk.id, step.id)
        copy_whole(here, there)
        assert everything(there) == everything(here)
    assert list(there.verify()) == []


@pytest.mark.parametrize("shape", SHAPES)
def test_a_copy_that_is_killed_goes_on_and_ends_equal(laptop: Store, clock: Clock, shape: str) -> None:
    SHAPES[shape](laptop)
    whole, kills = everything(laptop), 0
    step = 3 if shape == "fill" else 1  # it is long, and of what the others are, each by itself
    for team in killed_copies(laptop, lambda: open_file(None, clock), step):
        copy_whole(laptop, team)
        assert everything(team) == whole
        assert list(team.verify()) == []
        kills += 1
    assert kills > 1


def test_a_copy_killed_at_every_step_of_each_run_ends_at_last(laptop: Store, team: Store) -> None:
    fill(laptop)
    kills = 0
    while True:
        try:
            copy_whole(laptop, team, Counter(6))
            break
        except Killed:
            kills += 1
            assert kills < 100
    assert kills > 4
    assert everything(team) == everything(laptop)


def test_what_has_arrived_is_not_sent_again_after_a_kill(laptop: Store, team: Store) -> None:
    session = laptop.create_session("", messages=users("a"))
    for letter in "bcdefghij":
        laptop.append(session.id, users(letter))
    with pytest.raises(Killed):
        copy_whole(laptop, team, Counter(6))
    assert copy_whole(laptop, team).messages == 5


def test_a_session_from_a_killed_copy_takes_nothing_back(laptop: Store, clock: Clock) -> None:
    fill(laptop)
    root_deleted(laptop)
    before = everything(laptop)
    for team in killed_copies(laptop, lambda: open_file(None, clock), step=3):
        copy(team, laptop)
        after = everything(laptop)
        assert {id: after[id] for id in before} == before
