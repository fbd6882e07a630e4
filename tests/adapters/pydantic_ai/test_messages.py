"""Messages come back as they were, and are readable where they are stored."""

import json
import warnings
from datetime import timedelta, timezone
from typing import Any
from uuid import uuid4

import pydantic
import pytest
from pydantic_ai.messages import (
    AudioUrl,
    BinaryContent,
    BinaryImage,
    CachePoint,
    CompactionPart,
    DocumentUrl,
    FilePart,
    ImageUrl,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryFeedbackPart,
    RetryInfo,
    RetryPromptPart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UploadedFile,
    UserPromptPart,
    VideoUrl,
)
from pydantic_ai.usage import RequestUsage
from tests.adapters.pydantic_ai.talk import START

import clew
from clew.adapters.pydantic_ai.messages import first_prompt, from_stored, to_stored

USAGE = RequestUsage(input_tokens=10, output_tokens=5, cache_read_tokens=1, details={"reasoning_tokens": 3})
EVERY_PART: list[ModelMessage] = [
    ModelRequest(parts=[SystemPromptPart("be brief")], instructions="and kind", run_id="r", conversation_id="c"),
    ModelRequest(parts=[UserPromptPart("plain")], timestamp=START, metadata={"shown": True, "list": [1, None, 2.5]}),
    ModelRequest(
        parts=[
            SystemPromptPart("s"),
            UserPromptPart(
                [
                    "look at this",
                    BinaryContent(data=b"\xff\xfe\xfb" * 5, media_type="image/png", identifier="one"),
                    BinaryContent(data=b"\xff\xfe\xfb>", media_type="audio/wav", vendor_metadata={"a": 1}),
                    BinaryContent(data=b"", media_type="application/pdf"),
                    ImageUrl("https://example.org/a.png", force_download=True, vendor_metadata={"detail": "low"}),
                    AudioUrl("https://example.org/a.mp3"),
                    VideoUrl("https://example.org/a.mp4"),
                    DocumentUrl("https://example.org/a.pdf"),
                    UploadedFile(file_id="f1", provider_name="openai", media_type="image/png"),
                    TextContent("noted", metadata={"x": 1}),
                    CachePoint(),
                ]
            ),
        ]
    ),
    ModelRequest(parts=[UserPromptPart([])]),
    ModelRequest(parts=[UserPromptPart(["alone"])]),
    ModelRequest(parts=[UserPromptPart("")]),
    ModelRequest(parts=[ToolReturnPart("add", "3", "call-1", metadata={"k": "v"}, timestamp=START)]),
    ModelRequest(parts=[ToolReturnPart("add", {"deep": [1, 1.0, True, None, "x"]}, "call-2", outcome="failed")]),
    ModelRequest(
        parts=[ToolReturnPart("a", None, "c1"), ToolReturnPart("b", "", "c2"), ToolReturnPart("c", ["x"], "c3")],
        state="interrupted",
    ),
    ModelRequest(parts=[ToolReturnPart("a", "r", "c1"), UserPromptPart("and")]),
    ModelRequest(parts=[RetryFeedbackPart("again", retry=RetryInfo(cause="model_retry"))]),
    ModelRequest(
        parts=[
            RetryFeedbackPart(
                [{"type": "missing", "loc": ("a",), "msg": "m", "input": {}}], retry=RetryInfo(cause="validation_error")
            )
        ]
    ),
    ModelRequest(parts=[]),
    ModelResponse(
        parts=[
            ThinkingPart("hm", signature="sig", provider_name="p"),
            TextPart("first", provider_details={"n": 1}),
            ToolCallPart("f", '{"a": 1}', "t1"),
            TextPart("second"),
            ToolCallPart("g", {"a": [1, 2.0, None]}, "t2"),
            ToolCallPart("h", None, "t3"),
            ToolCallPart("i", "", "t4"),
            ToolCallPart("j", "not json", "t5"),
            NativeToolCallPart("web_search", {"query": "x"}, "n1", provider_name="p"),
            NativeToolReturnPart("web_search", {"sources": []}, "n1", provider_name="p"),
            FilePart(BinaryImage(data=b"\x00\xffabc", media_type="image/png")),
            FilePart(BinaryContent(data=b"abc", media_type="application/pdf")),
            CompactionPart("so far"),
            CompactionPart(),
        ],
        usage=USAGE,
        model_name="m",
        provider_name="p",
        provider_url="https://example.org",
        provider_details={"logprobs": [0.1]},
        provider_response_id="id",
        finish_reason="tool_call",
        run_id="r",
        conversation_id="c",
        metadata={"k": "v"},
        timestamp=START,
        state="interrupted",
    ),
    ModelResponse(parts=[]),
    ModelResponse(parts=[TextPart("a"), TextPart("b")]),
    ModelResponse(parts=[ThinkingPart("only")]),
    ModelRequest(parts=[UserPromptPart('NUL \0 and "quotes" \\ \n naïve 配置 \U0001f600')]),
]


