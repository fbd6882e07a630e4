"""The promises of `clew label`."""

import sqlite3
from contextlib import closing
from uuid import UUID, uuid4

import pytest
from tests.cli.support import minute, texts

SUMMARY_KEYS = ["id", "session_id", "parent_id", "message_count", "created_at", "updated_at", "label", "damage"]


@pytest.fixture
def steps(command):
    """Two checkpoints of a session, the second one active."""
    session = command.create(messages=texts(1), created_at=minute(0))
    with command.open() as store:
        return [session.active_checkpoint, store.append(session.id, texts(10), created_at=minute(1))]


@pytest.fixture
def session(steps):
    return steps[0].session_id


def labels(command, session):
    return {label["label"]: label["id"] for label in command.json("label", session)["labels"]}


def test_a_checkpoint_gets_a_label_in_place_of_the_one_it_has(command, session, steps):
    one = steps[0].id
    assert command.lines("label", session, one, "first") == [f'Labelled {one} "first"']
    assert command.lines("label", session, one, "second") == [f'Labelled {one} "second"']
    assert labels(command, session) == {"second": str(one)}


def test_active_stands_for_the_active_checkpoint(command, session, steps):
    command.output("label", session, "active", "now")
    command.output("label", session, "ACTIVE", "later")
    assert labels(command, session) == {"later": str(steps[1].id)}


def test_a_label_is_shown_alone(command, session, steps):
    assert command.lines("label", session, "active") == ["(no label)"]
    command.output("label", session, "active", "a label")
    assert command.lines("label", session, str(steps[1].id)[:34]) == ["a label"]


def test_the_labels_of_a_session_are_listed_in_their_order(command, session, steps):
    assert command.lines("label", session)[1:] == ["No labels."]
    command.output("label", session, steps[0].id, "z")
    command.output("label", session, steps[1].id, "a")
    assert command.lines("label", session) == [
        f"Backend: local ({command.path})",
        f"{steps[1].id}  2026-01-02 03:05:05  11 messages  a",
        f"{steps[0].id}  2026-01-02 03:04:05    1 message  z",
    ]


def test_a_checkpoint_whose_row_is_damaged_is_listed_and_marked(command, session, steps):
    command.output("label", session, "active", "before")
    with closing(sqlite3.connect(command.path)) as connection, connection:
        connection.execute("UPDATE checkpoint SET label = 'after' WHERE label = 'before'")
    told = "the row of the checkpoint does not match its seal"
    assert command.lines("label", session)[1].endswith(f"  after  (damaged: {told})")
    assert [label["damage"] for label in command.json("label", session)["labels"]] == [told]


def test_a_label_is_taken_away(command, session, steps):
    command.output("label", session, "active", "x")
    assert command.lines("label", session, "active", "--delete") == [f'Took the label "x" from {steps[1].id}']
    assert command.lines("label", session, "active", "--delete") == [f"{steps[1].id} has no label"]
    assert labels(command, session) == {}


def test_a_label_of_another_checkpoint_is_a_conflict_unless_it_is_moved(command, session, steps):
    one, two = steps[0].id, steps[1].id
    command.output("label", session, one, "x")
    assert command.json_error("label", session, two, "x")[:2] == (1, "conflict")
    assert labels(command, session) == {"x": str(one)}
    assert command.lines("label", session, two, "x", "--move") == [
        f'Labelled {two} "x"',
        f"It was the label of {one}",
    ]
    assert labels(command, session) == {"x": str(two)}
    assert command.lines("label", session, two, "x", "--move") == [f'Labelled {two} "x"']


def test_json_has_the_checkpoint_or_all_that_have_labels(command, session, steps):
    for arguments in (("x",), (), ("--delete",)):
        told = command.json("label", session, "active", *arguments)
        assert list(told) == ["checkpoint", "backend"]
        assert list(told["checkpoint"]) == SUMMARY_KEYS
        assert told["checkpoint"]["label"] == (None if arguments == ("--delete",) else "x")
    command.output("label", session, "active", "y")
    told = command.json("label", session)
    assert list(told) == ["backend", "session_id", "labels"]
    assert told["session_id"] == str(session)
    assert [list(label) for label in told["labels"]] == [SUMMARY_KEYS]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--delete",), "--delete needs the checkpoint"),
        (("active", "x", "--delete"), "give neither a NAME nor --move"),
        (("active", "--delete", "--move"), "give neither a NAME nor --move"),
        (("active", "--move"), "--move needs the NAME"),
        (("--move",), "--move needs the NAME"),
        (("activ",), "invalid checkpoint id 'activ'"),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_store_is_opened(command, arguments, told):
    exit_code, code, text = command.json_error("label", uuid4(), *arguments)
    assert (exit_code, code) == (2, "invalid_argument")
    assert told in text
    assert not command.path.exists()


def test_a_label_that_no_store_takes_is_refused(command, session):
    assert command.json_error("label", session, "active", "")[:2] == (2, "invalid_request")
    assert command.json_error("label", session, "active", "x" * 1001)[:2] == (2, "invalid_request")


def test_a_checkpoint_of_another_session_is_not_found(command, session):
    other = command.create(messages=texts(1))
    assert command.json_error("label", session, other.active_checkpoint.id, "x")[:2] == (1, "not_found")
    assert command.json_error("label", session, UUID(int=9), "x")[:2] == (1, "not_found")
    assert labels(command, other.id) == {}


def test_a_label_cannot_break_a_line(command, session):
    nasty = "\x1b]0;owned\x07\u202e\r\nx"
    command.output("label", session, "active", nasty)
    assert command.lines("label", session, "active") == ["]0;owned x"]
    assert command.lines("label", session)[1].endswith("  ]0;owned x")
    assert list(labels(command, session)) == [nasty]
