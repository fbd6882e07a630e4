"""A standby that takes the place of a killed primary has everything that was acknowledged."""

from tests.faults.failover import fail_over_under_load


def test_writers_go_on_after_a_failover_and_every_acknowledged_write_is_there_once() -> None:
    assert fail_over_under_load(before=3, after=5).acknowledged > 0
