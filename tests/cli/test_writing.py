"""The promises of `clew new` and `clew append`: what is taken as messages, what is refused, what is printed."""

import io
import json
from typing import BinaryIO, cast
from uuid import UUID, uuid4

import pytest
from tests.cli.support import json_lines, texts

from clew import limits
from clew.cli import reading
from clew.errors import InvalidRequestError

USER = {"role": "user", "content": "hi"}
TALK = [USER, {"role": "assistant", "content": None, "tool_calls": [{"id": "ü😀"}]}, {"type": "function_call"}]


@pytest.fixture
def session(command):
    return command.create("a session", messages=texts(1)).id


class TestNew:
    def test_it_prints_the_id_alone_where_nobody_looks(self, command):
        (line,) = command.lines("new", "a title")
        (only,) = command.sessions()
        assert (UUID(line), "a title") == (only.id, only.title)

    def test_everything_that_is_given_is_kept(self, command, tmp_path, monkeypatch):
        (tmp_path / "talk.json").write_text(json.dumps(TALK))
        monkeypatch.chdir(tmp_path)
        created = command.json(
            "new", "t", "--messages", "talk.json", "--cwd", "sub", "--source", "s", "--source-id", "1",
            "--visibility", "public",
        )  # fmt: skip
        shown = command.json("show", created["id"])
        assert shown.pop("messages") == TALK
        shown.pop("checkpoint_id")
        assert created == shown
        assert (created["cwd"], created["source"], created["source_id"]) == (str(tmp_path / "sub"), "s", "1")
        assert (created["visibility"], created["message_count"]) == ("PUBLIC", 3)

    def test_without_options_the_session_is_private_and_empty(self, command):
        created = command.json("new", "")
        assert (created["title"], created["visibility"], created["message_count"]) == ("", "PRIVATE", 0)
        assert created["cwd"] is created["source"] is created["source_id"] is None

    def test_messages_come_from_standard_input_too(self, command):
        created = command.json("new", "t", "--messages", "-", input="hello\n")
        assert command.messages(created["id"]) == [{"role": "user", "content": "hello"}]

    def test_a_name_that_is_taken_is_a_conflict(self, command):
        command.output("new", "one", "--source", "s", "--source-id", "1")
        exit_code, code, text = command.json_error("new", "two", "--source", "s", "--source-id", "1")
        assert (exit_code, code) == (1, "conflict")
        assert text.startswith("Conflict: ")
        assert [session.title for session in command.sessions()] == ["one"]

    @pytest.mark.parametrize(
        "arguments",
        [
            ("x", "--source", "s"),
            ("x" * (limits.MAX_TITLE_CHARS + 1),),
            ("\udcff",),
            ("x", "--cwd", "/\0"),
        ],
    )
    def test_what_no_store_takes_is_refused(self, command, arguments):
        assert command.json_error("new", *arguments)[:2] == (2, "invalid_request")
        assert command.sessions() == []

    def test_bad_messages_leave_no_session_and_no_store(self, command):
        assert command.json_error("new", "t", "--messages", "-", input="[1]")[:2] == (2, "invalid_request")
        assert not command.path.exists()


