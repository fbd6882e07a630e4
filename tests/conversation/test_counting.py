"""What is counted of messages in the forms in which agents and adapters write them."""

from typing import Any

import pytest

from clew.conversation.counting import Counting, Outcome
from clew.model import Message


def counted(*messages: Message) -> Counting:
    counting = Counting()
    counting.add(messages)
    counting.end()
    return counting


def ended(*messages: Message) -> dict[str, dict[Outcome, int]]:
    return {name: dict(outcomes) for name, outcomes in counted(*messages).ended.items()}


def call(*ids: str | None) -> Message:
    calls = [{"id": id, "type": "function", "function": {"name": "run", "arguments": "{}"}} for id in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def outcome(id: str | None, **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id, "content": "done", **more}


SAID: Message = {"role": "assistant", "content": "said"}

TOLD: dict[str, Message] = {
    "langchain": {
        "langgraph": {
            "fields": {
                "usage_metadata": {
                    "input_tokens": 10, "output_tokens": 5,
                    "input_token_details": {"cache_read": 3, "cache_creation": 2},
                },
                "response_metadata": {"model_name": "m"},
            }
        }
    },
    "gemini": {
        "google_adk": {
            "modelVersion": "m",
            "usageMetadata": {
                "promptTokenCount": 10, "candidatesTokenCount": 4, "thoughtsTokenCount": 1,
                "cachedContentTokenCount": 3,
            },
        }
    },
    "pydantic-ai": {
        "pydantic_ai": {
            "model_name": "m",
            "usage": {"input_tokens": 10, "output_tokens": 5, "cache_read_tokens": 3, "cache_write_tokens": 2},
        }
    },
    "strands": {
        "strands": {
            "message": {
                "metadata": {
                    "usage": {
                        "inputTokens": 10, "outputTokens": 5, "cacheReadInputTokens": 3, "cacheWriteInputTokens": 2,
                    }
                }
            }
        }
    },
    "claude": {
        "claude_agent_sdk": {
            "message": {
                "model": "m",
                "usage": {
                    "input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 3,
                    "cache_creation_input_tokens": 2,
                },
            }
        }
    },
}  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_tokens_are_found_where_an_adapter_keeps_them(name: str) -> None:
    tokens = counted({**SAID, **TOLD[name]}).tokens
    written = 0 if name == "gemini" else 2
    assert (tokens.messages, tokens.input, tokens.output) == (1, 10, 5)
    assert (tokens.cache_read, tokens.cache_write) == (3, written)


@pytest.mark.parametrize("name", [name for name in TOLD if name != "strands"])
def test_the_model_is_found_there_too(name: str) -> None:
    assert counted({**SAID, **TOLD[name]}).models == {"m": 1}


def test_an_answer_whose_first_results_stand_between_its_parts_counts_once_with_what_it_told_last() -> None:
    def part(output: int) -> Message:
        return {**SAID, "id": "msg_1", "usage": {"input_tokens": 5, "output_tokens": output, "cost": 0.5}}

    told = counted(part(1), {"role": "user", "content": [outcome("a")]}, part(7)).tokens
    assert (told.messages, told.input, told.output, told.cost) == (1, 5, 7, 0.5)
    apart = counted(part(1), {"role": "user", "content": "go on"}, part(7)).tokens
    assert (apart.messages, apart.output, apart.cost) == (2, 8, 1.0)


@pytest.mark.parametrize("cost", [10**400, -(10**400), float("nan"), float("inf"), 1.7e308, "1", True, None, []])
def test_what_is_no_cost_does_not_count(cost: Any) -> None:
    told = counted({**SAID, "cost": cost}, {**SAID, "usage": {"cost": cost}}, {**SAID, "cost": 0.25}).tokens
    assert told.cost == 0.25


@pytest.mark.parametrize("odd", [{}, [], "x", 1, None, {"fields": []}, {"message": None}])
def test_what_is_odd_in_the_place_of_an_adapter_counts_as_nothing(odd: Any) -> None:
    places = ("langgraph", "google_adk", "pydantic_ai", "strands", "claude_agent_sdk", "usage", "id", "model")
    counts = counted({**SAID, **dict.fromkeys(places, odd)}, {"role": "tool", "tool_call_id": "a", "langgraph": odd})
    assert (counts.messages, counts.tokens.input, counts.tokens.cost) == (2, 0, None)


def test_results_in_one_message_with_the_role_tool_are_those_of_its_calls() -> None:
    results = {"role": "tool", "content": [outcome("a"), outcome("b", is_error=True)]}
    assert ended(call("a", "b"), results) == {"run": {"successful": 1, "failed": 1}}


def test_results_without_ids_count_for_the_calls_of_their_turn() -> None:
    failed = {"role": "tool", "content": "no", "is_error": True}
    assert ended(call(None, None), failed, {"role": "tool", "content": "done"}) == {
        "run": {"failed": 1, "successful": 1}
    }
    assert ended(call(None), SAID, failed) == {"run": {"aborted": 1}}


def test_a_tool_of_the_providers_own_that_is_answered_where_it_is_called_was_successful() -> None:
    assert ended({**call("a"), "content": [outcome("a")]}) == {"run": {"successful": 1}}


def test_langchain_says_beside_a_result_that_its_call_failed() -> None:
    result = {"role": "tool", "tool_call_id": "a", "content": "no", "langgraph": {"fields": {"status": "error"}}}
    assert ended(call("a"), result) == {"run": {"failed": 1}}


def test_what_another_agent_took_that_a_tool_called_does_not_count() -> None:
    told = {
        "role": "tool",
        "tool_call_id": "a",
        "content": "done",
        "details": {"usage": {"input_tokens": 9}, "cost": 1},
    }
    assert (counted(told).tokens.input, counted(told).tokens.cost) == (0, None)
