"""The schema is the sum of its migrations, and each is all or nothing."""

from pathlib import Path
from typing import Any

import apsw
import pytest

import clew
from clew.relational.statements import Migration
from clew.sqlite import migrations


def schema_of(path: Path) -> list[tuple[str, str]]:
    connection = apsw.Connection(str(path))
    found: Any = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name"
    ).fetchall()
    connection.close()
    return list(found)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with the newest schema and nothing in it."""
    clew.open(tmp_path / "store.db").close()
    return tmp_path / "store.db"


def test_opening_a_new_file_applies_every_migration(path: Path) -> None:
    with clew.migrations(path) as schema:
        status = schema.status()
    assert status.applied == [migration.version for migration in migrations.known_migrations()]
    assert status.pending == []
    assert status.current == status.latest


def test_versions_have_no_gap_and_every_one_can_be_undone() -> None:
    known = migrations.known_migrations()
    assert [migration.version for migration in known] == list(range(1, len(known) + 1))
    assert all(migration.down.strip() for migration in known)


def test_rolling_back_one_by_one_and_up_again_gives_the_same_schema(path: Path) -> None:
    before = schema_of(path)
    with clew.migrations(path) as schema:
        latest = schema.status().latest
        for version in range(latest, 0, -1):
            assert schema.rollback() == [version]
            assert schema.status().current == version - 1
        assert schema.rollback() == []
        assert schema.up() == list(range(1, latest + 1))
        assert schema.up() == []
    assert schema_of(path) == before


def test_rolling_back_to_a_version_undoes_what_is_above_it(path: Path) -> None:
    with clew.migrations(path) as schema:
        latest = schema.status().latest
        assert schema.rollback(to=1) == list(range(latest, 1, -1))
        assert schema.status().pending == list(range(2, latest + 1))


@pytest.mark.parametrize("to", [-1, 99, True, "1"])
def test_rolling_back_to_what_is_no_applied_version_is_refused(path: Path, to: object) -> None:
    with clew.migrations(path) as schema, pytest.raises(clew.InvalidRequestError, match="to must be a version"):
        schema.rollback(to=to)  # type: ignore[arg-type]


def test_a_rollback_that_would_discard_sessions_is_refused_unless_told_to(path: Path) -> None:
    with clew.open(path) as store:
        session = store.create_session("kept")
    with clew.migrations(path) as schema:
        with pytest.raises(clew.InvalidRequestError, match="discard 1 sessions"):
            schema.rollback(to=0)
        assert schema.status().current == 1
    with clew.open(path) as store:
        assert store.get_session(session.id).title == "kept"
    with clew.migrations(path) as schema:
        assert schema.rollback(to=0, discard=True)[-1] == 1


def test_a_rollback_that_would_discard_owners_or_keys_is_refused_unless_told_to(path: Path) -> None:
    with clew.open(path) as store:
        store.create_session("owned", owner="Ada")
        store.create_key("Ada", "read")
    with clew.migrations(path) as schema:
        with pytest.raises(clew.InvalidRequestError, match="discard 2 owners of sessions and API keys"):
            schema.rollback(to=4)
        assert schema.rollback(to=4, discard=True) == [5]


def test_sessions_that_lose_their_owners_are_whole_and_the_oldest_keeps_the_name(path: Path) -> None:
    with clew.open(path) as store:
        ids = [
            store.create_session(
                f"of {owner}", messages=[{"n": 1}], source="tool", source_id="1", owner=owner, session_metadata={"k": 1}
            ).id
            for owner in ("Ada", None, "Bob")
        ]
        other = store.create_session("other", source="tool", source_id="2", owner="Bob").id
        hurt = store.create_session("hurt", owner="Bob").id
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE session SET cwd = '/changed' WHERE title = 'hurt'")
    connection.close()
    with clew.migrations(path) as schema:
        schema.rollback(to=4, discard=True)
        schema.up()
    with clew.open(path) as store:
        assert [(store.get_session(id).source_id, store.get_session(id).owner) for id in ids] == [
            ("1", None), (None, None), (None, None),
        ]  # fmt: skip
        assert store.find_session("tool", "2").id == other
        assert {finding.session_id for finding in store.verify()} == {hurt}


def test_a_migration_that_fails_leaves_the_schema_and_the_ledger_as_they_were(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = schema_of(path)
    known = migrations.known_migrations()
    broken = Migration(known[-1].version + 1, "broken", "CREATE TABLE half (x); CREATE TABLE half (x)", "")
    monkeypatch.setattr(migrations, "known_migrations", lambda: (*known, broken))
    with pytest.raises(clew.InternalError, match="half"):
        clew.open(path)
    monkeypatch.undo()
    assert schema_of(path) == before
    with clew.migrations(path) as schema:
        assert schema.status().pending == []


def test_a_read_only_store_with_an_older_schema_says_how_to_upgrade(path: Path) -> None:
    with clew.migrations(path) as schema:
        schema.rollback()
    with pytest.raises(clew.UnavailableError, match="clew migrate up"):
        clew.open(path, read_only=True)
    clew.open(path).close()
    clew.open(path, read_only=True).close()


def test_every_table_but_the_ledger_is_strict(path: Path) -> None:
    own = [(name, sql) for name, sql in schema_of(path) if not name.startswith("message_index")]  # FTS5 makes these
    tables = [sql for _, sql in own if sql.startswith("CREATE TABLE")]
    assert len(tables) == 16
    assert all("STRICT" in sql for sql in tables)


def test_a_store_that_is_open_does_not_write_into_the_schema_of_a_newer_clew(path: Path) -> None:
    with clew.open(path) as store:
        session = store.create_session("kept")
        newer = apsw.Connection(str(path))
        newer.execute("CREATE TABLE later (x)")
        newer.execute("INSERT INTO migration (version, name) VALUES (99, 'later')")
        newer.close()
        for _ in range(2):
            with pytest.raises(clew.UnavailableError, match="newer clew"):
                store.append(session.id, [{"n": 1}])
        assert store.get_active_checkpoint(session.id).state.messages == []


def test_a_schema_that_changes_without_becoming_newer_stops_no_writer(path: Path) -> None:
    with clew.open(path) as store:
        session = store.create_session("kept")
        other = apsw.Connection(str(path))
        other.execute("CREATE INDEX by_hand ON session (title)")
        other.close()
        store.append(session.id, [{"n": 1}])
        store.compact()
        assert store.append(session.id, [{"n": 2}]).session_id == session.id