class TestAppend:
    @pytest.mark.parametrize(
        ("given", "messages"),
        [
            (json.dumps(TALK), TALK),
            (json.dumps(TALK, indent=2, ensure_ascii=False), TALK),
            (json_lines(TALK), TALK),
            ("\n" + json_lines(TALK).replace("\n", "\r\n\n").rstrip(), TALK),
            (json.dumps(USER), [USER]),
            (json.dumps(USER, indent=1), [USER]),
            ("\ufeff" + json.dumps(TALK), TALK),
            (" \n [" + json.dumps(USER) + "]", [USER]),
            ('[{"role":"user","content":"\\ud800"}]', [{"role": "user", "content": "\ud800"}]),
            ('{"role":"user","n":1}\n{"role":"user","n":123456789012345678901234567890}', None),
        ],
    )
    def test_json_is_taken_as_an_array_or_lines_of_messages(self, command, session, given, messages):
        if messages is None:
            messages = [json.loads(line) for line in given.splitlines()]
        command.output("append", session, input=given)
        assert command.messages(session) == texts(1) + messages

    @pytest.mark.parametrize(
        ("given", "text"),
        [
            ("hi\n", "hi"),
            ("hi\r\n", "hi"),
            ("hi\n\n", "hi\n"),
            (" hi ", " hi "),
            ("\ufeffhi", "hi"),
            ("two words\nline", "two words\nline"),
            ('"quoted" is not JSON', '"quoted" is not JSON'),
            ("NaN", "NaN"),
            ("a\0b ü😀", "a\0b ü😀"),
        ],
    )
    def test_anything_else_is_one_message_of_the_user(self, command, session, given, text):
        command.output("append", session, input=given)
        assert command.messages(session)[1:] == [{"role": "user", "content": text}]

    @pytest.mark.parametrize("role", ["user", "ASSISTANT", "tool", "system", "developer"])
    @pytest.mark.parametrize("text", ["hi", "[1]", '{"role":"tool"}', "42", "null"])
    def test_with_a_role_the_input_is_text_whatever_it_looks_like(self, command, session, role, text):
        command.output("append", session, "--role", role, input=text)
        assert command.messages(session)[1:] == [{"role": role.lower(), "content": text}]

    def test_a_file_is_read_and_a_hyphen_is_standard_input(self, command, session, tmp_path):
        (tmp_path / "m.jsonl").write_text(json_lines([USER]))
        command.output("append", session, tmp_path / "m.jsonl", input="not this")
        command.output("append", session, "-", input="this")
        assert [message["content"] for message in command.messages(session)] == ["m1", "hi", "this"]

    def test_it_prints_the_id_of_the_new_checkpoint_which_is_the_active_one(self, command, session):
        (line,) = command.lines("append", session, input="hi")
        assert command.json("show", session)["active_checkpoint_id"] == line

    def test_json_has_the_checkpoint_without_its_state(self, command, session):
        before = command.json("show", session)["active_checkpoint_id"]
        written = command.json("append", session, "--label", "named", input=json.dumps(TALK))
        assert list(written) == ["checkpoint", "appended", "backend"]
        assert written["appended"] == 3
        checkpoint = written["checkpoint"]
        assert checkpoint["parent_id"] == before
        assert checkpoint["session_id"] == str(session)
        assert (checkpoint["message_count"], checkpoint["label"]) == (4, "named")
        assert checkpoint["id"] == command.json("show", session)["active_checkpoint_id"]

    def test_a_deleted_session_takes_messages(self, command, session):
        command.output("delete", session)
        command.output("append", session, input="hi")
        assert len(command.messages(session)) == 2

    def test_it_appends_only_while_a_checkpoint_is_active_if_asked_to(self, command, session):
        first = command.json("show", session)["active_checkpoint_id"]
        command.output("append", session, "--if-active", first, input="two")
        exit_code, code, text = command.json_error("append", session, "--if-active", first, input="three")
        assert (exit_code, code) == (1, "conflict")
        assert first in text
        assert len(command.messages(session)) == 2

    def test_the_active_checkpoint_may_be_given_by_its_beginning(self, command):
        session = command.create(checkpoint_id=UUID("abcd1234-0000-4000-8000-000000000001")).id
        command.output("append", session, "--if-active", "abcd1234", input="hi")
        assert command.error("append", session, "--if-active", "ffff", input="hi")[0] == 1
        assert len(command.messages(session)) == 1

    def test_a_label_that_is_taken_is_a_conflict(self, command, session):
        command.output("append", session, "--label", "x", input="hi")
        assert command.json_error("append", session, "--label", "x", input="hi")[:2] == (1, "conflict")
        assert len(command.messages(session)) == 2

    def test_a_session_that_does_not_exist_is_not_found(self, command):
        assert command.json_error("append", uuid4(), input="hi")[:2] == (1, "not_found")

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ("", "is empty"),
            (" \n\t", "is empty"),
            (b"\xef\xbb\xbf", "is empty"),
            (b"ok \xff", "is not UTF-8 (byte 3)"),
            (b'[{"role":"user","content":"\xff"}]', "is not UTF-8"),
            ("[]", "holds no messages"),
            ("[1]", "messages[0] is not an object"),
            ('[{"role":"user"},null]', "messages[1] is not an object"),
            ('[{"content":"x"}]', "messages[0] has neither a role nor a type"),
            ('{"role":1}', "messages[0] has neither a role nor a type"),
            ('{"messages":[]}', "messages[0] has neither a role nor a type"),
            ('[{"role":"user"}', "is not JSON"),
            ("[" * 100_000, "is nested too deeply"),
            ('{"role":"user"}\n{"role":', "line 2 is not JSON"),
            ('{"role":"user"}\n\n[]', "line 3 is not an object"),
            ('{"role":"user"}\n{}', "line 2 has neither a role nor a type"),
            ('[{"role":"user","n":NaN}]', "NaN is no JSON number"),
            ('[{"role":"user","n":1e999}]', "out of range"),
            ("42", "neither messages nor plain text"),
            ("null\n", "neither messages nor plain text"),
            ('"text"', "neither messages nor plain text"),
        ],
    )
    def test_input_that_holds_no_messages_is_refused_and_nothing_is_written(self, command, session, given, told):
        exit_code, code, text = command.json_error("append", session, input=given)
        assert (exit_code, code) == (2, "invalid_request")
        assert text.startswith("Invalid request: standard input")
        assert told in text
        (only,) = command.sessions()
        assert (only.checkpoint_count, only.message_count) == (1, 1)

    def test_an_empty_text_is_refused_with_a_role_too(self, command, session):
        assert command.json_error("append", session, "--role", "user", input="\n")[:2] == (2, "invalid_request")

    def test_a_message_that_no_store_takes_is_refused(self, command, session):
        deep = "[" * limits.MAX_NESTING + "]" * limits.MAX_NESTING
        given = f'[{{"role":"user","content":{deep}}}]'
        exit_code, code, text = command.json_error("append", session, input=given)
        assert (exit_code, code) == (2, "invalid_request")
        assert "MAX_NESTING" in text

    @pytest.mark.parametrize("name", ["missing", ".", "a\0b", "\udcff"])
    def test_a_file_that_cannot_be_read_is_refused_by_name(self, command, tmp_path, monkeypatch, name):
        monkeypatch.chdir(tmp_path)
        exit_code, code, text = command.json_error("append", uuid4(), name)
        assert (exit_code, code) == (2, "invalid_argument")
        assert text.startswith(f"cannot read '{name}': ")
        assert not command.path.exists()

    def test_a_role_that_is_none_is_refused_before_the_input_is_read(self, command, session):
        exit_code, code, text = command.json_error("append", session, "missing", "--role", "robot")
        assert (exit_code, code) == (2, "invalid_argument")
        assert text == "invalid role 'robot' (expected one of: user, assistant, tool, system, developer)"


