"""Processes that write one file at once: every write is there once, and nobody is told that the file is locked."""

from pathlib import Path

from tests.faults.crowds import WRITERS, write_together

STEPS = 16


def test_four_processes_lose_and_double_nothing_though_one_is_killed(tmp_path: Path) -> None:
    outcome = write_together(tmp_path / "agent.db", 1, STEPS, killed_after=WRITERS * STEPS)
    assert len(outcome.seconds) >= 3 * WRITERS * STEPS
