"""The promises of `clew prune`: nothing goes without --apply, and nothing without a yes."""

from datetime import timedelta

import pytest
from tests.cli.support import minute, texts

import clew
from clew import Pruned
from clew.cli.errors import InvalidArgumentError
from clew.cli.options import AGE


@pytest.fixture
def sessions(command):
    """An old session that is deleted, an old one, and a new one of five checkpoints, one with a label."""
    deleted = command.create("deleted", created_at=minute(0))
    with command.open() as store:
        store.update_session(deleted.id, status="DELETED", updated_at=minute(0))
    old = command.create("old", messages=texts(2), created_at=minute(1))
    new = command.create("new")
    with command.open() as store:
        for label in ("kept", None, None, None):
            store.append(new.id, texts(1), label=label)
    return deleted.id, old.id, new.id


def titles(command):
    return {session.title for session in command.sessions()}


def purged(plan):
    return {session["title"] for session in plan["sessions"]}


class TestPlan:
    def test_what_would_go_is_listed_and_stays(self, command, sessions):
        deleted, old, new = sessions
        assert command.lines("prune", "--inactive-longer-than", "30d", "--keep-checkpoints", 2) == [
            f"Backend: local ({command.path})",
            "Sessions to purge:",
            "ID                                    TITLE               MSGS  LAST ACTIVITY       ",
            "------------------------------------  -----------------  -----  --------------------",
            f"{old}  old                    2  2026-01-02 03:05:05 ",
            f"{deleted}  [deleted] deleted      0  2026-01-02 03:04:05 ",
            "Checkpoints to delete:",
            f"{new}  2 checkpoints  new",
            "Nothing has been removed. With --apply: 2 sessions and 2 checkpoints of 1 session.",
        ]
        assert titles(command) == {"deleted", "old", "new"}

    @pytest.mark.parametrize(
        ("rules", "gone"),
        [
            (("--deleted-longer-than", "1d"), {"deleted"}),
            (("--inactive-longer-than", "2w"), {"deleted", "old"}),
            (("--keep-last", 1), {"deleted", "old"}),
            (("--keep-last", 2), {"deleted"}),
            (("--keep-last", 2, "--inactive-longer-than", "0h"), {"deleted"}),
            (("--keep-last", 3), {"deleted"}),
            (("--keep-last", 3, "--deleted-longer-than", "99999999d"), set()),
            (("--keep-checkpoints", 1), set()),
        ],
    )
    def test_each_rule_has_its_sessions(self, command, sessions, rules, gone):
        plan = command.json("prune", *rules)
        assert purged(plan) == gone
        assert plan["pruned"] is None
        assert titles(command) == {"deleted", "old", "new"}

    def test_json_has_the_plan(self, command, sessions):
        plan = command.json("prune", "--keep-checkpoints", 2)
        assert list(plan) == ["made_at", "sessions", "thinned", "pruned", "backend"]
        (thinned,) = plan["thinned"]
        assert list(thinned) == ["session_id", "title", "revision", "checkpoint_ids"]
        assert (thinned["session_id"], thinned["title"]) == (str(sessions[2]), "new")
        assert len(thinned["checkpoint_ids"]) == 2

    def test_nothing_to_prune_is_said_and_not_asked_about(self, command, sessions):
        for apply in ((), ("--apply",)):
            assert command.lines("prune", "--keep-checkpoints", 9, *apply)[1:] == ["Nothing to prune."]


