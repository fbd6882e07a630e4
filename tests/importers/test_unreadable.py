"""What an import does with what it may not read: it is left out and named, and never passed over."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cli.agent_files import CODEX_SESSION, write_claude, write_codex

import clew
from clew.errors import NotFoundError, UnavailableError
from clew.importers import IMPORTERS, discover, find_importer, find_places
from clew.importers.database import MAGIC

_NOBODY = 65534
_ROLLOUT = f"rollout-2026-01-02T03-04-05-{CODEX_SESSION}.jsonl"
_NAMES = {
    "opencode": "opencode.db",
    "llm": "logs.db",
    "goose": "sessions.db",
    "claude-code": "5c0375b4-57a5-4f26-b12d-d022ee4e51b7.jsonl",
    "codex": _ROLLOUT,
    "pi": "2026-01-02T03-04-05-000Z_5c0375b4-57a5-4f26-b12d-d022ee4e51b7.jsonl",
    "gemini-cli": "session-2026-01-02T03-04-5c0375b4.jsonl",
}


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that anybody may enter, unlike those that pytest makes."""
    folder = Path(tempfile.mkdtemp(prefix="clew-unreadable-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def closed(*paths: Path, mode: int = 0) -> Iterator[None]:
    """While it lasts nobody may read these, and root, who may, is somebody else."""
    before = {path: path.stat().st_mode for path in paths}
    for path in paths:
        path.chmod(mode)
    root = os.geteuid() == 0
    if root:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path, was in before.items():
            path.chmod(was)


@pytest.fixture
def store() -> Iterator[clew.Store]:
    with clew.open(":memory:") as store:
        yield store


def rollout(folder: Path, number: int = 0) -> Path:
    """A rollout in a folder of its own; another session for another number."""
    folder.mkdir(parents=True, exist_ok=True)
    id = CODEX_SESSION[:-1] + str(number)
    path = folder / _ROLLOUT.replace(CODEX_SESSION, id)
    path.write_text(write_codex(folder / "home", "mend", "done").read_text().replace(CODEX_SESSION, id))
    shutil.rmtree(folder / "home")
    return path


@pytest.mark.parametrize("format", _NAMES)
def test_a_folder_of_which_no_file_may_be_read_is_an_error_that_names_the_file(store, place, format):
    path = place / _NAMES[format]
    path.write_bytes(MAGIC)
    with closed(path), pytest.raises(UnavailableError, match=f"{path.name}: cannot be read: permission denied"):
        IMPORTERS[format].run(store, place)


@pytest.mark.parametrize("format", IMPORTERS)
def test_a_file_that_may_not_be_read_is_an_error_that_says_so(store, place, format):
    path = place / "talk.jsonl"
    path.write_text("{}\n")
    with closed(path), pytest.raises(UnavailableError, match=r"talk\.jsonl cannot be read: permission denied"):
        IMPORTERS[format].run(store, path)


@pytest.mark.parametrize("format", _NAMES)
def test_a_folder_that_may_not_be_listed_is_an_error_that_says_so(store, place, format):
    with closed(place), pytest.raises(UnavailableError, match=f"{place} cannot be listed: permission denied"):
        IMPORTERS[format].run(store, place)


def test_of_a_folder_what_may_be_read_is_imported_and_the_rest_is_named(store, place):
    rollout(place, 1)
    file, folder = rollout(place, 2), rollout(place / "below", 3).parent
    with closed(file, folder):
        report = IMPORTERS["codex"].run(store, place)
    assert report.sessions_created == 1
    assert sorted(map(str, report.broken)) == [
        f"file {file}: cannot be read: permission denied",
        f"folder {folder}: cannot be listed: permission denied",
    ]


def test_files_in_a_folder_that_may_be_listed_and_not_entered_are_named(store, place):
    rollout(place, 1)
    file = rollout(place / "below", 2)
    with closed(file.parent, mode=0o444):
        report = IMPORTERS["codex"].run(store, place)
    assert (report.sessions_created, [finding.id for finding in report.broken]) == (1, [str(file)])


def test_a_link_that_leads_to_itself_is_named(store, place):
    rollout(place, 1)
    loop = place / _ROLLOUT
    loop.symlink_to(loop.name)
    report = IMPORTERS["codex"].run(store, place)
    assert (report.sessions_created, [finding.id for finding in report.broken]) == (1, [str(loop)])


@pytest.mark.parametrize("find", [find_importer, find_places])
def test_what_may_not_be_read_is_not_said_to_be_of_no_format(place, find):
    file = rollout(place, 1)
    with closed(file), pytest.raises(UnavailableError, match=f"{file} cannot be read: permission denied"):
        find(file)
    with closed(file), pytest.raises(UnavailableError, match=f"nothing of {place} can be imported: {file} cannot be"):
        find(place)
    with closed(place), pytest.raises(UnavailableError, match=f"{place} cannot be listed: permission denied"):
        find(place)
    with closed(place, mode=0o444), pytest.raises(UnavailableError, match=f"{file} cannot be read"):
        find(place)
    with closed(place), pytest.raises(UnavailableError, match=f"{file} cannot be read"):
        find(file)
    with pytest.raises(NotFoundError, match="does not exist"):
        find(place / "missing")


def test_the_place_of_a_program_that_nobody_may_look_into_is_found_and_fails_by_itself(store, place):
    write_claude(place, "why?")
    home = write_codex(place, "mend", "done").parents[4]
    for path in (home, home / "sessions"):
        with closed(path):
            found = {importer.name: where for importer, where in discover(place)}
            with pytest.raises(UnavailableError, match=r"cannot be (read|listed): permission denied"):
                IMPORTERS["codex"].run(store, found["codex"])
        assert found == {"claude-code": place / ".claude" / "projects", "codex": home}
