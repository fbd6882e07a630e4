"""What the agent's strict reader is shown: what it takes goes as it is, everything else in a form that it takes."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.server.agent_reader import read_state

from clew.conversation.strict import strict_message, strict_messages, strict_value
from clew.messages import encode_message, encode_metadata, join_bodies

USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}

TAKEN: list[bytes] = [
    b'{"role":"user","content":"hi"}',
    b'{"role":"user","content":null}',
    b'{"role":"user"}',
    b'{"role":"user","content":[{"type":"text","text":"x"}]}',
    b'{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA==","detail":"low"}}]}',
    b'{"role":"assistant","content":"","tool_calls":[{"id":"c1","type":"function","function":{"name":"f",'
    b'"arguments":"{\\"a\\":1}"}}]}',
    b'{"role":"assistant","content":null,"tool_calls":null}',
    b'{"role":"tool","content":"tool result","tool_call_id":"tc_123"}',
    b'{"role":"assistant","content":"x","usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}',
    b'{"role":"assistant","content":"hi","name":"n","tool_calls":[{"id":"call_1","type":"function","function":'
    b'{"name":"run","arguments":"{}"},"metadata":{"thought_signature":"abc"}}],"tool_call_id":"call_0","usage":'
    b'{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"prompt_tokens_details":{"input_tokens":1,'
    b'"output_tokens":2,"cache_read_input_tokens":3,"cache_write_input_tokens":4}},"id":"m1","model":'
    b'{"provider":"anthropic","id":"claude"},"cost":0.0125,"finish_reason":"tool_calls","created_at":1,'
    b'"completed_at":2,"metadata":{"k":[1,null,true]}}',
    b'{"role":"user","content":"x","cost":5,"metadata":null}',
    b'{"role":"user","content":"\\ud83d\\ude00 \\u0000"}',
    b'{"role":"user","content":"x","cache_control":{"type":"ephemeral"},"metadata":18446744073709551616}',
    '{"role":"developer","content":"Ünïcödé \u2028"}'.encode(),
]
"""Section 4.2 of the reference, byte for byte, and what 4.3 says is accepted."""

REFUSED: list[Any] = [
    {},
    {"content": "x"},
    {"role": None},
    {"role": 1, "content": "x"},
    {"role": "User", "content": "x"},
    {"role": "function", "name": "f", "content": "x"},
    {"role": "human", "content": "x"},
    {"role": "user", "content": 1},
    {"role": "user", "content": {"text": "x"}},
    {"role": "user", "content": ["x"]},
    {"role": "user", "content": [{"text": "x"}]},
    {"role": "user", "content": [{"type": 1, "text": "x"}]},
    {"role": "user", "content": [{"type": "image_url", "image_url": "data:"}]},
    {"role": "user", "content": [{"type": "text", "text": None}, ["nested"], None]},
    {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "f", "arguments": {"a": 1}}}]},
    {"role": "assistant", "tool_calls": [{"id": "c", "function": CALL["function"]}]},
    {"role": "assistant", "tool_calls": [{"id": 7, "type": "tool_use", "name": "f", "input": {"a": 1}}]},
    {"role": "assistant", "tool_calls": {"not": "a list"}},
    {"role": "assistant", "tool_calls": ["not an object", {"no": "name"}]},
    {"role": "assistant", "usage": {"prompt_tokens": 1}},
    {"role": "assistant", "usage": {**USAGE, "total_tokens": -1}},
    {"role": "assistant", "usage": {**USAGE, "total_tokens": 2**32}},
    {"role": "assistant", "created_at": 1.5},
    {"role": "assistant", "created_at": "2026-01-01T00:00:00Z"},
    {"role": "assistant", "created_at": 2**63},
    {"role": "assistant", "model": "claude"},
    {"role": "assistant", "model": {"id": "claude"}},
    {"role": "assistant", "cost": "free"},
    {"role": "assistant", "name": ["n"], "id": 5, "finish_reason": {"type": "stop"}, "tool_call_id": 5},
    {"role": "user", "content": "\ud800"},
    {"role": "user", "content": "x", "metadata": {"\udfff": "\ud800"}},
    {"role": "user", "content": "x", "metadata": 10**400},
    {"role": "user", "content": "x", "other": 10**400},
]


def deep(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"k": value}
    return value


def shown(*messages: Any) -> list[dict[str, Any]]:
    """What the reader makes of messages."""
    bodies = [encode_message(message, 0) for message in messages]
    state = read_state(b'{"messages":' + join_bodies(strict_messages(bodies)) + b"}")
    return [dict(message) for message in state["messages"]]


class TestWhatTheReaderTakes:
    @pytest.mark.parametrize("body", TAKEN, ids=range(len(TAKEN)))
    def test_a_message_that_the_reader_takes_goes_as_it_is(self, body: bytes) -> None:
        read_state(b'{"messages":[' + body + b"]}")
        assert strict_messages([body]) == [body]
        assert strict_message(body) == body

    def test_messages_beside_one_that_is_refused_go_as_they_are(self) -> None:
        odd = encode_message({"role": "robot"}, 0)
        found = strict_messages([*TAKEN, odd, *TAKEN])
        assert [found[: len(TAKEN)], found[len(TAKEN) + 1 :]] == [TAKEN, TAKEN]

    def test_metadata_that_the_reader_takes_goes_as_it_is(self) -> None:
        for value in ({"trimmed_up_to_message_index": 5}, None, [1, "x"], 0.5, "text", {"k": {"l": [True]}}):
            body = msgspec.json.encode(value)
            assert strict_value(body) == body


class TestWhatTheReaderRefuses:
    @pytest.mark.parametrize("message", REFUSED, ids=range(len(REFUSED)))
    def test_a_message_that_the_reader_refuses_is_shown_in_a_form_that_it_takes(self, message: Any) -> None:
        body = encode_message(message, 0)
        with pytest.raises((ValueError, OverflowError)):
            read_state(b'{"messages":[' + body + b"]}")
        assert len(shown(message)) == 1

    def test_a_form_keeps_what_the_message_says(self) -> None:
        forms = shown(
            {"role": "function", "name": "f", "content": "x"},
            {"role": "robot", "content": {"text": "x"}},
            {"role": "USER", "content": ["x", {"text": "y"}, {"n": 1}]},
            {"role": "assistant", "tool_calls": [{"id": 7, "name": "f", "input": {"a": 1}}], "cost": "free"},
            {"role": "assistant", "content": "kept", "usage": {"prompt_tokens": 1}},
        )
        assert forms == [
            {"role": "tool", "content": "x", "name": "f"},
            {"role": "user", "content": '{"text":"x"}', "name": "robot"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "x"}, {"type": "text", "text": "y"}, {"type": "text", "text": '{"n":1}'},
                ],
                "name": "USER",
            },
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "7", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}],
            },
            {"role": "assistant", "content": "kept"},
        ]  # fmt: skip

    @pytest.mark.parametrize("where", ["metadata", "content", "other"])
    def test_nesting_that_the_reader_refuses_is_shown_as_text(self, where: str) -> None:
        (found,) = shown({"role": "user", where: deep(200)})
        assert found["role"] == "user"
        (kept,) = shown({"role": "user", "metadata": deep(90)})
        assert kept["metadata"] == deep(90)

    def test_half_a_character_is_shown_as_the_sign_for_it(self) -> None:
        (found,) = shown({"role": "user", "content": "a\ud800b"})
        assert found["content"] == "a\ufffdb"

    @pytest.mark.parametrize(
        "value", ["\ud800", {"\udfff": 1}, deep(200), [10**400]], ids=["text", "key", "deep", "huge"]
    )
    def test_metadata_that_the_reader_refuses_is_shown_as_it_can_be(self, value: Any) -> None:
        body = encode_metadata(value)
        assert body is not None
        read_state(b'{"messages":[],"metadata":' + strict_value(body) + b"}")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = [
    "role", "content", "name", "tool_calls", "tool_call_id", "usage", "id", "model", "cost", "finish_reason",
    "created_at", "completed_at", "metadata", "other",
]  # fmt: skip
LIKELY = st.sampled_from(["user", "assistant", "tool", "x", [CALL], USAGE, {"provider": "a", "id": "b"}, 1, 1.5, None])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(KEYS), LIKELY | JSON_VALUES), max_size=3))
def test_whatever_is_stored_is_shown_as_as_many_messages_that_the_reader_takes(messages: list[Any]) -> None:
    assert len(shown(*messages)) == len(messages)


def test_messages_that_the_reader_takes_are_checked_without_being_written_anew() -> None:
    bodies = [json.dumps({"role": "user", "content": f"message {number}"}).encode() for number in range(2_000)]
    assert strict_messages(bodies) is bodies
