"""The promises of the records that the store keeps."""

import pytest

from clew.errors import CorruptStateError
from clew.importers import raw
from clew.importers.compression import zstd
from clew.importers.records import Record

RECORDS = [
    Record(0, b'{"a":1}'),
    Record(9, b"two\nlines\r\n", is_whole=False),
    Record(20, b""),
    Record(30, b"x", is_torn=True),
]


def test_records_come_back_as_they_were() -> None:
    assert raw.unpack(raw.pack("/a/é.jsonl", RECORDS)) == ("/a/é.jsonl", RECORDS)


def test_a_path_that_is_no_text_is_kept_as_it_can_be_shown() -> None:
    assert raw.unpack(raw.pack("/\udcff", []))[0] == "/\\udcff"


def test_the_same_records_have_the_same_bytes() -> None:
    assert raw.pack("/a", RECORDS) == raw.pack("/a", RECORDS)


def test_records_can_be_read_without_clew() -> None:
    assert zstd.decompress(raw.pack("/a", RECORDS[:1])).split(b"\n")[1] == b'{"a":1}'


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"junk",
        bytes(raw.pack("/a", RECORDS))[:-4],
        zstd.compress(b"[]\n"),
        zstd.compress(zstd.decompress(raw.pack("/a", RECORDS))[:-1]),
        zstd.compress(b'{"path":"/a","positions":[1],"sizes":[]}\n'),
    ],
)
def test_damage_is_an_error(damaged: bytes) -> None:
    with pytest.raises(CorruptStateError):
        raw.unpack(damaged)


def test_names_of_loose_records_tell_files_apart() -> None:
    assert len({raw.loose_name(path, position) for path in ("/a", "/b") for position in (0, 5)}) == 4
