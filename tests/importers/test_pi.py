"""The promises of the import of pi's sessions."""

import json
import random
from collections.abc import Iterator
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
    texts,
)

import clew
from clew.errors import InvalidRequestError
from clew.importers import IMPORTERS, find_importer
from clew.importers.compression import zstd
from clew.importers.pi import PiImporter
from clew.importers.steps import Notes

PI = PiImporter()
SESSION = "d703a1a9-1b7b-4fb1-b512-c9738b1fe617"
HEADER: dict[str, Any] = {
    "type": "session",
    "version": 3,
    "id": SESSION,
    "timestamp": "2026-01-01T10:00:00.000Z",
    "cwd": "/work/app",
}


def entry(type: str, id: str, parent: str | None, /, **more: Any) -> dict[str, Any]:
    return {"type": type, "id": id, "parentId": parent, "timestamp": "2026-01-01T10:00:01.000Z", **more}


def told(id: str, parent: str | None, role: str, content: Any, /, **more: Any) -> dict[str, Any]:
    return entry("message", id, parent, message={"role": role, "content": content, **more})


def user(id: str, parent: str | None, text: str) -> dict[str, Any]:
    return told(id, parent, "user", [{"type": "text", "text": text}])


def answer(id: str, parent: str | None, *blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return told(id, parent, "assistant", list(blocks), **{"model": "m1", "stopReason": "stop", **more})


def says(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def label(id: str, parent: str, target: str, name: str | None) -> dict[str, Any]:
    return entry("label", id, parent, targetId=target, **({} if name is None else {"label": name}))


def write(path: Path, lines: list[Any], *, append: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join((value if isinstance(value, str) else json.dumps(value)) + "\n" for value in lines)
    with path.open("a" if append else "w", errors="surrogatepass") as file:
        file.write(text)
    return path


@pytest.fixture
def store() -> Iterator[clew.Store]:
    with clew.open(":memory:") as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sessions" / "--work-app--" / f"2026-01-01T10-00-00-000Z_{SESSION}.jsonl"


def imported(store: clew.Store, file: Path, lines: list[Any]) -> list[dict[str, Any]]:
    report = PI.run(store, write(file, [HEADER, *lines]))
    assert not report.broken
    return conversation(store)


def labels(store: clew.Store) -> dict[str, list[str]]:
    """What each label is on."""
    checkpoints = store.list_checkpoints(only_session(store).id).items
    return {found.label: texts(store.get_messages(found.id)) for found in checkpoints if found.label is not None}


TREE: list[dict[str, Any]] = [
    user("u1", None, "a"),
    answer("a1", "u1", says("A")),
    user("u2", "a1", "b"),
    answer("a2", "u2", says("B")),
    user("u3", "a1", "c"),
    answer("a3", "u3", says("C")),
]


class TestTree:
    def test_entries_hang_together_by_their_parents(self, store: clew.Store, file: Path) -> None:
        assert texts(imported(store, file, TREE)) == ["a", "A", "c", "C"]
        assert leaves(store) == [["a", "A", "b", "B"], ["a", "A", "c", "C"]]

    def test_the_last_entry_is_where_it_goes_on_even_if_it_says_nothing(self, store: clew.Store, file: Path) -> None:
        assert texts(imported(store, file, [*TREE, label("l1", "a2", "a2", "here")])) == ["a", "A", "b", "B"]

    def test_a_leaf_is_where_the_user_has_moved_to(self, store: clew.Store, file: Path) -> None:
        moved = entry("leaf", "f1", "a3", targetId="a2")
        assert texts(imported(store, file, [*TREE, moved])) == ["a", "A", "b", "B"]
        assert len(leaves(store)) == 2
        write(file, [user("u4", "a2", "d"), entry("leaf", "f2", "u4", targetId="gone")], append=True)
        assert not PI.run(store, file).unknown
        assert texts(conversation(store)) == ["a", "A", "b", "B", "d"]

    def test_the_first_version_has_no_ids_and_is_a_line(self, store: clew.Store, file: Path) -> None:
        bare = [{name: value for name, value in line.items() if name not in ("id", "parentId")} for line in TREE]
        assert texts(imported(store, file, bare)) == ["a", "A", "b", "B", "c", "C"]

    def test_a_second_beginning_is_a_branch(self, store: clew.Store, file: Path) -> None:
        imported(store, file, [*TREE[:2], user("u9", None, "again")])
        assert leaves(store) == [["a", "A"], ["again"]]

    def test_an_entry_with_a_parent_that_is_not_there_or_an_id_that_is_taken_follows_the_one_before(
        self, store: clew.Store, file: Path
    ) -> None:
        lines = [*TREE[:2], user("u2", "gone", "b"), user("u2", "u2", "twice"), answer("a9", "a9", says("self"))]
        assert texts(imported(store, file, lines)) == ["a", "A", "b", "twice", "self"]

    def test_entries_without_a_message_lead_on(self, store: clew.Store, file: Path) -> None:
        lines = [
            entry("model_change", "m", None, provider="p", modelId="m9"),
            entry("thinking_level_change", "t", "m", thinkingLevel="high"),
            entry("custom", "x", "t", customType="e", data={}),
            entry("usage", "g", "x", usage={"input": 1}),
            entry("context_edit", "e", "g", targetId="m"),
            user("u1", "e", "a"),
        ]
        assert PI.run(store, write(file, [HEADER, *lines])).unknown == {}
        assert texts(conversation(store)) == ["a"]
        assert described(only_session(store))["model"] == "m9"


class TestMessages:
    def test_an_answer_with_all_that_it_may_have(self, store: clew.Store, file: Path) -> None:
        call = {"type": "toolCall", "id": "t1", "name": "read", "arguments": {"path": "a"}}
        usage = {"input": 10, "output": 5, "cacheRead": 100, "cacheWrite": 20, "reasoning": 3, "cost": {"total": 0.25}}
        thinking = {"type": "thinking", "thinking": "hm", "thinkingSignature": "s"}
        made = answer("a1", "u1", thinking, says("Reading."), call, usage=usage, timestamp=1767261602000)
        result = told("r1", "a1", "toolResult", [says("text")], toolCallId="t1", toolName="read", isError=True)
        _, message, tool = imported(store, file, [user("u1", None, "go"), made, result])
        assert message == {
            "role": "assistant",
            "content": "Reading.",
            "reasoning_content": "hm",
            "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "read", "arguments": '{"path":"a"}'}}],
            "id": "a1",
            "timestamp": "2026-01-01T10:00:02Z",
            "model": "m1",
            "usage": {
                "prompt_tokens": 130,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 100},
                "completion_tokens_details": {"reasoning_tokens": 3},
                "cache_creation_tokens": 20,
                "cost": 0.25,
            },
            "stop_reason": "stop",
        }
        assert (tool["tool_call_id"], tool["name"], tool["content"], tool["is_error"]) == ("t1", "read", "text", True)

    def test_images(self, store: clew.Store, file: Path) -> None:
        image = {"type": "image", "data": "AA==", "mimeType": "image/webp"}
        (message,) = imported(store, file, [told("u1", None, "user", [says("see"), image])])
        assert message["content"][1] == {"type": "image_url", "image_url": {"url": "data:image/webp;base64,AA=="}}

    @pytest.mark.parametrize("reason", ["error", "aborted"])
    def test_an_answer_that_failed_says_so(self, store: clew.Store, file: Path, reason: str) -> None:
        made = answer("a1", "u1", stopReason=reason, errorMessage="no luck")
        message = imported(store, file, [user("u1", None, "go"), made])[1]
        assert (message["status"], message["error"], message["content"]) == (reason, "no luck", None)

    def test_commands_of_the_user_and_words_of_extensions(self, store: clew.Store, file: Path) -> None:
        lines = [
            told("b1", None, "bashExecution", None, command="ls", output="a\n", exitCode=2, cancelled=True),
            entry("custom_message", "c1", "b1", customType="ext", content="note", display=True),
            told("c2", "c1", "custom", [says("more")], customType="ext"),
            told("c3", "c2", "hookMessage", "old", customType="ext"),
        ]
        messages = imported(store, file, lines)
        assert texts(messages) == ["$ ls\na\n(cancelled)\n(exit code 2)", "note", "more", "old"]
        assert [message["name"] for message in messages] == ["bash", "ext", "ext", "ext"]

    def test_a_compaction_is_a_message_and_cuts_nothing(self, store: clew.Store, file: Path) -> None:
        made = entry("compaction", "k1", "a1", summary="so far", firstKeptEntryId="u1", tokensBefore=9)
        messages = imported(store, file, [*TREE[:2], made, user("u2", "k1", "b")])
        assert texts(messages) == ["a", "A", "so far", "b"]
        assert messages[2]["compaction"] == {"first_kept": "u1", "tokens_before": 9}

    def test_the_summary_of_a_branch_that_was_left(self, store: clew.Store, file: Path) -> None:
        made = entry("branch_summary", "s1", "a1", fromId="a2", summary="tried b")
        messages = imported(store, file, [*TREE[:4], made])
        assert texts(messages) == ["a", "A", "tried b"]
        assert messages[2]["branch_summary"] == {"from": "a2"}


class TestLabels:
    def test_the_last_one_counts_and_an_empty_one_clears(self, store: clew.Store, file: Path) -> None:
        marks = [label("l1", "a3", "a1", "one"), label("l2", "l1", "a1", "two"), label("l3", "l2", "u2", "gone")]
        imported(store, file, [*TREE, *marks, label("l4", "l3", "u2", None), label("l5", "l4", "a3", "")])
        assert labels(store) == {"two": ["a", "A"]}

    def test_the_same_twice_is_on_the_first_and_noted(self, store: clew.Store, file: Path) -> None:
        marks = [label("l1", "a3", "a1", "x"), label("l2", "l1", "a3", "x")]
        report = PI.run(store, write(file, [HEADER, *TREE, *marks]))
        assert labels(store) == {"x": ["a", "A"]}
        assert ["x" in finding.why for finding in report.mended] == [True]

    def test_that_of_an_entry_without_a_message_is_on_the_one_before(self, store: clew.Store, file: Path) -> None:
        silent = entry("model_change", "m1", "a1", modelId="m2")
        imported(store, file, [*TREE[:2], silent, label("l1", "m1", "m1", "x"), user("u9", "l1", "on")])
        assert labels(store) == {"x": ["a", "A"]}

    def test_one_that_comes_after_an_import_is_given_then(self, store: clew.Store, file: Path) -> None:
        imported(store, file, TREE)
        write(file, [label("l1", "a3", "a3", "late"), label("l2", "l1", "u2", "within")], append=True)
        PI.run(store, file)
        assert labels(store) == {"late": ["a", "A", "c", "C"], "within": ["a", "A", "b"]}


class TestSession:
    def test_what_is_told_of_it(self, store: clew.Store, file: Path) -> None:
        named = entry("session_info", "s1", "a3", name="Refactor")
        imported(store, file, [*TREE, named])
        session = only_session(store)
        assert (session.source, session.source_id, session.cwd) == ("pi", SESSION, "/work/app")
        assert (session.title, (session.metadata or {})["import"]["title_origin"]) == ("Refactor", "user")
        assert described(session) == {"kind": "main", "model": "m1", "format_version": 3}

    def test_the_title_is_the_first_prompt_where_nobody_named_it(self, store: clew.Store, file: Path) -> None:
        first = entry("custom_message", "c1", None, customType="ext", content="not this")
        imported(store, file, [first, user("u1", "c1", "this")])
        assert only_session(store).title == "this"

    @pytest.mark.parametrize("name", ["parentSession", "branchedFrom"])
    def test_a_session_made_from_another_names_it(self, store: clew.Store, file: Path, name: str) -> None:
        origin = write(file.with_name("other.jsonl"), [{**HEADER, "id": "other"}, user("u1", None, "a")])
        PI.run(store, write(file, [{**HEADER, name: f"/elsewhere/{origin.name}"}, *TREE]))
        assert described(only_session(store))["forked_from"] == {
            "session": "other",
            "path": f"/elsewhere/{origin.name}",
        }
        origin.unlink()
        with clew.open(":memory:") as fresh:
            PI.run(fresh, file)
            assert described(only_session(fresh))["forked_from"] == {"path": f"/elsewhere/{origin.name}"}


class TestImportingAgain:
    def test_changes_nothing_in_the_store_or_the_source(self, store: clew.Store, tmp_path: Path, file: Path) -> None:
        write(file, [HEADER, *TREE, label("l1", "a3", "a1", "x")])
        before = contents(tmp_path)
        PI.run(store, tmp_path)
        first = (only_session(store), leaves(store), labels(store))
        report = PI.run(store, file)
        assert (report.sessions_unchanged, report.checkpoints_created) == (1, 0)
        assert (only_session(store), leaves(store), labels(store)) == first
        assert contents(tmp_path) == before

    def test_after_every_line_ends_where_one_import_does(self, store: clew.Store, file: Path) -> None:
        write(file, [HEADER])
        for appended in TREE:
            write(file, [appended], append=True)
            PI.run(store, file)
        assert texts(conversation(store)) == ["a", "A", "c", "C"]
        assert leaves(store) == [["a", "A", "b", "B"], ["a", "A", "c", "C"]]
        assert set(file.read_bytes().splitlines()) <= kept_records(store)

    def test_a_torn_last_line_is_left_for_the_next_time(self, store: clew.Store, file: Path) -> None:
        write(file, [HEADER, TREE[0]])
        last = json.dumps(TREE[1])
        with file.open("a") as opened:
            opened.write(last[:30])
        assert PI.run(store, file).broken == ()
        assert texts(conversation(store)) == ["a"]
        with file.open("a") as opened:
            opened.write(last[30:] + "\n")
        PI.run(store, file)
        assert leaves(store) == [["a", "A"]]


class TestWhatIsNotUnderstood:
    def test_types_that_are_not_known_are_counted_and_kept(self, store: clew.Store, file: Path) -> None:
        odd = [entry("new", "n1", "u1"), told("n2", "n1", "alien", "x"), "{torn", [1], user("u2", "n2", "b")]
        report = PI.run(store, write(file, [HEADER, TREE[0], *odd]))
        assert report.unknown == {"new": 1, "message/alien": 1, "?": 1}
        assert len(report.broken) == 1
        assert texts(conversation(store)) == ["a", "b"]
        assert lost_records(PI, file) == []

    @pytest.mark.parametrize("first", ['{"type":"session","id":"torn', "\0\0", None])
    def test_a_session_whose_header_is_damaged_is_the_same_session(
        self, store: clew.Store, tmp_path: Path, first: str | None
    ) -> None:
        id = "019a0000-0000-7000-8000-000000000001"
        file = write(tmp_path / f"2025-11-01T10-00-00-000Z_{id}.jsonl", [{**HEADER, "id": id}, *TREE[:2]])
        PI.run(store, tmp_path)
        write(file, [*([] if first is None else [first]), *TREE])
        assert PI.detect(file)
        report = PI.run(store, tmp_path)
        assert (report.sessions_created, report.sessions_updated) == (0, 1)
        assert texts(conversation(store)) == texts(imported(clew.open(":memory:"), file, [HEADER, *TREE]))

    @pytest.mark.parametrize("content", [b"\0" * 900, b"not JSON\n", b'{"type":"ses'])
    def test_a_session_that_nobody_can_read_is_named_and_the_others_come(
        self, store: clew.Store, file: Path, content: bytes
    ) -> None:
        write(file, [HEADER, *TREE])
        damaged = file.with_name("2025-11-01T10-00-00-000Z_019a0000-0000-7000-8000-000000000001.jsonl")
        damaged.write_bytes(content)
        report = PI.run(store, file.parent)
        assert report.sessions_created == 1
        assert damaged.name in str(report.broken[0])

    def test_a_file_without_a_message_is_an_error_that_says_so(self, store: clew.Store, file: Path) -> None:
        with pytest.raises(InvalidRequestError, match=r"no message that could be read.*1 new"):
            PI.run(store, write(file, [HEADER, entry("new", "n1", None)]))

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.integers())
    def test_any_value_in_any_place_is_tolerated(self, tmp_path: Path, seed: int) -> None:
        chance = random.Random(seed)
        call = {"type": "toolCall", "id": "t1", "name": "read", "arguments": {}}
        lines = [
            *({**HEADER, "parentSession": "/x/y"}, *TREE, answer("a4", "a3", call, usage={"input": 1, "cost": {}})),
            told("r1", "a4", "toolResult", [{"type": "image", "data": "A"}], toolCallId="t1"),
            told("b1", "r1", "bashExecution", None, command="ls", output="a", exitCode=1),
            *(label("l1", "b1", "a1", "x"), entry("session_info", "s1", "l1", name="n")),
            *(
                entry("compaction", "k", "s1", summary="s"),
                entry("branch_summary", "bs", "k", summary="s", fromId="a1"),
            ),
        ]
        changed = [_changed(value, chance) for value in json.loads(json.dumps(lines))]
        file = write(tmp_path / f"{seed}.jsonl", [*changed, HEADER, user("last", None, "z")])
        for source in PI.sources(file, Notes()):
            parsed = PI.parse(source.records, source.context, Notes())
            assert list(parsed.steps)
        with clew.open(":memory:") as store:
            PI.run(store, file)


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
    def test_its_files_and_folders_and_no_others(self, tmp_path: Path, file: Path) -> None:
        write(file, [HEADER, *TREE])
        packed = tmp_path / "packed.jsonl.zst"
        packed.write_bytes(zstd.compress(file.read_bytes()))
        assert all(PI.detect(path) for path in (file, file.parent, tmp_path, packed))
        assert find_importer(file).name == "pi"
        first = {"type": "session", "id": SESSION, "timestamp": "2025-11-01T10:00:00.000Z", "modelId": "m1"}
        assert PI.detect(write(tmp_path / "first.jsonl", [first]))
        others = [
            {"role": "user", "content": "a"},
            {"type": "session", "id": "x"},
            {"type": "message", "id": "x"},
            [1],
            "x",
        ]
        for number, other in enumerate(others):
            assert not PI.detect(write(tmp_path / "others" / f"{number}.jsonl", [other]))
        assert not PI.detect(tmp_path / "others")
        assert not PI.detect(tmp_path / "nothing")
        packed.write_bytes(b"no zstd")
        assert not PI.detect(packed)

    def test_its_place_is_told_by_the_environment_for_the_users_own_home(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for folder in ("home/.pi/agent/sessions", "moved/sessions"):
            (tmp_path / folder).mkdir(parents=True)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.delenv("PI_CODING_AGENT_DIR", raising=False)
        assert PI.locations(tmp_path / "home") == [tmp_path / "home" / ".pi" / "agent" / "sessions"]
        monkeypatch.setenv("PI_CODING_AGENT_DIR", str(tmp_path / "moved"))
        assert PI.locations(tmp_path / "home") == [tmp_path / "moved" / "sessions"]
        assert PI.locations(tmp_path) == []


class TestSamples:
    def test_a_tree_with_a_broken_line(self, store: clew.Store) -> None:
        report = PI.run(store, samples("pi") / "session.jsonl")
        assert report.unknown == {"unknown_future_entry_type": 1}
        assert len(report.broken) == 1
        assert len(conversation(store)) == 6
        assert only_session(store).title == "Fix the login bug"

    def test_a_real_session_of_the_first_version(self, store: clew.Store) -> None:
        file = samples("pi") / "large-session.first200.jsonl"
        report = PI.run(store, file)
        assert (report.unknown, report.broken, report.messages) == ({}, (), 198)
        roles = [message["role"] for message in conversation(store)]
        assert [roles.count(role) for role in ("user", "assistant", "tool")] == [6, 95, 97]
        assert lost_records(PI, file) == []

    def test_those_of_every_tool_are_found_to_be_its_own(self) -> None:
        for file in samples("").rglob("*.jsonl"):
            assert PI.detect(file) == ("pi" in file.parts), file
        for folder in samples("").iterdir():
            assert PI.detect(folder) == (folder.name == "pi"), folder
        assert "pi" in IMPORTERS
