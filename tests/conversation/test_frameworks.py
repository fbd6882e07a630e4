"""A repair leaves no session behind that the framework it is of cannot read."""

from typing import Any

import pytest

import clew
from clew.adapters import RESULTS
from clew.errors import InvalidRequestError

CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "run", "input": {}}]}


def made(source: str) -> list[dict[str, Any]]:
    with clew.open(":memory:") as store:
        session = store.create_session("", messages=[CALL], source=source, source_id="1")
        checkpoint = store.repair(session.id, results=RESULTS[source])
        assert checkpoint is not None
        return checkpoint.state.messages


@pytest.mark.parametrize("source", ["claude-agent-sdk", "google-adk", "langgraph", "pydantic-ai", "strands"])
def test_where_a_program_reads_only_what_it_wrote_nothing_is_written(source: str) -> None:
    with clew.open(":memory:") as store:
        own = {**CALL, source.replace("-", "_"): {"more": 1}}
        session = store.create_session("", messages=[own], source=source, source_id="1")
        with pytest.raises(InvalidRequestError, match=f"is of {source}.*repair a fork"):
            store.repair(session.id)
        assert store.get_session(session.id) == session
        fork = store.fork_session(session.id)
        assert store.repair(fork.id) is not None
        assert store.validate(fork.id) == []


def test_the_agent_framework_gets_a_result_as_it_writes_them() -> None:
    messages = made("agent-framework")
    (block,) = messages[1]["content"]
    assert (messages[1]["role"], block.keys()) == ("tool", {"type", "tool_use_id", "content"})


def test_llamaindex_gets_a_result_as_it_writes_them() -> None:
    messages = made("llama-index")
    assert (messages[1]["role"], messages[1]["tool_call_id"]) == ("tool", "a")


def test_a_form_of_results_that_is_none_is_refused() -> None:
    with clew.open(":memory:") as store:
        session = store.create_session("", messages=[CALL])
        with pytest.raises(InvalidRequestError, match="results"):
            store.repair(session.id, results="blocks")  # type: ignore[arg-type]
