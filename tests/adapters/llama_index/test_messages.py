"""What a message is stored as: it comes back equal, and people can read it."""

import json

import pytest
from llama_index.core.base.llms.types import (
    AudioBlock,
    CacheControl,
    CachePoint,
    ChatMessage,
    CitableBlock,
    CitationBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)
from pydantic import BaseModel
from tests.adapters.llama_index.support import KEY, active_of, run, said, session_of

import clew
from clew.adapters.llama_index import ClewChatStore

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452")
CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}

MESSAGES = {
    "text": ChatMessage("hello"),
    "empty text": ChatMessage(""),
    "no blocks": ChatMessage(role="assistant"),
    "two texts": ChatMessage(blocks=[TextBlock(text="a"), TextBlock(text="b")]),
    "NUL": ChatMessage("a\0b"),
    "tool call": ChatMessage(
        role="assistant",
        blocks=[TextBlock(text="so"), ToolCallBlock(tool_call_id="c1", tool_name="add", tool_kwargs={"a": 1})],
    ),
    "tool call in text": ChatMessage(role="assistant", blocks=[ToolCallBlock(tool_name="add", tool_kwargs="{")]),
    "OpenAI's tool calls": ChatMessage(role="assistant", additional_kwargs={"tool_calls": [CALL], "x": [1.0, None]}),
    "tool result": ChatMessage(role="tool", content="3", additional_kwargs={"tool_call_id": "c1"}),
    "thinking": ChatMessage(
        role="assistant", blocks=[ThinkingBlock(content="hm", num_tokens=2, additional_information={"signature": "s"})]
    ),
    "image": ChatMessage(blocks=[ImageBlock(image=PNG, detail="low"), TextBlock(text="what is it?")]),
    "image of unknown kind": ChatMessage(blocks=[ImageBlock(image=b"\xff\xfe\xfd")]),
    "image elsewhere": ChatMessage(blocks=[ImageBlock(url="https://example.org/a.png")]),
    "document": ChatMessage(blocks=[DocumentBlock(data=b"%PDF-1.4 \xff", title="t")]),
    "sound and film": ChatMessage(blocks=[AudioBlock(audio=b"\xff\xfb", format="mp3"), VideoBlock(video=b"\xff\x01")]),
    "cache point": ChatMessage(blocks=[CachePoint(cache_control=CacheControl(type="ephemeral"))]),
    "citations": ChatMessage(
        blocks=[
            CitableBlock(title="t", source="s", content=[TextBlock(text="x")]),
            CitationBlock(
                cited_content=TextBlock(text="q"), source="s", title="t", additional_location_info={"page": 1}
            ),
        ]
    ),
    "lone surrogate": ChatMessage("x", additional_kwargs={"odd": "\ud800"}),
    "names of ours": ChatMessage("x", additional_kwargs={"role": "r", "content": "c", "additional_kwargs": {"a": 1}}),
}


@pytest.fixture
def chats(file_store: clew.Store) -> ClewChatStore:
    return ClewChatStore(file_store)


def stored(store: clew.Store) -> list[clew.Message]:
    return active_of(store).state.messages


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES.keys())
def test_a_message_comes_back_equal(chats, message):
    run(chats.add_message(KEY, message))

    [found] = run(chats.get_messages(KEY))

    assert found == message
    assert [type(block) for block in found.blocks] == [type(block) for block in message.blocks]
    assert found.model_dump() == message.model_dump()


def test_over_every_store_too(store):
    chats = ClewChatStore(store)
    run(chats.add_messages(KEY, list(MESSAGES.values())))
    assert run(chats.get_messages(KEY)) == list(MESSAGES.values())


def test_no_text_is_stored_twice(chats, file_store):
    for message in MESSAGES.values():
        run(chats.set_messages(KEY, [message]))
        for text in [block.text for block in message.blocks if isinstance(block, TextBlock) and len(block.text) > 3]:
            assert json.dumps(stored(file_store)).count(text) == 1


