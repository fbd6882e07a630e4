"""The promises of `clew list`."""

import re
import sqlite3
from contextlib import closing

import pytest
from tests.cli.support import minute, texts

from clew import BackendInfo, limits
from clew.cli.listing import table
from clew.cli.output import backend_line

HEADER = "ID                                    TITLE   MSGS  LAST ACTIVITY       "
SUMMARY_KEYS = [
    "id", "title", "visibility", "status", "cwd", "created_at", "updated_at", "message_count", "active_checkpoint_id",
    "last_message_at",
]  # fmt: skip


def titles(command, *arguments):
    return [session["title"] for session in command.json("list", *arguments)["sessions"]]


class TestJson:
    def test_the_envelope_has_the_backend_and_the_sessions_with_their_keys_in_order(self, command):
        session = command.create("one", messages=texts(3), cwd="/repo", created_at=minute(0))
        listed = command.json("list")
        assert list(listed)[:2] == ["backend", "sessions"]
        assert listed["backend"] == {"kind": "local", "store_path": str(command.path)}
        (only,) = listed["sessions"]
        assert list(only)[: len(SUMMARY_KEYS)] == SUMMARY_KEYS
        assert only["id"] == str(session.id)
        assert (only["title"], only["visibility"], only["status"]) == ("one", "PRIVATE", "ACTIVE")
        assert (only["cwd"], only["message_count"]) == ("/repo", 3)
        assert only["created_at"] == only["updated_at"] == only["last_message_at"] == "2026-01-02T03:04:05Z"
        assert only["active_checkpoint_id"] == str(session.active_checkpoint.id)

    def test_a_new_store_has_an_empty_list(self, command):
        listed = command.json("list")
        assert (listed["sessions"], listed["total"], listed["next_cursor"]) == ([], 0, None)

    def test_messages_are_counted_not_checkpoints(self, command):
        session = command.create(messages=texts(1))
        command.output("append", session.id, input="two")
        command.output("append", session.id, input="three")
        (only,) = command.json("list")["sessions"]
        assert (only["message_count"], only["checkpoint_count"]) == (3, 3)

    def test_a_listed_session_is_shown_under_its_id(self, command):
        command.create("round trip")
        (listed,) = command.json("list")["sessions"]
        shown = command.json("show", listed["id"])
        assert {key: shown[key] for key in ("id", "title", "updated_at")} == {
            key: listed[key] for key in ("id", "title", "updated_at")
        }


