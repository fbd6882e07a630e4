"""What is repaired is taken by providers, whatever had happened to it, and nothing is touched without need."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.conversation.pairing import Pairing
from clew.conversation.parts import parts_of, result_text
from clew.conversation.repair import INTERRUPTED, Dangling, repaired
from clew.conversation.validity import flaws, light_parts
from clew.model import Message

IDS = st.sampled_from(["a", "b", "c", None])
TEXTS = st.sampled_from(["", " ", "said", None])


def chat_call(*ids: str | None, content: Any = None) -> Message:
    calls = [{"id": id, "type": "function", "function": {"name": "run", "arguments": "{}"}} for id in ids]
    return {"role": "assistant", "content": content, "tool_calls": calls}


def chat_result(id: str | None, content: str = "done") -> Message:
    return {"role": "tool", "tool_call_id": id, "content": content}


def use(id: str | None) -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": "run", "input": {}}


def outcome(id: str | None) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id, "content": "done"}


def text(said: str | None) -> dict[str, Any]:
    return {"type": "text", "text": said}


def call_item(id: str | None) -> Message:
    return {"type": "function_call", "call_id": id, "name": "run", "arguments": "{}"}


def output_item(id: str | None) -> Message:
    return {"type": "function_call_output", "call_id": id, "output": "done"}


def user(content: Any = "do it") -> Message:
    return {"role": "user", "content": content}


def assistant(content: Any = "well") -> Message:
    return {"role": "assistant", "content": content}


def tool(blocks: list[dict[str, Any]]) -> Message:
    return {"role": "tool", "content": blocks}


def codes(messages: list[Message]) -> list[tuple[int, str]]:
    return [(flaw.position, flaw.code) for flaw in flaws(light_parts(messages))]


THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}
BLOCKS = st.lists(st.one_of(IDS.map(use), TEXTS.map(text), st.just(THOUGHT), IDS.map(outcome)), max_size=4)
ANSWERS = st.lists(st.one_of(IDS.map(outcome), TEXTS.map(text)), max_size=4)
MESSAGES = st.lists(
    st.one_of(
        st.builds(chat_call, IDS, IDS, content=TEXTS), st.builds(chat_call, IDS), IDS.map(chat_result),
        BLOCKS.map(assistant), ANSWERS.map(user), TEXTS.map(user), TEXTS.map(assistant), IDS.map(call_item),
        IDS.map(output_item), st.just({"role": "system", "content": ""}), st.just({"kind": "of another form"}),
        st.builds(lambda id: {**chat_call(id), "content": [use(id)]}, IDS), st.builds(chat_call, content=TEXTS),
        ANSWERS.map(tool), st.builds(lambda id: chat_call(id, content=[outcome(id)]), IDS),
    ),
    max_size=9,
)  # fmt: skip


@given(MESSAGES, st.sampled_from(["interrupt", "drop"]))
def test_what_is_repaired_has_no_flaw(messages: list[Message], dangling: Dangling) -> None:
    before = copy.deepcopy(messages)
    made = repaired(messages, dangling)
    assert messages == before
    assert codes(made) == []


@given(MESSAGES)
def test_what_is_before_the_first_flaw_stays_to_the_byte(messages: list[Message]) -> None:
    found = codes(messages)
    made = repaired(messages, "interrupt")
    if not found:
        assert made is messages or made == messages
        return
    # What is wrong with a result may be mended at its call, which stands before it.
    ids = {flaw.id for flaw in flaws(light_parts(messages))}
    calls = [
        position for position, parts in enumerate(light_parts(messages)) if any(call.id in ids for call in parts.calls)
    ]
    first = min([found[0][0], *calls])
    assert made[:first] == messages[:first]


# -- what is refused, and what becomes of it


REFUSED = {
    "a call at the end": ([user(), chat_call("a")], [(1, "interrupted")]),
    "a call of blocks at the end": ([user(), assistant([use("a")])], [(1, "interrupted")]),
    "an item at the end": ([user(), call_item("a")], [(1, "interrupted")]),
    "a call in the middle": ([chat_call("a"), user(), assistant()], [(0, "call_without_result")]),
    "a call of blocks in the middle": ([assistant([use("a")]), user()], [(0, "call_without_result")]),
    "an item in the middle": ([call_item("a"), user()], [(0, "call_without_result")]),
    "one of several calls": ([chat_call("a", "b"), chat_result("b"), user()], [(0, "call_without_result")]),
    "one of several blocks": ([assistant([use("a"), use("b")]), user([outcome("b")])], [(0, "interrupted")]),
    "a result alone": ([user(), chat_result("a")], [(1, "result_without_call")]),
    "a block alone": ([user([outcome("a"), text("and")])], [(0, "result_without_call")]),
    "an item alone": ([output_item("a")], [(0, "result_without_call")]),
    "a result before its call": ([chat_result("a"), chat_call("a"), user()], [(0, "result_before_call")]),
    "a result behind a question": ([chat_call("a"), user(), chat_result("a")], [(2, "result_separated")]),
    "a block behind a question": ([assistant([use("a")]), user(), user([outcome("a")])], [(2, "result_separated")]),
    "a block behind text": ([assistant([use("a")]), user([text("hm"), outcome("a")])], [(1, "result_separated")]),
    "an id again": (
        [chat_call("a"), chat_result("a"), chat_call("a"), chat_result("a")], [(2, "duplicate_call")],
    ),
    "two of one id": ([chat_call("a", "a"), chat_result("a"), chat_result("a")], [(0, "duplicate_call")]),
    "a result again": ([chat_call("a"), chat_result("a"), chat_result("a")], [(2, "duplicate_result")]),
    "a call without id": ([chat_call(None), user()], [(0, "missing_id")]),
    "a call and a result without id": ([chat_call(None), chat_result(None)], [(0, "missing_id"), (1, "missing_id")]),
    "one of several in one message with the role tool": (
        [assistant([use("a"), use("b")]), tool([outcome("a")]), user()], [(0, "call_without_result")],
    ),
    "a result of the assistant's": (
        [chat_call("a"), assistant([outcome("a"), text("done")]), user()], [(1, "result_separated")],
    ),
    "a result without id": ([user(), chat_result(None)], [(1, "missing_id")]),
    "a question without words": ([user(" "), assistant()], [(0, "empty_content")]),
    "an answer without words": ([user(), assistant(None)], [(1, "empty_content")]),
    "an answer without words in the middle": ([assistant(""), user()], [(0, "empty_content")]),
    "a list of calls with none in it": ([user(), {**chat_call(), "content": "x"}, user()], [(1, "empty_tool_calls")]),
    "a block without words": ([assistant([text(""), use("a")]), user([outcome("a")])], [(0, "empty_content")]),
}  # fmt: skip

TAKEN = {
    "results of parallel calls in any order": [chat_call("a", "b"), chat_result("b"), chat_result("a")],
    "blocks in messages of their own": [assistant([use("a"), use("b")]), user([outcome("b")]), user([outcome("a")])],
    "an answer in several messages": [assistant([use("a")]), assistant([use("b")]), user([outcome("a"), outcome("b")])],
    "items that answer later": [call_item("a"), call_item("b"), user(), output_item("b"), output_item("a")],
    "a message of another form between": [chat_call("a"), {"kind": "note"}, chat_result("a")],
    "an empty answer at the end": [user(), assistant("")],
    "an empty result": [chat_call("a"), chat_result("a", "")],
    "a call with empty text beside it": [chat_call("a", content=""), chat_result("a")],
    "calls told twice": [{**chat_call("a"), "content": [use("a")]}, chat_result("a")],
    "what a provider's own tools did": [assistant([{"type": "server_tool_use", "id": "s"}, text("found")])],
    "calls answered by one with the role tool": [
        chat_call("a", "b"),
        tool([outcome("b"), outcome("a")]),
    ],
    "blocks answered by one with the role tool": [assistant([use("a"), use("b")]), tool([outcome("a"), outcome("b")])],
    "a tool of the provider's own, answered where it is called": [
        chat_call("a", content=[outcome("a"), text("found")])
    ],
    "a search of the provider's": [{"type": "web_search_call", "id": "w", "status": "completed"}],
}


@pytest.mark.parametrize(("messages", "expected"), REFUSED.values(), ids=REFUSED)
def test_what_providers_refuse_is_found_and_mended(messages: list[Message], expected: list[tuple[int, str]]) -> None:
    assert codes(messages) == expected
    for dangling in ("interrupt", "drop"):
        assert codes(repaired(messages, dangling)) == []


@pytest.mark.parametrize("messages", TAKEN.values(), ids=TAKEN)
def test_what_providers_take_has_no_flaw_and_stays(messages: list[Message]) -> None:
    assert codes(messages) == []
    assert repaired(messages, "drop") is not None
    assert all(one is other for one, other in zip(repaired(messages, "interrupt"), messages, strict=True))


def test_a_result_that_says_that_there_is_none_comes_behind_those_that_there_are() -> None:
    made = repaired([chat_call("a", "b"), chat_result("b"), user()], "interrupt")
    assert [message.get("tool_call_id") for message in made] == [None, "b", "a", None]
    assert made[2]["content"].startswith(INTERRUPTED)


def test_a_block_that_says_so_comes_before_what_the_user_said() -> None:
    made = repaired([assistant([use("a")]), user("go on")], "interrupt")
    block, said = made[1]["content"]
    assert (block["type"], block["tool_use_id"], block["is_error"]) == ("tool_result", "a", True)
    assert said == text("go on")


@pytest.mark.parametrize("kind", ["function_call", "custom_tool_call", "local_shell_call"])
def test_an_item_is_answered_by_one_of_its_kind(kind: str) -> None:
    made = repaired([{**call_item("a"), "type": kind}], "interrupt")
    assert (made[1]["type"], made[1]["call_id"]) == (f"{kind}_output", "a")


def test_a_result_in_the_wrong_place_is_moved_to_its_call_as_it_is() -> None:
    late = chat_result("a", "it was late")
    assert repaired([chat_call("a"), user(), late], "interrupt") == [chat_call("a"), late, user()]
    assert repaired([late, chat_call("a"), user()], "interrupt") == [chat_call("a"), late, user()]


def test_ids_that_are_used_again_get_new_ones_together_with_their_results() -> None:
    made = repaired([chat_call("a"), chat_result("a", "1"), chat_call("a"), chat_result("a", "2")], "interrupt")
    assert made[2]["tool_calls"][0]["id"] == made[3]["tool_call_id"] == "a_2"
    assert [message["content"] for message in made] == [None, "1", None, "2"]


def test_an_answer_keeps_what_it_says_beside_an_empty_list_of_calls() -> None:
    assert repaired([user(), {**assistant("x"), "tool_calls": [], "model": "m"}], "interrupt")[1] == {
        "role": "assistant", "content": "x", "model": "m",
    }  # fmt: skip


def test_a_dropped_call_leaves_what_was_said_beside_it() -> None:
    made = repaired([chat_call("a", content="I run it"), user()], "drop")
    assert made == [assistant("I run it"), user()]
    assert repaired([assistant([THOUGHT, use("a")]), user()], "drop") == [user()]
    assert repaired([assistant([text("I run it"), use("a")]), user()], "drop") == [
        assistant([text("I run it")]), user(),
    ]  # fmt: skip


def test_results_without_ids_stay_with_the_calls_of_their_turn_in_order() -> None:
    turn = [chat_call(None, None), chat_result(None, "1"), chat_result(None, "2")]
    made = repaired(
        [user(), *turn, user(), chat_call(None), chat_result(None, "3"), chat_call(None), user()], "interrupt"
    )
    results = {message["tool_call_id"]: message["content"] for message in made if message["role"] == "tool"}
    asked = [call["id"] for message in made for call in message.get("tool_calls", ())]
    assert [results[id][:2] for id in asked] == ["1", "2", "3", INTERRUPTED[:2]]


def test_a_missing_result_joins_those_that_stand_in_one_message() -> None:
    made = repaired([assistant([use("a"), use("b")]), tool([outcome("a")]), user()], "interrupt")
    assert [message["role"] for message in made] == ["assistant", "tool", "user"]
    assert [block["tool_use_id"] for block in made[1]["content"]] == ["b", "a"]
    later = repaired([*TAKEN["blocks answered by one with the role tool"], assistant([use("c")]), user()], "interrupt")
    assert (later[3]["role"], later[3]["content"][0]["tool_use_id"]) == ("tool", "c")


def done(messages: list[Message]) -> int:
    """How many results say that it is done, of those that answer a call."""
    pairing, parts = Pairing(), [parts_of(message) for message in messages]
    for position, message in enumerate(parts):
        pairing.add(position, message)
    pairing.end()
    places = {(answer.position, answer.part) for answer in pairing.answers.values()}
    found = [(place, result) for place, message in enumerate(parts) for result in message.results]
    return sum((place, result.part) in places and result_text(result.value) == "done" for place, result in found)


@given(MESSAGES, st.sampled_from(["interrupt", "drop"]))
def test_a_repair_loses_no_result_of_a_call(messages: list[Message], dangling: Dangling) -> None:
    assert done(repaired(messages, dangling)) == done(messages)
