"""A file of every released schema is opened, migrated and read, for ever (see tools/freeze_schema.py)."""

import json
import shutil
from pathlib import Path
from uuid import UUID

import pytest
from tools.freeze_schema import TOKEN, contents

import clew

DATA = Path(__file__).parents[1] / "data"
VERSIONS = sorted(int(path.stem.removeprefix("schema-")) for path in DATA.glob("schema-*.db"))


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def path(version: int, tmp_path: Path) -> Path:
    """A copy of the file with this schema."""
    return Path(shutil.copy(DATA / f"schema-{version:04d}.db", tmp_path / "store.db"))


def expected(version: int) -> object:
    return json.loads((DATA / f"schema-{version:04d}.json").read_text(encoding="utf-8"))


def test_the_newest_schema_has_its_file() -> None:
    with clew.migrations(":memory:") as schema:
        assert VERSIONS[-1] == schema.status().latest


def test_a_file_of_every_released_schema_is_migrated_and_read_whole(version: int, path: Path) -> None:
    with clew.migrations(path) as schema:
        assert schema.status().current == version
    with clew.open(path) as store:
        assert json.loads(json.dumps(contents(store))) == expected(version)
        assert list(store.verify()) == []
    with clew.migrations(path) as schema:
        assert schema.status().pending == []


def test_the_sessions_of_a_file_without_owners_belong_to_nobody_and_can_be_given_away(path: Path) -> None:
    with clew.open(path) as store:
        session = store.get_session(UUID(int=1))
        assert session.owner is None
        assert store.find_session("tool", "1").id == session.id
        store.update_session(session.id, owner="Ada")
        assert [item.id for item in store.list_sessions(owner="Ada", search=session.title)][-1] == session.id
        assert store.ensure_session("tool", "1").id != session.id
        assert list(store.verify()) == []


@pytest.mark.parametrize("version", VERSIONS[3:], indirect=True)
def test_the_keys_of_a_file_of_every_released_schema_are_known(path: Path) -> None:
    with clew.open(path) as store:
        assert store.authenticate(TOKEN).id == UUID(int=3)
        assert [key.revoked_at is None for key in store.list_keys()] == [True, False]


def test_a_file_of_every_released_schema_can_be_written_on(path: Path) -> None:
    with clew.open(path) as store:
        for session in store.list_sessions().items:
            before = store.get_active_checkpoint(session.id).state.messages
            step = store.append(session.id, [{"role": "user", "content": "years later"}], label="years later")
            assert store.get_checkpoint(step.id).state.messages == [*before, {"role": "user", "content": "years later"}]
        store.purge_session(store.list_sessions().items[0].id)
        assert list(store.verify()) == []
