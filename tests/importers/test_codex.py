"""The promises of the import of Codex's rollouts."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.importers.imported import (
    contents,
    conversation,
    described,
    kept_records,
    leaves,
    lost_records,
    only_session,
    samples,
    session_of,
    texts,
)
from tests.importers.rollouts import (
    OTHER,
    THREAD,
    Lines,
    call,
    event,
    heard,
    item,
    line,
    meta,
    output,
    rollout,
    said,
    thought,
    tokens,
    told,
    turn,
    user,
    write,
)

import clew
from clew.errors import InvalidRequestError
from clew.importers import IMPORTERS, find_importer
from clew.importers.codex import CodexImporter
from clew.importers.compression import zstd
from clew.importers.reimport import reimport
from clew.importers.steps import Notes

CODEX = CodexImporter()
CONTEXT = "<environment_context>\n  <cwd>/work/app</cwd>\n</environment_context>"


@pytest.fixture
def store() -> Iterator[clew.Store]:
    with clew.open(":memory:") as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return rollout(tmp_path / "codex")


def imported(store: clew.Store, file: Path, lines: list[Any]) -> list[dict[str, Any]]:
    report = CODEX.run(store, write(file, lines))
    assert not report.broken
    return conversation(store)


class TestEveryGeneration:
    ITEMS = (user(CONTEXT), user("list"), thought("Run ls."), call("c1"), output("c1", "a.txt"), said("One."))

    def test_lines_with_an_envelope(self, store: clew.Store, file: Path) -> None:
        assert texts(imported(store, file, [meta(), turn(), *self.ITEMS])) == [
            CONTEXT,
            "list",
            "shell",
            "a.txt",
            "One.",
        ]
        assert only_session(store).source_id == THREAD

    def test_lines_from_before_the_envelope_and_their_directory(self, store: clew.Store, file: Path) -> None:
        header = {"id": OTHER, "timestamp": "2025-08-20T09:00:00.000Z", "instructions": None, "git": {"branch": "main"}}
        bare = [header, {"record_type": "state"}, *(value["payload"] for value in self.ITEMS), {"record_type": "state"}]

        assert texts(imported(store, file, bare)) == [CONTEXT, "list", "shell", "a.txt", "One."]
        session = only_session(store)
        assert (session.source_id, session.cwd, session.title) == (OTHER, "/work/app", "list")
        assert described(session)["git"] == {"branch": "main"}
        assert session.created_at.isoformat() == "2025-08-20T09:00:00+00:00"

    def test_a_directory_that_is_told_in_words(self, store: clew.Store, file: Path) -> None:
        header = {"id": OTHER, "timestamp": "2025-06-20T09:00:00.000Z", "instructions": None}
        told_in_words = "<environment_context>\nCurrent working directory: /work/my app\nApproval policy: never\n"
        imported(store, file, [header, user(told_in_words)["payload"], user("list")["payload"]])
        assert (only_session(store).cwd, only_session(store).title) == ("/work/my app", "list")

    def test_the_document_that_was_written_first(self, store: clew.Store, tmp_path: Path) -> None:
        file = tmp_path / "rollout-2025-05-01-x.json"
        header = {"id": OTHER, "timestamp": "2025-05-01T09:00:00.000Z", "instructions": ""}
        file.write_text(json.dumps({"session": header, "items": [value["payload"] for value in self.ITEMS]}))

        assert CODEX.detect(file)
        CODEX.run(store, file)
        assert texts(conversation(store)) == [CONTEXT, "list", "shell", "a.txt", "One."]

    def test_lines_of_other_programs_that_have_roles(self, store: clew.Store, file: Path) -> None:
        loose = [
            meta(),
            {"timestamp": "2026-01-01T00:00:00Z", "role": "user", "content": "hello"},
            {"timestamp": "2026-01-01T00:00:01Z", "role": "assistant", "content": "working"},
            {"type": "tool_call", "function": {"name": "run"}, "arguments": {"cmd": "ls"}},
            {"type": "tool_result", "name": "run", "result": {"stdout": "a", "stderr": "b", "exitCode": 2}},
        ]
        messages = imported(store, file, loose)
        assert texts(messages) == ["hello", "working/run", "ab"]
        assert messages[2]["tool_call_id"] == messages[1]["tool_calls"][0]["id"]
        assert messages[2]["is_error"] is True


class TestSaidOnce:
    """The user and the model are told of by items, by events or by both; every version has its own way."""

    BOTH = (heard("one"), user("one"), told("yes"), said("yes"))
    ITEMS = (user("two"), said("sure"))
    EVENTS = (heard("three"), told("fine"))

    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            (BOTH, ["one", "yes"]),
            (ITEMS, ["two", "sure"]),
            (EVENTS, ["three", "fine"]),
            ((*BOTH, *ITEMS, *EVENTS), ["one", "yes", "two", "sure", "three", "fine"]),
            ((*EVENTS, *BOTH), ["three", "fine", "one", "yes"]),
            ((heard("one"), *EVENTS), ["one", "three", "fine"]),
            ((user("one"), heard("one"), user("one"), heard("one"), said("yes")), ["one", "one", "yes"]),
            ((heard("q"), said("a"), told("a")), ["q", "a"]),
            ((user("q"), told("a"), user("r"), told("a")), ["q", "a", "r", "a"]),
        ],
    )
    def test_whichever_way_it_is_told(
        self, store: clew.Store, file: Path, lines: tuple[Any, ...], expected: list[str]
    ) -> None:
        assert texts(imported(store, file, [meta(), *lines])) == expected

    def test_a_prompt_with_an_editors_context_before_it_or_an_image(self, store: clew.Store, file: Path) -> None:
        image = {"type": "input_image", "image_url": "data:image/png;base64,AA=="}
        shown = item("message", role="user", content=[{"type": "input_text", "text": "look"}, image])
        editor = "# Context from my IDE setup:\n\nopen: a.py\n\n## My request for Codex:\nfix  it"
        lines = [meta(), user(editor), heard("fix it"), said("done"), event("user_message", message="look"), shown]

        messages = imported(store, file, lines)
        assert texts(messages) == [editor, "done", "look+image_url"]
        assert messages[2]["content"][1] == {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
        assert only_session(store).title == "fix it"

    def test_completed_items_where_nothing_else_tells_it(self, store: clew.Store, file: Path) -> None:
        def completed(type: str, text: str) -> dict[str, Any]:
            return event("item_completed", item={"type": type, "id": "i", "content": [{"type": "text", "text": text}]})

        lines = [meta(), completed("UserMessage", "q"), heard("q"), completed("AgentMessage", "a"), told("a")]
        assert texts(imported(store, file, lines)) == ["q", "a"]

    def test_thoughts_of_items_and_events(self, store: clew.Store, file: Path) -> None:
        sealed = item("reasoning", summary=[], encrypted_content="x")
        lines = [
            *(meta(), user("q")),
            *(event("agent_reasoning", text="first"), thought("first"), said("a")),
            *(thought("second"), event("agent_reasoning", text="second"), said("b")),
            *(sealed, event("agent_reasoning", text="third"), said("c")),
            *(thought("first"), said("d")),
        ]
        thoughts = [message.get("reasoning_content") for message in imported(store, file, lines)]
        assert thoughts == [None, "first", "second", "third", "first"]


class TestCalls:
    def test_calls_in_a_row_are_one_answer_with_what_was_thought_before(self, store: clew.Store, file: Path) -> None:
        lines = [
            *(meta(), turn("gpt-5"), user("go")),
            *(thought("both"), said("Looking.", id="m1"), call("c1", "read", path="a"), call("c2", "grep", text="b")),
            *(output("c2", "two"), output("c1", "one"), call("c3", "write"), user("stop")),
        ]
        _, answer, second, first, unanswered, _ = imported(store, file, lines)
        assert answer == {
            "role": "assistant",
            "content": "Looking.",
            "reasoning_content": "both",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "read", "arguments": '{"path": "a"}'}},
                {"id": "c2", "type": "function", "function": {"name": "grep", "arguments": '{"text": "b"}'}},
            ],
            "id": "m1",
            "timestamp": "2026-08-03T10:00:00Z",
            "model": "gpt-5",
        }
        assert (second["tool_call_id"], second["name"], second["content"]) == ("c2", "grep", "two")
        assert (first["tool_call_id"], first["name"], first["content"]) == ("c1", "read", "one")
        assert [made["function"]["name"] for made in unanswered["tool_calls"]] == ["write"]

    def test_calls_of_every_kind(self, store: clew.Store, file: Path) -> None:
        action = {"type": "exec", "command": ["ls"]}
        lines = [
            *(meta(), user("go")),
            *(item("custom_tool_call", name="apply_patch", call_id="c1", input="*** Begin"),),
            item("custom_tool_call_output", call_id="c1", output=[{"type": "input_text", "text": "patched"}]),
            *(item("local_shell_call", call_id="c2", action=action), output("c2", {"content": "no", "success": False})),
            *(item("tool_search_call", call_id="c3", arguments={"query": "q"}),),
            item("tool_search_output", call_id="c3", tools=[{"name": "t"}]),
            item("web_search_call", id="w1", status="completed", action={"query": "x"}),
            event("web_search_end", call_id="w1", results=[{"title": "T"}]),
            item("image_generation_call", id="g1", status="completed", revised_prompt="cat", result="iVBORw0="),
            item("web_search_call", id="w2", status="failed", action={"query": "y"}),
            *(call("c4", "view"), output("c4", [{"type": "input_image", "image_url": "data:image/png;base64,AA=="}])),
            said("done"),
        ]
        messages = imported(store, file, lines)
        calls = {made["id"]: made["function"] for message in messages for made in message.get("tool_calls", [])}
        results = {message["tool_call_id"]: message for message in messages if message["role"] == "tool"}
        assert calls["c1"] == {"name": "apply_patch", "arguments": '{"input":"*** Begin"}'}
        assert calls["c2"] == {"name": "local_shell", "arguments": '{"type":"exec","command":["ls"]}'}
        assert calls["g1"] == {"name": "image_generation", "arguments": '{"prompt":"cat"}'}
        assert {id: result["content"] for id, result in results.items()} == {
            "c1": "patched",
            "c2": "no",
            "c3": '[{"name":"t"}]',
            "w1": '[{"title":"T"}]',
            "g1": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0="}}],
            "w2": "failed",
            "c4": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}],
        }
        assert {id for id, result in results.items() if result.get("is_error")} == {"c2", "w2"}
        assert messages[-1]["content"] == "done"

    @pytest.mark.parametrize(
        ("told_output", "content", "is_error"),
        [
            (
                '{"output": "no such file\\n", "metadata": {"exit_code": 1, "duration_seconds": 0.1}}',
                "no such file\n",
                True,
            ),
            ('{"output": "ok", "metadata": {"exit_code": 0}}', "ok", False),
            ('{"output": "ok"}', '{"output": "ok"}', False),
            ("Exit code: 2\nWall time: 0 seconds\nOutput:\nx", "Exit code: 2\nWall time: 0 seconds\nOutput:\nx", True),
            ("Exit code: 0\nOutput:\nProcess exited with code 3", None, False),
            ("Chunk ID: a\nProcess exited with code 3\nOutput:\n", None, True),
        ],
    )
    def test_the_exit_code_tells_whether_a_command_failed(
        self, store: clew.Store, file: Path, told_output: str, content: str | None, is_error: bool
    ) -> None:
        result = imported(store, file, [meta(), user("go"), call("c1"), output("c1", told_output)])[-1]
        assert result["content"] == (told_output if content is None else content)
        assert result.get("is_error", False) is is_error

    def test_an_event_tells_the_result_only_where_no_item_does(self, store: clew.Store, file: Path) -> None:
        ended = event("exec_command_end", call_id="c1", aggregated_output="all", stdout="all", exit_code=1)
        answered = event("exec_command_end", call_id="c2", aggregated_output="other", exit_code=0)
        server = event("mcp_tool_call_end", call_id="c3", result={"Ok": {"content": [{"type": "text", "text": "m"}]}})
        calls = (call("c1"), call("c2"), call("c3", "mcp"))
        messages = imported(store, file, [meta(), user("go"), *calls, ended, answered, output("c2", "told"), server])
        results = {message["tool_call_id"]: message for message in messages if message["role"] == "tool"}
        assert {id: result["content"] for id, result in results.items()} == {"c1": "all", "c2": "told", "c3": "m"}
        assert len(messages) == 5
        assert results["c1"]["is_error"] is True

    def test_messages_between_agents(self, store: clew.Store, file: Path) -> None:
        sealed = {"type": "encrypted_content", "encrypted_content": "x"}
        mail = item("agent_message", author="/root", content=[{"type": "input_text", "text": "Explore."}, sealed])
        (message, _) = imported(store, file, [meta(), mail, item("agent_message", content=[sealed]), said("ok")])
        assert (message["role"], message["name"], message["content"]) == ("user", "/root", "Explore.")


class TestAnswers:
    def test_tokens_are_those_of_the_answer_before_and_never_counted_twice(self, store: clew.Store, file: Path) -> None:
        lines = [
            *(meta(), turn("gpt-5"), user("go")),
            *(call("c1"), output("c1"), tokens(100, 100), tokens(100, 100)),
            *(call("c2"), output("c2"), tokens(250)),
            *(turn("gpt-6"), said("done"), tokens(300, 50), event("token_count", info=None)),
        ]
        answers = [message for message in imported(store, file, lines) if message["role"] == "assistant"]
        assert [answer["usage"]["prompt_tokens"] for answer in answers] == [100, 150, 50]
        assert answers[0]["usage"] == {
            "prompt_tokens": 100,
            "completion_tokens": 1,
            "prompt_tokens_details": {"cached_tokens": 50},
        }
        assert [answer["model"] for answer in answers] == ["gpt-5", "gpt-5", "gpt-6"]
        metadata = described(only_session(store))
        assert (metadata["model"], metadata["models"]) == ("gpt-6", ["gpt-5", "gpt-6"])

    def test_an_aborted_turn_marks_the_answer_that_it_ended(self, store: clew.Store, file: Path) -> None:
        aborted = event("turn_aborted", reason="interrupted")
        lines = [
            meta(),
            user("a"),
            said("so"),
            aborted,
            user("b"),
            call("c1"),
            output("c1"),
            aborted,
            user("c"),
            aborted,
        ]
        marked = [message.get("status") for message in imported(store, file, lines)]
        assert marked == [None, "aborted", None, None, None, None]

    @pytest.mark.parametrize("role", ["user", "developer"])
    def test_an_aborted_turn_is_known_by_what_codex_tells_the_model_before_the_event(
        self, store: clew.Store, file: Path, role: str
    ) -> None:
        marker = user("<turn_aborted>\nThe user interrupted the previous turn on purpose.\n</turn_aborted>", role)
        aborted = event("turn_aborted", reason="interrupted")
        messages = imported(store, file, [meta(), user("a"), said("so"), marker, aborted, user("b"), said("B")])
        assert [message.get("status") for message in messages] == [None, "aborted", None, None, None]

    @pytest.mark.parametrize("told", [user("go on", "developer"), user("go on"), heard("go on")])
    def test_what_is_said_before_a_result_has_come_follows_it(
        self, store: clew.Store, file: Path, told: dict[str, Any]
    ) -> None:
        begin = [meta(), user("a"), call("c1"), call("c2"), output("c1")]
        messages = imported(store, file, [*begin, told, output("c2"), said("b"), user("c"), said("d")])
        roles = [(message["role"], message.get("tool_call_id")) for message in messages]
        assert roles[1:5] == [("assistant", None), ("tool", "c1"), ("tool", "c2"), (messages[4]["role"], None)]
        assert texts(messages[4:]) == ["go on", "b", "c", "d"]

    def test_what_codex_tells_between_two_calls_of_an_answer_does_not_part_it(
        self, store: clew.Store, file: Path
    ) -> None:
        lines = [user("a"), call("c1"), user("<hook>", "developer"), call("c2"), output("c1"), output("c2"), said("b")]
        messages = imported(store, file, [meta(), *lines])
        assert [message["role"] for message in messages] == [
            *("user", "assistant", "tool", "tool", "developer", "assistant")
        ]
        assert [made["id"] for made in messages[1]["tool_calls"]] == ["c1", "c2"]

    def test_a_prompt_before_a_result_that_comes_much_later_stays_before_its_answer(
        self, store: clew.Store, file: Path
    ) -> None:
        lines = [user("a"), call("c1"), user("b"), call("c2"), output("c2"), said("B"), output("c1"), said("C")]
        messages = imported(store, file, [meta(), *lines])
        assert [message["role"] for message in messages] == [
            *("user", "assistant", "user", "assistant", "tool", "assistant", "tool", "assistant")
        ]

    def test_tokens_that_are_told_before_each_answer_are_its(self, store: clew.Store, file: Path) -> None:
        lines = [user("a"), tokens(100, 100), call("c1"), output("c1"), tokens(300, 200), call("c2"), output("c2")]
        messages = imported(store, file, [meta(), *lines, tokens(600, 300), said("b")])
        assert [message["usage"]["prompt_tokens"] for message in messages if message["role"] == "assistant"] == [
            *(100, 200, 300)
        ]


class TestBranches:
    def test_a_rollback_goes_on_from_before_the_turns_which_stay(self, store: clew.Store, file: Path) -> None:
        back = event("thread_rolled_back", num_turns=2)
        first = [meta(), user(CONTEXT), *(part for n in "abc" for part in (user(n), said(n.upper())))]
        imported(store, file, [*first, back])
        assert texts(conversation(store)) == [CONTEXT, "a", "A"]

        write(file, [user("d"), said("D")], append=True)
        CODEX.run(store, file)
        assert texts(conversation(store)) == [CONTEXT, "a", "A", "d", "D"]
        assert [CONTEXT, "a", "A", "b", "B", "c", "C"] in leaves(store)

    def test_a_session_that_ends_rolled_back_has_changed_when_its_records_say(
        self, store: clew.Store, file: Path
    ) -> None:
        imported(store, file, [meta(), user("a"), said("A"), user("b"), event("thread_rolled_back", num_turns=1)])
        assert texts(conversation(store)) == ["a", "A"]
        assert only_session(store).updated_at == datetime(2026, 8, 3, 10, tzinfo=UTC)

    def test_a_rollback_takes_back_what_codex_told_before_the_turn(self, store: clew.Store, file: Path) -> None:
        update = user("be brief", "developer")
        lines = [meta(), user("rules", "developer"), user("a"), said("A"), update, user(CONTEXT), user("b"), said("B")]
        back = event("thread_rolled_back", num_turns=1)
        assert texts(imported(store, file, [*lines, back, user("c")])) == ["rules", "a", "A", "c"]
        write(file, [event("thread_rolled_back", num_turns=99), user("d")], append=True)
        CODEX.run(store, file)
        assert texts(conversation(store)) == ["rules", "d"]

    def test_a_compaction_begins_anew_with_its_history_and_knows_where_it_came_from(
        self, store: clew.Store, file: Path
    ) -> None:
        history = [user("a")["payload"], call("c1")["payload"], output("c1", "x")["payload"], user("SUM")["payload"]]
        compacted = line("compacted", message="SUM", replacement_history=history, window_number=2)
        lines = [meta(), user("a"), said("A"), compacted, event("context_compacted"), user("b"), said("B")]

        messages = imported(store, file, lines)
        assert texts(messages) == ["a", "shell", "x", "SUM", "b", "B"]
        assert [message.get("compaction") for message in messages[:4]] == [None, None, None, {"window_number": 2}]
        active = only_session(store).active_checkpoint_id
        assert active is not None
        assert ["a", "A"] in [texts(store.get_messages(checkpoint.id)) for checkpoint in store.ancestry(active)]

    def test_a_rollback_reaches_behind_a_compaction(self, store: clew.Store, file: Path) -> None:
        compacted = line("compacted", message="SUM", replacement_history=[user("SUM")["payload"]])
        turns = [user("a"), said("A"), user("b"), compacted, said("B")]
        back = event("thread_rolled_back", num_turns=1)
        assert texts(imported(store, file, [meta(), *turns, back, user("c")])) == ["a", "A", "c"]

    def test_a_compaction_without_a_history_keeps_the_beginning_and_the_prompts(
        self, store: clew.Store, file: Path
    ) -> None:
        lines = [meta(), user(CONTEXT), user("a"), said("A"), user("b"), said("B"), line("compacted", message="SUM")]
        messages = imported(store, file, [*lines, user("c")])
        assert texts(messages) == [CONTEXT, "a", "b", "SUM", "c"]
        assert messages[3]["compaction"]

    def test_prompts_of_long_ago_are_not_repeated_after_a_compaction(self, store: clew.Store, file: Path) -> None:
        prompts = [user(str(number) + "x" * 29_999) for number in range(4)]
        back = event("thread_rolled_back", num_turns=1)
        lines = [meta(), *prompts, back, user("b"), said("B"), line("compacted", message="SUM")]
        repeated = [(shown[0], len(shown)) for shown in texts(imported(store, file, lines))]
        assert repeated == [("1", 20_000), ("2", 30_000), ("b", 1), ("S", 3)]

    def test_a_compaction_that_leaves_nothing(self, store: clew.Store, file: Path) -> None:
        lines = [meta(), user("a"), said("A"), line("compacted", message="", replacement_history=[]), user("b")]
        assert texts(imported(store, file, lines)) == ["b"]


class TestSession:
    def test_what_is_told_of_it(self, store: clew.Store, file: Path) -> None:
        git = {"commit_hash": "abc", "branch": "main", "repository_url": "https://example.com/r.git"}
        lines = [meta(git=git, forked_from_id=OTHER), meta(OTHER, cwd="/else"), turn(), user(CONTEXT), user("Fix\nit")]
        imported(store, file, lines)
        session = only_session(store)
        assert (session.title, session.cwd, session.source_id) == ("Fix", "/work/app", THREAD)
        assert described(session) == {
            "git": {"commit": "abc", "branch": "main", "remote": "https://example.com/r.git"},
            "model": "gpt-5",
            "tool_version": "0.149.0",
            "kind": "main",
            "forked_from": {"session": OTHER},
            "source": "cli",
        }

    def test_its_id_is_in_the_header_or_the_name_of_the_file(self, tmp_path: Path) -> None:
        lone = write(tmp_path / "rollout.jsonl", [line("session_meta", session_id="told-so", cwd="/work/app")])
        named = write(rollout(tmp_path), [line("session_meta", session_id="told-so", cwd="/work/app")])
        ids = [next(iter(CODEX.sources(file, Notes()))).source_id for file in (lone, named)]
        assert ids == ["told-so", THREAD]

    def test_a_name_in_the_index_or_the_rollout_is_the_users_title(self, store: clew.Store, tmp_path: Path) -> None:
        file = rollout(tmp_path)
        index = tmp_path / "session_index.jsonl"
        imported(store, file, [meta(), user("a"), event("thread_name_updated", thread_id=THREAD, thread_name="One")])
        assert only_session(store).title == "One"

        write(index, [{"id": THREAD, "thread_name": "Two"}, {"id": OTHER, "thread_name": "X"}])
        CODEX.run(store, file)
        assert only_session(store).title == "Two"

        write(index, ["{broken", {"id": THREAD, "thread_name": "Three"}], append=True)
        CODEX.run(store, tmp_path)
        session = only_session(store)
        assert session.title == "Three"
        assert (session.metadata or {})["import"]["title_origin"] == "user"

    def test_an_action_that_codex_tells_of_is_no_title(self, store: clew.Store, file: Path) -> None:
        action = "<user_action>\n  <context>User initiated a review task.</context>\n</user_action>"
        imported(store, file, [meta(), user(action), said("Two findings"), user("Fix them")])
        assert only_session(store).title == "Fix them"

    def test_an_archived_session_says_so_after_it_has_moved_too(self, store: clew.Store, tmp_path: Path) -> None:
        file = write(rollout(tmp_path), [meta(), user("a"), said("b")])
        CODEX.run(store, tmp_path)
        assert "archived" not in described(only_session(store))

        (tmp_path / "archived_sessions").mkdir()
        file.rename(tmp_path / "archived_sessions" / file.name)
        report = CODEX.run(store, tmp_path)
        assert report.checkpoints_created == 0
        assert described(only_session(store))["archived"] is True

    def test_one_that_was_taken_out_of_the_archive_is_archived_no_more(self, store: clew.Store, tmp_path: Path) -> None:
        file = write(rollout(tmp_path), [meta(), user("a"), said("b")])
        archived = tmp_path / "archived_sessions" / file.name
        archived.parent.mkdir()
        CODEX.run(store, tmp_path)
        file.rename(archived)
        CODEX.run(store, tmp_path)
        archived.rename(file)
        CODEX.run(store, tmp_path)
        assert "archived" not in described(only_session(store))
        assert CODEX.run(store, tmp_path).sessions_unchanged == 1

    def test_a_compressed_rollout_is_read_unless_it_lies_beside_the_plain_one(
        self, store: clew.Store, tmp_path: Path
    ) -> None:
        write(rollout(tmp_path, OTHER).with_suffix(".jsonl.zst"), [meta(OTHER), user("packed")])
        plain = write(rollout(tmp_path), [meta(), user("a"), said("b")])
        write(plain.with_suffix(".jsonl.zst"), [meta(), user("stale")])
        assert CODEX.run(store, tmp_path).sessions_created == 2
        assert texts(conversation(store, session_of(store, "codex", OTHER))) == ["packed"]
        assert leaves(store, session_of(store, "codex", THREAD)) == [["a", "b"]]

        plain.unlink()  # when it has become cold, nothing is new
        write(plain.with_suffix(".jsonl.zst"), [meta(), user("a"), said("b")])
        assert CODEX.run(store, tmp_path).checkpoints_created == 0

    @pytest.mark.parametrize(
        "told_so",
        [
            {"parent_thread_id": OTHER, "agent_nickname": "Ada", "agent_role": "explorer"},
            {
                "source": {
                    "subagent": {
                        "thread_spawn": {"parent_thread_id": OTHER, "agent_nickname": "Ada", "agent_role": "explorer"}
                    }
                }
            },
        ],
    )
    def test_a_subagent_is_a_child_session(self, store: clew.Store, tmp_path: Path, told_so: dict[str, Any]) -> None:
        write(rollout(tmp_path, THREAD, hour=9), [meta(**told_so), user("explore")])
        write(rollout(tmp_path, OTHER), [meta(OTHER), user("parent")])
        CODEX.run(store, tmp_path)
        child, parent = session_of(store, "codex", THREAD), session_of(store, "codex", OTHER)
        assert child.parent_session_id == parent.id
        assert described(child)["kind"] == "subagent"
        assert described(child)["agent"] == {"nickname": "Ada", "role": "explorer"}

    def test_a_fork_that_refers_to_its_history_has_it(self, store: clew.Store, tmp_path: Path) -> None:
        shared = [meta(OTHER, cwd="/work/other"), user("a"), said("A")]
        base = write(rollout(tmp_path, OTHER), shared)
        place = {"thread_id": OTHER, "end_ordinal_exclusive": 3, "end_byte_offset": base.stat().st_size}
        write(base, [user("b")], append=True)
        fork = write(rollout(tmp_path, THREAD), [meta(history_base=place, forked_from_id=OTHER), user("c"), said("C")])
        CODEX.run(store, tmp_path)
        assert texts(conversation(store, session_of(store, "codex", THREAD))) == ["a", "A", "c", "C"]
        assert texts(conversation(store, session_of(store, "codex", OTHER))) == ["a", "A", "b"]
        assert session_of(store, "codex", THREAD).cwd == "/work/app"
        assert described(session_of(store, "codex", THREAD))["forked_from"] == {"session": OTHER}
        assert lost_records(CODEX, fork) == []

    def test_a_thread_that_was_reverted_is_one_session_with_a_branch(self, store: clew.Store, tmp_path: Path) -> None:
        numbered = [{**value, "ordinal": n} for n, value in enumerate([meta(), user("a"), said("A"), user("b")])]
        write(rollout(tmp_path), numbered)
        place = {"thread_id": THREAD, "end_ordinal_exclusive": 3, "end_byte_offset": 0}
        write(rollout(tmp_path, THREAD, OTHER, hour=11), [meta(history_base=place), user("c")])
        CODEX.run(store, tmp_path)
        assert leaves(store) == [["a", "A", "b"], ["a", "A", "c"]]
        assert texts(conversation(store)) == ["a", "A", "c"]
        assert kept_records(store) == {
            row for file in tmp_path.rglob("*.jsonl") for row in file.read_bytes().splitlines()
        }
        (again,) = reimport(store)
        assert (again.checkpoints_created, again.broken) == (0, ())

    def test_a_history_that_is_not_there_is_noted(self, store: clew.Store, file: Path) -> None:
        place = {"thread_id": OTHER, "end_ordinal_exclusive": 3, "end_byte_offset": 100}
        report = CODEX.run(store, write(file, [meta(history_base=place), user("c")]))
        (finding,) = report.mended
        assert OTHER in finding.why
        assert texts(conversation(store)) == ["c"]


WHOLE: Lines = [
    *(meta(), turn(), user(CONTEXT), user("a"), heard("a"), thought("t"), call("c1"), output("c1")),
    *(tokens(10, 10), said("A"), told("A"), tokens(20, 10), event("task_complete"), user("b"), said("B")),
    *(event("thread_rolled_back", num_turns=1), user("c"), said("C")),
    *(line("compacted", message="S", replacement_history=[user("S")["payload"]]), user("d"), said("D")),
]


class TestImportingAgain:
    def test_changes_nothing_in_the_store_or_the_source(self, store: clew.Store, tmp_path: Path) -> None:
        file = write(rollout(tmp_path), WHOLE)
        before = contents(tmp_path)
        CODEX.run(store, tmp_path)
        first = (only_session(store), leaves(store))
        report = CODEX.run(store, file)
        assert (report.sessions_unchanged, report.checkpoints_created) == (1, 0)
        assert (only_session(store), leaves(store)) == first
        assert contents(tmp_path) == before

    @pytest.mark.parametrize("end", [4, 8, 10, 13, 15, 16, 18, 20])
    def test_brings_what_was_appended(self, store: clew.Store, file: Path, end: int) -> None:
        with clew.open(":memory:") as other:
            whole = imported(other, file, WHOLE)
            branches = leaves(other)
        imported(store, file, WHOLE[:end])
        write(file, WHOLE[end:], append=True)
        CODEX.run(store, file)
        assert conversation(store) == whole
        assert all(branch in leaves(store) for branch in branches)

    def test_after_every_line_ends_where_one_import_does(self, store: clew.Store, file: Path) -> None:
        write(file, WHOLE[:3])
        for appended in WHOLE[3:]:
            write(file, [appended], append=True)
            CODEX.run(store, file)
        with clew.open(":memory:") as other:
            assert conversation(store) == imported(other, file, WHOLE)
        assert set(file.read_bytes().splitlines()) <= kept_records(store)

    def test_a_torn_last_line_is_left_for_the_next_time(self, store: clew.Store, file: Path) -> None:
        write(file, [meta(), user("a")])
        last = json.dumps(said("A"))
        with file.open("a") as opened:
            opened.write(last[:40])
        assert CODEX.run(store, file).broken == ()
        assert texts(conversation(store)) == ["a"]
        with file.open("a") as opened:
            opened.write(last[40:] + "\n")
        assert CODEX.run(store, file).broken == ()
        assert texts(conversation(store)) == ["a", "A"]


class TestWhatIsNotUnderstood:
    def test_types_that_are_not_known_are_counted_and_kept(self, store: clew.Store, file: Path) -> None:
        odd: list[Any] = [line("new_kind"), event("new_event"), item("new_item"), {"what": 1}, [], "{torn", "7"]
        report = CODEX.run(store, write(file, [meta(), *odd, user("a"), line("world_state"), event("task_started")]))
        assert report.unknown == {"new_kind": 1, "event_msg/new_event": 1, "response_item/new_item": 1, "?": 3}
        assert [finding.why[:11] for finding in report.broken] == ["is not JSON"]
        assert lost_records(CODEX, file) == []

    @pytest.mark.parametrize(
        ("suffix", "content"),
        [
            ("", b"\0" * 900),
            ("", b'{"timestamp":"2026'),
            (".zst", zstd.compress(b"x" * 900)[:-3]),
            (".zst", b"no zstd"),
        ],
    )
    def test_a_rollout_that_nobody_can_read_is_named_and_the_others_come(
        self, store: clew.Store, tmp_path: Path, suffix: str, content: bytes
    ) -> None:
        write(rollout(tmp_path), [meta(), user("a"), said("b")])
        damaged = rollout(tmp_path, OTHER)
        damaged.with_name(damaged.name + suffix).write_bytes(content)
        report = CODEX.run(store, tmp_path)
        assert report.sessions_created == 1
        assert OTHER in str(report.broken[0])

    def test_every_record_is_kept(self, file: Path) -> None:
        assert lost_records(CODEX, write(file, WHOLE)) == []

    def test_a_file_without_a_message_is_an_error_that_says_so(self, store: clew.Store, file: Path) -> None:
        write(file, [meta(), event("turn.completed"), tokens(10, 10)])
        with pytest.raises(InvalidRequestError, match=r"no message that could be read.*1 event_msg/turn.completed"):
            CODEX.run(store, file)

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.integers())
    def test_any_value_in_any_place_is_tolerated(self, tmp_path: Path, seed: int) -> None:
        chance = random.Random(seed)
        lines = [
            *WHOLE,
            *(item("web_search_call", id="w", action={}), event("web_search_end", call_id="w", results=[1])),
            item("image_generation_call", id="g", result="x"),
            event("exec_command_end", call_id="c9", exit_code=1, stdout="x"),
            *(event("item_completed", item={"type": "UserMessage", "content": []}), meta(git={"branch": "x"})),
        ]
        changed = [_changed(value, chance) for value in json.loads(json.dumps(lines))]
        file = write(tmp_path / f"rollout-{seed}.jsonl", [user("a"), *changed])
        for source in CODEX.sources(file, Notes()):
            parsed = CODEX.parse(source.records, {"name": 1} if seed % 2 else source.context, Notes())
            assert list(parsed.steps)
        with clew.open(":memory:") as store:
            CODEX.run(store, file)


_VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    "x",
    "\ud800",
    "\0",
    [],
    [1],
    [None],
    {},
    {"type": 1},
    {"a": []},
]


def _changed(value: Any, chance: random.Random) -> Any:
    """The value with some of what is in it replaced."""
    if chance.random() < 0.08:
        return chance.choice(_VALUES)
    if isinstance(value, dict):
        return {name: _changed(inner, chance) for name, inner in value.items()}
    return [_changed(inner, chance) for inner in value] if isinstance(value, list) else value


class TestDetection:
    def test_its_files_and_folders_and_no_others(self, tmp_path: Path) -> None:
        file = write(rollout(tmp_path / "codex"), [meta(), user("a")])
        write(tmp_path / "codex" / "history.jsonl", [{"session_id": THREAD, "ts": 1, "text": "a"}])
        assert all(CODEX.detect(path) for path in (file, tmp_path / "codex", file.parent))
        assert find_importer(file).name == "codex"
        others = [
            {"role": "user", "content": "a"},
            {"type": "session", "id": "x", "cwd": "/"},
            {"payload": 1},
            [1],
            "x",
        ]
        for number, other in enumerate(others):
            assert not CODEX.detect(write(tmp_path / f"rollout-{number}.jsonl", [other]))
        assert not CODEX.detect(tmp_path / "codex" / "history.jsonl")
        assert not CODEX.detect(tmp_path / "nothing")
        broken = tmp_path / "rollout-x.jsonl.zst"
        broken.write_bytes(b"no zstd")
        assert not CODEX.detect(broken)

    def test_its_place_is_told_by_the_environment_for_the_users_own_home(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for folder in ("home/.codex/sessions", "moved/archived_sessions", "other/.codex/sessions"):
            (tmp_path / folder).mkdir(parents=True)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.delenv("CODEX_HOME", raising=False)
        assert CODEX.locations(tmp_path / "home") == [tmp_path / "home" / ".codex"]
        monkeypatch.setenv("CODEX_HOME", str(tmp_path / "moved"))
        assert CODEX.locations(tmp_path / "home") == [tmp_path / "moved"]
        assert CODEX.locations(tmp_path / "other") == [tmp_path / "other" / ".codex"]
        assert CODEX.locations(tmp_path) == []


class TestSamples:
    @pytest.mark.parametrize(
        ("name", "messages", "branches", "title"),
        [
            ("bare_era_synthetic.jsonl", 5, 1, "list the files"),
            ("function_calls.jsonl", 2, 1, "Run the tests"),
            ("rollout_small.jsonl", 15, 1, "Start"),
            ("rollout_subagent.jsonl", 8, 1, "Explore the parser package."),
            ("schema_coverage_0.149.jsonl", 15, 1, "List the files"),
        ],
    )
    def test_each_is_read(self, store: clew.Store, name: str, messages: int, branches: int, title: str) -> None:
        file = samples("codex") / name
        report = CODEX.run(store, file)
        assert (report.unknown, report.broken) == ({}, ())
        assert len(conversation(store)) == messages
        assert len(leaves(store)) == branches
        assert only_session(store).title == title
        assert lost_records(CODEX, file) == []

    def test_one_without_a_message_is_an_error(self, store: clew.Store) -> None:
        with pytest.raises(InvalidRequestError, match="no message"):
            CODEX.run(store, samples("codex") / "codex_050_legacy.jsonl")

    def test_those_of_every_tool_are_found_to_be_its_own(self) -> None:
        for file in samples("").rglob("*.jsonl"):
            assert CODEX.detect(file) == ("codex" in file.parts), file
        for folder in samples("").iterdir():
            assert CODEX.detect(folder) == (folder.name == "codex"), folder
        assert "codex" in IMPORTERS
