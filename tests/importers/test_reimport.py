"""The promises of reading imported sessions again from the records that the store has kept."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.importers.imported import conversation, leaves, only_session
from tests.importers.toy import ToyImporter, row, write

import clew
from clew import limits
from clew.errors import InvalidRequestError, NotFoundError
from clew.importers import IMPORTERS, ImportReport, Progress, raw
from clew.importers.formats import Source
from clew.importers.records import ListedRecords
from clew.importers.reimport import reimport

A = row("a", None, "hello")
B = row("b", "a", "hi", "assistant", thought="hm")
C = row("c", "b", "more")
OLD, NEW = ToyImporter(), ToyImporter(2)


@pytest.fixture
def store() -> Iterator[clew.Store]:
    with clew.open(":memory:") as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "files" / "s1.toy"
    path.parent.mkdir()
    write(path, A, B)
    return path


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(IMPORTERS, "toy", NEW)


def again(store: clew.Store, **which: Any) -> ImportReport:
    (report,) = reimport(store, **which)
    return report


def thoughts(store: clew.Store) -> list[str | None]:
    return [message.get("reasoning_content") for message in conversation(store)]


@pytest.mark.usefixtures("newer")
class TestALaterParser:
    def test_makes_a_branch_and_leaves_the_old_one(self, store: clew.Store, file: Path) -> None:
        OLD.run(store, file)
        shutil.rmtree(file.parent)
        seen: list[Progress] = []
        report = again(store, progress=seen.append)
        assert (report.sessions_updated, report.broken) == (1, ())
        assert thoughts(store) == [None, "hm"]
        assert leaves(store) == [["hello", "hi"], ["hello", "hi"]]
        assert (seen[-1].done, seen[-1].total) == (1, 1)

    def test_changes_nothing_where_it_reads_the_same(self, store: clew.Store, file: Path) -> None:
        OLD.run(store, file)
        again(store)
        before = only_session(store)
        assert again(store).sessions_unchanged == 1
        assert only_session(store) == before

    def test_is_not_asked_again_by_an_import_of_the_same_file(self, store: clew.Store, file: Path) -> None:
        OLD.run(store, file)
        again(store)
        assert NEW.run(store, file).sessions_unchanged == 1

    def test_reads_a_file_that_has_grown_branched_and_moved(self, store: clew.Store, file: Path) -> None:
        write(file, {"title": "Named"}, mode="a")
        OLD.run(store, file)
        write(file, row("x", "a", "other"), mode="a")
        OLD.run(store, file)
        moved = file.with_name("moved")
        moved.mkdir()
        file.rename(moved / file.name)
        write(moved / file.name, C, {"cwd": "/later"}, mode="a")
        OLD.run(store, moved)
        report = again(store)
        assert (report.sessions, report.broken) == (1, ())
        assert thoughts(store) == [None, "hm", None]
        with clew.open(":memory:") as other:
            NEW.run(other, moved)
            assert set(map(tuple, leaves(other))) <= set(map(tuple, leaves(store)))
            assert (only_session(other).title, only_session(other).cwd) == (
                only_session(store).title,
                only_session(store).cwd,
            )

    def test_reads_a_line_that_was_torn_once(self, store: clew.Store, file: Path) -> None:
        whole = file.read_bytes()
        file.write_bytes(whole[:-20])
        OLD.run(store, file)
        assert again(store).broken == ()
        file.write_bytes(whole)
        OLD.run(store, file)
        assert again(store).broken == ()
        assert thoughts(store) == [None, "hm"]

    def test_reads_a_last_line_that_had_no_end_when_it_was_read_first(self, store: clew.Store, file: Path) -> None:
        whole = file.read_bytes()
        file.write_bytes(whole.rstrip(b"\n"))
        OLD.run(store, file)
        file.write_bytes(whole)
        write(file, C, mode="a")
        OLD.run(store, file)
        assert again(store).broken == ()
        assert thoughts(store) == [None, "hm", None]

    def test_reads_what_was_too_much_for_one_checkpoint(
        self, store: clew.Store, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "MAX_IMPORT_GROUP_BYTES", 50)
        write(file, *({"noise": "x" * 30, "n": number} for number in range(20)), C, mode="a")
        OLD.run(store, file)
        assert again(store).broken == ()
        assert thoughts(store) == [None, "hm", None]

    def test_reads_a_document_as_it_was_last(self, store: clew.Store, tmp_path: Path) -> None:
        class Document(ToyImporter):
            values: tuple[Any, ...] = ()

            def sources(self, path: Path, notes: Any) -> Iterator[Source]:
                yield Source(source_id="s1", path=path, records=ListedRecords.of_values(self.values))

        document = Document()
        for values in ((A, B, C), (A, {**B, "text": "hey"}, C), (A, {**B, "text": "hey"})):
            document.values = values
            document.run(store, tmp_path)
            report = again(store)
            assert report.broken == ()
            assert [message["content"] for message in conversation(store)] == [value["text"] for value in values]


class TestASession:
    def test_without_an_importer_is_named_and_left_alone(self, store: clew.Store, file: Path) -> None:
        OLD.run(store, file)
        before = only_session(store)
        report = again(store)
        assert "there is no importer for toy" in report.broken[0].why
        assert only_session(store) == before

    @pytest.mark.usefixtures("newer")
    @pytest.mark.parametrize("damage", ["changed", "gone", "junk"])
    def test_whose_records_are_damaged_is_named_and_left_alone(
        self, store: clew.Store, file: Path, damage: str
    ) -> None:
        OLD.run(store, file)
        session = only_session(store)
        (checkpoint,) = [
            item.id
            for item in store.list_checkpoints(session.id).items
            if store.list_attachments(item.id, prefix=raw.PREFIX)
        ]
        path, records = raw.unpack(store.get_attachment(checkpoint, raw.RECORDS))
        other = b"junk" if damage == "junk" else raw.pack(path, records[:1])
        if damage == "gone":
            store.detach(session.id, raw.RECORDS, checkpoint_id=checkpoint)
        else:
            store.attach(session.id, {raw.RECORDS: other}, checkpoint_id=checkpoint, on_conflict="replace")
        before = only_session(store)
        report = again(store)
        assert [finding.id for finding in report.broken] == [str(session.id)]
        assert only_session(store) == before

    @pytest.mark.usefixtures("newer")
    def test_or_a_source_alone_is_read(self, store: clew.Store, file: Path) -> None:
        write(file.with_name("s2.toy"), A, B)
        OLD.run(store, file.parent)
        first, second = store.list_sessions().items
        assert again(store, session_id=first.id).sessions == 1
        assert (
            store.get_session_summary(second.id).checkpoint_count < store.get_session_summary(first.id).checkpoint_count
        )
        assert again(store, source="toy").sessions == 2
        assert list(reimport(store, source="other")) == []

    def test_that_was_not_imported_is_refused(self, store: clew.Store) -> None:
        session = store.create_session("mine")
        with pytest.raises(InvalidRequestError, match="was not imported"):
            list(reimport(store, session_id=session.id))
        with pytest.raises(NotFoundError):
            list(reimport(store, session_id="01a20ab3-1ea6-7f8d-bec5-446a8f807919"))
        assert list(reimport(store)) == []