def through_json(messages: list[ModelMessage]) -> list[ModelMessage]:
    return from_stored(json.loads(json.dumps(to_stored(messages))), uuid4())


def as_framework(messages: list[ModelMessage]) -> list[ModelMessage]:
    return ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json(messages))


@pytest.mark.parametrize("message", EVERY_PART, ids=range(len(EVERY_PART)))
def test_every_field_comes_back_as_the_framework_itself_reads_it(message: ModelMessage):
    back = through_json([message])
    assert back == as_framework([message])
    assert ModelMessagesTypeAdapter.dump_json(back) == ModelMessagesTypeAdapter.dump_json([message])


def test_what_is_stored_comes_back_from_every_store(store: clew.Store):
    session = store.create_session("all", messages=to_stored(EVERY_PART))
    assert session.active_checkpoint is not None
    back = from_stored(store.get_messages(session.active_checkpoint.id), uuid4())
    assert back == as_framework(EVERY_PART)


def test_binary_content_comes_back_byte_for_byte():
    data = bytes(range(256)) * 300
    [back] = through_json([ModelRequest(parts=[UserPromptPart([BinaryContent(data=data, media_type="image/png")])])])
    [part] = back.parts
    assert isinstance(part, UserPromptPart)
    assert [item.data for item in part.content if isinstance(item, BinaryContent)] == [data]


def test_a_picture_is_a_data_url_that_browsers_take():
    [stored] = to_stored(
        [ModelRequest(parts=[UserPromptPart([BinaryContent(b"\xff\xfe\xfb", media_type="image/png")])])]
    )
    assert stored["content"][0]["image_url"] == {"url": "data:image/png;base64,//77"}
    assert "data" not in stored["content"][0]["item"]


def test_messages_are_readable_as_a_chat():
    stored = to_stored(
        [
            ModelRequest(parts=[SystemPromptPart("be brief")]),
            ModelRequest(parts=[UserPromptPart("add 1 and 2")]),
            ModelResponse(parts=[TextPart("I add."), ToolCallPart("add", {"a": 1}, "c1")]),
            ModelRequest(parts=[ToolReturnPart("add", {"sum": 3}, "c1")]),
            ModelResponse(parts=[TextPart("3")]),
        ]
    )
    assert [(one["role"], one["content"]) for one in stored] == [
        ("system", "be brief"),
        ("user", "add 1 and 2"),
        ("assistant", "I add."),
        ("tool", '{"sum": 3}'),
        ("assistant", "3"),
    ]
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    assert stored[2]["tool_calls"] == [call]
    assert stored[3]["tool_call_id"] == "c1"


def test_no_long_text_is_stored_twice():
    text = "a long text that is said once " * 10
    for message in (
        ModelRequest(parts=[UserPromptPart(text)]),
        ModelRequest(parts=[UserPromptPart([text, TextContent("x")])]),
        ModelRequest(parts=[ToolReturnPart("t", text, "c")]),
        ModelResponse(parts=[TextPart(text)]),
        ModelResponse(parts=[ThinkingPart(text), TextPart("x")]),
        ModelResponse(parts=[ToolCallPart("t", {"text": text}, "c")]),
    ):
        assert json.dumps(to_stored([message])).count(text) == 1


