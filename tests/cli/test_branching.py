"""The promises of `clew fork` and `clew rewind`."""

from uuid import UUID, uuid4

import pytest
from tests.cli.support import texts

import clew
from clew.errors import CorruptStateError


def say(role, content):
    return [{"role": role, "content": content}]


@pytest.fixture
def steps(command):
    """The checkpoints of a session: nothing, q1, a1 (labelled), q2, a2."""
    session = command.create("a title", cwd="/repo")
    with command.open() as store:
        return [
            session.active_checkpoint,
            store.append(session.id, say("user", "q1")),
            store.append(session.id, say("assistant", "a1"), label="answered"),
            store.append(session.id, say("user", "q2")),
            store.append(session.id, say("assistant", "a2")),
        ]


@pytest.fixture
def session(steps):
    return steps[0].session_id


def active(command, session):
    return command.json("show", session)["active_checkpoint_id"]


class TestFork:
    def test_it_prints_the_id_of_a_session_that_begins_with_the_active_state(self, command, session, steps):
        (id,) = command.lines("fork", session)
        shown = command.json("show", id)
        assert [message["content"] for message in shown["messages"]] == ["q1", "a1", "q2", "a2"]
        assert (shown["title"], shown["cwd"]) == ("a title", "/repo")
        assert (shown["parent_session_id"], shown["forked_from"]) == (str(session), str(steps[4].id))

    @pytest.mark.parametrize("how", ["--checkpoint", "--label"])
    def test_it_may_begin_with_any_checkpoint(self, command, session, steps, how):
        where = steps[2].id if how == "--checkpoint" else "answered"
        (id,) = command.lines("fork", session, how, where, "--title", "other")
        shown = command.json("show", id)
        assert (shown["message_count"], shown["title"]) == (2, "other")

    def test_json_has_the_session_as_new_has_it(self, command, session):
        forked = command.json("fork", session)
        shown = command.json("show", forked["id"])
        del shown["messages"], shown["checkpoint_id"]
        assert forked == shown

    def test_two_places_are_refused_before_the_store_is_opened(self, command):
        refused = command.json_error("fork", uuid4(), "--label", "x", "--checkpoint", uuid4())
        assert refused == (2, "invalid_argument", "give --checkpoint or --label, not both")
        assert not command.path.exists()

    @pytest.mark.parametrize("where", [("--label", "x"), ("--checkpoint", UUID(int=9)), ("--checkpoint", "abcd")])
    def test_a_place_that_does_not_exist_is_not_found(self, command, session, where):
        assert command.json_error("fork", session, *where)[:2] == (1, "not_found")
        assert len(command.sessions()) == 1