class TestFilters:
    def test_deleted_sessions_are_listed_unless_a_status_is_asked_for(self, command):
        command.create("kept", created_at=minute(1))
        gone = command.create("gone", created_at=minute(0))
        command.output("delete", gone.id)
        assert titles(command) == ["gone", "kept"]
        assert titles(command, "--status", "active") == ["kept"]
        assert titles(command, "--status", "DELETED") == ["gone"]

    def test_a_search_finds_parts_of_titles_and_takes_wildcards_as_they_are(self, command):
        for title in ("Rust 100%", "rusty", "Go"):
            command.create(title)
        assert set(titles(command, "--search", "RUST")) == {"Rust 100%", "rusty"}
        assert titles(command, "--search", "%") == ["Rust 100%"]

    def test_visibility_source_and_directory_narrow_the_list(self, command, tmp_path, monkeypatch):
        command.create("public", visibility="PUBLIC")
        command.create("imported", source="other", source_id="1")
        command.create("here", cwd=tmp_path / "repo")
        assert titles(command, "--visibility", "public") == ["public"]
        assert titles(command, "--source", "other") == ["imported"]
        monkeypatch.chdir(tmp_path)
        assert titles(command, "--cwd", "./x/../repo") == ["here"]
        assert titles(command, "--cwd", tmp_path / "repo") == ["here"]
        assert titles(command, "--cwd", f"{tmp_path}/repo/") == ["here"]
        command.create("there", cwd=r"D:\repo")
        assert titles(command, "--cwd", r"D:\repo") == ["there"]

    def test_metadata_narrows_the_list_and_its_values_are_json_or_else_text(self, command):
        command.create("number", session_metadata={"n": 1, "run": "nightly"})
        command.create("text", session_metadata={"n": "1", "run": "nightly"})
        command.create("object", session_metadata={"n": {"a": [True]}, "a=b": ""})
        command.create("none")
        assert titles(command, "--metadata", "n=1") == ["number"]
        assert titles(command, "--metadata", 'n="1"') == ["text"]
        assert titles(command, "--metadata", 'n={"a": [true]}') == ["object"]
        assert set(titles(command, "--metadata", "run=nightly")) == {"number", "text"}
        assert titles(command, "--metadata", "run=nightly", "--metadata", "n=1") == ["number"]
        assert titles(command, "--metadata", "a=b=") == []
        assert titles(command, "--metadata", "missing=") == []
        listed = command.json("list", "--metadata", "run=nightly")
        assert (listed["total"], len(listed["sessions"])) == (None, 2)

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            (("n",), "invalid metadata 'n': expected KEY=VALUE"),
            (("",), "invalid metadata '': expected KEY=VALUE"),
            (("n=1", "n=2"), "metadata 'n' is given twice, and has one value"),
        ],
    )
    def test_metadata_that_says_no_value_is_refused_before_the_store_is_opened(self, command, given, told):
        options = [word for text in given for word in ("--metadata", text)]
        assert command.json_error("list", *options) == (2, "invalid_argument", told)
        assert not command.path.exists()

    def test_limit_and_offset_choose_a_part(self, command):
        for number in range(25):
            command.create(f"s{number}", created_at=minute(number))
        assert titles(command) == [f"s{number}" for number in range(24, 4, -1)]
        assert titles(command, "--limit", 2, "--offset", 1) == ["s23", "s22"]
        assert titles(command, "--limit", 0) == []
        assert titles(command, "--offset", 25) == []

    def test_a_cursor_leads_through_the_whole_list(self, command):
        for number in range(5):
            command.create(f"s{number}", created_at=minute(number))
        seen: list[str] = []
        arguments: list[str] = []
        while True:
            page = command.json("list", "--limit", 2, *arguments)
            seen += [session["title"] for session in page["sessions"]]
            if page["next_cursor"] is None:
                break
            arguments = ["--cursor", page["next_cursor"]]
        assert seen == ["s4", "s3", "s2", "s1", "s0"]

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--cursor", "nonsense"),
            ("--cursor", "\udcff"),
            ("--search", "\udcff"),
            ("--limit", limits.MAX_COUNT + 1),
            ("--cwd", "/a\0b"),
        ],
    )
    def test_a_value_that_no_store_takes_is_refused(self, command, arguments):
        assert command.json_error("list", *arguments)[:2] == (2, "invalid_request")


