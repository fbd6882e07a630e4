"""The promises of `clew show`."""

import json
import re
from uuid import UUID

import pytest
from tests.cli.support import minute, texts

import clew
from clew import BackendInfo
from clew.cli.lookup import Found
from clew.cli.output import Styled
from clew.cli.rendering import message_lines, preview
from clew.cli.showing import Shown, _head
from clew.cli.window import Window

SHOW_KEYS = [
    "id", "title", "status", "visibility", "cwd", "created_at", "updated_at", "active_checkpoint_id", "message_count",
    "messages", "backend",
]  # fmt: skip

CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "run", "arguments": '{"cmd":["ls"]}'}}],
}
ANSWER = {"role": "tool", "content": "a\nb", "tool_call_id": "call_1"}


def contents(shown):
    return [message["content"] for message in shown["messages"]]


def rendered(message):
    return [line if isinstance(line, str) else line.text for line in message_lines(message, 1)][2:]


class TestJson:
    def test_it_is_one_object_with_its_keys_in_order(self, command):
        session = command.create("one", messages=texts(2), cwd="/repo", created_at=minute(0))
        shown = command.json("show", session.id)
        assert list(shown)[: len(SHOW_KEYS)] == SHOW_KEYS
        assert {key: shown[key] for key in SHOW_KEYS} == {
            "id": str(session.id),
            "title": "one",
            "status": "ACTIVE",
            "visibility": "PRIVATE",
            "cwd": "/repo",
            "created_at": "2026-01-02T03:04:05Z",
            "updated_at": "2026-01-02T03:04:05Z",
            "active_checkpoint_id": str(session.active_checkpoint.id),
            "message_count": 2,
            "messages": texts(2),
            "backend": {"kind": "local", "store_path": str(command.path)},
        }

    def test_a_role_and_a_limit_choose_messages_and_the_count_is_of_the_role(self, command):
        talk = [{"role": role, "content": role[0] + str(n)} for n in range(3) for role in ("user", "assistant")]
        session = command.create(messages=talk)
        shown = command.json("show", session.id, "--role", "USER", "--limit", 2)
        assert (contents(shown), shown["message_count"]) == (["u1", "u2"], 3)

    @pytest.mark.parametrize(
        ("arguments", "first", "last"),
        [
            (("--limit", 1), 30, 30),
            (("--limit", 1, "--offset", 1), 29, 29),
            (("--limit", 10, "--offset", 10), 11, 20),
            (("--offset", 25), 1, 5),
            (("--limit", 0), 1, 30),
            (("--offset", 30), 1, 0),
            (("--offset", 10**30), 1, 0),
        ],
    )
    def test_the_window_counts_from_the_newest(self, command, arguments, first, last):
        session = command.create(messages=texts(30))
        shown = command.json("show", session.id, *arguments)
        assert contents(shown) == [f"m{number}" for number in range(first, last + 1)]
        assert shown["message_count"] == 30

    def test_fifty_messages_are_shown_by_default_and_all_without_a_limit(self, command):
        session = command.create(messages=texts(60))
        assert len(command.json("show", session.id)["messages"]) == 50
        assert len(command.json("show", session.id, "--limit", 0)["messages"]) == 60

    def test_messages_come_back_as_they_were_stored(self, command):
        odd = [
            CALL,
            ANSWER,
            {"role": "user", "content": "\x1b[31m\x00\x9b\u202e\ufffd\ud800", "n": [1.5, 2**70, None], "é": {}},
            {"type": "function_call", "call_id": "x"},
        ]
        session = command.create("\x1b[1mtitle", messages=odd)
        shown = command.json("show", session.id)
        assert shown["messages"] == odd
        assert shown["title"] == "\x1b[1mtitle"
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", command.output("show", session.id, "--json"))

    def test_a_session_of_another_program_says_where_it_comes_from(self, command):
        session = command.create(source="other", source_id="x 1", session_metadata={"k": 1})
        shown = command.json("show", session.id)
        assert (shown["source"], shown["source_id"], shown["metadata"]) == ("other", "x 1", {"k": 1})


