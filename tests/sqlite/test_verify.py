"""`verify` finds every kind of damage, says where as exactly as can be known, and changes nothing."""

from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

import clew
from clew.sqlite.functions import register_functions

Where = dict[str, object]


class Store:
    """A closed file with one of everything; `session` has the checkpoints root, step (labelled) and tip."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with clew.open(path) as store:
            session = store.create_session(
                "\u00c9lan", messages=[{"n": n} for n in range(3)], metadata={"root": 1}, session_metadata={"s": 1}
            )
            assert session.active_checkpoint is not None
            self.session, self.root = session.id, session.active_checkpoint.id
            self.step = store.append(
                session.id, [{"n": 3}], label="here", attachments={"small": b"abc", "long": bytes(range(256)) * 3_000}
            ).id
            self.tip = store.append(session.id, [{"n": 4}]).id
            self.fork = store.fork_session(session.id, checkpoint_id=self.step).id
            self.branch = store.append(self.fork, [{"n": 5}]).id
            store.attach(session.id, {"early": b"waits"}, label="later")
            self.other = store.create_session("other", messages=[{"other": 1}]).id

    def tamper(self, sql: str) -> None:
        connection = apsw.Connection(str(self.path))
        register_functions(connection)
        connection.execute("PRAGMA foreign_keys = OFF").fetchall()
        connection.execute("PRAGMA ignore_check_constraints = ON").fetchall()
        connection.execute(sql)
        assert connection.changes() > 0
        connection.close()

    def findings(self) -> list[clew.Finding]:
        with clew.open(self.path, read_only=True) as store:
            return list(store.verify())


@pytest.fixture
def damaged(tmp_path: Path) -> Store:
    return Store(tmp_path / "store.db")


def at(name: str) -> str:
    return f"session = (SELECT key FROM session WHERE title = '\u00c9lan' AND forked_from IS NULL) AND {name}"


IN_ENTRY = "key = (SELECT content FROM entry WHERE timeline = 1 AND position = {})"

DAMAGE: dict[str, tuple[str, Callable[[Store], list[tuple[str, Where]]]]] = {
    "a changed message": (
        f"UPDATE content SET body = '{{}}' WHERE {IN_ENTRY.format(1)}",
        lambda store: [("message", {"session_id": store.session, "checkpoint_id": store.root, "position": 1})],
    ),
    "a message changed together with its hash": (
        f"UPDATE content SET body = '{{}}', hash = x'8db1e6b1a2e1a7d6a2b5b7d9e1c3f5a7' WHERE {IN_ENTRY.format(3)}",
        lambda store: [("message", {"checkpoint_id": store.step, "position": 3})],
    ),
    "a lost message": (
        "DELETE FROM entry WHERE timeline = 1 AND position = 4",
        lambda store: [("message_missing", {"checkpoint_id": store.tip, "position": 4})],
    ),
    "a message out of place": (
        "UPDATE entry SET content = (SELECT content FROM entry WHERE timeline = 1 AND position = 0)"
        " WHERE timeline = 1 AND position = 4",
        lambda store: [("messages", {"session_id": store.session, "checkpoint_id": store.tip})],
    ),
    "lost content of a message": (
        f"DELETE FROM content WHERE {IN_ENTRY.format(4)}",
        lambda store: [("message_missing", {"checkpoint_id": store.tip, "position": 4})],
    ),
    "a lost timeline": (
        "DELETE FROM timeline WHERE key = 2",
        lambda store: [("messages", {"session_id": store.fork, "checkpoint_id": store.branch})],
    ),
    "a timeline that continues none": (
        "UPDATE timeline SET ancestor = 99 WHERE key = 2",
        lambda store: [("timeline", {}), ("messages", {"checkpoint_id": store.branch})],
    ),
    "a timeline of another family's session": (
        "UPDATE timeline SET session = (SELECT key FROM session WHERE title = 'other') WHERE key = 2",
        lambda store: [("timeline", {})],
    ),
    "changed metadata of a state": (
        "UPDATE content SET body = '{}' WHERE body LIKE '%root%'",
        lambda store: [("metadata", {"session_id": store.session, "checkpoint_id": store.root})],
    ),
    "changed metadata of a session": (
        "UPDATE content SET body = '{}' WHERE body LIKE '%\"s\"%'",
        lambda store: [("session_metadata", {"session_id": store.session})],
    ),
    "a changed title": (
        "UPDATE session SET title = 'others' WHERE title = 'other'",
        lambda store: [("session", {"session_id": store.other})],
    ),
    "a title that is not what is searched": (
        "UPDATE session SET title_folded = 'x' WHERE title = 'other'",
        lambda store: [("session", {"session_id": store.other})],
    ),
    "another active checkpoint": (
        "UPDATE session SET active = 1 WHERE id = (SELECT id FROM session ORDER BY key LIMIT 1)",
        lambda store: [("session", {"session_id": store.session})],
    ),
    "a changed label": (
        "UPDATE checkpoint SET label = 'there' WHERE label = 'here'",
        lambda store: [("checkpoint", {"session_id": store.session, "checkpoint_id": store.step})],
    ),
    "a changed time": (
        "UPDATE checkpoint SET created_at = created_at + 1 WHERE label = 'here'",
        lambda store: [("checkpoint", {"checkpoint_id": store.step})],
    ),
    "another parent": (
        f"UPDATE checkpoint SET parent = 1 WHERE {at('seq = 3')}",
        lambda store: [("checkpoint", {"checkpoint_id": store.tip})],
    ),
    "a lost checkpoint": (
        f"DELETE FROM checkpoint WHERE {at('seq = 1')}",
        lambda store: [("checkpoint", {"checkpoint_id": store.step}), ("parent", {"checkpoint_id": store.step})],
    ),
    "a lost active checkpoint": (
        f"DELETE FROM checkpoint WHERE {at('seq = 3')}",
        lambda store: [("active", {"session_id": store.session}), ("checkpoint_count", {"session_id": store.session})],
    ),
    "a changed attachment": (
        "UPDATE content SET body = x'616264' WHERE body = x'616263'",
        lambda store: [("attachment", {"checkpoint_id": store.step, "attachment": "small"})],
    ),
    "an attachment of another type": (
        "UPDATE attachment SET content_type = 'x' WHERE name = 'small'",
        lambda store: [("attachment", {"checkpoint_id": store.step, "attachment": "small"})],
    ),
    "an attachment that leads to other bytes": (
        "UPDATE attachment SET content = (SELECT content FROM waiting_attachment) WHERE name = 'small'",
        lambda store: [("attachment", {"checkpoint_id": store.step, "attachment": "small"})],
    ),
    "a lost piece": (
        "DELETE FROM chunk WHERE position = 1",
        lambda store: [("attachment", {"checkpoint_id": store.step, "attachment": "long"})],
    ),
    "a changed attachment that waits": (
        "UPDATE content SET body = x'00' WHERE CAST(body AS TEXT) = 'waits'",
        lambda store: [("attachment", {"session_id": store.session, "checkpoint_id": None, "attachment": "early"})],
    ),
    "a wrong counter": (
        "UPDATE counter SET value = 9 WHERE name = 'DELETED'",
        lambda store: [("session_count", {})],
    ),
    "content of no session": (
        "INSERT INTO content (family, hash, tie, body) VALUES (99, zeroblob(16), 0, '{}')",
        lambda store: [("family", {})],
    ),
}


def test_nothing_is_found_in_a_whole_store(damaged: Store) -> None:
    assert damaged.findings() == []


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found_and_named(damaged: Store, name: str) -> None:
    sql, expected = DAMAGE[name]
    damaged.tamper(sql)
    found = damaged.findings()
    assert found
    for kind, where in expected(damaged):
        matching = [item for item in found if item.kind == kind and all(getattr(item, n) == where[n] for n in where)]
        assert matching, f"{kind} {where} is not among {found}"
        assert all(item.message for item in matching)


@pytest.mark.parametrize("name", [name for name, (sql, _) in DAMAGE.items() if "'other'" not in sql])
def test_what_belongs_to_others_is_not_found_damaged(damaged: Store, name: str) -> None:
    damaged.tamper(DAMAGE[name][0])
    assert damaged.other not in {item.session_id for item in damaged.findings()}


def test_verifying_changes_no_byte(damaged: Store) -> None:
    damaged.tamper(DAMAGE["a changed message"][0])
    before = damaged.path.read_bytes()
    assert damaged.findings()
    assert damaged.path.read_bytes() == before


def test_a_page_of_garbage_is_found_and_the_rest_is_still_checked(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with clew.open(path) as store:
        for number in range(30):
            store.create_session(str(number), messages=[{"n": n, "text": "x" * 400} for n in range(20)])
    data = bytearray(path.read_bytes())
    kept = len(data) // 4096
    for page in range(20, kept, 10):
        data[page * 4096 : page * 4096 + 512] = b"\xa5" * 512
    path.write_bytes(data)
    with clew.open(path, read_only=True) as store:
        found = list(store.verify())
        assert any(item.kind == "file" for item in found)
        named = {item.session_id for item in found}
        for session in store.list_sessions():
            try:
                store.get_session(session.id)
            except clew.CorruptStateError:
                assert session.id in named


def test_findings_come_as_they_are_found(damaged: Store) -> None:
    """The first one is there before the last session has been looked at."""
    damaged.tamper(DAMAGE["a changed message"][0])
    told: list[clew.Progress] = []
    with clew.open(damaged.path, read_only=True) as store:
        found = store.verify(progress=told.append)
        assert next(found).kind == "message"
        assert told == []
        list(found)
    assert told[-1] == clew.Progress(done=3, total=3, unit="sessions")


def test_a_row_that_an_index_has_lost_is_found(damaged: Store) -> None:
    """The row goes with the index and comes back without it. Nothing but SQLite's own check can tell."""
    with_index = apsw.Connection(str(damaged.path))
    with_index.execute("PRAGMA foreign_keys = OFF").fetchall()
    (row,) = with_index.execute("SELECT * FROM content WHERE key = 1").fetchall()
    with_index.execute("DELETE FROM content WHERE key = 1")
    found = "FROM sqlite_schema WHERE name = 'content_hash'"
    ((schema),) = with_index.execute(f"SELECT type, name, tbl_name, rootpage, sql {found}").fetchall()
    with_index.execute("PRAGMA writable_schema = ON").fetchall()
    with_index.execute(f"DELETE {found}")
    with_index.close()
    without = apsw.Connection(str(damaged.path))
    without.execute("INSERT INTO content VALUES (?, ?, ?, ?, ?)", row)
    without.execute("PRAGMA writable_schema = ON").fetchall()
    without.execute("INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES (?, ?, ?, ?, ?)", schema)
    without.close()
    assert "file" in {finding.kind for finding in damaged.findings()}
