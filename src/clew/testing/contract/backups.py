"""Backups: a copy of an open store in a file of its own."""

from pathlib import Path
from typing import Any

import pytest

from clew.errors import InvalidRequestError, UnavailableError
from clew.reports import Backup, Progress
from clew.store import Store
from clew.testing.contract.base import (
    Contract,
    OpenBackup,
    active,
    attached,
    contents,
    filled,
    findings,
    ids,
    nothing_changes,
    said,
    titles,
    users,
)
from clew.testing.contract.together import together


class BackupContract(Contract):
    """A backup is the whole store of one moment, is opened like it, and is there entirely or not at all.

    A contract of its own, for backends that make backups: a subclass of it and of `StoreContract` gives `open_backup`.
    """

    def test_a_backup_holds_all_that_the_store_holds(self, store: Store, backups: OpenBackup, tmp_path: Path) -> None:
        sessions = filled(store)
        before = contents(store)
        paths: list[Path | str] = [tmp_path / "copy", str(tmp_path / "as text")]
        for number, path in enumerate(paths):
            done = store.backup(path, verify=number == 0)
            size = Path(path).stat().st_size
            assert done == Backup(path=done.path, bytes=size, sessions=4, verified=number == 0)
            assert Path(done.path) == Path(path)
            assert Path(path).stat().st_mode & 0o777 == 0o600
            with backups(Path(path)) as copy:
                assert contents(copy) == before
                assert findings(copy) == []
                assert attached(copy, copy.append(sessions[0].id, [], label="later").id) == {"w": b"waits"}
        assert contents(store) == before

    def test_a_backup_and_its_store_go_their_own_ways(self, store: Store, backups: OpenBackup, tmp_path: Path) -> None:
        session = store.create_session("", messages=users("a"))
        store.backup(tmp_path / "copy")
        store.append(session.id, users("b"))
        with backups(tmp_path / "copy") as copy:
            assert said(copy, copy.append(session.id, users("x")).id) == "ax"
        assert said(store, store.get_active_checkpoint(session.id).id) == "ab"

    def test_a_backup_takes_the_place_of_no_file_unless_told_to(
        self, store: Store, backups: OpenBackup, tmp_path: Path
    ) -> None:
        store.create_session("kept")
        taken = tmp_path / "taken"
        taken.write_bytes(b"something else")
        with pytest.raises(InvalidRequestError, match="taken"):
            store.backup(taken)
        assert taken.read_bytes() == b"something else"
        assert store.backup(taken, overwrite=True).sessions == 1
        with backups(taken) as copy:
            assert titles(copy.list_sessions()) == ["kept"]

    def test_a_backup_that_cannot_be_written_leaves_nothing(
        self, store: Store, backups: OpenBackup, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_bytes(b"")
        store.create_session("kept")
        before = sorted(tmp_path.iterdir())
        no_paths: list[Any] = ["a\0b", 1, None, ["copy"], b"copy"]
        for wrong in no_paths:
            with pytest.raises(InvalidRequestError, match="path"):
                store.backup(wrong)
        for impossible in ("", tmp_path / "file" / "copy", tmp_path):
            with pytest.raises((InvalidRequestError, UnavailableError)):
                store.backup(impossible)
        assert sorted(tmp_path.iterdir()) == before

    def test_a_backup_never_takes_the_place_of_the_store_itself(self, store: Store, backups: OpenBackup) -> None:
        path = store.backend_info().store_path
        if path is None or not Path(path).exists():
            return
        session = store.create_session("kept", messages=users("a"))
        with pytest.raises(InvalidRequestError):
            store.backup(path, overwrite=True)
        assert said(store, store.append(session.id, users("b")).id) == "ab"

    def test_a_backup_that_is_broken_off_leaves_nothing(
        self, store: Store, backups: OpenBackup, tmp_path: Path
    ) -> None:
        store.create_session("kept")
        before = sorted(tmp_path.iterdir())

        def stop(_: Progress) -> None:
            raise RuntimeError("stop")

        with pytest.raises(RuntimeError, match="stop"):
            store.backup(tmp_path / "copy", progress=stop)
        assert sorted(tmp_path.iterdir()) == before
        assert store.backup(tmp_path / "copy").verified

    def test_a_backup_is_of_one_moment_though_others_write(
        self, store: Store, backups: OpenBackup, tmp_path: Path
    ) -> None:
        session = store.create_session("", messages=users("a"), metadata={"fill": "x" * 200_000})

        def write() -> None:
            for _ in range(40):
                store.append(session.id, users("b"), attachments={"f": b"1"})

        written, done, _ = together([write, lambda: store.backup(tmp_path / "copy"), write])
        assert written is None
        assert done.sessions == 1
        with backups(tmp_path / "copy") as copy:
            found, line = copy.get_session(session.id), store.list_checkpoints(session.id)
            assert ids(copy.list_checkpoints(session.id)) == ids(line)[: found.revision]
            assert len(active(found).state.messages) == found.revision
            assert findings(copy) == []

    def test_progress_that_cannot_be_told_is_refused_before_anything_is_copied(
        self, store: Store, tmp_path: Path
    ) -> None:
        filled(store)
        wrong: list[Any] = [1, "print", [print], True]
        for value in wrong:
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="progress"):
                store.backup(tmp_path / "copy", progress=value)
        assert not list(tmp_path.glob("copy*"))