class TestText:
    def test_the_head_names_everything_and_the_resume_command(self, command):
        session = command.create("one", messages=texts(1), cwd="/repo", created_at=minute(0))
        assert command.lines("show", session.id) == [
            f"Backend: local ({command.path})",
            f"ID:          {session.id}",
            "Title:       one",
            "Status:      ACTIVE",
            "Visibility:  PRIVATE",
            "Working dir: /repo",
            "Created:     2026-01-02 03:04:05 UTC",
            "Updated:     2026-01-02 03:04:05 UTC",
            f"Checkpoint:  {session.active_checkpoint.id}",
            "",
            f"Resume: clew --store {command.path} append {session.id}",
            "",
            "Messages (1):",
            "",
            "[1] user",
            "    m1",
        ]

    def test_a_field_without_a_value_has_no_line(self, command):
        output = command.output("show", command.create().id)
        assert not re.search("^(Working dir|Source|Parent|Forked from):", output, re.MULTILINE)

    def test_a_fork_of_an_imported_session_says_where_it_comes_from(self, command):
        origin = command.create(source="other", source_id="x\x1b", messages=texts(1))
        with command.open() as store:
            fork = store.fork_session(origin.id)
        assert "Source:      other x" in command.lines("show", origin.id)
        lines = command.lines("show", fork.id)
        assert f"Parent:      {origin.id}" in lines
        assert f"Forked from: {origin.active_checkpoint.id}" in lines

    def test_a_title_of_several_lines_takes_one_line_and_is_not_cut(self, command):
        session = command.create("a\n\tb" + "c" * 100)
        assert command.lines("show", session.id)[2] == "Title:       a b" + "c" * 100

    def test_a_session_without_messages_says_so(self, command):
        assert command.lines("show", command.create().id)[-2:] == ["Messages (0):", "  (no messages)"]

    def test_a_session_without_a_checkpoint_says_so(self, command):
        session = command.create()
        shown = Shown(Found(session, None, 0), None, Window([], 0, 0), BackendInfo(kind="local"))
        assert list(_head(shown))[-1] == "Checkpoint:  (none)"

    def test_sixty_messages_show_fifty_and_how_to_see_the_others(self, command):
        session = command.create(messages=texts(60))
        lines = command.lines("show", session.id)
        assert lines[-1] == "showing messages 11–60 of 60 (use --offset 50 for an older page)"
        assert "Messages (50):" in lines
        assert lines[lines.index("Messages (50):") + 2] == "[11] user"
        older = command.lines("show", session.id, "--offset", 20, "--limit", 10)
        assert older[-1] == "showing messages 31–40 of 60 (use --offset 30 for an older page)"
        assert command.lines("show", session.id, "--offset", 50)[-1] == "showing messages 1–10 of 60"

    def test_without_a_limit_there_is_no_footer(self, command):
        session = command.create(messages=texts(60))
        lines = command.lines("show", session.id, "--limit", 0)
        assert lines[-2:] == ["[60] user", "    m60"]
        assert command.lines("show", session.id, "--limit", 0, "--offset", 1)[-1] == "    m59"

    def test_an_offset_beyond_the_oldest_says_so(self, command):
        session = command.create(messages=texts(3))
        lines = command.lines("show", session.id, "--offset", 7)
        assert lines[-1] == "showing none of 3 messages (--offset 7 is beyond the oldest)"
        assert "  (no messages)" in lines

    def test_control_characters_of_whatever_is_shown_do_not_get_out(self, command):
        nasty = "\x1b]0;x\a\x9b\u202e\r"
        function = {"name": nasty, "arguments": nasty}
        message = {
            "role": nasty, "content": [{"type": "text", "text": nasty}, {"type": nasty}, nasty, {nasty: nasty}],
            "tool_calls": [{"id": nasty, "function": function}, nasty], "tool_call_id": nasty,
        }  # fmt: skip
        session = command.create(nasty, messages=[message], cwd=f"/{nasty}", source=nasty, source_id=nasty)
        output = command.output("show", session.id)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", output)
        assert "]0;x" in output

    def test_newlines_and_tabs_of_a_message_stay(self, command):
        session = command.create(messages=[{"role": "user", "content": "a\r\n\tb\n\nc"}])
        assert command.lines("show", session.id)[-4:] == ["    a", "    \tb", "", "    c"]

    @pytest.mark.parametrize(
        ("url", "words"),
        [
            (None, "clew append"),
            ("a b.db", "clew --store 'a b.db' append"),
            ("sqlite:///a.db", "clew --store sqlite:///a.db append"),
            ("postgresql://host/db", "clew --store postgresql://host/db append"),
            ("https://clew.example:8420", "clew --store https://clew.example:8420 append"),
            ("postgresql://user:secret@host/db", "clew append"),
            ("postgresql://host/db?password=secret", "clew append"),
        ],
    )
    def test_the_resume_command_has_the_store_that_was_asked_for_and_no_password(self, url, words):
        from clew.cli.options import App

        app = App()
        app.store_url = url
        assert app.command("append", "x") == f"{words} x"


