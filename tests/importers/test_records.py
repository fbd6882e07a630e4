"""The promises of reading a source a record at a time."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clew import limits
from clew.errors import InvalidRequestError, NotFoundError
from clew.importers.compression import zstd
from clew.importers.records import (
    Inventory,
    LineRecords,
    ListedRecords,
    Record,
    first_record,
)
from clew.importers.shortening import ShortenedLine
from clew.importers.steps import Notes


def texts(path: Path) -> list[tuple[int, bytes]]:
    return [(record.position, record.text) for record in LineRecords(path)]


class TestLines:
    @pytest.mark.parametrize("begin", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
    @pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
    @pytest.mark.parametrize("suffix", ["", ".zst"])
    def test_are_records_at_their_offsets(self, tmp_path: Path, begin: bytes, end: bytes, suffix: str) -> None:
        content = begin + end.join([b'{"a":1}', b"", b'  {"b":"\xc3\xa9"}', b""])
        path = tmp_path / f"x.jsonl{suffix}"
        path.write_bytes(zstd.compress(content) if suffix else content)
        assert [text for _, text in texts(path)] == [b'{"a":1}', '{"b":"é"}'.encode()]
        assert [content[position:].lstrip()[:4] for position, _ in texts(path)] == [b'{"a"', b'{"b"']
        assert not any(record.is_torn for record in LineRecords(path))

    def test_without_an_end_are_torn(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_bytes(b'{"a":1}\n{"b"')
        assert [record.is_torn for record in LineRecords(path)] == [False, True]
        notes = Notes()
        assert [notes.value(record) for record in LineRecords(path)] == [{"a": 1}, None]
        assert notes.broken == []

    def test_of_a_damaged_archive_are_an_error_and_never_the_end(self, tmp_path: Path) -> None:
        path = tmp_path / "x.jsonl.zst"
        whole = zstd.compress(b"".join(b'{"a":%d}\n' % number for number in range(10_000)))
        for damaged in (whole[: len(whole) // 2], b"no archive"):
            path.write_bytes(damaged)
            with pytest.raises(InvalidRequestError, match="is damaged"):
                list(LineRecords(path))
        assert first_record(path) is None

    def test_of_a_file_that_cannot_be_read_are_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(NotFoundError):
            list(LineRecords(tmp_path / "missing"))
        with pytest.raises(InvalidRequestError):
            list(LineRecords(tmp_path))

    def test_that_are_first_may_be_anything(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        for content, value in ((b"", None), (b"\xff\xfe\n", None), (b"\n\n[1]\n", [1]), (b"{", None)):
            path.write_bytes(content)
            assert first_record(path) == value
        assert first_record(tmp_path) is first_record(tmp_path / "missing") is None


class TestLongLines:
    @pytest.mark.parametrize("size", [99, 100, 101, 250])
    @pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
    def test_are_cut_and_those_after_them_stay_where_they_are(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, end: bytes
    ) -> None:
        monkeypatch.setattr(limits, "MAX_RECORD_BYTES", 100)
        monkeypatch.setattr("clew.importers.records._CHUNK", 7)
        monkeypatch.setattr("clew.importers.records._KEPT_OF_STRINGS", (50, 10))
        path = tmp_path / "x"
        long = b'{"a":"%b"}' % (b"x" * (size - 8))
        path.write_bytes(long[:-1])
        assert [record.is_torn for record in LineRecords(path)] == [True]
        path.write_bytes(long + end + (b'{"b":1}\n' if end else b""))
        first, *rest = LineRecords(path)
        assert first.value()["a"].startswith("x" * 10)
        assert (first.position, first.is_torn) == (0, False)
        assert [(record.position, record.text) for record in rest] == ([(size + len(end), b'{"b":1}')] if end else [])
        if size > 100:
            assert not first.is_whole
            assert " more bytes]" in first.value()["a"]

    def test_of_numbers_are_named_as_too_long(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "MAX_RECORD_BYTES", 100)
        path = tmp_path / "x"
        path.write_text(json.dumps(list(range(200))) + "\n")
        notes = Notes()
        assert [notes.value(record) for record in LineRecords(path)] == [None]
        assert notes.broken == [("at 0", "is too long to be read")]

    def test_need_memory_for_the_limit_and_not_for_the_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "MAX_RECORD_BYTES", 1024 * 1024)
        monkeypatch.setattr("clew.importers.records._CHUNK", 64 * 1024)
        path = tmp_path / "x"
        chunk = b'x\\"\xc3\xa9' + b"y" * 1019
        with path.open("wb") as file:
            file.write(b'{"a":"')
            for _ in range(20):
                file.write(chunk * 1024)
            file.write(b'"}\n{"b":1}\n')
        tracemalloc.start()
        try:
            positions = [record.position for record in LineRecords(path)]
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert positions == [0, 20 * 1024 * len(chunk) + 9]
        assert peak < 8 * limits.MAX_RECORD_BYTES


JSON = st.recursive(
    st.none() | st.integers() | st.text(alphabet=st.sampled_from('ab"\\/uéD8\n\t\x00𝄞€\ud834'), max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(JSON, st.integers(0, 12), st.lists(st.integers(1, 5), min_size=1, max_size=8), st.booleans())
@settings(max_examples=500, deadline=None)
def test_a_shortened_line_is_json_wherever_it_is_cut(value: Any, keep: int, sizes: list[int], ascii: bool) -> None:
    try:
        line = json.dumps(value, ensure_ascii=ascii).encode()
    except UnicodeEncodeError:
        line = json.dumps(value).encode()
    shortened = ShortenedLine(keep)
    place = number = 0
    while place < len(line):
        size = sizes[number % len(sizes)]
        shortened.feed(line[place : place + size])
        shortened.feed(b"")
        place, number = place + size, number + 1
    assert same_but_for_cuts(value, json.loads(shortened.text()), keep)
    # Whoever reads it does so with a decoder that takes no half of a pair, unless there was one before.
    if "\ud834" not in json.dumps(value, ensure_ascii=False):
        shortened.text().decode()
        json.dumps(json.loads(shortened.text()), ensure_ascii=False).encode()


def test_a_cut_after_an_escaped_backslash_takes_no_half_of_it() -> None:
    shortened = ShortenedLine(5)
    shortened.feed(json.dumps("\\u12 and more").encode())
    assert json.loads(shortened.text()).startswith("\\u12 [cut: ")


def same_but_for_cuts(value: Any, short: Any, keep: int) -> bool:
    if isinstance(value, dict):
        return isinstance(short, dict) and len(short) <= len(value)
    if isinstance(value, list):
        return len(value) == len(short) and all(map(same_but_for_cuts, value, short, [keep] * len(value)))
    if isinstance(value, str) and value != short:
        kept, _, cut = short.rpartition(" [cut: ")
        return (
            value.startswith(kept) and cut.endswith(" more bytes]") and len(kept.encode(errors="replace")) <= keep + 6
        )
    return bool(value == short)


class TestWatermark:
    def test_of_records_tells_their_borders_and_places(self) -> None:
        marks = {
            ListedRecords([Record(0, b"1"), Record(1, b"23")]).watermark().hash,
            ListedRecords([Record(0, b"12"), Record(1, b"3")]).watermark().hash,
            ListedRecords([Record(0, b"1"), Record(2, b"23")]).watermark().hash,
        }
        assert len(marks) == 3

    def test_of_a_file_is_that_of_what_it_holds(self, tmp_path: Path) -> None:
        plain, packed = tmp_path / "x", tmp_path / "x.zst"
        plain.write_bytes(b"{}\n")
        packed.write_bytes(zstd.compress(b"{}\n"))
        assert LineRecords(plain).watermark() == LineRecords(packed).watermark()


class TestInventory:
    def test_is_the_same_in_any_order_and_another_one_for_other_records(self) -> None:
        a, b = Record(0, b"1"), Record(1, b"2")
        assert Inventory.of([a, b]) == Inventory.of([b, a])
        others = ([a], [a, a], [a, Record(1, b"3")], [Record(0, b"2"), Record(1, b"1")])
        assert all(Inventory.of(other) != Inventory.of([a, b]) for other in others)

    def test_does_not_count_what_is_torn(self) -> None:
        assert Inventory.of([Record(0, b"1"), Record(1, b"2", is_torn=True)]) == Inventory.of([Record(0, b"1")])
