"""The promises of `clew import` without a format, of its dry run, and of `clew reimport`."""

import json

from tests.cli.agent_files import codex_line, write_claude, write_codex


def titles(command):
    return sorted(session.title for session in command.sessions())


def test_everything_that_is_found_is_named_and_imported(command, home):
    codex, claude = write_codex(home, "mend the pump", "done"), write_claude(home, "why does it leak?")
    lines = command.lines("import")
    assert lines[0] == "Found 2 places:"
    assert {line.split(":")[0].strip() for line in lines[1:3]} == {"claude-code", "codex"}
    assert titles(command) == ["mend the pump", "why does it leak?"]
    assert all(session.cwd == "/repo" for session in command.sessions())
    assert codex.exists()
    assert claude.exists()


def test_a_second_run_brings_what_is_new_and_nothing_twice(command, home):
    path = write_codex(home, "mend the pump", "done")
    command.output("import")
    (before,) = command.sessions()
    (report,) = command.json("import")["imports"]
    assert (report["sessions_unchanged"], report["checkpoints_created"]) == (1, 0)
    assert command.sessions() == [before]
    with path.open("a") as file:
        file.write(codex_line(3, "and the valve"))
    (report,) = command.json("import")["imports"]
    assert (report["sessions_updated"], report["checkpoints_created"]) == (1, 1)
    assert [message["content"] for message in command.messages(before.id)] == ["mend the pump", "done", "and the valve"]


def test_nothing_found_says_so_and_makes_no_store(command):
    exit_code, code, text = command.json_error("import")
    assert (exit_code, code) == (2, "invalid_argument")
    assert "nothing to import was found" in text
    assert not command.path.exists()


def test_one_place_that_fails_leaves_the_others_alone_and_ends_with_its_error(command, home):
    write_claude(home, "why does it leak?")
    broken = home / ".codex" / "sessions" / "rollout-broken.jsonl"
    broken.parent.mkdir(parents=True)
    broken.write_text(json.dumps({"timestamp": "2026-01-02T03:04:05Z", "type": "session_meta", "payload": {}}) + "\n")
    result = command.run("import")
    assert result.exit_code != 0
    assert "codex" in result.stdout
    assert "Failed" in result.stdout
    assert titles(command) == ["why does it leak?"]


def test_a_path_alone_is_enough(command, home, tmp_path):
    path = write_codex(home, "mend the pump").rename(tmp_path / "somewhere.jsonl")
    assert command.json("import", path)["imports"][0]["importer"] == "codex"
    assert titles(command) == ["mend the pump"]


def test_a_path_of_no_known_format_is_refused(command, tmp_path):
    (tmp_path / "other").write_text("something else")
    assert command.json_error("import", tmp_path / "other")[:2] == (2, "invalid_request")
    assert command.json_error("import", tmp_path / "missing")[:2] == (1, "not_found")


def test_a_dry_run_says_what_would_be_done_and_makes_no_store(command, home):
    write_codex(home, "mend the pump", "done")
    lines = command.lines("import", "--dry-run")
    assert "  Sessions:    1 created, 0 updated, 0 unchanged" in lines
    assert any(line.startswith("Would import ") for line in lines)
    (report,) = command.json("import", "codex", "--dry-run")["imports"]
    assert (report["sessions_created"], report["messages"], report["dry_run"]) == (1, 2, True)
    assert not command.path.exists()


def test_options_stand_before_the_format_or_after_it(command, home):
    write_codex(home, "mend the pump", "done")
    for words in ["--dry-run", "--json", "codex"], ["codex", "--dry-run", "--json"], ["--json", "codex", "--dry-run"]:
        (report,) = json.loads("\n".join(command.lines("import", *words)))["imports"]
        assert (report["sessions_created"], report["dry_run"]) == (1, True)
    assert not command.path.exists()


def test_a_dry_run_changes_nothing_in_a_store_that_is_there(command, home):
    path = write_codex(home, "mend the pump", "done")
    command.output("import")
    (before,) = command.sessions()
    with path.open("a") as file:
        file.write(codex_line(3, "and the valve"))
    (report,) = command.json("import", "--dry-run")["imports"]
    assert (report["sessions_updated"], report["checkpoints_created"]) == (1, 1)
    assert command.sessions() == [before]


def test_records_of_unknown_types_are_counted_and_shown(command, home):
    path = write_codex(home, "mend the pump", "done")
    with path.open("a") as file:
        file.write(json.dumps({"timestamp": "2026-01-02T03:04:59Z", "type": "hologram", "payload": {}}) + "\n")
    lines = command.lines("import", "codex")
    assert "  Unknown:     1 record of types that no message is made of (kept)" in lines
    assert lines[-1].strip() == "1 hologram"


def test_what_was_imported_is_read_again_without_its_files(command, home):
    write_codex(home, "mend the pump", "done").unlink()
    write_codex(home, "mend the pump", "done")
    command.output("import")
    (session,) = command.sessions()
    for path in home.rglob("*.jsonl"):
        path.unlink()
    (report,) = command.json("reimport", session.id)["imports"]
    assert (report["sessions_unchanged"], report["messages"], report["broken"]) == (1, 2, [])
    assert command.json("reimport", "--source", "claude-code")["imports"] == []


def test_of_a_folder_with_several_formats_all_are_imported_and_each_is_reported(command, tmp_path):
    copy = tmp_path / "copy of a home"
    write_codex(copy, "mend the pump", "done")
    write_claude(copy, "why does it leak?")
    lines = command.lines("import", copy)
    assert lines[0] == "Found 2 places:"
    assert [line.split("(")[1].split(",")[0] for line in lines if line.startswith("Imported")] == [
        "claude-code",
        "codex",
    ]
    assert titles(command) == ["mend the pump", "why does it leak?"]
    reports = command.json("import", copy)["imports"]
    assert [report["importer"] for report in reports] == ["claude-code", "codex"]


def test_formats_that_lie_together_in_a_folder_are_all_found_however_many_files_there_are(command, tmp_path):
    copy = tmp_path / "copy"
    claude = write_claude(tmp_path / "other", "why does it leak?")
    copy.mkdir()
    for number in range(60):
        (copy / f"{number:08}{claude.name[8:]}").write_text(claude.read_text())
    write_codex(tmp_path / "other", "mend the pump").rename(copy / "rollout.jsonl")
    reports = command.json("import", copy)["imports"]
    assert [report["importer"] for report in reports] == ["claude-code", "codex"]


def test_what_a_file_holds_decides_and_not_how_its_name_ends(command, home, tmp_path):
    path = write_codex(home, "mend the pump").rename(tmp_path / "out.codex")
    assert command.json("import", path)["imports"][0]["importer"] == "codex"


def test_a_second_run_counts_no_checkpoints_that_it_has_not_read(command, home):
    path = write_codex(home, "mend the pump", "done")
    command.output("import")
    assert "  Checkpoints: 0 created" in command.lines("import")
    with path.open("a") as file:
        file.write(codex_line(3, "and the valve"))
    assert "  Checkpoints: 1 created, 1 known before" in command.lines("import")


def test_a_dry_run_names_the_store_that_an_import_would_write(command, home):
    write_codex(home, "mend the pump", "done")
    assert f"Backend: local ({command.path})" in command.lines("import", "codex", "--dry-run")
    assert command.json("import", "--dry-run")["backend"]["store_path"] == str(command.path)
    assert not command.path.exists()