class TestMessages:
    def test_a_tool_call_shows_its_name_id_and_arguments_over_several_lines(self):
        assert rendered(CALL) == [
            "",
            "    [tool_call] run (call_1)",
            "      arguments:",
            "        {",
            '          "cmd": [',
            '            "ls"',
            "          ]",
            "        }",
        ]

    def test_arguments_that_are_no_json_are_shown_as_they_are(self):
        call = {"id": "c", "function": {"name": "f", "arguments": "{not json"}}
        assert rendered({"role": "assistant", "content": None, "tool_calls": [call]})[-1] == "        {not json"

    def test_an_answer_names_the_call_that_it_answers(self):
        assert rendered(ANSWER) == ["    a", "    b", "    [tool_call_id] call_1"]

    def test_parts_are_shown_one_below_the_other(self):
        parts = [
            {"type": "text", "text": "look:"},
            {"type": "image_url", "image_url": {"url": "data:…"}},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
            {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "done"}]},
        ]
        assert rendered({"role": "user", "content": parts}) == [
            "    look:",
            "    [image_url]",
            "    [tool_call] f (t)",
            "      arguments:",
            "        {",
            '          "a": 1',
            "        }",
            "    done",
            "    [tool_call_id] t",
        ]

    @pytest.mark.parametrize(
        ("item", "shown"),
        [
            (
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                ["    [tool_call] f (c)", "      arguments:", "        {}"],
            ),
            (
                {"type": "function_call_output", "call_id": "c", "output": "done"},
                ["    done", "    [tool_call_id] c"],
            ),
            (
                {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "done"}]},
                ["    done", "    [tool_call_id] c"],
            ),
            ({"type": "reasoning", "summary": [{"type": "summary_text", "text": "why"}]}, ["    why"]),
            ({"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}, ["    no"]),
        ],
    )
    def test_an_item_of_openais_newer_interface_says_what_it_says(self, item, shown):
        assert rendered(item) == shown

    def test_an_item_without_a_role_is_headed_by_its_type(self):
        assert list(message_lines({"type": "reasoning"}, 3))[1] == Styled("[3] reasoning", "bold")

    @pytest.mark.parametrize("value", [None, True, 0, 1.5, "", "x", [], [None], {}, {"a": [{}]}, [[["deep"]]]])
    @pytest.mark.parametrize(
        "shape",
        [
            '{"role": V}', '{"content": V}', '{"content": [V]}', '{"content": [{"type": V, "text": V}]}',
            '{"content": [{"type": "tool_use", "name": V, "id": V, "input": V}]}',
            '{"content": [{"type": "tool_result", "content": V, "tool_use_id": V}]}',
            '{"tool_calls": V}', '{"tool_calls": [V]}', '{"tool_calls": [{"id": V, "function": V}]}',
            '{"tool_calls": [{"id": V, "function": {"name": V, "arguments": V}}]}', '{"tool_call_id": V}',
            '{"type": "function_call", "name": V, "call_id": V, "arguments": V}', '{"type": "reasoning", "summary": V}',
            '{"type": "function_call_output", "call_id": V, "output": V}',
        ],
    )  # fmt: skip
    def test_whatever_a_field_holds_is_shown_and_never_an_error(self, shape, value):
        message = json.loads(shape.replace("V", json.dumps(value)))
        assert preview(message).splitlines() == [preview(message)]
        lines = [line if isinstance(line, str) else line.text for line in message_lines(message, 1)]
        assert lines[1].startswith("[1] ")
        if value == "x" and "role" not in message:
            assert "x" in "".join(lines[2:])

    def test_the_deepest_message_that_a_store_takes_is_shown(self, command):
        content: object = "deep"
        for _ in range(254):
            content = [content]
        session = command.create(messages=[{"role": "user", "content": content}])
        assert any("deep" in line for line in command.lines("show", session.id))


class TestPreviews:
    @pytest.mark.parametrize(
        ("message", "shown"),
        [
            ({"role": "user", "content": "one\n\n\ttwo\x1b\r\nthree "}, "user: one two three"),
            ({"role": "user", "content": " \n"}, "user"),
            ({"type": "reasoning"}, "reasoning"),
            ({}, "(no role)"),
            (
                {"role": "user", "content": [{"type": "text", "text": "look:"}, {"type": "image"}]},
                "user: look: [image]",
            ),
            (ANSWER, "tool: a b [tool_call_id] call_1"),
            (CALL, 'assistant: [tool_call] run (call_1) arguments: { "cmd": [ "ls" ] }'),
            ({"role": "user", "content": "x" * 74}, f"user: {'x' * 74}"),
            ({"role": "user", "content": "x" * 75}, f"user: {'x' * 73}…"),
            ({"role": "r" * 100, "content": "x"}, f"{'r' * 49}…: x"),
        ],
    )
    def test_the_first_words_are_in_one_line_with_the_role(self, message, shown):
        assert preview(message) == shown

    def test_no_more_of_a_long_message_is_looked_at_than_is_shown(self):
        parts = [{"type": "text", "text": "x" * 100}, *([{"type": "text", "text": object()}] * 3)]
        assert preview({"role": "user", "content": parts}) == f"user: {'x' * 73}…"


