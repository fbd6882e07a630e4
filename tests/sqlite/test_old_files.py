"""A file of every released schema is opened, migrated and read, for ever (see tools/freeze_schema.py)."""

import json
import shutil
from pathlib import Path

import pytest
from tools.freeze_schema import contents

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


def test_a_file_of_every_released_schema_can_be_written_on(path: Path) -> None:
    with clew.open(path) as store:
        for session in store.list_sessions().items:
            before = store.get_active_checkpoint(session.id).state.messages
            step = store.append(session.id, [{"role": "user", "content": "years later"}], label="years later")
            assert store.get_checkpoint(step.id).state.messages == [*before, {"role": "user", "content": "years later"}]
        store.purge_session(store.list_sessions().items[0].id)
        assert list(store.verify()) == []
