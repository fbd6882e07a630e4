"""The promises of an export of a damaged store: what is damaged is named, and everything else is there."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from tests.contract.tampering import FileTamper
from tests.copying.stores import everything, open_file

import clew
from clew import Store
from clew.errors import CorruptStateError
from clew.exporters import EXPORTERS, Exported, export
from clew.importers import import_path
from clew.testing import Clock

MANY = [name for name, exporter in EXPORTERS.items() if exporter.takes_many]
ONE = [name for name in EXPORTERS if name not in MANY]


class Damaged:
    """A store with a session of three checkpoints, and another, after something was done to the tables."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self.open() as store:
            session = store.create_session("t", messages=[{"role": "user", "content": "a"}])
            for text in "bc":
                store.append(session.id, [{"role": "user", "content": text}], metadata={"k": text * 50})
            for label in ("later", "much later"):
                store.attach(session.id, {"f": label.encode()}, label=label)
            self.session = session.id
            self.steps = [item.id for item in store.list_checkpoints(session.id)]
            self.other = store.create_session("another").id
        self.tamper = FileTamper(path)

    @contextmanager
    def open(self) -> Iterator[Store]:
        with open_file(str(self.path), Clock(tick=1_000)) as store:
            yield store

    def exported(self, format: str, sessions: list[UUID] | None = None) -> tuple[Exported, bytes]:
        out = io.BytesIO()
        with self.open() as store:
            return export(store, format, out, sessions=sessions), out.getvalue()


@pytest.fixture
def damaged(tmp_path: Path) -> Damaged:
    return Damaged(tmp_path / "agent.db")


@pytest.mark.parametrize("format", MANY)
def test_metadata_that_is_damaged_is_named_and_the_conversation_is_there(
    damaged: Damaged, tmp_path: Path, format: str
) -> None:
    damaged.tamper.replace_metadata(damaged.steps[1], b'{"k":"x"}')
    done, data = damaged.exported(format)
    assert [what for what, _ in done.failed] == [f"metadata of checkpoint {damaged.steps[1]}"]
    (tmp_path / "out").write_bytes(data)
    with clew.open(":memory:") as again:
        import_path(again, tmp_path / "out")
        assert len(again.get_messages(damaged.steps[1])) == 2
        assert again.get_checkpoint(damaged.steps[1]).state.metadata is None
        assert again.get_checkpoint(damaged.steps[2]).state.metadata == {"k": "c" * 50}


@pytest.mark.parametrize("format", MANY)
def test_a_row_that_is_damaged_is_left_out_also_where_it_adds_no_message(damaged: Damaged, format: str) -> None:
    with damaged.open() as store:
        step = store.append(damaged.session, [])
    damaged.tamper.change_checkpoint(step.id, "label", "another")
    done, data = damaged.exported(format)
    assert f"checkpoint {step.id}" in [what for what, _ in done.failed]
    assert done.checkpoints == 4
    assert b'"label":"another"' not in data


def test_of_what_waits_for_labels_only_what_is_damaged_is_left_out(damaged: Damaged, tmp_path: Path) -> None:
    damaged.tamper.replace_waiting_attachment(damaged.session, "later", "f", b"x")
    done, data = damaged.exported("jsonl")
    assert [what for what, _ in done.failed] == [f"what waits for label later of session {damaged.session}"]
    (tmp_path / "out").write_bytes(data)
    with open_file(None, Clock(tick=1_000)) as again:
        import_path(again, tmp_path / "out")
        assert everything(again)[damaged.session]["waiting"] == {"much later": {"f": (b"much later", None)}}


@pytest.mark.parametrize("format", MANY)
def test_an_active_checkpoint_that_is_lost_is_named(damaged: Damaged, format: str) -> None:
    damaged.tamper.lose_checkpoint(damaged.steps[2])
    done, _ = damaged.exported(format)
    assert done.checkpoints == 3
    assert f"active checkpoint of session {damaged.session}" in [what for what, _ in done.failed]


@pytest.mark.parametrize("format", ONE)
def test_a_session_whose_active_checkpoint_is_lost_is_no_empty_conversation(damaged: Damaged, format: str) -> None:
    damaged.tamper.lose_checkpoint(damaged.steps[2])
    with pytest.raises(CorruptStateError, match="missing"):
        damaged.exported(format, [damaged.session])


@pytest.mark.parametrize("format", MANY)
@pytest.mark.parametrize("field", ["title", "cwd"])
def test_of_sessions_that_were_named_the_damaged_one_is_left_out_and_the_others_are_there(
    damaged: Damaged, format: str, field: str
) -> None:
    damaged.tamper.change_session(damaged.session, field, "x")
    done, _ = damaged.exported(format, [damaged.session, damaged.other])
    assert ([what for what, _ in done.failed], done.sessions) == ([f"session {damaged.session}"], 1)


@pytest.mark.parametrize("format", MANY)
def test_a_session_that_is_purged_meanwhile_is_named_and_the_others_are_there(damaged: Damaged, format: str) -> None:
    with damaged.open() as store:
        long = store.create_session("long", messages=[{"role": "user", "content": "x"}])
        told = list[object]()

        def purge_once(progress: object) -> None:
            if not told:
                store.purge_session(long.id)
            told.append(progress)

        done = export(store, format, io.BytesIO(), sessions=[long.id, damaged.other], progress=purge_once)
    assert [what for what, _ in done.failed] == [f"session {long.id}"]
    assert done.checkpoints == 1
