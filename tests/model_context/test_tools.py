"""The promises of the tools that an agent gets, asked for by the SDK's own client."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

import clew
from clew.mcp import create_server
from clew.mcp.answers import MAX_ANSWER_CHARS

DEADLINE = 60.0
NOWHERE = "01a20a94-1111-7111-8111-111111111111"

Call = Callable[..., dict[str, Any]]


@pytest.fixture
def store() -> Iterator[clew.Store]:
    with clew.open(":memory:") as store:
        yield store


@pytest.fixture
def call(store: clew.Store) -> Call:
    """Call a tool of a server over the store; what it answers."""

    def ask(tool: str, **arguments: Any) -> dict[str, Any]:
        answer: dict[str, Any] = run(_call(create_server(store), tool, arguments))
        return answer

    return ask


@pytest.fixture
def refusal(store: clew.Store) -> Callable[..., str]:
    """The same for a call that fails: what the model reads."""

    def ask(tool: str, **arguments: Any) -> str:
        async def main() -> str:
            async with Client(create_server(store)) as client:
                result = await client.call_tool(tool, arguments)
            assert result.is_error
            return _text(result)

        told: str = run(main())
        return told

    return ask


def run(main: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(main, DEADLINE))


async def _call(server: Any, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    async with Client(server) as client:
        result = await client.call_tool(tool, arguments)
        assert not result.is_error, result.content
        assert json.loads(_text(result)) == result.structured_content
        return dict(result.structured_content)


def _text(result: Any) -> str:
    """What a model reads of an answer."""
    (part,) = result.content
    return str(part.text)


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def tools_of(server: Any) -> dict[str, Any]:
    async def main() -> dict[str, Any]:
        async with Client(server) as client:
            return {tool.name: tool for tool in (await client.list_tools()).tools}

    found: dict[str, Any] = run(main())
    return found


def test_the_tools_say_what_they_do_and_which_of_them_only_read(store: clew.Store) -> None:
    tools = tools_of(create_server(store))
    assert set(tools) == {"search", "list_sessions", "show_session", "append"}
    for name, tool in tools.items():
        assert tool.description, name
        assert tool.output_schema, name
        assert tool.annotations.read_only_hint == (name != "append")
        assert all("description" in field for field in tool.input_schema["properties"].values()), name


def test_a_read_only_server_has_no_tool_that_writes(store: clew.Store) -> None:
    assert set(tools_of(create_server(store, read_only=True))) == {"search", "list_sessions", "show_session"}


def test_what_was_done_before_is_found_and_shown(store: clew.Store, call: Call) -> None:
    session = store.create_session("Flaky test", messages=[user("why does the gasket leak?")], cwd="/repo")
    store.create_session("Other", messages=[user("nothing of that")])
    (hit,) = call("search", query="gasket")["hits"]
    assert (hit["session_id"], hit["title"], hit["position"], hit["role"]) == (str(session.id), "Flaky test", 0, "user")
    assert "**gasket**" in hit["snippet"]
    shown = call("show_session", session_id=hit["session_id"], start=hit["position"])
    assert shown["messages"] == [user("why does the gasket leak?")]
    assert (shown["start"], shown["message_count"]) == (0, 1)


def test_search_takes_filters_and_goes_on_with_a_cursor(store: clew.Store, call: Call) -> None:
    for number in range(3):
        store.create_session(str(number), messages=[user(f"gasket {number}")], cwd=f"/{number}")
    first = call("search", query="gasket", limit=2)
    rest = call("search", query="gasket", limit=2, cursor=first["next_cursor"])
    assert len(first["hits"]) == 2
    assert len({hit["title"] for hit in first["hits"] + rest["hits"]}) == 3
    assert [hit["title"] for hit in call("search", query="gasket", cwd="/1")["hits"]] == ["1"]
    assert call("search", query="gasket", until="2001-01-01")["hits"] == []


def test_sessions_are_listed_the_last_changed_first_and_deleted_ones_are_not(store: clew.Store, call: Call) -> None:
    first, second, gone = (store.create_session(title) for title in ("first", "second", "gone"))
    store.append(first.id, [user("x")])
    store.delete_session(gone.id)
    listed = call("list_sessions")["sessions"]
    assert [one["session_id"] for one in listed] == [str(first.id), str(second.id)]
    page = call("list_sessions", limit=1)
    assert [one["title"] for one in call("list_sessions", limit=1, cursor=page["next_cursor"])["sessions"]] == [
        "second"
    ]
    assert [one["title"] for one in call("list_sessions", search="FIR")["sessions"]] == ["first"]


def test_the_last_messages_of_a_session_are_shown_or_those_asked_for(store: clew.Store, call: Call) -> None:
    session = store.create_session("long", messages=[user(str(number)) for number in range(50)])

    def shown(**arguments: Any) -> list[str]:
        return [one["content"] for one in call("show_session", session_id=str(session.id), **arguments)["messages"]]

    assert shown() == [str(number) for number in range(30, 50)]
    assert shown(start=3, limit=2) == ["3", "4"]
    assert shown(start=-2) == ["48", "49"]
    assert shown(start=99) == []


def test_an_earlier_checkpoint_can_be_shown(store: clew.Store, call: Call) -> None:
    session = store.create_session("branches", messages=[user("root")])
    root = store.get_active_checkpoint(session.id)
    store.append(session.id, [user("later")])
    shown = call("show_session", session_id=str(session.id), checkpoint_id=str(root.id))
    assert shown["messages"] == [user("root")]


def test_a_long_text_is_cut_and_says_how_much_is_missing(store: clew.Store, call: Call) -> None:
    session = store.create_session("long", messages=[user("x" * 10_000)])
    (message,) = call("show_session", session_id=str(session.id), max_chars=100)["messages"]
    assert message["content"] == "x" * 100 + "… [9,900 more characters]"


def test_a_message_of_many_short_texts_is_cut_too(store: clew.Store, call: Call) -> None:
    session = store.create_session("wide", messages=[{"role": "user", "parts": ["x" * 90] * 1_000}])
    shown = call("show_session", session_id=str(session.id), max_chars=100)
    assert len(json.dumps(shown)) < 2_000


def test_an_answer_is_never_too_long_for_an_agent_and_says_what_is_missing(store: clew.Store, call: Call) -> None:
    messages = [user(f"{number} {'x' * 3_900}") for number in range(100)]
    session = store.create_session("T" * 9_000, messages=messages, cwd="/" + "d" * 20_000)
    shown = call("show_session", session_id=str(session.id), limit=200)
    assert shown["messages"] == messages[shown["start"] :]
    assert f"{shown['start']} more messages, before {shown['start']}, " in shown["note"]
    assert (shown["next_start"], len(json.dumps(shown, indent=2)) < MAX_ANSWER_CHARS + 2_000) == (None, True)
    (listed,) = call("list_sessions")["sessions"]
    assert listed["title"] == "T" * 200 + "… [8,800 more characters]"
    assert len(json.dumps(call("search", query="99"))) < 2_000


def test_a_long_conversation_is_read_whole_by_next_start(store: clew.Store, call: Call) -> None:
    messages = [user(f"{number} {'x' * 3_900}") for number in range(100)]
    session = store.create_session("long", messages=messages)
    shown = call("show_session", session_id=str(session.id), start=0, limit=50)
    read = [*shown["messages"]]
    while shown["next_start"] is not None:
        shown = call("show_session", session_id=str(session.id), start=shown["next_start"], limit=50)
        read += shown["messages"]
    assert read == messages
    assert "note" not in shown


def test_a_message_longer_than_an_answer_is_shown_where_so_much_is_asked_for(store: clew.Store, call: Call) -> None:
    long = user("x" * (MAX_ANSWER_CHARS + 10_000))
    session = store.create_session("long", messages=[user("before"), long])
    shown = call("show_session", session_id=str(session.id), max_chars=100_000)
    assert (shown["messages"], shown["start"]) == ([long], 1)


def nested(levels: int, wrap: Callable[[Any], Any]) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = wrap(value)
    return value


ODD = {
    "half a character": user("gasket \ud800"),
    "a name with half a character": {**user("gasket"), "\ud800": 1},
    "objects in objects": {**user("gasket"), "more": nested(240, lambda value: {"a": value})},
    "lists in lists": {**user("gasket"), "more": nested(240, lambda value: [value])},
    "many numbers": {**user("gasket"), "more": list(range(50_000))},
    "a long name": {**user("gasket"), "n" * 50_000: 1},
    "a number of many digits": {**user("gasket"), "more": 10**400},
}


@pytest.mark.parametrize("name", ODD)
def test_whatever_is_stored_can_be_found_and_shown(store: clew.Store, call: Call, name: str) -> None:
    session = store.create_session("odd", messages=[ODD[name]])
    store.create_session("plain", messages=[user("gasket")])
    assert {hit["title"] for hit in call("search", query="gasket")["hits"]} == {"odd", "plain"}
    (message,) = call("show_session", session_id=str(session.id))["messages"]
    assert message["role"] == "user"
    assert "gasket" in (message.get("content") or message["json"])
    assert len(json.dumps(message, indent=2)) < 20_000


def test_messages_are_appended_and_nothing_that_was_there_is_lost(store: clew.Store, call: Call) -> None:
    session = store.create_session("notes", messages=[user("before")])
    written = call("append", session_id=str(session.id), messages=[user("after")])
    active = store.get_active_checkpoint(session.id)
    assert str(active.id) == written["checkpoint_id"]
    assert active.state.messages == [user("before"), user("after")]


def test_a_new_session_is_begun_with_a_title(store: clew.Store, call: Call) -> None:
    written = call("append", title="Lessons", cwd="/repo", messages=[user("always run the linter")])
    session = store.get_session(written["session_id"])
    assert (session.title, session.cwd) == ("Lessons", "/repo")
    assert session.active_checkpoint is not None
    assert str(session.active_checkpoint.id) == written["checkpoint_id"]


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("show_session", {"session_id": NOWHERE}, "not found"),
        ("show_session", {"session_id": "nonsense"}, "not a UUID"),
        ("append", {"messages": [{"role": "user"}]}, "title"),
        ("append", {"messages": []}, "messages"),
        ("append", {"title": "", "messages": [{"role": "user"}]}, "title"),
        ("append", {"title": "t", "messages": [{"role": "user"}, {"content": "x"}]}, "messages[1] has no role"),
        ("append", {"title": "t", "messages": ["x"]}, "dictionary"),
        (
            "append",
            {"session_id": "01a20a94-1111-7111-8111-111111111111", "title": "t", "messages": [user("x")]},
            "title",
        ),
        ("list_sessions", {"limit": 0}, "limit"),
        ("search", {"query": "x", "since": "yesterday"}, "since"),
    ],
)
def test_what_is_wrong_is_told_to_the_model_and_changes_nothing(
    store: clew.Store, refusal: Callable[..., str], tool: str, arguments: dict[str, Any], told: str
) -> None:
    assert told in refusal(tool, **arguments)
    assert store.list_sessions().total == 0


def test_a_checkpoint_of_another_session_is_refused(store: clew.Store, refusal: Callable[..., str]) -> None:
    one, other = store.create_session("one"), store.create_session("other", messages=[user("secret")])
    checkpoint = store.get_active_checkpoint(other.id)
    told = refusal("show_session", session_id=str(one.id), checkpoint_id=str(checkpoint.id))
    assert "another session" in told


def test_the_command_serves_a_store_on_standard_input_and_output(tmp_path: Path) -> None:
    path = tmp_path / "agent.db"
    with clew.open(path) as store:
        store.create_session("From before", messages=[user("the gasket")])
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "clew", "--store", str(path), "mcp"], env=dict(os.environ)
    )

    async def main() -> None:
        async with Client(stdio_client(command)) as client:
            found = await client.call_tool("search", {"query": "gasket"})
            await client.call_tool("append", {"title": "From an agent", "messages": [user("hello")]})
        assert found.structured_content["hits"][0]["title"] == "From before"

    run(main())
    with clew.open(path) as store:
        assert [session.title for session in store.list_sessions().items] == ["From an agent", "From before"]


INITIALIZE = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
    },
}  # fmt: skip


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The command, which has answered the first request."""
    command = [sys.executable, "-m", "clew", "--store", str(tmp_path / "agent.db"), "mcp"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        print(json.dumps(INITIALIZE), file=running.stdin, flush=True)
        assert json.loads(running.stdout.readline())["id"] == 1
        yield running
        running.kill()


def test_the_command_ends_when_its_input_does(process: subprocess.Popen[str]) -> None:
    rest, _ = process.communicate(timeout=DEADLINE)
    assert (process.returncode, rest) == (0, "")


@pytest.mark.skipif(os.name == "nt", reason="there is no such signal to a single process")
def test_an_interrupt_ends_the_command_though_its_input_is_open(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE) == -signal.SIGINT
