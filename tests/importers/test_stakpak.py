"""The promises of the import from the Stakpak agent's `local.db`, tried on files written from the format's facts."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.stakpak_databases import (
    HEALTHY_BEFORE,
    LAST_POINT_WITH_OLD_SESSIONS,
    TORN_POINTS,
    Agent,
    Breakage,
    CheckpointRow,
    Database,
    Generation,
    SessionRow,
    Shape,
    agent,
    break_row,
    chrono_text,
    continue_session,
    create_file,
    parse_chrono,
    row_id,
    set_parent,
    state_json,
    write_broken_database,
    write_database,
    write_ruin,
    write_torn_database,
)

import clew
from clew.errors import InvalidRequestError, NotFoundError, UnavailableError
from clew.importers import (
    IMPORTERS,
    Finding,
    ImportReport,
    Progress,
    discover,
    find_importer,
    import_path,
    import_stakpak,
    stakpak,
)
from clew.importers.base import Tally
from clew.importers.stakpak_source import Source


@pytest.fixture
def store(tmp_path: Path) -> Iterator[clew.Store]:
    with clew.open(tmp_path / "store" / "agent.db") as opened:
        yield opened


@pytest.fixture
def local_db(tmp_path: Path) -> Path:
    return tmp_path / "local.db"


def find(store: clew.Store, row: SessionRow) -> clew.Session:
    return store.find_session("stakpak", row.id)


def summaries(store: clew.Store, row: SessionRow) -> list[clew.CheckpointSummary]:
    return store.list_checkpoints(find(store, row).id, limit=10_000).items


def parents(store: clew.Store, row: SessionRow) -> dict[str, str | None]:
    return {
        str(checkpoint.id): None if checkpoint.parent_id is None else str(checkpoint.parent_id)
        for checkpoint in summaries(store, row)
    }


def chain_of(ids: list[str]) -> dict[str, str | None]:
    return dict(zip(ids, [None, *ids], strict=False))


def assert_imported(store: clew.Store, database: Database) -> None:
    """Everything in the file is in the store, just as it was."""
    assert store.list_sessions(limit=1000).total == len(database.sessions)
    for row in database.sessions:
        assert_session(store, row)


def assert_session(store: clew.Store, row: SessionRow) -> None:
    session = find(store, row)
    assert str(session.id) == row.id
    assert (session.title, session.cwd) == (row.title, row.cwd)
    assert (session.visibility, session.status) == (row.visibility, row.status or "ACTIVE")
    assert session.created_at == parse_chrono(row.created_at)
    assert session.updated_at == parse_chrono(row.updated_at)
    assert session.active_checkpoint is not None
    assert str(session.active_checkpoint.id) == row.newest.id
    # The generator writes rows in the order of their times, except that a fork's second row repeats the first one's.
    expected = sorted(row.checkpoints, key=lambda checkpoint: parse_chrono(checkpoint.created_at))
    assert [str(checkpoint.id) for checkpoint in summaries(store, row)] == [checkpoint.id for checkpoint in expected]
    for checkpoint in row.checkpoints:
        assert_checkpoint(store, checkpoint)


def assert_checkpoint(store: clew.Store, row: CheckpointRow) -> None:
    checkpoint = store.get_checkpoint(row.id)
    assert str(checkpoint.session_id) == row.session_id
    assert (None if checkpoint.parent_id is None else str(checkpoint.parent_id)) == row.parent_id
    assert checkpoint.created_at == parse_chrono(row.created_at)
    # As text, so that the order of keys and the form of numbers count.
    assert json.dumps(checkpoint.state.messages) == json.dumps(row.messages)
    assert checkpoint.state.metadata == row.metadata


def one_session(path: Path, *states: object) -> SessionRow:
    """A file with one session whose checkpoints are a chain with exactly these states."""
    create_file(path)
    times = [chrono_text((1_770_000_000 + number) * 1_000_000_000) for number in range(len(states))]
    ids = [row_id(2, number) for number in range(len(states))]
    rows = [
        CheckpointRow(
            id=ids[i], session_id=row_id(1, 1), parent_id=ids[i - 1] if i else None, created_at=times[i], messages=[]
        )
        for i in range(len(states))
    ]
    session = SessionRow(
        id=row_id(1, 1),
        title="One",
        visibility="PRIVATE",
        status="ACTIVE",
        cwd=None,
        created_at=times[0],
        updated_at=times[-1],
        checkpoints=rows,
    )
    with agent(path) as writer:
        writer.add_session(session)
        for row, state in zip(rows, states, strict=True):
            writer.add_raw(row, state)
    return session


def clean(report: ImportReport) -> bool:
    return not report.broken and not report.mended


class TestEveryGeneration:
    @pytest.mark.parametrize("wal", [True, False], ids=["wal", "rollback journal"])
    @pytest.mark.parametrize("generation", list(Generation))
    def test_is_imported_as_it_was(self, store: clew.Store, local_db: Path, generation: Generation, wal: bool) -> None:
        database = write_database(local_db, generation, Shape(sessions=4), wal=wal)
        report = import_stakpak(store, local_db)
        assert clean(report)
        assert (report.sessions_created, report.checkpoints_created) == (4, len(database.checkpoints))
        assert_imported(store, database)

    def test_the_test_data_has_branches_roots_ties_deleted_and_null(self, local_db: Path) -> None:
        """Or the test above would promise less than it says."""
        sessions = write_database(local_db).sessions
        checkpoints = [row for session in sessions for row in session.checkpoints]
        assert {row.status for row in sessions} == {"ACTIVE", "DELETED", None}
        assert {row.visibility for row in sessions} == {"PRIVATE", "PUBLIC"}
        assert None in {row.cwd for row in sessions}
        assert len({row.parent_id for row in checkpoints if row.parent_id}) < sum(
            1 for row in checkpoints if row.parent_id
        )
        assert any(sum(row.parent_id is None for row in session.checkpoints) > 1 for session in sessions)
        assert any(session.newest.created_at == session.checkpoints[-2].created_at for session in sessions)
        assert {len(row.created_at.partition(".")[2].removesuffix("+00:00")) for row in checkpoints} == {0, 3, 6, 9}
        assert any("tool_calls" in message for row in checkpoints for message in row.messages)
        assert any("usage" in message for row in checkpoints for message in row.messages)
        assert any(row.metadata for row in checkpoints)

    def test_a_message_that_lost_its_usage_later_is_kept_in_both_forms(self, store: clew.Store, local_db: Path) -> None:
        database = write_database(local_db, shape=Shape(usage_on_newest_only=True))
        assert clean(import_stakpak(store, local_db))
        assert_imported(store, database)

    def test_columns_tables_and_indexes_that_are_not_known_do_no_harm(self, store: clew.Store, local_db: Path) -> None:
        database = write_database(local_db)
        with agent(local_db) as writer:
            writer.connection.execute("ALTER TABLE checkpoints ADD COLUMN extra TEXT")
            writer.connection.execute("CREATE TABLE other (x)")
            writer.connection.execute("CREATE INDEX fast ON checkpoints (session_id, created_at, id)")
            writer.connection.execute("INSERT INTO _migrations VALUES (3, 'Later', datetime('now'))")
        assert clean(import_stakpak(store, local_db))
        assert_imported(store, database)


class TestTornByItsOwnMigration:
    @pytest.mark.parametrize("partial", [False, True], ids=["whole", "partial"])
    @pytest.mark.parametrize("generation", [Generation.LEGACY, Generation.V1, Generation.INTERMEDIATE])
    @pytest.mark.parametrize("point", TORN_POINTS)
    def test_everything_is_rescued(
        self, store: clew.Store, local_db: Path, point: int, generation: Generation, partial: bool
    ) -> None:
        database = write_torn_database(local_db, point, generation, partial=partial)
        assert clean(import_stakpak(store, local_db))
        assert_imported(store, database)

    def test_a_session_deleted_before_the_migration_is_not_brought_back(
        self, store: clew.Store, local_db: Path
    ) -> None:
        """The migration copies every session as ACTIVE and without its cwd, while the old table still has the truth."""
        database = write_torn_database(local_db, LAST_POINT_WITH_OLD_SESSIONS, Generation.INTERMEDIATE)
        import_stakpak(store, local_db)
        deleted = next(row for row in database.sessions if row.status == "DELETED")
        assert find(store, deleted).status == "DELETED"
        assert find(store, deleted).cwd == deleted.cwd is not None

    def test_a_session_used_after_it_was_copied_is_taken_from_the_new_table(
        self, store: clew.Store, local_db: Path
    ) -> None:
        database = write_torn_database(local_db, LAST_POINT_WITH_OLD_SESSIONS, Generation.INTERMEDIATE)
        row = database.sessions[0]
        with agent(local_db) as writer:
            later = chrono_text(1_800_000_000_000_000_000)
            writer.connection.execute("UPDATE sessions SET title = 'New', updated_at = ? WHERE id = ?", (later, row.id))
        import_stakpak(store, local_db)
        assert find(store, row).title == "New"


class TestTheSource:
    @pytest.mark.parametrize("wal", [True, False], ids=["wal", "rollback journal"])
    def test_is_not_changed_by_a_byte(self, store: clew.Store, local_db: Path, wal: bool) -> None:
        write_database(local_db, Generation.INTERMEDIATE, wal=wal)
        before = local_db.read_bytes(), local_db.stat().st_mtime_ns
        import_stakpak(store, local_db)
        assert (local_db.read_bytes(), local_db.stat().st_mtime_ns) == before
        left = {path.name: path.stat().st_size for path in local_db.parent.glob("local.db-*")}
        assert left.get("local.db-wal", 0) == 0
        assert "local.db-journal" not in left

    def test_is_not_changed_when_it_was_left_with_a_wal(self, store: clew.Store, tmp_path: Path) -> None:
        """What a killed agent leaves: part of the data only in the -wal, which an ordinary reader would fold back."""
        database, path = copy_with_hot_wal(tmp_path)
        wal = path.with_name(f"{path.name}-wal")
        before = path.read_bytes(), wal.read_bytes()
        assert clean(import_stakpak(store, path))
        assert (path.read_bytes(), wal.read_bytes()) == before
        assert_imported(store, database)

    def test_may_be_in_use_by_a_running_agent(self, store: clew.Store, local_db: Path) -> None:
        """Committed rows are read although they are only in the -wal; the agent is not kept from writing meanwhile."""
        database = write_database(local_db, shape=Shape(sessions=2, trees=False))
        first = database.sessions[0]
        with RunningAgent(local_db, first) as running:
            running.commit(1)
            running.begin(2)
            steps = IMPORTERS["stakpak"].steps(store, local_db)
            next(steps)
            running.finish()
            running.commit(3)
            list(steps)
            imported = {str(checkpoint.id) for checkpoint in summaries(store, first)}
            assert running.id(1) in imported
            assert running.id(2) not in imported
            assert import_stakpak(store, local_db).checkpoints_created == 2
        assert {running.id(2), running.id(3)} <= {str(checkpoint.id) for checkpoint in summaries(store, first)}

    def test_may_lie_in_a_folder_that_cannot_be_written(self) -> None:
        """Such as a backup: SQLite can make no -shm there, without which it does not read a file in WAL mode."""
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "local.db"
            write_database(path, shape=Shape(sessions=1))
            with unwritable(Path(name)), closing(Source(path, Tally("stakpak", path))) as source:
                assert len(source.sessions()) == 1

    def test_in_such_a_folder_is_not_read_without_what_is_in_its_wal(self, tmp_path: Path) -> None:
        with tempfile.TemporaryDirectory() as name:
            _, killed = copy_with_hot_wal(tmp_path)
            path = Path(shutil.copy(killed, name))
            shutil.copy(f"{killed}-wal", name)
            with unwritable(Path(name)), pytest.raises(UnavailableError, match="cannot be read"):
                Source(path, Tally("stakpak", path))

    def test_is_read_one_state_at_a_time(self, store: clew.Store, local_db: Path) -> None:
        """The memory it takes is a few times the largest state, not the size of the file."""
        write_database(local_db, shape=Shape(sessions=2, turns=150, message_bytes=1000, trees=False))
        largest = 150 * 2 * 1200
        assert local_db.stat().st_size > 100 * largest
        tracemalloc.start()
        try:
            import_stakpak(store, local_db)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 12 * largest


class RunningAgent:
    """An agent in a process of its own, which keeps the file open and has written to its -wal."""

    _CODE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA wal_autocheckpoint=0")
for line in sys.stdin:
    connection.execute(line)
    print("done", flush=True)
"""

    def __init__(self, path: Path, session: SessionRow) -> None:
        self._session = session
        self._process = subprocess.Popen(
            [sys.executable, "-c", self._CODE, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def id(self, number: int) -> str:
        return row_id(3, number)

    def commit(self, number: int) -> None:
        self._run(self._insert(number))

    def begin(self, number: int) -> None:
        self._run("BEGIN IMMEDIATE")
        self._run(self._insert(number))

    def finish(self) -> None:
        self._run("COMMIT")

    def _insert(self, number: int) -> str:
        created_at = chrono_text((1_790_000_000 + number) * 1_000_000_000)
        values = (self.id(number), self._session.id, self._session.newest.id, '{"messages":[]}', created_at, created_at)
        quoted = ",".join(f"'{value}'" for value in values)
        return f"INSERT INTO checkpoints (id, session_id, parent_id, state, created_at, updated_at) VALUES ({quoted})"

    def _run(self, statement: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(statement + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def __enter__(self) -> "RunningAgent":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
        assert self._process.returncode == 0


def copy_with_hot_wal(tmp_path: Path) -> tuple[Database, Path]:
    """A file and the -wal beside it, as they are when the agent is killed before it has folded one into the other."""
    database = write_database(tmp_path / "running.db", shape=Shape(sessions=1, trees=False))
    path = tmp_path / "killed.db"
    with closing(sqlite3.connect(database.path)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        added = CheckpointRow(
            id=row_id(3, 1),
            session_id=database.sessions[0].id,
            parent_id=database.sessions[0].newest.id,
            created_at=database.sessions[0].updated_at,
            messages=[*database.sessions[0].newest.messages, {"role": "user", "content": "only in the wal"}],
        )
        connection.execute(
            "INSERT INTO checkpoints (id, session_id, parent_id, state, created_at, updated_at) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (
                added.id,
                added.session_id,
                added.parent_id,
                state_json(added.messages),
                added.created_at,
                added.created_at,
            ),
        )
        connection.commit()
        shutil.copy(database.path, path)
        shutil.copy(f"{database.path}-wal", f"{path}-wal")
    session = msgspec.structs.replace(database.sessions[0], checkpoints=[*database.sessions[0].checkpoints, added])
    return msgspec.structs.replace(database, path=path, sessions=[session]), path


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """While it lasts, nobody may write in the folder, and root is somebody else."""
    root = os.geteuid() == 0
    folder.chmod(0o555)
    if root:
        os.seteuid(65534)
    try:
        assert not os.access(folder, os.W_OK, effective_ids=True)
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)


class TestAnotherRun:
    def test_imports_nothing_new(self, store: clew.Store, local_db: Path) -> None:
        database = write_database(local_db)
        import_stakpak(store, local_db)
        before = [find(store, row).revision for row in database.sessions]
        report = import_stakpak(store, local_db)
        assert clean(report)
        assert (report.sessions_created, report.sessions_updated, report.sessions_unchanged) == (0, 0, 3)
        assert (report.checkpoints_created, report.checkpoints_known) == (0, len(database.checkpoints))
        assert [find(store, row).revision for row in database.sessions] == before
        assert_imported(store, database)

    def test_does_not_read_again_what_it_has(self, store: clew.Store, local_db: Path) -> None:
        """The states are spoilt between the runs: whoever reads them would notice."""
        database = write_database(local_db)
        import_stakpak(store, local_db)
        with agent(local_db) as writer:
            writer.connection.execute("UPDATE checkpoints SET state = 'spoilt', created_at = 'spoilt'")
        report = import_stakpak(store, local_db)
        assert clean(report)
        assert report.bytes_read == 0
        assert_imported(store, database)

    def test_knows_what_it_has_however_much_it_is(
        self, store: clew.Store, local_db: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(stakpak, "_PAGE", 2)
        database = write_database(local_db)
        import_stakpak(store, local_db)
        continue_session(database, database.sessions[0])
        assert import_stakpak(store, local_db).checkpoints_created == 2

    def test_imports_just_what_the_agent_has_added(self, store: clew.Store, local_db: Path) -> None:
        database = write_database(local_db)
        import_stakpak(store, local_db)
        added = continue_session(database, database.sessions[1])
        report = import_stakpak(store, local_db)
        assert clean(report)
        assert (report.sessions_created, report.sessions_updated, report.sessions_unchanged) == (0, 1, 2)
        assert report.checkpoints_created == len(added) == 2
        assert report.bytes_read == sum(len(state_json(row.messages).encode()) for row in added)
        assert_session(store, continued(database.sessions[1], added))
        assert_session(store, database.sessions[0])

    def test_takes_over_a_new_title_and_a_deletion(self, store: clew.Store, local_db: Path) -> None:
        database = write_database(local_db)
        import_stakpak(store, local_db)
        row = next(row for row in database.sessions if row.status is None)
        later = chrono_text(1_800_000_000_000_000_000)
        with agent(local_db) as writer:
            writer.connection.execute(
                "UPDATE sessions SET title = 'Better', status = 'DELETED', updated_at = ? WHERE id = ?", (later, row.id)
            )
        report = import_stakpak(store, local_db)
        assert (report.sessions_updated, report.sessions_unchanged) == (1, 2)
        assert_session(store, msgspec.structs.replace(row, title="Better", status="DELETED", updated_at=later))

    def test_leaves_alone_what_was_changed_in_the_store(self, store: clew.Store, local_db: Path) -> None:
        database = write_database(local_db, shape=Shape(trees=False))
        row = next(row for row in database.sessions if row.status != "DELETED")
        import_stakpak(store, local_db)
        store.update_session(row.id, title="Mine")
        store.delete_session(row.id)
        store.set_active_checkpoint(row.id, row.checkpoints[0].id)
        import_stakpak(store, local_db)
        session = find(store, row)
        assert session.active_checkpoint is not None
        assert str(session.active_checkpoint.id) == row.checkpoints[0].id
        continue_session(database, row)
        assert import_stakpak(store, local_db).checkpoints_created == 2
        assert (find(store, row).title, find(store, row).status) == ("Mine", "DELETED")

    def test_loses_no_metadata_that_is_written_at_the_same_time(
        self, store: clew.Store, local_db: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database = write_database(local_db)
        import_stakpak(store, local_db)
        row = database.sessions[0]
        update = store.update_session

        def update_after_another(session_id: UUID, **changes: Any) -> clew.Session:
            monkeypatch.setattr(store, "update_session", update)
            update(session_id, metadata={**(find(store, row).metadata or {}), "mine": 1})
            return update(session_id, **changes)

        monkeypatch.setattr(store, "update_session", update_after_another)
        with agent(local_db) as writer:
            writer.connection.execute("UPDATE sessions SET title = 'Better' WHERE id = ?", (row.id,))
        import_stakpak(store, local_db)
        session = find(store, row)
        assert session.title == "Better"
        assert session.metadata is not None
        assert session.metadata["mine"] == 1
        assert session.metadata["stakpak"]["title"] == "Better"

    def test_keeps_active_what_was_done_in_the_store_since(self, store: clew.Store, local_db: Path) -> None:
        """What the agent adds is a branch beside it, unless it is newer."""
        database = write_database(local_db, shape=Shape(trees=False))
        row = database.sessions[0]
        import_stakpak(store, local_db)
        mine = store.append(row.id, [{"role": "user", "content": "in clew"}])
        added = continue_session(database, row)
        assert parse_chrono(added[-1].created_at) < mine.created_at
        import_stakpak(store, local_db)
        session = find(store, row)
        assert session.active_checkpoint is not None
        assert session.active_checkpoint.id == mine.id
        assert_checkpoint(store, added[-1])

    def test_keeps_active_what_was_done_in_the_store_at_the_very_same_time(
        self, store: clew.Store, local_db: Path
    ) -> None:
        database = write_database(local_db, shape=Shape(trees=False))
        row = database.sessions[0]
        import_stakpak(store, local_db)
        (added,) = continue_session(database, row, turns=1)
        mine = store.append(row.id, [{"role": "user"}], created_at=parse_chrono(added.created_at))
        import_stakpak(store, local_db)
        assert store.get_active_checkpoint(row.id).id == mine.id

    def test_finishes_what_was_interrupted(self, store: clew.Store, local_db: Path) -> None:
        database = write_database(local_db)
        for enough in (1, 4, 9, 14):
            steps = IMPORTERS["stakpak"].steps(store, local_db)
            for _ in range(enough):
                next(steps)
            steps.close()
        import_stakpak(store, local_db)
        assert_imported(store, database)

    def test_of_an_older_copy_changes_nothing(self, store: clew.Store, local_db: Path, tmp_path: Path) -> None:
        database = write_database(local_db)
        shutil.copy(local_db, tmp_path / "copy.db")
        added = continue_session(database, database.sessions[0])
        import_stakpak(store, local_db)
        report = import_stakpak(store, tmp_path / "copy.db")
        assert report.checkpoints_created == 0
        assert_session(store, continued(database.sessions[0], added))


class TestADryRun:
    def test_says_what_an_import_would_do_and_changes_nothing(self, store: clew.Store, local_db: Path) -> None:
        database = write_database(local_db)
        dry = IMPORTERS["stakpak"].run(store, local_db, dry_run=True)
        assert store.list_sessions().items == []
        report = import_stakpak(store, local_db)
        assert msgspec.structs.replace(dry, dry_run=False) == report
        row = database.sessions[0]
        added = continue_session(database, row)
        before = [find(store, session) for session in database.sessions]
        dry = IMPORTERS["stakpak"].run(store, local_db, dry_run=True)
        assert (dry.sessions_updated, dry.checkpoints_created) == (1, len(added))
        assert [find(store, session) for session in database.sessions] == before


def continued(row: SessionRow, added: list[CheckpointRow]) -> SessionRow:
    return msgspec.structs.replace(row, checkpoints=[*row.checkpoints, *added], updated_at=added[-1].created_at)


_ID_LOST = {Breakage.BAD_ID, Breakage.BLOB_ID, Breakage.NULL_ID}
_WHY = {
    Breakage.NULL_STATE: "state is NULL",
    Breakage.EMPTY_STATE: "state is not JSON",
    Breakage.MALFORMED_STATE: "state is not JSON",
    Breakage.TRUNCATED_STATE: "state is not JSON",
    Breakage.STATE_NOT_AN_OBJECT: "state is not an object",
    Breakage.STATE_NULL_JSON: "state is not an object",
    Breakage.MESSAGES_NOT_AN_ARRAY: "messages is not an array",
    Breakage.MESSAGES_NULL: "messages is not an array",
    Breakage.MESSAGE_NOT_AN_OBJECT: "messages[1] is not an object",
    Breakage.NUMBER_OUT_OF_RANGE: "out of range",
    Breakage.TOO_DEEP: "nested too deeply",
    Breakage.NOT_UTF8: "is not UTF-8",
    Breakage.BLOB_STATE: "state is of type BLOB",
    Breakage.NUMBER_STATE: "state is not an object",
    Breakage.BAD_ID: "is not a UUID",
    Breakage.BLOB_ID: "id is of type BLOB",
    Breakage.NULL_ID: "id is NULL",
    Breakage.BAD_TIME: "is not a time",
    Breakage.BLOB_TIME: "created_at is of type BLOB",
    Breakage.BAD_SESSION_ID: "session_id 'session-1' is not a UUID",
    Breakage.MISSING_SESSION: "is not in the file",
}


class TestABrokenRow:
    @pytest.mark.parametrize("breakage", list(Breakage))
    def test_is_named_and_left_out(self, store: clew.Store, local_db: Path, breakage: Breakage) -> None:
        database = write_broken_database(local_db, breakage)
        report = import_stakpak(store, local_db)
        first, second, broken, last = database.sessions[0].checkpoints
        (finding,) = report.broken
        assert finding.table == "checkpoints"
        assert finding.id == {Breakage.BAD_ID: "not-a-uuid"}.get(
            breakage, f"rowid {HEALTHY_BEFORE + 1}" if breakage in _ID_LOST else broken.id
        )
        assert _WHY[breakage] in finding.why
        assert report.checkpoints_created == 3
        for healthy in (first, second):
            assert_checkpoint(store, healthy)
        assert store.get_checkpoint(last.id).state.messages == last.messages
        with pytest.raises(NotFoundError):
            store.get_checkpoint(broken.id)

    @pytest.mark.parametrize("breakage", list(Breakage))
    def test_leaves_its_children_to_its_own_parent_and_says_so(
        self, store: clew.Store, local_db: Path, breakage: Breakage
    ) -> None:
        database = write_broken_database(local_db, breakage)
        report = import_stakpak(store, local_db)
        _, second, broken, last = database.sessions[0].checkpoints
        lost = breakage in _ID_LOST  # with its id, what it was the child of is lost too
        assert parents(store, database.sessions[0])[last.id] == (None if lost else second.id)
        why = "is not in the file: made a root" if lost else f"cannot be read: hung onto {second.id}"
        assert report.mended == (Finding("checkpoints", last.id, f"its parent {broken.id} {why}"),)

    def test_of_every_kind_at_once_hides_no_other(self, store: clew.Store, local_db: Path) -> None:
        ruin = write_ruin(local_db)
        report = import_stakpak(store, local_db)
        assert len(report.broken) == len(ruin.broken) == len(Breakage)
        assert {finding.id for finding in report.broken} >= set(ruin.broken[: -len(_ID_LOST) - 4])
        for healthy in ruin.database.sessions[1:]:
            assert_session(store, healthy)
        first, last = ruin.database.sessions[0].checkpoints[0], ruin.database.sessions[0].checkpoints[-1]
        assert store.get_checkpoint(last.id).state.messages == last.messages
        assert set(parents(store, ruin.database.sessions[0])) == {first.id, last.id}

    def test_is_named_again_by_the_next_run_and_taken_once_it_is_mended(
        self, store: clew.Store, local_db: Path
    ) -> None:
        database = write_broken_database(local_db, Breakage.TRUNCATED_STATE)
        broken = database.sessions[0].checkpoints[HEALTHY_BEFORE]
        assert import_stakpak(store, local_db).broken == import_stakpak(store, local_db).broken != ()
        with agent(local_db) as writer:
            mended = state_json(broken.messages)
            writer.connection.execute("UPDATE checkpoints SET state = ? WHERE id = ?", (mended, broken.id))
        report = import_stakpak(store, local_db)
        assert (report.broken, report.checkpoints_created) == ((), 1)
        assert_checkpoint(store, broken)

    def test_first_of_its_session_leaves_the_others_as_roots(self, store: clew.Store, local_db: Path) -> None:
        database = write_database(local_db, shape=Shape(sessions=1, turns=2, trees=False))
        first, second, third = database.sessions[0].checkpoints
        with agent(local_db) as writer:
            break_row(writer.connection, "checkpoints", first.id, Breakage.NULL_STATE)
        import_stakpak(store, local_db)
        assert parents(store, database.sessions[0]) == chain_of([second.id, third.id])

    def test_among_several_in_a_row_is_skipped_up_to_the_nearest_readable(
        self, store: clew.Store, local_db: Path
    ) -> None:
        database = write_database(local_db, shape=Shape(sessions=1, turns=5, trees=False))
        ids = [row.id for row in database.sessions[0].checkpoints]
        with agent(local_db) as writer:
            break_row(writer.connection, "checkpoints", ids[2], Breakage.BAD_TIME)
            break_row(writer.connection, "checkpoints", ids[3], Breakage.BLOB_STATE)
            break_row(writer.connection, "checkpoints", ids[4], Breakage.BAD_SESSION_ID)
        import_stakpak(store, local_db)
        assert parents(store, database.sessions[0]) == chain_of([ids[0], ids[1], ids[5]])

    @pytest.mark.parametrize("breakage", [Breakage.BAD_ID, Breakage.NULL_ID, Breakage.BAD_TIME])
    def test_of_a_session_is_named_with_every_checkpoint_lost_by_it(
        self, store: clew.Store, local_db: Path, breakage: Breakage
    ) -> None:
        database = write_database(local_db)
        lost, *others = database.sessions
        with agent(local_db) as writer:
            break_row(writer.connection, "sessions", lost.id, breakage)
        report = import_stakpak(store, local_db)
        assert [finding.table for finding in report.broken] == ["sessions", *["checkpoints"] * len(lost.checkpoints)]
        for row in others:
            assert_session(store, row)
        with pytest.raises(NotFoundError):
            find(store, lost)

    def test_without_a_session_whose_checkpoints_are_all_broken_is_not_read_as_empty(
        self, store: clew.Store, local_db: Path
    ) -> None:
        database = write_database(local_db)
        lost = database.sessions[0]
        with agent(local_db) as writer:
            writer.connection.execute("UPDATE checkpoints SET state = NULL WHERE session_id = ?", (lost.id,))
        report = import_stakpak(store, local_db)
        assert Finding("sessions", lost.id, "has no checkpoint that can be read") in report.broken
        assert len(report.broken) == len(lost.checkpoints) + 1
        assert report.sessions_created == 2

    def test_that_the_store_refuses_says_why(self, store: clew.Store, local_db: Path) -> None:
        deep = '{"messages":[{"role":"user","content":' + "[" * 400 + "]" * 400 + "}]}"
        session = one_session(local_db, state_json([{"role": "user", "content": "x"}]), deep)
        (finding,) = import_stakpak(store, local_db).broken
        assert finding.id == session.checkpoints[1].id
        assert "the store refuses it" in finding.why
        assert "MAX_NESTING" in finding.why


class TestParents:
    def test_missing_makes_a_root_and_says_so(self, store: clew.Store, local_db: Path) -> None:
        database = write_database(local_db, shape=Shape(sessions=1, turns=2, trees=False))
        first, second, third = (row.id for row in database.sessions[0].checkpoints)
        set_parent(database, second, row_id(2, 99))
        report = import_stakpak(store, local_db)
        assert parents(store, database.sessions[0]) == {first: None, second: None, third: second}
        why = f"its parent {row_id(2, 99)} is not in the file: made a root"
        assert report.mended == (Finding("checkpoints", second, why),)
        assert report.broken == ()

    def test_of_another_session_makes_a_root_and_says_so(self, store: clew.Store, local_db: Path) -> None:
        database = write_database(local_db, shape=Shape(sessions=2, turns=2, trees=False))
        first, second, third = (row.id for row in database.sessions[0].checkpoints)
        foreign = database.sessions[1].checkpoints[1].id
        set_parent(database, second, foreign)
        report = import_stakpak(store, local_db)
        assert parents(store, database.sessions[0]) == {first: None, second: None, third: second}
        why = f"its parent {foreign} belongs to another session: made a root"
        assert report.mended == (Finding("checkpoints", second, why),)

    @pytest.mark.parametrize("parent", ["not-a-uuid", "", b"\x01"])
    def test_that_is_no_id_makes_a_root_and_says_so(
        self, store: clew.Store, local_db: Path, parent: str | bytes
    ) -> None:
        database = write_database(local_db, shape=Shape(sessions=1, turns=2, trees=False))
        _, second, _ = (row.id for row in database.sessions[0].checkpoints)
        with agent(local_db) as writer:
            writer.connection.execute("UPDATE checkpoints SET parent_id = ? WHERE id = ?", (parent, second))
        (finding,) = import_stakpak(store, local_db).mended
        assert (finding.table, finding.id) == ("checkpoints", second)
        assert finding.why.endswith("made a root")
        assert parents(store, database.sessions[0])[second] is None

    def test_in_a_ring_lose_nothing(self, store: clew.Store, local_db: Path) -> None:
        database = write_database(local_db, shape=Shape(sessions=1, turns=4, trees=False))
        ids = [row.id for row in database.sessions[0].checkpoints]
        set_parent(database, ids[1], ids[3])
        report = import_stakpak(store, local_db)
        assert parents(store, database.sessions[0]) == {ids[0]: None, **chain_of(ids[1:])}
        assert report.mended == (Finding("checkpoints", ids[1], f"its parent {ids[3]} descends from it: made a root"),)

    def test_in_a_ring_of_broken_rows_make_a_root(self, store: clew.Store, local_db: Path) -> None:
        database = write_database(local_db, shape=Shape(sessions=1, turns=3, trees=False))
        ids = [row.id for row in database.sessions[0].checkpoints]
        set_parent(database, ids[1], ids[2])
        with agent(local_db) as writer:
            break_row(writer.connection, "checkpoints", ids[1], Breakage.BAD_SESSION_ID)
            break_row(writer.connection, "checkpoints", ids[2], Breakage.BAD_SESSION_ID)
        import_stakpak(store, local_db)
        assert parents(store, database.sessions[0]) == {ids[0]: None, ids[3]: None}

    def test_that_are_themselves_make_a_root(self, store: clew.Store, local_db: Path) -> None:
        database = write_database(local_db, shape=Shape(sessions=1, turns=2, trees=False))
        first, second, third = (row.id for row in database.sessions[0].checkpoints)
        set_parent(database, second, second)
        report = import_stakpak(store, local_db)
        assert parents(store, database.sessions[0]) == {first: None, second: None, third: second}
        assert report.mended == (Finding("checkpoints", second, f"its parent {second} descends from it: made a root"),)

    def test_leave_their_children_in_the_order_of_their_times(self, store: clew.Store, local_db: Path) -> None:
        """Rows may be inserted in another order than that of the times in them; equal times keep the order of rows."""
        database = write_database(local_db, shape=Shape(sessions=1, turns=4, trees=False))
        ids = [row.id for row in database.sessions[0].checkpoints]
        with agent(local_db) as writer:
            for number, seconds in ((1, 9), (2, 7), (3, 8), (4, 7)):
                values = (ids[0], chrono_text((1_790_000_000 + seconds) * 1_000_000_000), ids[number])
                writer.connection.execute("UPDATE checkpoints SET parent_id = ?, created_at = ? WHERE id = ?", values)
        import_stakpak(store, local_db)
        listed = [str(checkpoint.id) for checkpoint in summaries(store, database.sessions[0])]
        assert listed == [ids[0], ids[2], ids[4], ids[3], ids[1]]

    def test_come_before_their_children_even_where_the_clock_went_back(self, store: clew.Store, local_db: Path) -> None:
        database = write_database(local_db, shape=Shape(sessions=1, turns=4, trees=False))
        ids = [row.id for row in database.sessions[0].checkpoints]
        with agent(local_db) as writer:
            early = chrono_text(1_700_000_000_000_000_000)
            writer.connection.execute("UPDATE checkpoints SET created_at = ? WHERE id = ?", (early, ids[4]))
        report = import_stakpak(store, local_db)
        assert clean(report)
        assert parents(store, database.sessions[0]) == chain_of(ids)
        assert [str(checkpoint.id) for checkpoint in summaries(store, database.sessions[0])] == ids
        # The newest by the clock is active, although the other was written after it.
        active = find(store, database.sessions[0]).active_checkpoint
        assert active is not None
        assert str(active.id) == ids[3]
        assert str(store.get_checkpoint(ids[4]).created_at.year) == "2023"


class Node(NamedTuple):
    """A checkpoint of an invented tree. `parent` is an earlier one, or one that is not in the file, or none;
    `rank` decides about its place among the rows of the table."""

    parent: int | None
    second: int
    rank: float
    readable: bool


NOT_IN_THE_FILE = 99


@st.composite
def trees(draw: st.DrawFn) -> list[Node]:
    nodes: list[Node] = []
    for index in range(draw(st.integers(1, 8))):
        parent = draw(st.sampled_from([None, NOT_IN_THE_FILE, *range(index)]))
        readable = draw(st.integers(0, 3)) > 0
        nodes.append(Node(parent, draw(st.integers(0, 4)), draw(st.floats(0, 1)), readable))
    return nodes


class TestAnyTree:
    """Parents, times, order of rows and broken rows at random, against the rules written down naively."""

    @settings(max_examples=150, deadline=None)
    @given(trees(), st.integers(0, 8))
    def test_keeps_what_can_be_kept(self, tree: list[Node], written_first: int) -> None:
        # Between two runs a row never comes before its parent; within one, rows may stand in any order.
        order = sorted(range(len(tree)), key=lambda index: (index >= written_first, tree[index].rank, index))
        with tempfile.TemporaryDirectory() as folder, clew.open(":memory:") as store:
            path = Path(folder) / "local.db"
            write_tree(path, tree, order[:written_first])
            self.bring(store, path)
            with agent(path) as writer:
                add_nodes(writer, tree, order[written_first:])
            report = self.bring(store, path)
            if report is None:
                assert not any(node.readable for node in tree)
            else:
                self.check(store, tree, order, report)

    def bring(self, store: clew.Store, path: Path) -> ImportReport | None:
        try:
            return import_stakpak(store, path)
        except InvalidRequestError as error:
            if "no session of it can be read" not in str(error):
                raise
            return None

    def check(self, store: clew.Store, tree: list[Node], order: list[int], report: ImportReport) -> None:
        readable = {index: node for index, node in enumerate(tree) if node.readable}
        assert {finding.id for finding in report.broken} == {row_id(2, i) for i in order if i not in readable}
        listed = store.list_checkpoints(row_id(1, 1)).items
        assert {str(checkpoint.id) for checkpoint in listed} == {row_id(2, index) for index in readable}
        for index, node in readable.items():
            checkpoint = store.get_checkpoint(row_id(2, index))
            assert checkpoint.state.messages == talk_of(tree, index)
            ancestor = node.parent
            while ancestor is not None and ancestor != NOT_IN_THE_FILE and ancestor not in readable:
                ancestor = tree[ancestor].parent
            lost = ancestor is None or ancestor == NOT_IN_THE_FILE
            assert checkpoint.parent_id == (None if lost else UUID(row_id(2, ancestor or 0)))
        newest = max(readable, key=lambda index: (tree[index].second, order.index(index)))
        assert str(store.get_active_checkpoint(row_id(1, 1)).id) == row_id(2, newest)


def write_tree(path: Path, tree: list[Node], indices: list[int]) -> None:
    create_file(path, wal=False)
    time = chrono_text(1_770_000_000_000_000_000)
    session = SessionRow(
        id=row_id(1, 1), title="Any", visibility="PRIVATE", status=None, cwd=None, created_at=time, updated_at=time,
        checkpoints=[],
    )  # fmt: skip
    with agent(path) as writer:
        writer.add_session(session)
        add_nodes(writer, tree, indices)


def add_nodes(writer: Agent, tree: list[Node], indices: list[int]) -> None:
    for index in indices:
        node = tree[index]
        row = CheckpointRow(
            id=row_id(2, index),
            session_id=row_id(1, 1),
            parent_id=None if node.parent is None else row_id(2, node.parent),
            created_at=chrono_text((1_770_000_000 + node.second) * 1_000_000_000),
            messages=[],
        )
        writer.add_raw(row, state_json(talk_of(tree, index)) if node.readable else None)


def talk_of(tree: list[Node], index: int) -> list[dict[str, object]]:
    parent = tree[index].parent
    before = [] if parent is None or parent == NOT_IN_THE_FILE else talk_of(tree, parent)
    return [*before, {"n": index}]


class TestSpellings:
    @pytest.mark.parametrize(
        "spell",
        [str.upper, lambda text: text.replace("-", ""), lambda text: f"{{{text}}}", lambda text: f"urn:uuid:{text}"],
        ids=["upper case", "without hyphens", "in braces", "urn"],
    )
    def test_of_an_id_are_one_id(self, store: clew.Store, local_db: Path, spell: object) -> None:
        assert callable(spell)
        database = write_database(local_db)
        with agent(local_db) as writer:
            for table, column in (("sessions", "id"), ("checkpoints", "session_id"), ("checkpoints", "id")):
                values = writer.connection.execute(f"SELECT DISTINCT {column} FROM {table}").fetchall()
                for (value,) in values[::2]:
                    writer.connection.execute(
                        f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (spell(value), value)
                    )
        assert clean(import_stakpak(store, local_db))
        assert_imported(store, database)
        assert import_stakpak(store, local_db).checkpoints_created == 0

    @pytest.mark.parametrize(
        "text",
        [
            "{67e55044-10b1-426f-9247-bb680e5fe0c8",
            "67e5504410b1426f9247bb680e5fe0c",
            "67e55044-10b1426f-9247-bb680e5fe0c8",
            "٦7e5504410b1426f9247bb680e5fe0c8",
            " 67e5504410b1426f9247bb680e5fe0c8",
            "6_e5504410b1426f9247bb680e5fe0c8",
        ],
    )
    def test_that_are_no_id_are_broken(self, store: clew.Store, local_db: Path, text: str) -> None:
        database = write_database(local_db, shape=Shape(sessions=2))
        with agent(local_db) as writer:
            writer.connection.execute("UPDATE sessions SET id = ? WHERE id = ?", (text, database.sessions[0].id))
        assert import_stakpak(store, local_db).broken[0].id == text

    def test_of_one_id_in_two_rows_are_named(self, store: clew.Store, local_db: Path) -> None:
        database = write_database(local_db, shape=Shape(sessions=1, turns=1, trees=False))
        first, second = database.sessions[0].checkpoints
        with agent(local_db) as writer:
            twin = msgspec.structs.replace(second, id=first.id.upper())
            writer.add_checkpoint(twin)
        report = import_stakpak(store, local_db)
        assert report.broken == (Finding("checkpoints", first.id.upper(), "another row has the same id"),)
        assert_checkpoint(store, first)

    @pytest.mark.parametrize(
        ("text", "moment"),
        [
            ("2026-01-02T03:04:05Z", (3, 4, 5, 0)),
            ("2026-01-02t03:04:05z", (3, 4, 5, 0)),
            ("2026-01-02 03:04:05.5+00:00", (3, 4, 5, 500000)),
            ("2026-01-02T03:04:05.123456789+00:00", (3, 4, 5, 123456)),
            ("2026-01-02T03:04:05.999999999999+00:00", (3, 4, 5, 999999)),
            ("2026-01-02T05:34:05+02:30", (3, 4, 5, 0)),
            ("2026-01-01T22:04:05-05:00", (3, 4, 5, 0)),
            ("2026-01-02T03:04:60+00:00", (3, 5, 0, 0)),
        ],
    )
    def test_of_a_time_are_read_in_utc_and_whole_microseconds(
        self, store: clew.Store, local_db: Path, text: str, moment: tuple[int, int, int, int]
    ) -> None:
        session = one_session(local_db, '{"messages":[]}')
        with agent(local_db) as writer:
            writer.connection.execute("UPDATE checkpoints SET created_at = ?", (text,))
        assert clean(import_stakpak(store, local_db))
        checkpoint = store.get_checkpoint(session.checkpoints[0].id)
        assert checkpoint.created_at == datetime(2026, 1, 2, *moment, tzinfo=UTC)

    @pytest.mark.parametrize(
        "text",
        ["2026-01-02T03:04:05", "2026-01-02T03:04:05+0000", "2026-01-02T03:04+00:00", "2026-02-30T03:04:05Z", "",
         "2026-01-02T03:04:05.Z", "2026-01-02T24:00:00Z", "2026-01-02T03:04:61Z", "0001-01-01T00:00:00+01:00",
         "2026-01-02T03:04:05+24:00", "1767323045"],
    )  # fmt: skip
    def test_that_are_no_time_are_broken(self, store: clew.Store, local_db: Path, text: str) -> None:
        one_session(local_db, '{"messages":[]}', '{"messages":[]}')
        with agent(local_db) as writer:
            writer.connection.execute("UPDATE checkpoints SET created_at = ? WHERE rowid = 2", (text,))
        (finding,) = import_stakpak(store, local_db).broken
        assert finding.why == f"created_at {text!r} is not a time"

    def test_of_an_enum_that_the_agent_reads_are_read(self, store: clew.Store, local_db: Path) -> None:
        one_session(local_db, '{"messages":[]}')
        with agent(local_db) as writer:
            writer.connection.execute("UPDATE sessions SET visibility = 'public', status = 'Deleted'")
        assert clean(import_stakpak(store, local_db))
        (session,) = store.list_sessions().items
        assert (session.visibility, session.status) == ("PUBLIC", "DELETED")

    def test_of_an_enum_that_nobody_knows_are_reported(self, store: clew.Store, local_db: Path) -> None:
        session = one_session(local_db, '{"messages":[]}')
        with agent(local_db) as writer:
            writer.connection.execute("UPDATE sessions SET visibility = 'TEAM', status = x'00'")
        report = import_stakpak(store, local_db)
        assert [finding.id for finding in report.mended] == [session.id, session.id]
        assert find(store, session).visibility == "PRIVATE"

    def test_of_a_title_no_store_takes_are_cut(self, store: clew.Store, local_db: Path) -> None:
        session = one_session(local_db, '{"messages":[]}')
        with agent(local_db) as writer:
            writer.connection.execute("UPDATE sessions SET title = ?, cwd = ?", ("x" * 20_000, "/repo\0hidden"))
        report = import_stakpak(store, local_db)
        assert find(store, session).title == "x" * 10_000
        assert find(store, session).cwd == "/repo"
        assert [finding.id for finding in report.mended] == [session.id]


class TestStates:
    @pytest.mark.parametrize(
        ("state", "messages", "metadata"),
        [
            ("{}", [], None),
            ("[]", [], None),
            ('[[{"role":"user"}],{"k":1}]', [{"role": "user"}], {"k": 1}),
            ('{"messages":[],"metadata":null}', [], None),
            ('{"metadata":{"trimmed_up_to_message_index":5},"messages":[]}', [], {"trimmed_up_to_message_index": 5}),
            (' {\n "messages" : [ {"role" : "user"} ] } ', [{"role": "user"}], None),
            ('{"messages":[],"metadata":[1,"x"],"other":{"a":[]}}', [], [1, "x"]),
        ],
    )
    def test_that_the_agent_reads_are_read_the_same(
        self, store: clew.Store, local_db: Path, state: str, messages: list[object], metadata: object
    ) -> None:
        session = one_session(local_db, state)
        assert clean(import_stakpak(store, local_db))
        read = store.get_checkpoint(session.checkpoints[0].id).state
        assert (read.messages, read.metadata) == (messages, metadata)

    @pytest.mark.parametrize(
        "message",
        [
            {"role": "function", "content": 5},
            {"role": "User", "content": {"parts": ["x"]}, "cache_control": {"type": "ephemeral"}},
            {"type": "reasoning", "summary": []},
            {"role": "assistant", "tool_calls": [{"function": {"arguments": {"a": 1}}}]},
            {"role": "user", "content": "\ud800 alone"},
            {"role": "user", "content": "\u0000", "cost": 5, "big": 2**70, "small": 1e-7},
            {},
        ],
    )
    def test_that_the_agent_would_read_as_empty_keep_every_message_whole(
        self, store: clew.Store, local_db: Path, message: dict[str, object]
    ) -> None:
        text = f'{{"messages":[{{"role":"user","content":"before"}},{json.dumps(message)}]}}'
        session = one_session(local_db, text, text)
        assert clean(import_stakpak(store, local_db))
        for row in session.checkpoints:
            read = store.get_checkpoint(row.id).state.messages
            assert read == [{"role": "user", "content": "before"}, message]
            assert list(read[1]) == list(message)

    def test_that_change_the_past_are_not_mistaken_for_longer_ones(self, store: clew.Store, local_db: Path) -> None:
        """Each differs from its parent in another way: in the middle, shorter, the same, emptied, begun again."""
        histories = [
            [{"n": 1}, {"n": 2}],
            [{"n": 1}, {"n": 3}, {"n": 4}],
            [{"n": 1}, {"n": 3}],
            [{"n": 1}, {"n": 3}],
            [],
            [{"n": 9}],
            [{"n": 9}, {"n": 1}],
        ]
        session = one_session(local_db, *[json.dumps({"messages": messages}) for messages in histories])
        assert clean(import_stakpak(store, local_db))
        read = [store.get_checkpoint(row.id).state.messages for row in session.checkpoints]
        assert read == histories

    def test_of_one_checkpoint_do_not_inherit_metadata(self, store: clew.Store, local_db: Path) -> None:
        messages = '[{"role":"user","content":"x"}'
        session = one_session(
            local_db,
            f'{{"messages":{messages}],"metadata":{{"k":1}}}}',
            f'{{"messages":{messages},{{"role":"user"}}]}}',
        )
        import_stakpak(store, local_db)
        assert store.get_checkpoint(session.checkpoints[1].id).state.metadata is None

    def test_numbers_keep_their_value(self, store: clew.Store, local_db: Path) -> None:
        session = one_session(local_db, '{"messages":[{"a":5.0,"b":1e16,"c":18446744073709551615,"d":-0.0,"e":0.1}]}')
        import_stakpak(store, local_db)
        (message,) = store.get_checkpoint(session.checkpoints[0].id).state.messages
        assert json.dumps(message) == '{"a": 5.0, "b": 1e+16, "c": 18446744073709551615, "d": -0.0, "e": 0.1}'


class TestTheSession:
    def test_keeps_its_own_id_unless_it_is_taken(self, store: clew.Store, local_db: Path) -> None:
        database = write_database(local_db)
        taken = database.sessions[0]
        mine = store.create_session("Mine", id=UUID(taken.id))
        report = import_stakpak(store, local_db)
        found = find(store, taken)
        assert found.id != mine.id
        assert store.get_session(mine.id).title == "Mine"
        assert report.mended == (Finding("sessions", taken.id, f"the id is taken in the store: now {found.id}"),)
        assert import_stakpak(store, local_db).sessions_unchanged == 3

    def test_goes_on_in_the_store(self, store: clew.Store, local_db: Path) -> None:
        database = write_database(local_db)
        import_stakpak(store, local_db)
        row = database.sessions[0]
        step = store.append(row.id, [{"role": "user", "content": "on"}])
        assert step.state.messages == [*row.newest.messages, {"role": "user", "content": "on"}]

    def test_whose_checkpoint_id_is_taken_loses_that_checkpoint_only(self, store: clew.Store, local_db: Path) -> None:
        database = write_database(local_db, shape=Shape(sessions=1, trees=False))
        other = store.create_session("Other")
        ids = [row.id for row in database.sessions[0].checkpoints]
        store.append(other.id, [{"role": "user", "content": "x"}], id=UUID(ids[2]))
        report = import_stakpak(store, local_db)
        assert [finding.id for finding in report.broken] == [ids[2]]
        assert parents(store, database.sessions[0]) == chain_of([*ids[:2], *ids[3:]])


class TestSize:
    @pytest.mark.parametrize("usage_on_newest_only", [False, True], ids=["async", "interactive"])
    def test_full_copies_become_small(self, tmp_path: Path, usage_on_newest_only: bool) -> None:
        """200 turns copy a message a hundred times over on average; the conversation and little more is left."""
        shape = Shape(sessions=1, turns=200, message_bytes=1000, trees=False, usage_on_newest_only=usage_on_newest_only)
        database = write_database(tmp_path / "local.db", shape=shape)
        final = len(state_json(database.sessions[0].newest.messages).encode())
        with clew.open(tmp_path / "agent.db") as store:
            import_stakpak(store, database.path)
        size = sum(path.stat().st_size for path in tmp_path.glob("agent.db*"))
        assert database.path.stat().st_size > (30 if usage_on_newest_only else 60) * size
        # Without its usage every answer is a second message.
        assert size < (2.5 if usage_on_newest_only else 1.6) * final


class TestAFileThatIsNoneOfTheAgent:
    def test_that_does_not_exist_is_named(self, store: clew.Store, local_db: Path) -> None:
        with pytest.raises(NotFoundError, match=r"local\.db does not exist"):
            import_stakpak(store, local_db)
        assert not local_db.exists()

    def test_that_is_a_folder_is_named(self, store: clew.Store, tmp_path: Path) -> None:
        with pytest.raises(InvalidRequestError, match="is not a file"):
            import_stakpak(store, tmp_path)

    def test_that_is_not_sqlite_is_named(self, store: clew.Store, local_db: Path) -> None:
        local_db.write_bytes(b"no database at all" * 100)
        with pytest.raises(InvalidRequestError, match=r"local\.db is not an SQLite database"):
            import_stakpak(store, local_db)

    @pytest.mark.parametrize(
        ("schema", "why"),
        [
            ("CREATE TABLE x (y)", "it has no table sessions"),
            ("CREATE TABLE sessions (id TEXT PRIMARY KEY, name TEXT)", "its table sessions lacks created_at, title"),
        ],
    )
    def test_that_is_another_database_is_named(self, store: clew.Store, local_db: Path, schema: str, why: str) -> None:
        with closing(sqlite3.connect(local_db)) as connection:
            connection.execute(schema)
            connection.execute("CREATE TABLE checkpoints (id, session_id, parent_id, state, created_at)")
        with pytest.raises(InvalidRequestError, match=why):
            import_stakpak(store, local_db)

    def test_without_checkpoints_is_named(self, store: clew.Store, local_db: Path) -> None:
        create_file(local_db)
        with agent(local_db) as writer:
            writer.connection.execute("DROP TABLE checkpoints")
        with pytest.raises(InvalidRequestError, match="it has no table checkpoints"):
            import_stakpak(store, local_db)

    def test_of_no_bytes_is_named(self, store: clew.Store, local_db: Path) -> None:
        local_db.touch()
        with pytest.raises(InvalidRequestError, match="it has no table sessions"):
            import_stakpak(store, local_db)

    def test_of_this_store_is_named(self, store: clew.Store, tmp_path: Path) -> None:
        with pytest.raises(InvalidRequestError, match="is no Stakpak database"):
            import_stakpak(store, tmp_path / "store" / "agent.db")


class TestADatabase:
    @pytest.mark.parametrize("generation", list(Generation))
    def test_with_nothing_in_it_imports_nothing(
        self, store: clew.Store, local_db: Path, generation: Generation
    ) -> None:
        create_file(local_db, generation)
        report = import_stakpak(store, local_db)
        assert clean(report)
        assert report.sessions == 0

    def test_with_content_but_no_readable_session_is_an_error(self, store: clew.Store, local_db: Path) -> None:
        database = write_database(local_db)
        with agent(local_db) as writer:
            writer.connection.execute("UPDATE checkpoints SET state = NULL")
        with pytest.raises(
            InvalidRequestError, match=r"no session of it can be read: \d+ rows .* state is NULL"
        ) as caught:
            import_stakpak(store, local_db)
        assert str(database.path) in str(caught.value)
        assert store.list_sessions().total == 0

    def test_with_sessions_but_no_checkpoint_is_an_error(self, store: clew.Store, local_db: Path) -> None:
        write_database(local_db)
        with agent(local_db) as writer:
            writer.connection.execute("DELETE FROM checkpoints")
        with pytest.raises(InvalidRequestError, match="has no checkpoint that can be read"):
            import_stakpak(store, local_db)

    def test_that_is_damaged_inside_loses_only_what_lies_there(self, store: clew.Store, local_db: Path) -> None:
        """An overflow page of one state is overwritten."""
        database = write_database(local_db, shape=Shape(sessions=1, turns=12, message_bytes=900, trees=False))
        content = bytearray(local_db.read_bytes())
        needle = compact(database.sessions[0].newest.messages[8]).encode()[:100]
        at = content.rfind(needle) // 4096 * 4096
        content[at : at + 4] = b"\xff\xff\xff\xff"  # where its next page would be
        local_db.write_bytes(bytes(content))
        report = import_stakpak(store, local_db)
        assert 1 <= len(report.broken) <= 2
        assert report.checkpoints_created >= 11


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class TestProgress:
    def test_goes_up_to_the_number_of_checkpoints(self, store: clew.Store, local_db: Path) -> None:
        database = write_database(local_db)
        seen: list[Progress] = []
        import_stakpak(store, local_db, seen.append)
        total = len(database.checkpoints)
        assert [step.done for step in seen] == list(range(1, total + 1))
        assert {step.total for step in seen} == {total}
        assert {step.title for step in seen} == {row.title for row in database.sessions}

    def test_counts_what_was_there_before(self, store: clew.Store, local_db: Path) -> None:
        database = write_database(local_db)
        import_stakpak(store, local_db)
        continue_session(database, database.sessions[0])
        seen: list[Progress] = []
        import_stakpak(store, local_db, seen.append)
        assert seen[-1].done == seen[-1].total == len(database.checkpoints) + 2


class TestFindingIt:
    @pytest.mark.parametrize("point", TORN_POINTS)
    def test_a_torn_file_is_recognised(self, local_db: Path, point: int) -> None:
        write_torn_database(local_db, point)
        assert find_importer(local_db).name == "stakpak"

    def test_other_files_are_not_recognised(self, tmp_path: Path) -> None:
        importer = IMPORTERS["stakpak"]
        (tmp_path / "text").write_text("hello")
        (tmp_path / "empty").touch()
        assert not any(importer.detect(tmp_path / name) for name in ("text", "empty", "missing", "."))
        with pytest.raises(InvalidRequestError, match="of no format"):
            find_importer(tmp_path / "text")

    def test_the_default_place_is_found(self, tmp_path: Path) -> None:
        assert discover(tmp_path) == []
        path = tmp_path / ".stakpak" / "data" / "local.db"
        path.parent.mkdir(parents=True)
        write_database(path)
        assert discover(tmp_path) == [(IMPORTERS["stakpak"], path)]

    def test_the_format_is_found_by_itself(self, store: clew.Store, local_db: Path) -> None:
        database = write_database(local_db)
        assert import_path(store, local_db).importer == "stakpak"
        assert_imported(store, database)

    def test_a_source_that_was_closed_leaves_nothing_open(self, local_db: Path) -> None:
        write_database(local_db)
        IMPORTERS["stakpak"].detect(local_db)
        fds = Path("/proc/self/fd")
        if fds.exists():
            targets = [fd.readlink() for fd in fds.iterdir() if fd.is_symlink()]
            assert not any(target.name == "local.db" for target in targets)
