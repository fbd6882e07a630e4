"""The promises of `clew migrate` and `clew info`: they work on a store of any version, and looking changes nothing."""

import pytest
from tests.cli.support import texts

import clew


@pytest.fixture
def latest(tmp_path):
    with clew.migrations(tmp_path / "other.db") as migrations:
        return migrations.status().latest


@pytest.fixture
def old(command):
    """A store whose schema is the first one."""
    command.create("kept", messages=texts(1))
    with clew.migrations(command.path) as migrations:
        migrations.rollback(1)
    return command


def versions(first, last):
    return list(range(first, last + 1))


class TestMigrate:
    def test_the_status_of_a_current_store(self, command, latest):
        command.create()
        assert command.json("migrate", "status") == {
            "current": latest,
            "latest": latest,
            "applied": versions(1, latest),
            "pending": [],
            "backend": {"kind": "local", "store_path": str(command.path)},
        }

    def test_the_status_of_an_old_store_is_told_and_left(self, old, latest):
        for _ in range(2):
            status = old.json("migrate", "status")
            assert (status["current"], status["pending"]) == (1, versions(2, latest))

    def test_up_applies_what_is_pending(self, old, latest):
        done = old.json("migrate", "up")
        assert (done["current"], done["changed"], done["pending"]) == (latest, versions(2, latest), [])
        assert old.json("migrate", "up")["changed"] == []
        assert [session.title for session in old.sessions()] == ["kept"]

    def test_up_makes_a_store_where_there_is_none(self, command, latest):
        assert command.json("migrate", "up")["changed"] == versions(1, latest)

    def test_rollback_undoes_the_newest(self, command, latest):
        command.create()
        done = command.json("migrate", "rollback")
        assert (done["changed"], done["current"]) == ([latest], latest - 1)

    def test_rollback_to_a_version_undoes_those_above_it_newest_first(self, command, latest):
        command.output("migrate", "up")
        done = command.json("migrate", "rollback", "--to", 0)
        assert (done["changed"], done["applied"]) == (versions(1, latest)[::-1], [])
        assert command.json("migrate", "rollback")["changed"] == []

    def test_sessions_are_discarded_only_when_told_to(self, old):
        exit_code, code, text = old.json_error("migrate", "rollback", "--to", 0)
        assert (exit_code, code) == (2, "invalid_request")
        assert "discard" in text
        assert old.json("migrate", "status")["applied"] == [1]
        assert old.json("migrate", "rollback", "--to", 0, "--discard")["changed"] == [1]
        assert old.sessions() == []

    def test_a_version_above_the_current_one_is_refused(self, old):
        assert old.json_error("migrate", "rollback", "--to", 99)[:2] == (2, "invalid_request")

    def test_text_says_the_same(self, old, latest):
        assert old.lines("migrate", "status") == [
            f"Backend: local ({old.path})",
            f"Schema:  version 1 (this clew: {latest})",
            "Applied: 1",
            f"Pending: {', '.join(map(str, versions(2, latest)))}",
        ]
        assert f"Changed: applied {', '.join(map(str, versions(2, latest)))}" in old.lines("migrate", "up")
        assert f"Changed: rolled back {latest}" in old.lines("migrate", "rollback")


class TestInfo:
    def test_it_says_where_the_store_is_and_what_is_in_it(self, command, latest):
        command.create("one")
        command.output("delete", command.create("two").id)
        info = command.json("info")
        assert info["backend"] == {"kind": "local", "store_path": str(command.path)}
        assert info["clew_version"] == clew.__version__
        assert (info["schema"]["current"], info["schema"]["pending"]) == (latest, [])
        assert info["sessions"] == {"total": 2, "active": 1, "deleted": 1}
        assert info["file_bytes"] == command.path.stat().st_size > 0
        assert info["wal_bytes"] == 0

    def test_the_log_of_a_store_in_use_is_measured(self, command):
        with command.open() as store:
            store.create_session("one")
            assert command.json("info")["wal_bytes"] > 0

    def test_text_says_the_same(self, command, latest):
        command.output("delete", command.create().id)
        backend, version, schema, sessions, size = command.lines("info")
        assert backend == f"Backend: local ({command.path})"
        assert version == f"Clew:     {clew.__version__}"
        assert schema == f"Schema:   version {latest} of {latest}"
        assert sessions == "Sessions: 1 (0 active, 1 deleted)"
        assert size.startswith("Size:     ")
        assert size.endswith(" kB, and 0 bytes in the write-ahead log")

    def test_an_old_store_is_told_and_left(self, old):
        for _ in range(2):
            info = old.json("info")
            assert info["schema"]["current"] == 1
            assert info["sessions"] == {"total": None, "active": None, "deleted": None}
        assert "migrations pending" in old.output("info")

    def test_a_store_in_memory_has_no_file(self, command):
        from pathlib import Path

        command.path = Path(":memory:")
        info = command.json("info")
        assert (info["file_bytes"], info["wal_bytes"]) == (None, None)
        assert info["backend"] == {"kind": "local", "store_path": ":memory:"}


@pytest.mark.parametrize("arguments", [("info",), ("migrate", "status"), ("migrate", "rollback")])
def test_looking_at_a_store_that_does_not_exist_does_not_make_one(command, arguments):
    exit_code, code, text = command.json_error(*arguments)
    assert (exit_code, code) == (1, "connection_error")
    assert text == f"Connection error: there is no store at {command.path}"
    assert not command.path.exists()
