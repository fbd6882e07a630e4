"""A server that is killed and restarted while others write loses nothing that it acknowledged, and doubles nothing."""

from pathlib import Path

from tests.faults.servers import restart_under_load


def test_writers_go_on_after_restarts_and_every_acknowledged_write_is_there_once(tmp_path: Path) -> None:
    outcome = restart_under_load(tmp_path / "agent.db", seed=1, restarts=2)
    assert outcome.kills > 0
    assert outcome.stops > 0
    assert outcome.acknowledged > 0