class TestApply:
    def test_it_asks_on_standard_error_and_does_it_when_told_yes(self, command, sessions):
        result = command.run("prune", "--inactive-longer-than", "30d", "--keep-checkpoints", 2, "--apply", input="y\n")
        assert result.exit_code == 0
        assert "Remove 2 sessions and 2 checkpoints of 1 session? This cannot be undone [y/N]: " in result.stderr
        assert result.stdout.splitlines()[-1] == "Purged 2 sessions, deleted 2 checkpoints of others."
        (left,) = command.sessions()
        assert (left.title, left.checkpoint_count, left.message_count) == ("new", 3, 4)

    @pytest.mark.parametrize("answer", ["n\n", "\n", ""])
    def test_anything_but_yes_removes_nothing(self, command, sessions, answer):
        result = command.run("prune", "--keep-last", 0, "--apply", input=answer)
        assert result.exit_code == 1
        assert result.stderr.endswith("Aborted!\n")
        assert titles(command) == {"deleted", "old", "new"}

    def test_yes_is_not_asked_again(self, command, sessions):
        lines = command.lines("prune", "--deleted-longer-than", "1d", "--apply", "--yes")
        assert lines[-1] == "Purged 1 session, deleted 0 checkpoints of others."
        assert titles(command) == {"old", "new"}

    def test_yes_alone_removes_nothing(self, command, sessions):
        command.output("prune", "--keep-last", 0, "--yes")
        assert titles(command) == {"deleted", "old", "new"}

    def test_json_needs_yes_and_says_what_was_done(self, command, sessions):
        exit_code, code, text = command.json_error("prune", "--keep-last", 1, "--apply", input="y\n")
        assert (exit_code, code) == (2, "invalid_argument")
        assert "--yes" in text
        done = command.json("prune", "--keep-last", 1, "--apply", "--yes")
        assert set(done["pruned"].pop("sessions")) == {str(sessions[0]), str(sessions[1])}
        assert list(done["pruned"].items()) == [("checkpoints", 0), ("skipped", []), ("log_held", False), ("left", [])]
        assert purged(done) == {"deleted", "old"}
        assert titles(command) == {"new"}

    def test_what_was_left_alone_is_named(self, command, sessions, monkeypatch):
        skipped = Pruned(sessions=[], checkpoints=0, skipped=[sessions[0]])
        monkeypatch.setattr(clew.Store, "apply_prune", lambda *_: skipped)
        lines = command.lines("prune", "--keep-last", 2, "--apply", "--yes")
        assert lines[-2:] == [
            "Purged 0 sessions, deleted 0 checkpoints of others.",
            f"Left alone, since it has changed meanwhile: {sessions[0]}",
        ]

    def test_a_log_that_a_reader_holds_is_told_and_no_failure(self, command, sessions, monkeypatch):
        held = Pruned(sessions=[sessions[0]], checkpoints=0, skipped=[], log_held=True)
        monkeypatch.setattr(clew.Store, "apply_prune", lambda *_: held)
        assert command.lines("prune", "--keep-last", 2, "--apply", "--yes")[-2:] == [
            "Purged 1 session, deleted 0 checkpoints of others.",
            "A reader keeps the bytes of what was purged in the write-ahead log: they go with the next purge, or when "
            "the last program closes the store.",
        ]
        told = command.json("prune", "--keep-last", 2, "--apply", "--yes")["pruned"]
        assert told == {"sessions": [str(sessions[0])], "checkpoints": 0, "skipped": [], "log_held": True, "left": []}

    def test_titles_cannot_break_a_line(self, command):
        made = command.create("\x1b[2J\u202ea\nb")
        with command.open() as store:
            for _ in range(3):
                store.append(made.id, [])
        command.create("other")
        assert command.lines("prune", "--keep-checkpoints", 1)[2] == f"{made.id}  3 checkpoints  [2Ja b"


class TestAges:
    @pytest.mark.parametrize(
        ("text", "age"),
        [
            ("12h", timedelta(hours=12)), ("90d", timedelta(days=90)), ("2w", timedelta(weeks=2)), ("0d", timedelta()),
            (" 1W ", timedelta(weeks=1)), ("00100d", timedelta(days=100)),
        ],
    )  # fmt: skip
    def test_they_are_hours_days_or_weeks(self, text, age):
        assert AGE.convert(text, None, None) == age

    @pytest.mark.parametrize(
        "text", ["", "d", "90", "-1d", "1.5d", "1m", "1y", "1 d", "1d2h", "９d", "1_0d", "\x1b", "inf d", "0x1d"]
    )
    def test_anything_else_is_refused_before_the_store_is_opened(self, command, text):
        refused = command.json_error("prune", "--deleted-longer-than", text)
        told = f"invalid age '{text}': expected a number of hours, days or weeks: 12h, 90d, 2w"
        assert refused == (2, "invalid_argument", told)
        assert not command.path.exists()

    @pytest.mark.parametrize("text", ["1000000000w", f"{10**30}h", f"{'9' * 5000}d"])
    def test_what_is_longer_than_time_is_refused(self, text):
        with pytest.raises(InvalidArgumentError, match="longer than time"):
            AGE.convert(text, None, None)

    def test_the_longest_age_removes_nothing(self, command, sessions):
        assert purged(command.json("prune", "--inactive-longer-than", "999999999d")) == set()


@pytest.mark.parametrize("arguments", [(), ("--apply",), ("--apply", "--yes")])
def test_a_rule_has_to_be_given(command, arguments):
    exit_code, code, text = command.json_error("prune", *arguments)
    assert (exit_code, code) == (2, "invalid_argument")
    assert text.startswith("no rule is given")
    assert not command.path.exists()
