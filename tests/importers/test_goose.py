"""The promises of the import of Goose's sessions."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.importers.databases import changed, damage, load, make, put, run, spoil
from tests.importers.imported import (
    contents,
    conversation,
    described,
    leaves,
    lost_records,
    only_session,
    samples,
    session_of,
    texts,
)

import clew
from clew.errors import InvalidRequestError
from clew.importers import find_importer
from clew.importers.goose import GooseImporter
from clew.importers.reimport import reimport
from clew.importers.steps import Notes

GOOSE = GooseImporter()
V5 = {
    "sessions": "id TEXT PRIMARY KEY, name TEXT, description TEXT, user_set_name BOOLEAN, session_type TEXT, "
    "working_dir TEXT, created_at TIMESTAMP, updated_at TIMESTAMP",
    "messages": "id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT, role TEXT, content_json TEXT, "
    "created_timestamp INTEGER, timestamp TIMESTAMP, tokens INTEGER, metadata_json TEXT",
}
V15 = {
    "sessions": V5["sessions"] + ", provider_name TEXT, model_config_json TEXT, accumulated_input_tokens INTEGER, "
    "accumulated_output_tokens INTEGER, accumulated_cost REAL, archived_at TIMESTAMP, parent_session_id TEXT",
    "messages": V5["messages"] + ", message_id TEXT",
    "usage_ledger": "id INTEGER PRIMARY KEY, session_id TEXT, created_timestamp INTEGER, model TEXT, "
    "input_tokens INTEGER, output_tokens INTEGER, cache_read_tokens INTEGER, cost REAL, is_compaction INTEGER",
}
AT = 1_785_578_400
SEEN = {"userVisible": True, "agentVisible": True}
HIDDEN = {"userVisible": True, "agentVisible": False}
UNSEEN = {"userVisible": False, "agentVisible": True}


class Talk:
    """A database of Goose in which somebody talks."""

    def __init__(self, path: Path, tables: dict[str, str] = V15) -> None:
        self.path = make(path, tables)
        self._has_ids = tables is not V5
        self._count = 0
        self.session("20260801_1", name="Count lines")

    def session(self, id: str, **more: Any) -> None:
        times = {"created_at": "2026-08-01 10:00:00", "updated_at": "2026-08-01 10:00:09"}
        put(self.path, "sessions", {"id": id, "working_dir": "/work/app", **times, **more})

    def says(
        self, role: str, *content: dict[str, Any], session: str = "20260801_1", seen: dict[str, bool] = SEEN
    ) -> int:
        self._count += 1
        row: dict[str, Any] = {"session_id": session, "role": role, "content_json": list(content)}
        row |= {"created_timestamp": AT + self._count, "metadata_json": seen}
        put(self.path, "messages", row | ({"message_id": f"m{self._count}"} if self._has_ids else {}))
        return self._count


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def call(id: str, name: str = "shell") -> dict[str, Any]:
    return {
        "type": "toolRequest",
        "id": id,
        "toolCall": {"status": "success", "value": {"name": name, "arguments": {}}},
    }


def result(id: str, value: Any, status: str = "success") -> dict[str, Any]:
    return {
        "type": "toolResponse",
        "id": id,
        "toolResult": {"status": status, "value" if status == "success" else "error": value},
    }


@pytest.fixture
def store() -> Iterator[clew.Store]:
    with clew.open(":memory:") as opened:
        yield opened


@pytest.fixture
def talk(tmp_path: Path) -> Talk:
    (tmp_path / "sessions").mkdir()
    return Talk(tmp_path / "sessions" / "sessions.db")


def imported(store: clew.Store, path: Path) -> list[dict[str, Any]]:
    GOOSE.run(store, path)
    assert list(store.verify()) == []
    return conversation(store)


def write(path: Path, *lines: Any) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


HEAD = {"id": "20250724_1", "description": "Greet", "working_dir": "/work/app", "created_at": "2025-07-24T10:00:00Z"}


def line(role: str, *content: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "created": AT, "content": list(content)}


class TestMessages:
    def test_results_of_tools_are_messages_of_their_own(self, store: clew.Store, talk: Talk) -> None:
        talk.says("user", text("count"))
        talk.says("assistant", {"type": "thinking", "thinking": "hm", "signature": "s"}, call("c1"), call("c2", "read"))
        content = {"content": [text("3 a.txt"), {"type": "image", "data": "AAAA", "mimeType": "image/png"}]}
        talk.says("user", result("c1", content), result("c2", {"content": [text("no file")], "isError": True}))
        talk.says("assistant", text("Three."))
        made = imported(store, talk.path)
        assert texts(made) == ["count", "shell,read", "3 a.txt+image_url", "no file", "Three."]
        assert (made[1]["reasoning_content"], made[2]["name"], made[3]["is_error"]) == ("hm", "shell", True)
        assert made[2]["content"][1]["image_url"]["url"] == "data:image/png;base64,AAAA"
        assert "is_error" not in made[2]
        assert (made[0]["id"], made[0]["timestamp"]) == ("m1", "2026-08-01T10:00:01Z")

    def test_what_a_result_tells_the_user_alone_is_not_told_twice(self, store: clew.Store, talk: Talk) -> None:
        def shown(said: str, *audience: str) -> dict[str, Any]:
            return {**text(said), "annotations": {"audience": list(audience)}}

        talk.says("assistant", call("c1"), call("c2"))
        twice = {"content": [shown("a.txt", "assistant"), shown("a.txt", "user"), text("b.txt")]}
        talk.says("user", result("c1", twice), result("c2", {"content": [shown("seen", "user")]}))
        assert texts(imported(store, talk.path)) == ["shell,shell", "a.txt+b.txt", "seen"]

    def test_links_and_sounds_of_a_result_are_files(self, store: clew.Store, talk: Talk) -> None:
        link = {"type": "resource_link", "uri": "file:///a.txt", "name": "a.txt", "mimeType": "text/plain"}
        talk.says("assistant", call("c1"))
        talk.says("user", result("c1", {"content": [link, {"type": "audio", "data": "AAAA", "mimeType": "audio/wav"}]}))
        files = [part["file"] for part in imported(store, talk.path)[1]["content"]]
        assert files == [
            {"url": "file:///a.txt", "filename": "a.txt", "media_type": "text/plain"},
            {"file_data": "data:audio/wav;base64,AAAA"},
        ]

    def test_results_as_older_versions_have_them(self, store: clew.Store, talk: Talk) -> None:
        talk.says("assistant", call("c1"), call("c2"))
        talk.says("user", result("c1", [text("listed")]), result("c2", "-32603: refused", "error"))
        made = imported(store, talk.path)
        assert [(m["content"], m.get("is_error")) for m in made[1:]] == [("listed", None), ("-32603: refused", True)]

    def test_thoughts_and_results_as_the_oldest_versions_have_them(self, store: clew.Store, talk: Talk) -> None:
        pieces = {"type": "toolInputDelta", "id": "c1", "delta": "{"}
        talk.says("assistant", {"type": "reasoning", "text": "hm"}, pieces, call("c1"))
        talk.says("user", {"type": "toolResponse", "id": "c1", "toolResult": "listed"})
        report = GOOSE.run(store, talk.path)
        made = conversation(store)
        assert (made[0]["reasoning_content"], made[1]["content"], report.unknown) == ("hm", "listed", {})

    def test_what_is_for_the_eye_only_is_no_message(self, store: clew.Store, talk: Talk) -> None:
        talk.says("user", text("x"), {"type": "toolConfirmationRequest", "id": "c"})
        talk.says("assistant", {"type": "systemNotification", "msg": "Compacting"}, seen=HIDDEN)
        assert texts(imported(store, talk.path)) == ["x"]
        assert lost_records(GOOSE, talk.path) == []

    def test_the_ledger_tells_what_the_answer_before_it_took(self, store: clew.Store, talk: Talk) -> None:
        talk.says("user", text("x"))
        first = talk.says("assistant", text("a"))
        talk.says("user", text("y"))
        second = talk.says("assistant", text("b"))
        for at, tokens, hidden in ((first, 99, 1), (first, 10, 0), (second + 1, 20, 0)):
            row = {"session_id": "20260801_1", "created_timestamp": AT + at, "model": "m1", "is_compaction": hidden}
            put(talk.path, "usage_ledger", {**row, "input_tokens": tokens, "output_tokens": 2, "cost": 0.5})
        made = imported(store, talk.path)
        assert [message.get("usage", {}).get("prompt_tokens") for message in made] == [None, 10, None, 20]
        assert (made[1]["model"], made[1]["usage"]["cost"]) == ("m1", 0.5)


class TestACompaction:
    def test_hides_messages_that_stay_and_goes_on_from_its_summary(self, store: clew.Store, talk: Talk) -> None:
        talk.says("user", text("one"))
        talk.says("assistant", text("first"))
        imported(store, talk.path)
        run(talk.path, f"UPDATE messages SET metadata_json = '{json.dumps(HIDDEN)}'")
        talk.says("user", text("in short"), seen=UNSEEN)
        talk.says("assistant", text("I go on."), seen=UNSEEN)
        talk.says("user", text("two"))
        made = imported(store, talk.path)
        assert texts(made) == ["in short", "I go on.", "two"]
        assert made[0]["compaction"]
        assert made[0]["visible_to"] == "agent"
        said = [texts(store.get_messages(c.id)) for c in store.list_checkpoints(only_session(store).id).items]
        assert ["one", "first"] in said
        assert len(leaves(store)) == 1
        assert described(only_session(store))["hidden_messages"] == 2

    def test_of_a_tool_only_cuts_nothing(self, store: clew.Store, talk: Talk) -> None:
        talk.says("user", text("one"))
        talk.says("assistant", call("c1"), seen=HIDDEN)
        talk.says("user", result("c1", [text("long")]), seen=HIDDEN)
        talk.says("user", text("a tool was called"), seen=UNSEEN)
        talk.says("user", text("another one"), seen=UNSEEN)
        talk.says("assistant", text("first"))
        expected = ["one", "shell", "long", "a tool was called", "another one", "first"]
        assert texts(imported(store, talk.path)) == expected


class TestASession:
    def test_what_is_told_of_it(self, store: clew.Store, talk: Talk) -> None:
        talk.session(
            "20260801_1",
            name="Mine",
            user_set_name=1,
            session_type="scheduled",
            provider_name="p",
            model_config_json={"model_name": "m1"},
            archived_at="2026-08-02 00:00:00",
            accumulated_input_tokens=5,
            accumulated_output_tokens=6,
            accumulated_cost=0.1,
        )
        talk.says("user", text("x"))
        imported(store, talk.path)
        session = only_session(store)
        assert (session.title, session.cwd, session.source_id) == ("Mine", "/work/app", "20260801_1")
        assert described(session) == {
            "kind": "main",
            "session_type": "scheduled",
            "model": "m1",
            "provider": "p",
            "archived": True,
            "usage": {"prompt_tokens": 5, "completion_tokens": 6, "cost": 0.1},
        }

    @pytest.mark.parametrize("name", ["CLI Session", "", None])
    def test_without_a_name_it_has_the_first_prompt(self, store: clew.Store, talk: Talk, name: str | None) -> None:
        talk.session("20260801_1", name=name)
        talk.says("user", text("said for the user"), seen=UNSEEN)
        talk.says("user", text("why?\nreally"))
        imported(store, talk.path)
        assert only_session(store).title == "why?"

    def test_that_of_a_subagent_is_a_child(self, store: clew.Store, talk: Talk) -> None:
        talk.session("20260801_0", session_type="sub_agent", parent_session_id="20260801_1")
        talk.says("user", text("look"), session="20260801_0")
        talk.says("user", text("x"))
        GOOSE.run(store, talk.path)
        child = session_of(store, "goose", "20260801_0")
        assert child.parent_session_id == session_of(store, "goose", "20260801_1").id
        assert described(child)["kind"] == "subagent"

    def test_the_schema_of_the_first_databases_is_enough(self, store: clew.Store, tmp_path: Path) -> None:
        talk = Talk(tmp_path / "sessions.db", V5)
        talk.session("20260801_1", description="By its description")
        talk.says("user", text("one"))
        talk.says("assistant", text("first"))
        assert texts(imported(store, talk.path)) == ["one", "first"]
        talk.says("user", text("two"))
        assert texts(imported(store, talk.path)) == ["one", "first", "two"]
        assert len(leaves(store)) == 1
        assert only_session(store).title == "By its description"


class TestFilesOfBefore:
    def test_are_read_where_the_database_has_no_such_session(self, store: clew.Store, talk: Talk) -> None:
        folder = talk.path.parent
        talk.says("user", text("newer"))
        write(folder / "20260801_1.jsonl", {**HEAD, "id": "20260801_1"}, line("user", text("older")))
        write(folder / "20250724_1.jsonl", HEAD, line("user", text("hello")), line("assistant", text("Hi.")))
        write(folder / "notes.jsonl", {"a": 1})
        assert find_importer(folder).name == find_importer(folder / "20250724_1.jsonl").name == "goose"
        assert GOOSE.run(store, folder.parent).sessions_created == 2
        assert texts(conversation(store, session_of(store, "goose", "20260801_1"))) == ["newer"]
        older = session_of(store, "goose", "20250724_1")
        assert (older.title, older.cwd, texts(conversation(store, older))) == ("Greet", "/work/app", ["hello", "Hi."])

    def test_without_a_head_too(self, store: clew.Store, tmp_path: Path) -> None:
        file = write(tmp_path / "abc.jsonl", line("user", text("hello")))
        assert texts(imported(store, file)) == ["hello"]
        assert only_session(store).source_id == "abc"

    def test_that_tell_no_time_are_as_old_as_their_messages(self, store: clew.Store, tmp_path: Path) -> None:
        head = {"description": "Greet", "working_dir": "/work/app"}
        file = write(tmp_path / "s.jsonl", head, {**line("user", text("hello")), "created": AT})
        GOOSE.run(store, file)
        with file.open("a") as lines:
            lines.write(json.dumps({**line("assistant", text("Hi.")), "created": AT + 60}) + "\n")
        GOOSE.run(store, file)
        times = (only_session(store).created_at.timestamp(), only_session(store).updated_at.timestamp())
        assert times == (AT, AT + 60)

    def test_a_torn_last_line_is_left_for_the_next_time(self, store: clew.Store, tmp_path: Path) -> None:
        file = write(tmp_path / "s.jsonl", HEAD, line("user", text("one")))
        whole = json.dumps(line("assistant", text("first")))
        file.write_text(file.read_text() + whole[:20])
        assert GOOSE.run(store, file).broken == ()
        file.write_text(file.read_text()[:-20] + whole + "\n")
        assert texts(imported(store, file)) == ["one", "first"]
        assert len(leaves(store)) == 1


class TestImportingAgain:
    def test_changes_nothing_in_the_store_or_the_source(self, store: clew.Store, talk: Talk) -> None:
        talk.says("user", text("one"))
        before = contents(talk.path.parent)
        imported(store, talk.path)
        report = GOOSE.run(store, talk.path)
        assert (report.sessions_unchanged, report.checkpoints_created) == (1, 0)
        assert contents(talk.path.parent) == before

    def test_after_growth_ends_where_one_import_of_all_does(self, store: clew.Store, talk: Talk) -> None:
        for number in range(4):
            talk.says("user", text(f"question {number}"))
            talk.says("assistant", text(f"answer {number}"))
            imported(store, talk.path)
        with clew.open(":memory:") as other:
            assert imported(other, talk.path) == conversation(store)
            assert leaves(other) == leaves(store)
        (report,) = reimport(store)
        assert (report.broken, report.checkpoints_created) == ((), 0)


class TestWhatIsNotAsExpected:
    def test_types_that_are_not_known_are_counted_and_kept(self, store: clew.Store, talk: Talk) -> None:
        talk.says("user", text("x"), {"type": "hologram"})
        talk.says("narrator", text("and then"))
        report = GOOSE.run(store, talk.path)
        assert report.unknown == {"content hologram": 1, "message narrator": 1}
        assert lost_records(GOOSE, talk.path) == []

    def test_a_source_without_a_message_is_an_error_that_says_so(self, store: clew.Store, talk: Talk) -> None:
        with pytest.raises(InvalidRequestError, match="no session was found"):
            GOOSE.run(store, talk.path)
        talk.says("user", {"type": "hologram"})
        with pytest.raises(InvalidRequestError, match=r"no message that could be read.*1 content hologram"):
            GOOSE.run(store, talk.path)

    def test_a_damaged_page_takes_no_more_than_what_is_on_it(self, store: clew.Store, talk: Talk) -> None:
        run(talk.path, "CREATE INDEX messages_of_a_session ON messages (session_id)")
        for number in range(40):
            talk.says("user", text(f"said {number} {'x' * 500}"))
        damage(talk.path, b"said 20 ")
        report = GOOSE.run(store, talk.path)
        lost = {finding.id for finding in report.broken if finding.why == "is on a damaged page"}
        assert report.messages + len(lost) == 40
        assert 1 <= len(lost) <= 8
        said = texts(conversation(store))
        assert (said[0].split()[1], said[-1].split()[1]) == ("0", "39")

    def test_a_database_of_which_nothing_can_be_read_is_an_error_that_says_so(
        self, store: clew.Store, talk: Talk
    ) -> None:
        talk.says("user", text("x"))
        damage(talk.path)
        assert find_importer(talk.path.parent).name == "goose"
        with pytest.raises(InvalidRequestError, match="is damaged"):
            GOOSE.run(store, talk.path.parent)

    def test_a_column_that_is_no_json_is_named(self, store: clew.Store, talk: Talk) -> None:
        talk.says("user", text("one"))
        talk.says("assistant", text("lost"))
        run(talk.path, "UPDATE messages SET content_json = '[{' WHERE id = 2")
        (finding,) = GOOSE.run(store, talk.path).broken
        assert "is not JSON" in finding.why
        assert texts(conversation(store)) == ["one"]

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.integers())
    def test_any_value_in_any_place_is_tolerated(self, tmp_path: Path, seed: int) -> None:
        chance = random.Random(seed)
        talk = Talk(tmp_path / f"{seed}.db")
        talk.says("user", text("one"), {"type": "image", "data": "A"}, {"type": "resource", "resource": {"text": "x"}})
        talk.says("assistant", {"type": "thinking", "thinking": "x"}, call("c1"), seen=HIDDEN)
        talk.says("user", result("c1", {"content": [text("x")], "isError": True}), seen=HIDDEN)
        talk.says("user", text("in short"), seen=UNSEEN)
        talk.says("assistant", text("on"), seen=UNSEEN)
        put(talk.path, "usage_ledger", {"session_id": "20260801_1", "created_timestamp": AT + 2, "input_tokens": 1})
        spoil(talk.path, chance)
        lines = [
            HEAD,
            line("user", text("one")),
            line("assistant", call("c1")),
            line("user", result("c1", [text("x")])),
        ]
        file = write(tmp_path / f"{seed}.jsonl", *(changed(line, chance) for line in json.loads(json.dumps(lines))))
        for path in (talk.path, file):
            for source in GOOSE.sources(path, Notes()):
                list(GOOSE.parse(source.records, source.context, Notes()).steps)
        talk.session("safe")
        talk.says("user", text("x"), session="safe")
        with clew.open(":memory:") as store:
            GOOSE.run(store, talk.path)


class TestDetection:
    def test_others_are_not_its_own(self, tmp_path: Path) -> None:
        other = make(tmp_path / "sessions.db", {"sessions": "id TEXT", "messages": "id TEXT"})
        chat = write(tmp_path / "a.jsonl", {"role": "user", "content": "x"})
        assert not any(GOOSE.detect(path) for path in (other, chat, tmp_path, tmp_path / "none"))

    def test_its_place_is_told_by_the_environment_for_the_users_own_home(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        places = [tmp_path / ".local/share/goose/sessions", tmp_path / "root/data/sessions"]
        for place in places:
            place.mkdir(parents=True)
            Talk(place / "sessions.db").says("user", text("x"))
        monkeypatch.setenv("GOOSE_PATH_ROOT", str(tmp_path / "root"))
        monkeypatch.delenv("XDG_DATA_HOME", raising=False)
        assert GOOSE.locations(tmp_path) == [places[0]]
        monkeypatch.setenv("HOME", str(tmp_path))
        assert GOOSE.locations(tmp_path) == [places[1], places[0]]


class TestFilesOfTheToolItself:
    def test_are_read(self, store: clew.Store, tmp_path: Path) -> None:
        database = load(samples("goose") / "sessions_db_v15.sql", tmp_path / "sessions.db")
        for path in (database, samples("goose") / "20250724_1.jsonl"):
            assert find_importer(path).name == "goose"
            report = GOOSE.run(store, path)
            assert (report.broken, report.mended, report.unknown) == ((), (), {})
            assert lost_records(GOOSE, path) == []
        found = {s.title: texts(conversation(store, s)) for s in store.list_sessions().items}
        assert found == {
            "Count lines": ["count lines in a.txt", "developer__shell", "3 a.txt", "Three lines."],
            "Synthetic Goose session": ["Say hello", "Hello from Goose!"],
        }

    def test_those_of_other_tools_are_not_its_own(self) -> None:
        for file in samples("").rglob("*.jsonl"):
            assert GOOSE.detect(file) == ("goose" in file.parts), file
