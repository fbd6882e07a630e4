"""What a step costs does not grow with the steps before it, whichever of the last messages it rewrites."""

from pathlib import Path
from uuid import UUID

import pytest
from tests.support.rewriting import KNOWN_TO_CHECKPOINTS, STEPS, Step, Talk, counting, said, works_of_others

import clew
from clew.sqlite.transaction import SQLiteTransaction


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_step_that_rewrites_the_end_costs_what_the_first_ones_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    works = []
    with clew.open(tmp_path / "steps.db") as store:
        talk = Talk(store)
        for first in range(0, 240, 40):
            with counting(monkeypatch, SQLiteTransaction) as work:
                for number in range(first, first + 40):
                    step(talk, number)
                works.append(work())
        talk.check()
    assert len(set(works[1:])) == 1


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_where_nothing_is_remembered_the_statements_of_a_step_do_not_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    """Another process wrote the steps before: the hashes of the messages lead on from what a checkpoint knows."""
    works = works_of_others(monkeypatch, SQLiteTransaction, lambda: clew.open(tmp_path / "steps.db"), step)
    assert len({work.statements for work in works}) == 1


@pytest.mark.parametrize("name", KNOWN_TO_CHECKPOINTS)
def test_what_a_checkpoint_knows_is_not_read_again_by_those_who_remember_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    works = works_of_others(monkeypatch, SQLiteTransaction, lambda: clew.open(tmp_path / "steps.db"), STEPS[name])
    assert len(set(works)) == 1


def test_a_conversation_that_was_rewritten_at_every_step_is_read_in_a_few_statements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clew.open(tmp_path / "often.db") as store:
        talk = Talk(store)
        for number in range(0, 1_300, 3):
            talk.rewrite(1, said(*(f"{number + part}" for part in range(1 if number == 600 else 4))))
        talk.rewrite(1, said(*(f"many {number}" for number in range(700))))
        for number in range(5):
            talk.rewrite(1, said(f"{number}", "end"))
        with counting(monkeypatch, SQLiteTransaction) as work:
            talk.check()
            assert work().statements < 12
        messages, tip = talk.messages[0], talk.tips[0]
        assert tip is not None
        for start in (0, 1, 511, 512, 513, len(messages) - 3):
            for stop in (start + 1, start + 513, len(messages)):
                with counting(monkeypatch, SQLiteTransaction) as work:
                    assert store.get_messages(tip, start=start, stop=stop) == messages[start:stop]
                    assert work().statements < 12


def test_every_beginning_of_a_conversation_that_was_rewritten_is_itself(tmp_path: Path) -> None:
    """Those that this store remembers, and those that it has to find."""
    with clew.open(tmp_path / "beginnings.db") as store:
        talk = Talk(store)
        for number in range(40):
            talk.rewrite(number % 4, said(*(f"{number}.{part}" for part in range(6))))
        for again in (store, clew.open(tmp_path / "beginnings.db")):
            for after in range(len(talk.messages[0]) + 1):
                cut = again.append(talk.session, said("x"), parent_id=talk.tips[0], after=after)
                assert again.get_checkpoint(cut.id).state.messages == [*talk.messages[0][:after], *said("x")]
        again.close()


def test_what_is_remembered_of_a_checkpoint_is_not_told_of_another_that_got_its_id(tmp_path: Path) -> None:
    id = UUID(int=7)
    with clew.open(tmp_path / "ids.db") as store, clew.open(tmp_path / "ids.db") as another:
        session = store.create_session("first").id
        store.append(session, said("a", "b", "c"), id=id)
        another.purge_session(session)
        other = another.create_session("second").id
        another.append(other, said("x", "y", "z"), id=id)
        cut = store.append(other, said("end"), parent_id=id, after=1)
        assert store.get_checkpoint(cut.id).state.messages == said("x", "end")
        assert not list(store.verify())