class TestRewind:
    def test_turns_go_back_to_before_the_user_spoke_and_the_way_back_is_told(self, command, session, steps):
        way_back = f"clew --store {command.path} rewind {session} --checkpoint {steps[4].id}"
        assert command.lines("rewind", session, "--turns", 1) == [
            f"Rewound {session} to {steps[2].id} [answered] (2 messages)",
            "Left behind, from message 3 on: user: q2",
            f"Go back: {way_back}",
        ]
        assert active(command, session) == str(steps[2].id)
        assert command.lines(*way_back.split()[3:]) == [
            f"Rewound {session} to {steps[4].id} (4 messages)",
            f"Go back: clew --store {command.path} rewind {session} --checkpoint {steps[2].id}",
        ]
        assert active(command, session) == str(steps[4].id)

    def test_two_turns_go_back_to_the_beginning(self, command, session, steps):
        assert command.lines("rewind", session, "--turns", 2)[0] == f"Rewound {session} to {steps[0].id} (0 messages)"

    def test_turns_are_counted_on_the_branch_that_is_active(self, command, session, steps):
        with command.open() as store:
            branch = store.append(session, say("user", "q2 otherwise"), parent_id=steps[2].id)
            store.append(session, say("user", "q3"))
        command.output("rewind", session, "--turns", 1)
        assert active(command, session) == str(branch.id)
        command.output("rewind", session, "--turns", 1)
        assert active(command, session) == str(steps[2].id)

    def test_more_turns_than_there_are_change_nothing(self, command, session, steps):
        assert command.json_error("rewind", session, "--turns", 3) == (
            1,
            "not_found",
            "Not found: cannot go back 3 turns: the user has spoken 2 times",
        )
        assert active(command, session) == str(steps[4].id)

    def test_where_no_checkpoint_ends_before_the_turn_the_nearest_is_named(self, command):
        made = command.create(messages=texts(1))
        with command.open() as store:
            last = store.append(made.id, texts(3))
        text = command.json_error("rewind", made.id, "--turns", 1)[2]
        nearest = made.active_checkpoint.id
        assert text == (
            "Not found: no checkpoint ends before message 4 (user: m3); "
            f"the nearest that ends earlier is {nearest} (1 message)"
        )
        assert active(command, made.id) == str(last.id)

    def test_a_checkpoint_of_the_right_length_with_other_messages_is_passed_over(self, command):
        made = command.create(messages=texts(1))
        with command.open() as store:
            store.create_checkpoint(made.id, say("user", "other"), parent_id=made.active_checkpoint.id)
            store.create_checkpoint(made.id, texts(2), parent_id=made.active_checkpoint.id)
            store.create_checkpoint(made.id, say("user", "summary"), parent_id=clew.ACTIVE)
            store.create_checkpoint(made.id, texts(2), parent_id=clew.ACTIVE)
        command.output("rewind", made.id, "--turns", 1)
        assert active(command, made.id) == str(made.active_checkpoint.id)

    @pytest.mark.parametrize("how", ["id", "beginning", "label"])
    def test_a_checkpoint_or_a_label_is_resumed_from(self, command, session, steps, how):
        where = {
            "id": ("--checkpoint", steps[2].id),
            "beginning": ("--checkpoint", str(steps[2].id)[:34]),
            "label": ("--label", "answered"),
        }
        command.output("rewind", session, *where[how])
        assert active(command, session) == str(steps[2].id)

    def test_the_active_checkpoint_is_active_already(self, command, session, steps):
        (line,) = command.lines("rewind", session, "--checkpoint", steps[4].id)
        assert line == f"{steps[4].id} (4 messages) is active already"

    def test_nothing_is_deleted_and_what_comes_next_is_a_branch(self, command, session, steps):
        command.output("rewind", session, "--label", "answered")
        command.output("append", session, input="again")
        nodes = command.json("tree", session)["checkpoints"]
        assert len(nodes) == 6
        assert nodes[0]["parent_id"] == str(steps[2].id)

    def test_json_has_the_session_and_what_was_active_before(self, command, session, steps):
        told = command.json("rewind", session, "--turns", 1)
        shown = command.json("show", session)
        del shown["messages"], shown["checkpoint_id"]
        assert told == {**shown, "previous_checkpoint_id": str(steps[4].id)}

    @pytest.mark.parametrize(
        "where", [(), ("--turns", "1", "--label", "x"), ("--turns", "1", "--checkpoint", str(UUID(int=9)))]
    )
    def test_one_place_has_to_be_given(self, command, where):
        refused = command.json_error("rewind", uuid4(), *where)
        assert refused == (2, "invalid_argument", "say where to: one of --turns, --checkpoint and --label")
        assert not command.path.exists()

    def test_an_id_or_a_label_is_not_taken_for_a_number_of_turns(self, command, session):
        assert command.error("rewind", session, "2")[0] == 2
        assert command.error("rewind", session, "--turns", "0")[0] == 2
        assert command.error("rewind", session, "--turns", "abcd")[0] == 2

    def test_a_damaged_state_can_be_left(self, command, session, steps, monkeypatch):
        def damaged(*_):
            raise CorruptStateError("damaged")

        monkeypatch.setattr(clew.Store, "get_session", damaged)
        command.output("rewind", session, "--label", "answered")
        monkeypatch.undo()
        assert active(command, session) == str(steps[2].id)
