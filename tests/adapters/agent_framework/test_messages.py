"""What a message is stored as: it comes back equal, and people can read it."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from enum import StrEnum

import pytest
from agent_framework import Content, Message
from tests.adapters.agent_framework.support import SESSION, active_of, dicts, run, said

import clew
from clew.adapters.agent_framework import ClewHistoryProvider

CALL = Content.from_function_call(call_id="c1", name="add", arguments='{"a": 1}')
LONG = "a long result of a tool"


class Colour(StrEnum):
    RED = "red"


MESSAGES = {
    "text": said("hello"),
    "empty text": said(""),
    "no contents": Message("assistant"),
    "two texts": Message("user", ["a", "b"]),
    "NUL": said("a\0b"),
    "lone surrogate": said("a\ud800b"),
    "author and id": Message("user", ["x"], author_name="Ann", message_id="m1", additional_properties={"a": [1.0, {}]}),
    "text with a note": Message("user", [Content.from_text("x", additional_properties={"a": 1})]),
    "call": Message("assistant", ["so", CALL]),
    "call with a mapping": Message(
        "assistant", [Content.from_function_call(call_id="c1", name="add", arguments={"a": 1})]
    ),
    "call with an id of its own": Message(
        "assistant", [Content("function_call", id="o1", call_id="c1", name="add", arguments={}, hosted=False)]
    ),
    "call with nothing but an id": Message("assistant", [Content("function_call", id="o1", name="add")]),
    "result with an id of its own": Message("tool", [Content("function_result", id="o1", call_id="c1", result="x")]),
    "result": Message("tool", [Content.from_function_result(call_id="c1", result=LONG)]),
    "result of several contents": Message(
        "tool",
        [Content.from_function_result(call_id="c1", result=[Content.from_text("a"), Content.from_text("b")])],
    ),
    "result without items": Message("tool", [Content("function_result", call_id="c1", result="x")]),
    "reasoning": Message("assistant", [Content.from_text_reasoning(text="hm", protected_data="s")]),
    "image": Message("user", [Content.from_data(b"\x89PNG", media_type="image/png")]),
    "image elsewhere": Message("user", [Content.from_uri("https://example.org/a.png", media_type="image/png")]),
    "file": Message("user", [Content.from_data(b"%PDF", media_type="application/pdf")]),
    "approval": Message("assistant", [Content.from_function_approval_request(id="a1", function_call=CALL)]),
    "usage": Message("assistant", [Content.from_usage({"input_token_count": 1})]),
    "error": Message("assistant", [Content.from_error(message="no")]),
}


SHOWN = ["text", "call", "call with an id of its own", "result", "reasoning", "image"]


@pytest.fixture
def history(file_store: clew.Store) -> ClewHistoryProvider:
    return ClewHistoryProvider(file_store)


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES.keys())
def test_a_message_comes_back_equal(history, message):
    run(history.save_messages(SESSION, [message]))

    [found] = run(history.get_messages(SESSION))

    assert found.to_dict() == message.to_dict()
    assert [vars(content) for content in found.contents] == [vars(content) for content in message.contents]


def test_over_every_store_too(store):
    history = ClewHistoryProvider(store)
    run(history.save_messages(SESSION, list(MESSAGES.values())))
    assert dicts(run(history.get_messages(SESSION))) == dicts(list(MESSAGES.values()))


def test_is_in_the_form_of_a_chat(history, file_store):
    run(history.save_messages(SESSION, [MESSAGES[name] for name in SHOWN]))

    assert active_of(file_store).state.messages == [
        {"role": "user", "content": "hello"},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "so"},
                {"type": "tool_use", "id": "c1", "name": "add", "input": '{"a": 1}'},
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "c1", "name": "add", "input": {}, "content_id": "o1"}],
        },
        {"role": "tool", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": LONG}]},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "protected_data": "s"}]},
        {
            "role": "user",
            "content": [
                {
                    "type": "image_url",
                    "image_url": {"url": "data:image/png;base64,iVBORw=="},
                    "content_type": "data",
                    "media_type": "image/png",
                }
            ],
        },
    ]


def test_clew_shows_the_conversation(history, file_store, tmp_path):
    run(history.save_messages(SESSION, [MESSAGES[name] for name in ("text", "call", "result")]))

    session = active_of(file_store).session_id
    show = [sys.executable, "-m", "clew", "--store", str(tmp_path / "clew.db"), "show", str(session)]
    shown = subprocess.run(show, capture_output=True, text=True, check=True).stdout

    for line in ("Title:       hello", "[1] user", "[tool_call] add (c1)", LONG, "[tool_call_id] c1"):
        assert line in shown


def test_a_result_is_not_stored_twice_though_the_framework_says_it_twice(history, file_store):
    assert json.dumps(MESSAGES["result"].to_dict()).count(LONG) == 2
    run(history.save_messages(SESSION, [MESSAGES["result"]]))
    assert json.dumps(active_of(file_store).state.messages).count(LONG) == 1


def test_what_the_framework_keeps_out_of_histories_is_not_kept(history, file_store):
    failed = Content.from_function_result(call_id="c1", result="x", exception="the password is 1234")
    run(history.save_messages(SESSION, [Message("tool", [failed], raw_representation=object())]))

    assert "1234" not in json.dumps(active_of(file_store).state.messages)
    assert run(history.get_messages(SESSION))[0].contents[0].exception is not None


@pytest.mark.parametrize(
    "value",
    [(1, 2), {1}, b"x", float("nan"), {1: "a"}, object(), Colour.RED, datetime(2026, 1, 1, tzinfo=UTC)],
    ids=["tuple", "set", "bytes", "NaN", "number as key", "object", "enum", "time"],
)
def test_what_would_not_come_back_equal_is_refused_and_nothing_is_written(history, file_store, value):
    odd = Message("user", ["x"], additional_properties={"value": value})
    with pytest.raises(clew.InvalidRequestError, match=r"messages\[1\]"):
        run(history.save_messages(SESSION, [said("fine"), odd]))
    assert file_store.list_sessions().items == []


def test_what_is_no_message_is_refused(history):
    with pytest.raises(clew.InvalidRequestError, match="must be a Message, not dict"):
        run(history.save_messages(SESSION, [{"role": "user"}]))


@pytest.mark.parametrize(
    "message",
    [
        {"content": "x"},
        {"role": "user"},
        {"role": 1, "content": "x"},
        {"role": "user", "content": [{}]},
        {"role": "user", "content": [1]},
        {"role": "user", "content": "x", "unknown": 1},
    ],
)
def test_a_message_that_is_none_is_an_error_and_not_left_out(history, file_store, message):
    run(history.save_messages(SESSION, [said("x")]))
    damaged = file_store.append(active_of(file_store).session_id, [message])

    with pytest.raises(clew.CorruptStateError) as raised:
        run(history.get_messages(SESSION))
    assert raised.value.checkpoint_id == damaged.id
