"""Nothing is deleted on the word of a damaged row, and damage never keeps a call from ending."""

import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import apsw
import pytest

import clew

MESSAGES = [{"n": n} for n in range(50)]
DATA = Path(__file__).parents[1] / "data"


class Family:
    """A session of 50 messages, a fork of it, and a step with an attachment in pieces."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with clew.open(path) as store:
            session = store.create_session("origin", messages=MESSAGES)
            assert session.active_checkpoint is not None
            self.session, self.root = session.id, session.active_checkpoint.id
            self.step = store.append(session.id, [{"step": 1}], attachments={"log": bytes(700_000)}).id
            self.tip = store.append(session.id, [{"tip": 1}]).id
            self.fork = store.fork_session(session.id, checkpoint_id=self.root).id
            self.spare = store.fork_session(session.id, checkpoint_id=self.root).id

    def tamper(self, sql: str) -> None:
        connection = apsw.Connection(str(self.path))
        connection.execute("PRAGMA foreign_keys = OFF").fetchall()
        connection.execute("PRAGMA ignore_check_constraints = ON").fetchall()
        connection.execute(sql)
        assert connection.changes() > 0
        connection.close()

    def content(self) -> list[tuple[object, ...]]:
        connection = apsw.Connection(str(self.path))
        found = connection.execute("SELECT key, hash FROM content ORDER BY key").fetchall()
        connection.close()
        return list(found)


@pytest.fixture
def family(path: Path) -> Family:
    return Family(path)


DAMAGE = {
    "the family of a session": "UPDATE session SET family = family + 64 WHERE title = 'origin' AND forked_from IS NULL",
    "the length of a checkpoint": "UPDATE checkpoint SET length = 18 WHERE session = 1 AND seq = 1",
    "the timeline of a checkpoint": "UPDATE checkpoint SET timeline = 7 WHERE session = 1 AND seq = 3",
    "the length of an ancestor": "UPDATE timeline SET ancestor_length = 1, ancestor = 1 WHERE key = 1",
    "the owner of an attachment": "UPDATE attachment SET seq = 3 WHERE seq = 2",
    "the content of an attachment": "UPDATE attachment SET content = 1 WHERE seq = 2",
    "a piece of an attachment": "UPDATE chunk SET content = 1 WHERE position = 1",
    "a lost checkpoint": "DELETE FROM checkpoint WHERE session = 1 AND seq = 3",
    "a lost attachment": "DELETE FROM attachment",
    "the metadata of a checkpoint": "UPDATE checkpoint SET metadata = 1 WHERE session = 1 AND seq = 1",
}

REMOVALS: dict[str, Callable[[clew.Store, Family], object]] = {
    "purge": lambda store, family: store.purge_session(family.spare),
    "delete": lambda store, family: store.delete_checkpoints(
        family.spare, [item.id for item in store.list_checkpoints(family.spare)]
    ),
    "compact": lambda store, _: store.compact(),
}


@pytest.mark.parametrize("removal", REMOVALS.values(), ids=REMOVALS)
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_nothing_of_a_family_with_a_damaged_row_is_deleted(
    family: Family, damage: str, removal: Callable[[clew.Store, Family], object]
) -> None:
    family.tamper(damage)
    before = family.content()
    with clew.open(family.path) as store:
        try:
            removal(store, family)
        except clew.CorruptStateError as error:
            assert "damaged" in str(error)  # noqa: PT017 - either it is told, or there was nothing to tell
    assert family.content() == before


def test_a_session_of_another_family_by_damage_is_not_written_to(family: Family) -> None:
    family.tamper(DAMAGE["the family of a session"])
    with clew.open(family.path) as store:
        with pytest.raises(clew.CorruptStateError):
            store.append(family.session, [{"n": 1}])
        assert store.get_messages(family.root) == MESSAGES


@pytest.mark.parametrize("children", ["reparent", "delete"])
def test_parents_in_a_circle_do_not_keep_a_delete_from_ending(family: Family, children: str) -> None:
    family.tamper("UPDATE checkpoint SET parent = 3 WHERE session = 1 AND seq = 2")
    with clew.open(family.path) as store:
        store.delete_checkpoints(family.session, [family.step, family.tip], children=children)  # type: ignore[arg-type]
        assert [item.id for item in store.list_checkpoints(family.session)] == [family.root]


def test_a_row_that_breaks_a_rule_does_not_keep_an_old_file_from_being_migrated(tmp_path: Path) -> None:
    path = Path(shutil.copy(DATA / "schema-0002.db", tmp_path / "old.db"))
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA ignore_check_constraints = ON").fetchall()
    connection.execute("UPDATE session SET status = 'ACTIVF' WHERE id = ?", (UUID(int=1).bytes,))
    assert connection.changes() == 1
    connection.execute("UPDATE session SET visibility = CAST(x'ff' AS TEXT) WHERE title = 'child'")
    assert connection.changes() == 1
    connection.close()
    with clew.open(path) as store:
        with pytest.raises(clew.CorruptStateError):
            store.get_session(UUID(int=1))
        damaged = [session.title for session in store.list_sessions() if session.damage is not None]
        assert damaged == ["child"]
        assert store.get_checkpoint(UUID(int=2)).label == "tried"
