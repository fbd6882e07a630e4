"""Laptop and team have both gone on since the last copy.

Both begin with the same session: two checkpoints, the second one active, with a label and an attachment.
"""

from uuid import UUID

import pytest
from tests.copying.shapes import root_of, users
from tests.copying.stores import Counter, Killed, copy_whole, everything, open_file, without_order

from clew import Store
from clew.testing import Clock


def begin(here: Store, there: Store) -> UUID:
    session = here.create_session("talk", messages=users("a"), cwd="/r")
    here.append(session.id, users("b"), label="x", attachments={"f": b"1"})
    copy_whole(here, there)
    return session.id


@pytest.fixture
def talk(laptop: Store, team: Store) -> UUID:
    return begin(laptop, team)


def both_ways(here: Store, there: Store) -> None:
    """Copy there and back: both are equal then."""
    copy_whole(here, there)
    had = everything(there)
    copy_whole(there, here)
    assert without_order(everything(here)) == without_order(everything(there)) == without_order(had)
    assert list(here.verify()) == list(there.verify()) == []


def test_both_have_all_checkpoints_and_resume_from_where_was_worked_last(here: Store, there: Store) -> None:
    talk = begin(here, there)
    mine = here.append(talk, users("mine"))
    theirs = there.append(talk, users("theirs"))
    later = here.fork_session(talk)
    copy_whole(here, there)
    assert there.get_active_checkpoint(talk).id == theirs.id
    assert there.get_checkpoint(mine.id).state.messages == users("abmine")
    both_ways(here, there)
    assert here.get_active_checkpoint(talk).id == theirs.id
    assert there.get_session(later.id).forked_from == mine.id


@pytest.mark.parametrize("first", ["laptop", "team"])
def test_the_fields_of_the_side_that_changed_last_count(laptop: Store, team: Store, talk: UUID, first: str) -> None:
    one, other = (laptop, team) if first == "laptop" else (team, laptop)
    one.update_session(talk, title="first", cwd="/first", status="DELETED", owner="first")
    other.update_session(talk, title="last", metadata={"k": 1}, owner="last")
    both_ways(laptop, team)
    session = laptop.get_session(talk)
    assert (session.title, session.cwd, session.status, session.metadata) == ("last", "/r", "ACTIVE", {"k": 1})
    assert session.owner == "last"


@pytest.mark.parametrize("first", ["laptop", "team"])
def test_label_and_attachments_of_a_checkpoint_are_those_of_the_side_that_changed_it_last(
    laptop: Store, team: Store, talk: UUID, first: str
) -> None:
    one, other = (laptop, team) if first == "laptop" else (team, laptop)
    step = laptop.get_active_checkpoint(talk).id
    one.set_label(step, "first")
    one.attach(talk, {"g": b"first"}, checkpoint_id=step)
    other.attach(talk, {"f": b"last"}, checkpoint_id=step, on_conflict="replace")
    both_ways(laptop, team)
    assert laptop.get_checkpoint(step).label == "x"
    assert laptop.get_attachments(step)[step] == {"f": b"last"}


@pytest.mark.parametrize("first", ["laptop", "team"])
def test_a_label_that_both_gave_away_stays_where_it_was_given_last(
    laptop: Store, team: Store, talk: UUID, first: str
) -> None:
    one, other = (laptop, team) if first == "laptop" else (team, laptop)
    lost, kept = one.append(talk, users("1"), label="new"), other.append(talk, users("2"), label="new")
    both_ways(laptop, team)
    assert laptop.find_checkpoint(talk, "new").id == kept.id
    assert team.get_checkpoint(lost.id).label is None


def test_labels_that_changed_places_arrive(here: Store, there: Store) -> None:
    talk = begin(here, there)
    root, step = here.list_checkpoints(talk).items
    here.set_label(root.id, "y")
    copy_whole(here, there)
    here.set_label(root.id, None)
    here.set_label(step.id, "y")
    here.set_label(root.id, "x")
    both_ways(here, there)
    assert (there.get_checkpoint(root.id).label, there.get_checkpoint(step.id).label) == ("x", "y")


