"""The promises of clew's own archive: complete, streamed, and equal when it comes back."""

import io
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.tampering import FileTamper
from tests.contract.test_http import make_key
from tests.contract.test_http import open_store as open_remote_store
from tests.copying.shapes import SHAPES, fill
from tests.copying.stores import everything, open_file
from tests.copying.walk import Walk
from tests.support.http_server import LiveServer
from tests.support.postgres_stores import open_store as open_postgres

import clew
from clew import Attachment, Store
from clew.archive import ArchiveReader, write_archive
from clew.errors import InvalidRequestError, NotFoundError
from clew.importers import import_path
from clew.limits import ATTACHMENT_CHUNK_BYTES
from clew.testing import Clock
from clew.testing.profiles import examples


@pytest.fixture
def store() -> Iterator[Store]:
    with open_file(None, Clock(tick=1_000)) as opened:
        yield opened


def archived(store: Store, **options: Any) -> bytes:
    out = io.BytesIO()
    write_archive(store, out, **options)
    return out.getvalue()


def brought_back(path: Path, data: bytes) -> Store:
    path.write_bytes(data)
    again = open_file(None, Clock(tick=1_000))
    import_path(again, path)
    return again


def assert_comes_back(store: Store, path: Path) -> None:
    data = archived(store)
    with brought_back(path, data) as again:
        assert everything(again) == everything(store)
        assert archived(again) == data
        assert list(again.verify()) == []


# ------------------------------------------------------------------------------------------------------- round trips


@pytest.mark.parametrize("shape", [name for name in SHAPES if name != "owned"])
def test_every_shape_of_session_comes_back_equal(store: Store, tmp_path: Path, shape: str) -> None:
    SHAPES[shape](store)
    assert_comes_back(store, tmp_path / "a.jsonl")


@examples(5)
@given(st.integers(0, 2**32 - 1))
def test_any_store_comes_back_equal_and_the_same_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    with open_file(None, Clock(tick=1_000)) as store:
        Walk(store, seed).go(40)
        assert_comes_back(store, tmp_path_factory.mktemp("archive") / "a.jsonl")


def test_a_postgres_store_has_the_same_archive_as_the_file_it_was_copied_from(
    store: Store, postgres_database: Any
) -> None:
    fill(store)
    postgres_database.empty()
    with open_postgres(postgres_database.url, Clock(tick=1_000)) as team:
        clew.copy_store(store, team)
        assert archived(team) == archived(store)


def test_numbers_surrogates_and_white_space_stay_as_they_are_spelled(store: Store, tmp_path: Path) -> None:
    odd = {"role": "user", "content": "\ud800 é \u2028 🧶", "n": [1.0, 10**30, 1e-7, 0.1, -0.0], "k\ud801": None}
    store.create_session("a \u2028 title", messages=[odd], metadata={"x": 1.0})
    assert_comes_back(store, tmp_path / "a.jsonl")
    assert b"1e-07" in archived(store)
    assert archived(store).count(b"\n") == 4


def test_an_archive_of_some_sessions_holds_these_and_no_others(store: Store, tmp_path: Path) -> None:
    talk = fill(store)
    with brought_back(tmp_path / "a.jsonl", archived(store, sessions=talk.id)) as again:
        assert everything(again) == {talk.id: everything(store)[talk.id]}
    with pytest.raises(NotFoundError):
        archived(store, sessions="00000000-0000-4000-8000-000000000000")


def test_without_attachments_none_is_written(store: Store) -> None:
    fill(store)
    kinds = [json.loads(line)["type"] for line in archived(store, attachments=False).splitlines()]
    assert set(kinds) == {"clew", "session", "checkpoint", "end"}


# ------------------------------------------------------------------------------------------------------------- sizes