class Endless(io.RawIOBase):
    """A stream that repeats its beginning for ever and counts what is read of it."""

    def __init__(self, part: bytes) -> None:
        self.part = part
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "everything is read at once"
        self.given += size
        return (self.part * (size // len(self.part) + 1))[:size]


@pytest.mark.parametrize(
    ("part", "role", "most"),
    [
        (b"text ", None, limits.MAX_MESSAGE_BYTES),
        (b"[", "user", limits.MAX_MESSAGE_BYTES),
        (b"\0", None, limits.MAX_MESSAGE_BYTES),
        (b" ", None, limits.MAX_MESSAGE_BYTES),
        (b'{"role":"user"}\n', None, reading.MAX_JSON_BYTES),
        (b"[", None, reading.MAX_JSON_BYTES),
    ],
)
def test_input_without_an_end_is_refused_when_it_is_too_long(part, role, most, monkeypatch):
    scale = 1024  # the same limits, reached sooner
    monkeypatch.setattr(limits, "MAX_MESSAGE_BYTES", limits.MAX_MESSAGE_BYTES // scale)
    monkeypatch.setattr(reading, "MAX_JSON_BYTES", reading.MAX_JSON_BYTES // scale)
    monkeypatch.setattr(reading, "_CHUNK", 1000)
    stream = Endless(part)
    with pytest.raises(InvalidRequestError, match="is more than the"):
        reading._read_bounded(cast(BinaryIO, stream), role, "the input")
    assert most // scale < stream.given <= most // scale + 1000


def test_the_largest_text_is_read_whole(monkeypatch):
    monkeypatch.setattr(limits, "MAX_MESSAGE_BYTES", 5000)
    monkeypatch.setattr(reading, "_CHUNK", 1000)
    assert reading._read_bounded(io.BytesIO(b"x" * 5000), None, "the input") == b"x" * 5000
