"""The promises of `clew give`."""

from uuid import uuid4

import pytest


def owners(command):
    return {str(item.id): item.owner for item in command.sessions()}


def test_the_sessions_named_are_given_and_no_others(command):
    first, second, other = (str(command.create().id) for _ in range(3))
    with command.open() as store:
        store.create_key("Ada", "write")
    assert command.lines("give", "Ada", first, second[:13]) == ["Gave 2 sessions to Ada"]
    assert owners(command) == {first: "Ada", second: "Ada", other: None}


def test_what_belongs_to_nobody_is_given_and_nothing_that_belongs_to_somebody(command):
    mine = [str(command.create().id) for _ in range(2)]
    bobs = str(command.create(owner="Bob").id)
    with command.open() as store:
        store.delete_session(mine[1])
    assert sorted(command.json("give", "Ada", "--unowned")["given"]) == sorted(mine)
    assert owners(command) == {mine[0]: "Ada", mine[1]: "Ada", bobs: "Bob"}


def test_when_a_session_was_last_changed_stays_as_it_was(command):
    session = command.create()
    command.lines("give", "Ada", session.id)
    assert command.sessions()[0].updated_at == session.updated_at


def test_more_than_a_page_is_given(command):
    with command.open() as store:
        for _ in range(101):
            store.create_session("")
    assert command.lines("give", "Ada", "--unowned")[0] == "Gave 101 sessions to Ada"


def test_a_session_whose_source_name_is_taken_there_stays_and_is_named(command):
    command.create(source="tool", source_id="1", owner="Ada")
    taken = command.create(source="tool", source_id="1")
    free = command.create()
    result = command.run("give", "Ada", "--unowned")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (1, "Gave 1 session to Ada")
    assert str(taken.id) in result.stderr
    assert (owners(command)[str(taken.id)], owners(command)[str(free.id)]) == (None, "Ada")


@pytest.mark.parametrize("arguments", [("Ada",), ("Ada", str(uuid4()), "--unowned")])
def test_either_ids_or_all_are_given(command, arguments):
    command.create()
    code, error = command.error("give", *arguments)
    assert code == 2
    assert "either the ids of sessions or --unowned" in error


def test_one_id_that_is_not_there_gives_nothing(command):
    session = command.create()
    command.error("give", "Ada", session.id, uuid4())
    assert owners(command) == {str(session.id): None}


def test_an_owner_is_no_empty_text(command):
    session = command.create()
    assert "owner must not be empty" in command.error("give", "", session.id)[1]


def test_a_name_without_a_key_is_said_to_be_one(command):
    session = command.create()
    assert "No API key has the name Adda yet" in command.lines("give", "Adda", session.id)[1]