def test_numbers_that_only_the_framework_turns_into_null_are_kept():
    [back] = through_json([ModelRequest(parts=[ToolReturnPart("t", {"x": float("inf")}, "c")])])
    assert back.parts[0].content == {"x": float("inf")}  # type: ignore[union-attr]


def test_what_cannot_be_kept_is_an_error_and_nothing_is_written(file_store: clew.Store):
    session = file_store.create_session("s")
    for metadata in ({"x": float("nan")}, {"x": "\ud83d\ude00"}):
        with pytest.raises(clew.InvalidRequestError):
            file_store.append(session.id, to_stored([ModelRequest(parts=[], metadata=metadata)]))

    class Unwritable:
        pass

    with pytest.raises(clew.InvalidRequestError, match="messages from 5 on"):
        to_stored([ModelRequest(parts=[ToolReturnPart("t", Unwritable(), "c")])], 5)
    with pytest.raises(clew.InvalidRequestError, match="read back"):
        to_stored([ModelResponse(parts=[TextPart("x")], timestamp="yesterday")])  # type: ignore[arg-type]
    assert file_store.get_session(session.id).revision == session.revision


def test_values_of_other_types_are_what_the_framework_makes_of_them():
    class Sum(pydantic.BaseModel):
        value: int

    message = ModelRequest(parts=[ToolReturnPart("t", {"a": (1, 2), "sum": Sum(value=3)}, "c")])
    assert through_json([message]) == as_framework([message])


def test_a_lone_surrogate_and_other_time_zones_come_back():
    zone = timezone(timedelta(hours=5, minutes=30))
    message = ModelRequest(parts=[UserPromptPart("half \ud83d", timestamp=START.astimezone(zone))])
    back = through_json([message])
    assert back == [message]
    assert back[0].parts[0].timestamp.utcoffset() == timedelta(hours=5, minutes=30)  # type: ignore[union-attr]


def test_a_deprecated_part_is_upgraded_as_the_framework_does():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        message = ModelRequest(parts=[RetryPromptPart("again", tool_name="t", tool_call_id="c")])
    assert through_json([message]) == as_framework([message])


def test_text_that_another_program_appended_is_part_of_the_history():
    back = from_stored(
        [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}],
        uuid4(),
    )
    assert [type(message) for message in back] == [ModelRequest, ModelRequest, ModelResponse]
    assert [message.parts[0].content for message in back] == ["s", "u", "a"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "damaged",
    [
        {"role": "tool", "content": "x", "tool_call_id": "c"},
        {"role": "user", "content": [{"type": "text", "text": "x"}]},
        {"role": "user", "content": "x", "pydantic_ai": {"parts": []}},
        {"role": "user", "content": None, "pydantic_ai": {"parts": [{"part_kind": "user-prompt"}]}},
        {"role": "assistant", "content": "x", "pydantic_ai": {"parts": [{"part_kind": "no-such-part"}]}},
        {"role": "assistant", "content": None, "pydantic_ai": {"parts": [{"part_kind": "tool-call"}]}},
        {"role": "user", "content": "x", "pydantic_ai": None},
        {"role": "user"},
        {},
    ],
)
def test_a_message_that_is_none_of_the_frameworks_is_damage(damaged: dict[str, Any]):
    checkpoint = uuid4()
    with pytest.raises(clew.CorruptStateError, match=str(checkpoint)) as error:
        from_stored([damaged], checkpoint)
    assert error.value.checkpoint_id == checkpoint


def test_a_title_is_the_beginning_of_the_first_prompt():
    answer = ModelResponse(parts=[TextPart("no")])
    assert first_prompt([answer, ModelRequest(parts=[UserPromptPart("  two\n words  ")])]) == "two words"
    assert first_prompt([ModelRequest(parts=[UserPromptPart([ImageUrl("https://x"), "look"])])]) == "look"
    assert first_prompt([ModelRequest(parts=[UserPromptPart("\0\ud83d" + "x" * 500)])]) == "?" + "x" * 99
    assert first_prompt([answer]) == ""
