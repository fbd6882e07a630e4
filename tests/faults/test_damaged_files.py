"""A file damaged anywhere gives errors, never a crash and never other content than was written."""

from pathlib import Path

from tests.faults.examiner import examine_apart
from tests.faults.harm import build

COPIES = range(80)


def test_damage_is_an_error_and_never_other_content(tmp_path: Path) -> None:
    build(tmp_path / "agent.db")
    verdicts = examine_apart(tmp_path / "agent.db", COPIES)
    assert {verdict.seed: verdict.wrong for verdict in verdicts if verdict.wrong} == {}
    assert sum(verdict.refused for verdict in verdicts) > 0
    assert sum(verdict.returned for verdict in verdicts) > 0
    assert sum(verdict.judged for verdict in verdicts) > len(COPIES) // 4
