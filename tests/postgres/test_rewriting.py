"""What a step asks of the server does not grow with the steps before it, whichever of the last messages it rewrites."""

import pytest
from tests.support.postgres_stores import open_postgres
from tests.support.rewriting import KNOWN_TO_CHECKPOINTS, STEPS, Step, Talk, counting, works_of_others

import clew
from clew.postgres.transaction import PostgresTransaction


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_step_that_rewrites_the_end_costs_what_the_first_ones_did(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    works = []
    with clew.Store(open_postgres(postgres_url)) as store:
        talk = Talk(store)
        for first in range(0, 160, 40):
            with counting(monkeypatch, PostgresTransaction) as work:
                for number in range(first, first + 40):
                    step(talk, number)
                works.append(work())
        talk.check()
    assert len(set(works[1:])) == 1


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_where_nothing_is_remembered_the_statements_of_a_step_do_not_grow(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    """Another process wrote the steps before: the hashes of the messages lead on from what a checkpoint knows."""
    works = works_of_others(monkeypatch, PostgresTransaction, lambda: clew.Store(open_postgres(postgres_url)), step)
    assert len({work.statements for work in works}) == 1


@pytest.mark.parametrize("name", KNOWN_TO_CHECKPOINTS)
def test_what_a_checkpoint_knows_is_not_read_again_by_those_who_remember_nothing(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    works = works_of_others(
        monkeypatch, PostgresTransaction, lambda: clew.Store(open_postgres(postgres_url)), STEPS[name]
    )
    assert len(set(works)) == 1


def test_a_conversation_that_was_rewritten_at_every_step_is_read_in_a_few_statements(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clew.Store(open_postgres(postgres_url)) as store:
        talk = Talk(store)
        for number in range(100):
            STEPS["the last"](talk, number)
        with counting(monkeypatch, PostgresTransaction) as work:
            talk.check()
            assert work().statements < 6