def test_is_in_the_form_of_a_chat(chats, file_store):
    run(chats.add_messages(KEY, [MESSAGES["text"], MESSAGES["OpenAI's tool calls"], MESSAGES["tool result"]]))

    assert stored(file_store) == [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": None, "tool_calls": [CALL], "additional_kwargs": {"x": [1.0, None]}},
        {"role": "tool", "content": "3", "tool_call_id": "c1"},
    ]


def test_blocks_are_parts_that_clew_shows(chats, file_store):
    run(chats.add_messages(KEY, [MESSAGES["tool call"], MESSAGES["thinking"], MESSAGES["image"]]))

    call, thought, image = stored(file_store)
    assert call["content"][1] == {"type": "tool_use", "id": "c1", "name": "add", "input": {"a": 1}}
    assert thought["content"][0]["thinking"] == "hm"
    assert image["content"][0]["image_url"]["url"].startswith("data:image/png;base64,iVBOR")


def test_a_picture_whose_file_is_gone_is_still_read(chats, tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(PNG)
    message = ChatMessage(blocks=[ImageBlock(path=file), TextBlock(text="x")])
    run(chats.add_message(KEY, message))
    file.unlink()

    assert run(chats.get_messages(KEY)) == [message]


class Call(BaseModel):
    id: str
    arguments: dict[str, int]


def test_a_model_among_the_additional_arguments_becomes_the_dict_that_the_framework_makes_of_it(chats):
    run(chats.add_message(KEY, said("x", call=Call(id="1", arguments={"a": 1}))))
    assert run(chats.get_messages(KEY))[0].additional_kwargs == {"call": {"id": "1", "arguments": {"a": 1}}}


@pytest.mark.parametrize(
    "value",
    [(1, 2), {1}, b"x", float("nan"), {1: "a"}, object(), MESSAGES["text"].role],
    ids=["tuple", "set", "bytes", "NaN", "number as key", "object", "enum"],
)
def test_what_would_not_come_back_equal_is_refused_and_nothing_is_written(chats, file_store, value):
    with pytest.raises(clew.InvalidRequestError, match=r"messages\[1\]"):
        run(chats.add_messages(KEY, [said("fine"), said("x", value=value)]))
    assert file_store.list_sessions().items == []


def test_what_is_no_message_is_refused(chats, file_store):
    with pytest.raises(clew.InvalidRequestError, match="must be a ChatMessage, not dict"):
        run(chats.add_messages(KEY, [{"role": "user", "content": "x"}]))
    assert file_store.list_sessions().items == []


class TestDamage:
    @pytest.mark.parametrize(
        "message",
        [
            {"role": "nobody", "content": "x"},
            {"content": "x"},
            {"role": "user"},
            {"role": "user", "content": [{"type": "nothing"}]},
            {"role": "user", "content": [1]},
            {"role": "user", "content": "x", "additional_kwargs": []},
        ],
    )
    def test_a_message_that_is_none_is_an_error_and_not_left_out(self, chats, file_store, message):
        run(chats.add_message(KEY, said("x")))
        damaged = file_store.append(session_of(file_store).id, [message])

        with pytest.raises(clew.CorruptStateError, match=str(damaged.id)) as raised:
            run(chats.get_messages(KEY))
        assert raised.value.checkpoint_id == damaged.id

    @pytest.mark.parametrize(
        "metadata", [{"archived": [[0, 9]]}, {"archived": [[1, 0]]}, {"archived": 3}, {"archived": [["a", "b"]]}, [1]]
    )
    def test_metadata_that_cannot_be_right_is_an_error(self, chats, file_store, metadata):
        run(chats.add_message(KEY, said("x")))
        file_store.append(session_of(file_store).id, [], metadata=metadata)

        for call in (lambda: chats.get_messages(KEY), lambda: chats.count_messages(KEY)):
            with pytest.raises(clew.CorruptStateError):
                run(call())

    def test_other_metadata_stays(self, chats, file_store):
        run(chats.add_messages(KEY, [said("x"), said("y")]))
        file_store.append(session_of(file_store).id, [], metadata={"mine": 1})

        run(chats.archive_oldest_messages(KEY, 1))

        assert active_of(file_store).state.metadata == {"mine": 1, "archived": [[0, 1]]}