class TestWhatIsRead:
    @pytest.fixture
    def read(self, monkeypatch):
        """The parts of conversations that are read."""
        parts = []
        original = clew.Store.get_messages

        def get_messages(store, checkpoint_id, *, start=None, stop=None):
            parts.append((start, stop))
            return original(store, checkpoint_id, start=start, stop=stop)

        monkeypatch.setattr(clew.Store, "get_messages", get_messages)
        return parts

    def test_without_a_role_the_window_alone_is_read(self, command, read):
        session = command.create(messages=texts(300))
        command.output("show", session.id, "--limit", 5, "--offset", 10)
        assert read == [(285, 290)]

    def test_an_empty_window_is_not_read(self, command, read):
        session = command.create(messages=texts(3))
        command.output("show", session.id, "--offset", 3)
        assert read == []

    def test_the_state_is_never_decoded(self, command, monkeypatch):
        session = command.create(messages=texts(3))
        monkeypatch.setattr(clew.State, "__getattr__", lambda state, name: pytest.fail(f"{name} was decoded"))
        assert len(command.json("show", session.id)["messages"]) == 3


class TestCheckpoints:
    @pytest.fixture
    def branches(self, command):
        """A session with three checkpoints, its active one the second."""
        session = command.create(messages=texts(1))
        with command.open() as store:
            second = store.append(session.id, [{"role": "user", "content": "two"}])
            third = store.append(session.id, [{"role": "user", "content": "three"}])
            store.set_active_checkpoint(session.id, second.id)
        return session, second, third

    def test_the_active_checkpoint_is_shown_not_the_newest(self, command, branches):
        session, second, _ = branches
        shown = command.json("show", session.id)
        assert contents(shown) == ["m1", "two"]
        assert shown["active_checkpoint_id"] == shown["checkpoint_id"] == str(second.id)

    def test_another_checkpoint_is_shown_when_asked_for(self, command, branches):
        session, second, third = branches
        shown = command.json("show", session.id, "--checkpoint", third.id)
        assert contents(shown) == ["m1", "two", "three"]
        assert (shown["active_checkpoint_id"], shown["checkpoint_id"]) == (str(second.id), str(third.id))
        lines = command.lines("show", session.id, "--checkpoint", third.id)
        assert f"Checkpoint:  {third.id} (active: {second.id})" in lines

    def test_a_checkpoint_is_shown_by_its_label(self, command, branches):
        session, second, third = branches
        command.output("label", session.id, third.id, "the third")
        assert command.json("show", session.id, "--label", "the third")["checkpoint_id"] == str(third.id)
        assert command.json_error("show", session.id, "--label", "x") == (
            1,
            "not_found",
            "Not found: Checkpoint with label 'x' not found",
        )
        refused = command.json_error("show", session.id, "--label", "x", "--checkpoint", second.id)
        assert refused == (2, "invalid_argument", "give --checkpoint or --label, not both")

    def test_a_checkpoint_of_another_session_is_not_found(self, command, branches):
        other = command.create()
        exit_code, code, text = command.json_error("show", other.id, "--checkpoint", branches[1].id)
        assert (exit_code, code) == (1, "not_found")
        assert text == f"Not found: Checkpoint {branches[1].id} not found"

    def test_a_checkpoint_far_from_the_newest_is_found(self, command):
        session = command.create()
        with command.open() as store:
            ids = [store.append(session.id, texts(1)).id for _ in range(250)]
            store.set_active_checkpoint(session.id, ids[0])
        assert command.json("show", session.id)["message_count"] == 1
        assert command.json("show", session.id, "--checkpoint", ids[100])["message_count"] == 101


def test_a_deleted_session_is_shown_with_its_status(command):
    session = command.create(messages=texts(1))
    command.output("delete", session.id)
    assert command.json("show", session.id)["status"] == "DELETED"
    assert "Status:      DELETED" in command.lines("show", session.id)


@pytest.mark.parametrize("id", [UUID(int=0), UUID(int=2**128 - 1)])
def test_a_session_that_does_not_exist_is_not_found(command, id):
    assert command.json_error("show", id) == (1, "not_found", f"Not found: Session {id} not found")
    assert command.error("show", id) == (1, f"Error: Not found: Session {id} not found\n")