class TestText:
    def test_the_table_has_a_header_a_rule_and_a_row_a_session(self, command):
        session = command.create("title", messages=texts(12), created_at=minute(0))
        assert command.lines("list") == [
            f"Backend: local ({command.path})",
            HEADER,
            f"{'-' * 36}  -----  -----  {'-' * 20}",
            f"{session.id}  title     12  2026-01-02 03:04:05 ",
        ]

    def test_an_empty_list_says_so(self, command):
        assert command.lines("list") == [f"Backend: local ({command.path})", "No sessions found."]

    def test_a_long_title_ends_in_an_ellipsis_and_a_shorter_one_is_padded(self, command):
        command.create("x" * 51, created_at=minute(1))
        command.create("y", created_at=minute(0))
        long, short = command.lines("list")[3:]
        assert long[36:].startswith(f"  {'x' * 49}…  ")
        assert short[36:].startswith(f"  y{' ' * 49}  ")
        assert len(long) == len(short)

    def test_a_title_of_several_lines_takes_one_row(self, command):
        command.create("first\nsecond\r\n\t third")
        lines = command.lines("list")
        assert len(lines) == 4
        assert "  first second third  " in lines[3]

    def test_control_characters_of_a_title_do_not_get_out(self, command):
        command.create("\x1b[31mred\x1b[0m\a\x9b\u202e")
        output = command.output("list")
        assert "  [31mred[0m  " in output
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", output)

    def test_a_deleted_session_is_marked(self, command):
        session = command.create("gone")
        command.output("delete", session.id)
        assert "  [deleted] gone  " in command.lines("list")[3]

    def test_a_session_whose_row_is_damaged_is_marked_and_hides_no_other(self, command):
        command.create("whole")
        damaged = command.create("before")
        with closing(sqlite3.connect(command.path)) as connection, connection:
            connection.execute("UPDATE session SET title = 'after' WHERE title = 'before'")
        lines = command.lines("list")[3:]
        assert sorted(line.split("  ")[1] for line in lines) == ["[damaged] after", "whole"]
        told = {session["id"]: session["damage"] for session in command.json("list")["sessions"]}
        assert told.pop(str(damaged.id))
        assert list(told.values()) == [None]

    def test_the_last_activity_is_the_last_message_not_the_last_change(self, command):
        session = command.create(messages=texts(1), created_at=minute(0))
        command.output("rename", session.id, "renamed now")
        assert command.lines("list")[3].rstrip().endswith("2026-01-02 03:04:05")

    def test_a_part_of_the_list_says_how_to_see_the_next(self, command):
        for number in range(5):
            command.create(f"s{number}")
        assert command.lines("list", "--limit", 2, "--offset", 1)[-1] == (
            "showing sessions 2–3 of 5 (use --offset 3 for an older page)"
        )
        assert "showing" not in command.lines("list", "--limit", 2, "--offset", 3)[-1]
        searched = command.lines("list", "--limit", 2, "--search", "s")[-1]
        assert searched == "showing sessions 1–2 (use --offset 2 for an older page)"

    def test_a_page_that_a_cursor_began_leads_to_the_next_by_cursor(self, command):
        for number in range(5):
            command.create(f"s{number}", created_at=minute(number))
        cursor = command.json("list", "--limit", 1)["next_cursor"]
        line = command.lines("list", "--limit", 1, "--cursor", cursor)[-1]
        (following,) = re.findall(r"--cursor (\S+) for", line)
        assert titles(command, "--limit", 1, "--cursor", following) == ["s2"]

    @pytest.mark.parametrize(
        ("backend", "line"),
        [
            (BackendInfo(kind="local", store_path="/a/b.db"), "Backend: local (/a/b.db)"),
            (BackendInfo(kind="http", endpoint="https://e"), "Backend: http (endpoint: https://e)"),
            (
                BackendInfo(kind="http", profile="p", endpoint="https://e"),
                "Backend: http (profile: p, endpoint: https://e)",
            ),
            (BackendInfo(kind=""), "Backend: unknown"),
        ],
    )
    def test_the_first_line_names_the_backend(self, backend, line):
        assert backend_line(backend) == line


class TestWidth:
    """Of the table alone; `test_process` has the same with real terminals."""

    @pytest.fixture
    def listed(self, command):
        command.create("好" * 30, created_at=minute(1), messages=texts(3))
        command.create("short", created_at=minute(0))
        return command.sessions()

    @staticmethod
    def lines(listed, width):
        from rich.cells import cell_len

        rows = table(listed, width, cell_len)
        return [row if isinstance(row, str) else row.text for row in rows], cell_len

    @pytest.mark.parametrize("width", range(36, 140))
    def test_no_row_is_wider_than_the_terminal_and_no_id_is_cut(self, listed, width):
        lines, cell_len = self.lines(listed, width)
        assert {cell_len(line) for line in lines} == {cell_len(lines[0])}
        assert cell_len(lines[0]) <= width
        assert [line[:36] for line in lines[2:]] == [str(session.id) for session in listed]

    @pytest.mark.parametrize(
        ("width", "headings"),
        [
            (72, ["ID", "TITLE", "MSGS", "LAST", "ACTIVITY"]),
            (71, ["ID", "TITLE", "MSGS"]),
            (50, ["ID", "TITLE", "MSGS"]),
            (49, ["ID", "TITLE"]),
            (43, ["ID", "TITLE"]),
            (42, ["ID"]),
        ],
    )
    def test_columns_are_left_out_from_the_right(self, listed, width, headings):
        lines, _ = self.lines(listed, width)
        assert lines[0].split() == headings

    def test_a_title_of_wide_characters_is_cut_between_them(self, listed):
        lines, _ = self.lines(listed, 80)
        assert lines[2][36:-29] == f"  {'好' * 6}…"