def test_a_checkpoint_costs_what_it_adds_in_the_file_and_in_memory(store: Store, tmp_path: Path) -> None:
    session = store.create_session("long")
    for number in range(1_000):
        store.append(session.id, [{"role": "user", "content": f"{number} " + "x" * 1_000}])
    path = tmp_path / "a.jsonl"
    tracemalloc.start()
    with path.open("wb") as out:
        write_archive(store, out)
    written = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    with ArchiveReader(path) as reader:
        assert reader.problems == []
    read = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size < 1_500_000
    assert written < 6_000_000
    assert read < 6_000_000


def test_a_large_attachment_is_written_in_pieces_and_the_same_bytes_once(store: Store, tmp_path: Path) -> None:
    large = bytes(ATTACHMENT_CHUNK_BYTES) + b"and more"
    for _ in range(2):
        session = store.create_session("")
        store.append(session.id, [], attachments={"a": large, "b": Attachment(large, "x/y")})
    lines = [json.loads(line) for line in archived(store).splitlines()]
    assert [line["number"] for line in lines if line["type"] == "piece"] == [0, 1]
    assert [line["pieces"] for line in lines if line["type"] == "attachment"] == [[0, 1]] * 4
    assert_comes_back(store, tmp_path / "a.jsonl")


# ------------------------------------------------------------------------------------------------------------ damage


def test_an_archive_that_has_broken_off_says_so_and_hides_nothing_that_is_whole(store: Store, tmp_path: Path) -> None:
    fill(store)
    lines = archived(store).splitlines(keepends=True)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(lines[:6]) + lines[6][:30])
    with open_file(None, Clock(tick=1_000)) as again:
        broken = import_path(again, path).broken
        assert any("broken off" in str(finding) for finding in broken)
        assert any("line 7" in str(finding) for finding in broken)
        assert len(everything(again)) >= 1


def test_a_flipped_byte_is_named_and_what_was_stored_is_not_changed_by_it(store: Store, tmp_path: Path) -> None:
    session = store.create_session("t", messages=[{"role": "user", "content": "abcdef"}])
    data = archived(store).replace(b"abcdef", b"abcdeg")
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    with open_file(None, Clock(tick=1_000)) as again:
        try:
            broken = [str(finding) for finding in import_path(again, path).broken]
        except InvalidRequestError as error:
            broken = [str(error)]
        assert any(str(session.id) in finding for finding in broken)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "no archive"),
        (b"hello\n", "no archive"),
        (b'{"type":"session"}\n', "no archive"),
        (b'{"type":"clew","version":2}\n{"type":"end"}\n', "version 2"),
    ],
)
def test_a_file_that_is_no_archive_of_this_version_is_refused(tmp_path: Path, text: bytes, told: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(text)
    with pytest.raises(InvalidRequestError, match=told), ArchiveReader(path):
        pass


def test_what_is_damaged_in_the_store_is_left_out_and_named_and_its_children_stay(tmp_path: Path) -> None:
    path = str(tmp_path / "agent.db")
    with open_file(path, Clock(tick=1_000)) as store:
        session = store.create_session("t", messages=[{"role": "user", "content": "one"}])
        second = store.append(session.id, [{"role": "user", "content": "two"}])
        store.create_checkpoint(session.id, [{"role": "user", "content": "three"}], parent_id=second.id)
        whole = [item.id for item in store.list_checkpoints(session.id)]
    FileTamper(Path(path)).replace_message(whole[1], 1, b'{"role":"user","content":"twi"}')
    with open_file(path, Clock(tick=1_000)) as store:
        out = io.BytesIO()
        done = write_archive(store, out)
    assert [what for what, _ in done.failed] == [f"checkpoint {whole[1]}"]
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["id"] for line in lines if line["type"] == "checkpoint"] == [str(whole[0]), str(whole[2])]
    assert lines[-2]["parent_id"] == str(whole[0])


def test_a_store_behind_a_server_has_the_same_archive(store: Store, http_server: LiveServer) -> None:
    fill(store)
    clock = Clock(tick=1_000)
    http_server.switch.put(store._backend, clock)
    with open_remote_store(http_server, clock, make_key(store._backend)) as remote:
        assert archived(remote) == archived(store)
