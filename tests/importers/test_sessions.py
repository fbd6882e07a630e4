"""The promises of importing a session: what is read again, and what somebody has changed in the store."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
from tests.importers.imported import contents, conversation, described, leaves, only_session, session_of, texts
from tests.importers.test_writing import KilledError, Mortal
from tests.importers.toy import ToyImporter, row, write

import clew
from clew.errors import InvalidRequestError
from clew.importers.formats import Source
from clew.importers.records import LineRecords

TOY = ToyImporter()
A, B, C = row("a", None, "hello there"), row("b", "a", "hi", "assistant"), row("c", "b", "more")


@pytest.fixture
def store() -> Iterator[clew.Store]:
    with clew.open(":memory:") as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "s1.toy"
    write(path, A, B)
    return path


class TestWatermark:
    def test_another_time_alone_reads_nothing(
        self, store: clew.Store, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        TOY.run(store, file)
        os.utime(file, (1, 1))
        monkeypatch.setattr(LineRecords, "__iter__", lambda self: pytest.fail("the records were read"))
        assert TOY.run(store, file).sessions_unchanged == 1

    def test_another_byte_at_the_same_time_is_read(self, store: clew.Store, file: Path) -> None:
        TOY.run(store, file)
        before = file.stat()
        file.write_bytes(file.read_bytes().replace(b"hello", b"jello"))
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert TOY.run(store, file).sessions_updated == 1
        assert leaves(store) == [["hello there", "hi"], ["jello there", "hi"]]

    def test_what_is_told_from_beside_the_records_is_read(self, store: clew.Store, file: Path) -> None:
        other = ToyImporter()
        TOY.run(store, file)
        other.context = {"cwd": "/new"}
        other.run(store, file)
        assert only_session(store).cwd == "/new"

    def test_nothing_new_adds_no_revision(self, store: clew.Store, file: Path) -> None:
        TOY.run(store, file)
        before = only_session(store)
        file.with_name("copy").write_bytes(file.read_bytes())
        for path in (file, file.parent):
            TOY.run(store, path)
        assert only_session(store) == before

    def test_a_later_parser_reads_again(self, store: clew.Store, file: Path) -> None:
        write(file, row("c", "b", "answer", "assistant", thought="hm"), mode="a")
        TOY.run(store, file)
        assert ToyImporter(2).run(store, file).sessions_updated == 1
        assert conversation(store)[-1]["reasoning_content"] == "hm"
        assert ToyImporter(2).run(store, file).sessions_unchanged == 1


class TestTitle:
    def test_is_the_first_prompt_or_what_the_source_says(self, store: clew.Store, file: Path) -> None:
        TOY.run(store, file)
        assert only_session(store).title == "hello there"
        write(file, {"title": "Named"}, mode="a")
        TOY.run(store, file)
        assert only_session(store).title == "Named"

    def test_that_came_after_a_kill_is_taken_over(self, store: clew.Store, file: Path) -> None:
        with pytest.raises(KilledError):
            TOY.run(cast(clew.Store, Mortal(store, 1)), file)
        write(file, {"title": "Named", "cwd": "/later"}, mode="a")
        TOY.run(store, file)
        assert (only_session(store).title, only_session(store).cwd) == ("Named", "/later")


class TestTimes:
    def test_are_those_of_the_steps_where_nothing_else_tells(self, store: clew.Store, file: Path) -> None:
        write(file, {**A, "at": 1_700_000_000}, {**B, "at": 1_700_000_060})
        TOY.run(store, file)
        write(file, {**C, "at": 1_700_000_120}, mode="a")
        TOY.run(store, file)
        session = only_session(store)
        assert (session.created_at.timestamp(), session.updated_at.timestamp()) == (1_700_000_000, 1_700_000_120)

    def test_a_step_without_one_has_that_of_the_step_before(self, store: clew.Store, file: Path) -> None:
        write(file, {**A, "at": 1_700_000_000}, B, C)
        TOY.run(store, file)
        assert only_session(store).updated_at.timestamp() == 1_700_000_000

    def test_to_resume_in_the_midst_of_a_checkpoint_makes_none_of_now(self, store: clew.Store, file: Path) -> None:
        write(file, {**A, "at": 1_700_000_000}, {**B, "at": 1_700_000_060}, {"active": "a"})
        TOY.run(store, file)
        assert texts(conversation(store)) == ["hello there"]
        assert only_session(store).updated_at.timestamp() == 1_700_000_060


class TestWhatSomebodyHasChanged:
    def test_stays(self, store: clew.Store, file: Path) -> None:
        TOY.run(store, file)
        session = only_session(store)
        store.update_session(session.id, title="Mine", cwd="/mine", metadata={**(session.metadata or {}), "mine": 1})
        own = store.append(session.id, [{"role": "user", "content": "own"}])
        for grown in ({"title": "Theirs", "cwd": "/theirs"}, C):
            write(file, grown, mode="a")
            TOY.run(store, file)
            now = only_session(store)
            assert (now.title, now.cwd, described(now)["mine"]) == ("Mine", "/mine", 1)
            assert now.active_checkpoint_id == own.id
        assert leaves(store) == [["hello there", "hi", "more"], ["hello there", "hi", "own"]]

    @pytest.mark.parametrize("is_mine", [True, False])
    def test_stays_after_a_kill_at_any_write(self, tmp_path: Path, is_mine: bool) -> None:
        file = tmp_path / "s1.toy"
        for writes in range(8):
            with clew.open(":memory:") as store:
                write(file, A, B)
                TOY.run(store, file)
                session = only_session(store)
                assert session.active_checkpoint_id is not None
                first = store.ancestry(session.active_checkpoint_id)[0].id
                chosen: UUID | None = None
                if is_mine:
                    root = next(item for item in store.list_checkpoints(session.id).items if item.parent_id is None)
                    chosen = root.id
                    store.set_active_checkpoint(session.id, chosen)
                write(file, C, row("d", "c", "yes", "assistant"), row("e", "d", "end"), mode="a")
                try:
                    TOY.run(cast(clew.Store, Mortal(store, writes)), file)
                except KilledError:
                    TOY.run(store, file)
                now = only_session(store)
                assert now.active_checkpoint_id is not None
                if is_mine:
                    assert now.active_checkpoint_id == chosen
                else:
                    assert texts(store.get_messages(now.active_checkpoint_id))[-1] == "end"
                assert first in {item.id for item in store.list_checkpoints(now.id).items}

    def test_stays_where_it_is_changed_meanwhile(self, store: clew.Store, file: Path) -> None:
        TOY.run(store, file)
        write(file, C, mode="a")
        session = only_session(store)
        changed: list[int] = []

        class Busy(Mortal):
            def _do(self, method: Any, *arguments: Any, **named: Any) -> Any:
                if "if_revision" in named and len(changed) < 2:
                    changed.append(1)
                    now = store.get_session_summary(session.id)
                    store.update_session(now.id, metadata={**(now.metadata or {}), f"mine{len(changed)}": 1})
                return super()._do(method, *arguments, **named)

        TOY.run(cast(clew.Store, Busy(store, 1_000)), file)
        assert set(described(only_session(store))) == {"mine1", "mine2"}


class TestSources:
    def test_that_cannot_be_stored_do_not_keep_others_out(self, store: clew.Store, file: Path) -> None:
        write(file.with_name("x" * 2 + ".toy"), {"title": "no message"})
        write(file.with_name("s2.toy"), {**A, "parent": None}, {"cwd": "/ok"})
        report = TOY.run(store, file.parent)
        assert (report.sessions_created, len(report.broken)) == (2, 1)
        assert "no message that could be read" in report.broken[0].why
        assert session_of(store, "toy", "s2").cwd == "/ok"

    def test_with_a_name_that_cannot_be_stored_are_named(self, store: clew.Store, file: Path) -> None:
        class Odd(ToyImporter):
            def sources(self, path: Path, notes: Any) -> Iterator[Source]:
                (source,) = super().sources(path, notes)
                yield Source(source_id="\0", path=source.path, records=source.records)
                yield source

        report = Odd().run(store, file)
        assert (report.sessions_created, len(report.broken)) == (1, 1)

    def test_without_a_message_make_no_session_and_say_so(self, store: clew.Store, tmp_path: Path) -> None:
        path = tmp_path / "x.toy"
        write(path, {"title": "x"})
        with pytest.raises(InvalidRequestError, match="holds 15 bytes, but no message"):
            TOY.run(store, path)
        assert store.list_sessions().items == []

    def test_that_moved_are_the_same_session(self, store: clew.Store, file: Path) -> None:
        TOY.run(store, file)
        moved = file.parent / "archive"
        moved.mkdir()
        file.rename(moved / file.name)
        write(moved / file.name, C, mode="a")
        TOY.run(store, moved)
        assert leaves(store) == [["hello there", "hi", "more"]]

    def test_of_another_owner_are_left_alone(self, store: clew.Store, file: Path) -> None:
        theirs = store.create_session("theirs", source="toy", source_id="s1", owner="somebody")
        TOY.run(store, file)
        assert store.get_session_summary(theirs.id).title == "theirs"
        assert len(store.list_sessions().items) == 2

    def test_are_not_changed_and_a_dry_run_writes_nothing(self, store: clew.Store, file: Path) -> None:
        before = contents(file.parent)
        dry = TOY.run(store, file, dry_run=True)
        assert store.list_sessions().items == []
        report = TOY.run(store, file)
        assert (dry.sessions_created, dry.checkpoints_created, dry.messages) == (1, report.checkpoints_created, 2)
        write(file, C, mode="a")
        session = only_session(store)
        assert TOY.run(store, file, dry_run=True).checkpoints_created == 1
        assert only_session(store) == session
        write(file, A, B)
        assert contents(file.parent) == before