def test_nothing_that_the_source_deleted_is_deleted_in_the_destination(laptop: Store, team: Store, talk: UUID) -> None:
    other = team.create_session("theirs")
    step = laptop.get_active_checkpoint(talk).id
    before = everything(team)[talk]["checkpoints"]
    laptop.delete_checkpoints(talk, step)
    copy_whole(laptop, team)
    assert everything(team)[talk]["checkpoints"] == before
    assert team.get_active_checkpoint(talk).id == root_of(team, talk)  # where the laptop resumes from now
    laptop.purge_session(talk)
    assert copy_whole(laptop, team).sessions == 0
    assert {item.id for item in team.list_sessions()} == {talk, other.id}


def test_what_waits_is_that_of_the_side_that_changed_last(laptop: Store, team: Store, talk: UUID) -> None:
    laptop.attach(talk, {"f": b"mine"}, label="later")
    team.attach(talk, {"f": b"theirs", "g": b""}, label="later")
    both_ways(laptop, team)
    assert everything(laptop)[talk]["waiting"] == {"later": {"f": (b"theirs", None), "g": (b"", None)}}
    laptop.detach(talk, ["f", "g"], label="later")
    both_ways(laptop, team)
    assert team.list_waiting(talk) == {}


def test_a_checkpoint_gets_what_waits_for_its_label_on_the_other_side(laptop: Store, team: Store, talk: UUID) -> None:
    step = laptop.append(talk, [], label="later", attachments={"own": b"1", "both": b"mine"})
    team.attach(talk, {"waited": b"2", "both": b"theirs"}, label="later")
    both_ways(laptop, team)
    assert laptop.get_attachments(step.id)[step.id] == {"own": b"1", "both": b"mine", "waited": b"2"}


def test_what_waits_comes_to_the_checkpoint_that_has_the_label_on_the_other_side(here: Store, there: Store) -> None:
    talk = begin(here, there)
    step = there.append(talk, [], label="later", attachments={"own": b"1", "both": b"theirs"})
    here.attach(talk, {"waited": b"2", "both": b"mine"}, label="later")
    copy_whole(here, there)
    assert copy_whole(here, there, Counter(0)).unchanged == 1
    both_ways(here, there)
    assert here.get_attachments(step.id)[step.id] == {"own": b"1", "both": b"theirs", "waited": b"2"}


def test_a_kill_loses_nothing_that_either_side_has(clock: Clock) -> None:
    """What the team resumes from is written over by every checkpoint that arrives, and has to come back."""
    most, done = 0, False
    while not done:
        with open_file(None, clock) as laptop, open_file(None, clock) as team:
            talk = begin(laptop, team)
            for letter in "cd":
                laptop.append(talk, users(letter), label=letter)
            theirs = team.append(talk, users("z"), label="c")
            team.set_label(root_of(team, talk), "y")
            team.append(talk, users("newer"))
            team.set_active_checkpoint(talk, theirs.id)
            try:
                copy_whole(laptop, team, Counter(most))
                done = True
            except Killed:
                copy_whole(laptop, team)
            assert team.get_active_checkpoint(talk).id == theirs.id
            assert team.find_checkpoint(talk, "c").id == theirs.id
            both_ways(laptop, team)
        most += 1
    assert most > 4


def test_what_the_team_does_after_a_copy_was_killed_counts(clock: Clock) -> None:
    """What was kept of the active checkpoint of before is out of date then."""
    most, done = 0, False
    while not done:
        with open_file(None, clock) as laptop, open_file(None, clock) as team:
            talk = begin(laptop, team)
            mine = laptop.append(talk, users("mine"))
            team.append(talk, users("theirs"))
            try:
                copy_whole(laptop, team, Counter(most))
                done = True
            except Killed:
                team.update_session(talk, title="gone on")
                team.set_active_checkpoint(talk, root_of(team, talk))
                copy_whole(laptop, team)
                assert team.get_active_checkpoint(talk).id == root_of(team, talk)
                assert team.list_waiting(talk) == {}
            assert team.get_checkpoint(mine.id).state.messages == users("abmine")
        most += 1
    assert most > 3
