"""The promises of an import of an archive that was cut, changed, or written by somebody else."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.copying.shapes import fill
from tests.copying.stores import everything, open_file

from clew import Store
from clew.archive import write_archive
from clew.errors import InvalidRequestError
from clew.importers import import_path
from clew.testing import Clock

Lines = list[dict[str, Any]]


@pytest.fixture
def store() -> Iterator[Store]:
    with open_file(None, Clock(tick=1_000)) as opened:
        yield opened


@pytest.fixture
def again() -> Iterator[Store]:
    with open_file(None, Clock(tick=1_000)) as opened:
        yield opened


def archived(store: Store) -> bytes:
    out = io.BytesIO()
    write_archive(store, out)
    return out.getvalue()


def read_in(store: Store, path: Path, data: bytes) -> list[str]:
    """What an import of these bytes tells of; an error where nothing of them can be imported is all that it tells."""
    path.write_bytes(data)
    try:
        return [str(finding) for finding in import_path(store, path).broken]
    except InvalidRequestError as error:
        return [error.message]


def changed(data: bytes, change: Callable[[Lines], object]) -> bytes:
    lines = [json.loads(line) for line in data.splitlines()]
    change(lines)
    return b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)


def first(lines: Lines, kind: str) -> dict[str, Any]:
    return next(line for line in lines if line["type"] == kind)


def test_after_an_archive_that_has_broken_off_anywhere_the_whole_one_brings_everything(
    store: Store, tmp_path: Path
) -> None:
    fill(store)
    data, whole = archived(store), everything(store)
    lines = data.splitlines(keepends=True)
    for count in range(1, len(lines)):
        with open_file(None, Clock(tick=1_000)) as again:
            assert any("broken off" in told for told in read_in(again, tmp_path / "a", b"".join(lines[:count])))
            assert read_in(again, tmp_path / "a", data) == []
            assert everything(again) == whole, count


def test_a_line_that_is_lost_is_told_of_whichever_it_is(store: Store, tmp_path: Path) -> None:
    fill(store)
    lines = archived(store).splitlines(keepends=True)
    for place in range(1, len(lines)):
        with open_file(None, Clock(tick=1_000)) as again:
            assert read_in(again, tmp_path / "a", b"".join(lines[:place] + lines[place + 1 :])), lines[place]


def test_a_line_that_is_there_twice_is_told_of_and_changes_nothing(store: Store, tmp_path: Path) -> None:
    fill(store)
    lines = archived(store).splitlines(keepends=True)
    for place in range(1, len(lines) - 1):
        with open_file(None, Clock(tick=1_000)) as again:
            told = read_in(again, tmp_path / "a", b"".join([*lines[: place + 1], *lines[place:]]))
            assert "is there twice" in told[0]
            assert everything(again) == everything(store)


def test_what_stands_after_the_end_is_not_read_and_told_of(store: Store, again: Store, tmp_path: Path) -> None:
    fill(store)
    with open_file(None, Clock(tick=2_000)) as other:
        other.create_session("another", messages=[{"role": "user", "content": "x"}])
        told = read_in(again, tmp_path / "a", archived(store) + archived(other))
    assert len(told) == 1
    assert "after the end" in told[0]
    assert everything(again) == everything(store)


def test_changed_bytes_of_an_attachment_are_named_and_not_brought(store: Store, again: Store, tmp_path: Path) -> None:
    session = store.create_session("t")
    store.append(session.id, [], attachments={"f": b"abc"})
    data = changed(archived(store), lambda lines: first(lines, "piece").update(data="YWJk"))
    assert any("other bytes" in told for told in read_in(again, tmp_path / "a", data))
    assert all(not item["attachments"] for row in everything(again).values() for item in row["checkpoints"].values())


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("session", "visibility", "SECRET"), ("session", "status", "x"), ("session", "title", "a\0b"),
        ("session", "title", "a" * 20_000), ("session", "cwd", "\ud800"), ("session", "source", None),
        ("session", "metadata", [1]), ("session", "owner", ""), ("session", "created_at", "2020-01-01T00:00:00"),
        ("checkpoint", "chain", "zz"), ("checkpoint", "chain", ""), ("checkpoint", "shared", -1),
        ("checkpoint", "label", "a\0b"), ("checkpoint", "messages", [5]),
        ("attachment", "name", ""), ("attachment", "content_type", "a\0b"),
        ("attachment", "session_id", "00000000-0000-4000-8000-000000000000"),
    ],
)  # fmt: skip
def test_what_no_store_could_hold_is_named_and_the_other_sessions_come(
    store: Store, again: Store, tmp_path: Path, kind: str, field: str, value: object
) -> None:
    store.create_session("another")
    session = store.create_session("t", source="s", source_id="1")
    store.append(session.id, [{"role": "user", "content": "a"}], attachments={"f": b"1"})

    def change(lines: Lines) -> None:
        of_it = [line for line in lines if str(session.id) in (line.get("id"), line.get("session_id"))]
        next(line for line in reversed(of_it) if line["type"] == kind)[field] = value

    assert read_in(again, tmp_path / "a", changed(archived(store), change))
    assert "another" in {item.title for item in again.list_sessions()}
    assert list(again.verify()) == []
    found = again.list_sessions().items
    assert all(item.title == "another" for item in found) or kind != "session"


def test_a_message_that_is_nested_without_end_is_named(store: Store, again: Store, tmp_path: Path) -> None:
    store.create_session("t", messages=[{"role": "user", "content": "here"}])
    data = archived(store).replace(b'"here"', b"[" * 9_000 + b"]" * 9_000)
    assert any("cannot be read" in told for told in read_in(again, tmp_path / "a", data))


def test_where_the_active_checkpoint_is_missing_the_newest_stands_in_for_it(
    store: Store, again: Store, tmp_path: Path
) -> None:
    session = store.create_session("t", messages=[{"role": "user", "content": "a"}])
    step = store.append(session.id, [{"role": "user", "content": "b"}])
    store.append(session.id, [{"role": "user", "content": "c"}])
    told = read_in(again, tmp_path / "a", changed(archived(store), lambda lines: lines.pop(-2)))
    assert any("active checkpoint" in line for line in told)
    assert again.get_active_checkpoint(session.id).id == step.id


def test_an_archive_that_another_program_has_spelled_otherwise_is_known_as_one(
    store: Store, again: Store, tmp_path: Path
) -> None:
    store.create_session("t")
    data = b"".join(json.dumps(json.loads(line)).encode() + b"\n" for line in archived(store).splitlines())
    assert read_in(again, tmp_path / "a", data) == []
    assert everything(again) == everything(store)
