"""Files to import that nobody wrote: what importers and the command line make of any bytes.

A target takes bytes and tells how many messages or sessions it took from them; it raises AssertionError, or what is no
error of clew's, where something is wrong. The same targets are given changed seeds here, and by `soak` inputs that a
fuzzer found to reach new code.
"""

import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import apsw
from tests.faults.wholeness import Whole
from tests.support.stakpak_databases import Generation, Shape, write_database

import clew
from clew.cli.reading import parse_messages
from clew.importers import IMPORTERS, find_importer

Target = Callable[[bytes], int]

_TOKENS = [
    b"[", b"]", b"{", b"}", b",", b":", b'"', b"null", b"1e999", b"NaN", b"\\ud800", b"\\u0000", b"\0", b"\xff",
    b"\n", b'"role"', b'"messages"', b'"system"', b"-", b"9" * 400, b"[" * 300, b'{"a":' * 300, b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"2026-01-02T03:04:05Z", b"9999-12-31T23:59:60+23:59", b"00000000-0000-4000-8000-000000000001", b"ACTIVE",
]  # fmt: skip
_COLUMNS = {
    "sessions": ("id", "title", "visibility", "status", "cwd", "created_at", "updated_at"),
    "checkpoints": ("id", "session_id", "parent_id", "state", "created_at"),
}


def read_messages(data: bytes) -> int:
    """What `clew append` reads."""
    taken = 0
    for role in (None, "user"):
        try:
            messages = parse_messages(data, role)
        except clew.InvalidRequestError:
            continue
        with clew.open(":memory:") as store:
            _accepted(lambda: store.create_session("", messages=messages))  # noqa: B023
            taken += sum(len(kept.points[0].messages) for kept in Whole(store).world.values())
    return taken


def import_message_file(data: bytes) -> int:
    """A file for `clew import messages`."""
    return _import("messages", lambda path: path.write_bytes(data))


def import_agent_rows(data: bytes) -> int:
    """A database of the Stakpak agent's with any cells: NUL ends a cell, a line feed a row."""
    return _import("stakpak", lambda path: _write_rows(path, data))


def import_agent_file(data: bytes) -> int:
    """A file for `clew import stakpak`."""
    return _import("stakpak", lambda path: path.write_bytes(data))


TARGETS: dict[str, Target] = {
    "messages": read_messages,
    "message-file": import_message_file,
    "agent-rows": import_agent_rows,
    "agent-file": import_agent_file,
}


def seeds(target: str) -> list[bytes]:
    """Inputs that are right, to begin with."""
    if target == "messages":
        return [*message_seeds(), b"a text"]
    if target == "message-file":
        return message_seeds()
    return _row_seeds() if target == "agent-rows" else _file_seeds()


def edges(target: str) -> list[bytes]:
    """Inputs that no chance would come upon."""
    deep = 100_000
    whole = [
        b"", b"\0" * 100, b"\xef\xbb\xbf", b"[" * deep, b'{"a":' * deep, b'[{"role":"user","content":' + b"[" * deep,
        b'{"messages":' + b"[" * deep, b'[{"role":"user","content":1e999}]', b'[{"role":"user","content":NaN}]',
        b'[{"role":"user","content":"\\ud83d\\ude00\\ud800"}]', b'[{"role":"user","n":' + b"9" * 5_000 + b"}]",
    ]  # fmt: skip
    if target != "agent-rows":
        return whole
    return [_row_seeds()[0].replace(b'{"messages"', edge.replace(b"\0", b"") + b'{"messages"', 1) for edge in whole]


def mutated(data: bytes, dice: Random) -> bytes:
    """`data` changed in a few places."""
    changed = bytearray(data)
    for _ in range(dice.choice([1, 1, 2, 4, 8])):
        at, beyond = sorted(dice.randint(0, len(changed)) for _ in range(2))
        beyond = min(beyond, at + dice.choice([1, 4, 64]))
        changed[at:beyond] = dice.choice(
            [b"", dice.choice(_TOKENS), dice.randbytes(1), bytes(changed[at:beyond]) * 2, b"", dice.choice(_TOKENS)]
        )
    return bytes(changed)


def _import(name: str, write: Callable[[Path], object]) -> int:
    """Import a file twice: what the store then has is whole, and the second time brings nothing. How many sessions."""
    with tempfile.TemporaryDirectory() as folder, clew.open(":memory:") as store:
        path = Path(folder, "file")
        write(path)
        _accepted(lambda: find_importer(path))
        report = _accepted(lambda: IMPORTERS[name].run(store, path))
        whole = Whole(store)
        if report is None:
            return 0
        assert report.sessions_created == len(whole.world)
        again = _accepted(lambda: IMPORTERS[name].run(store, path))
        assert again is not None
        assert (again.sessions_created, again.checkpoints_created) == (0, 0), again
        return len(whole.world)


def _accepted(call: Callable[[], Any]) -> Any:
    """What the call gives, None where it is refused."""
    try:
        return call()
    except clew.InternalError as error:
        raise AssertionError("an internal error is nobody's answer") from error
    except clew.StorageError:
        return None


def _write_rows(path: Path, data: bytes) -> None:
    connection = apsw.Connection(str(path))
    try:
        for table, columns in _COLUMNS.items():
            connection.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
        for row in data.split(b"\n"):
            kind, *cells = row.split(b"\0")
            table = "sessions" if kind == b"s" else "checkpoints"
            cells = [*cells, *[b""] * 7][: len(_COLUMNS[table])]
            connection.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(cells))})", list(map(_cell, cells)))
    finally:
        connection.close()


def _cell(cell: bytes) -> Any:
    """A value of the type that its first byte says, text of any bytes by default."""
    first, rest = cell[:1], cell[1:]
    if first == b"":
        return None
    if first in b"bi":
        return rest if first == b"b" else len(rest)
    return cell.decode(errors="surrogateescape").encode("utf-8", "replace").decode()


@cache
def message_seeds() -> list[bytes]:
    """Messages in every form that is read."""
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": [{"type": "text", "text": "ü"}]}]
    lines = "\n".join(json.dumps(message) for message in messages)
    request = {"model": "m", "system": "s", "messages": messages}
    return [json.dumps(messages).encode(), lines.encode(), json.dumps(request).encode(), b'{"role":"user"}']


@cache
def _row_seeds() -> list[bytes]:
    session, first, second = (f"00000000-0000-4000-8000-00000000000{number}" for number in range(3))
    at = ["2026-01-02T03:04:05+00:00", "2026-01-02T03:04:06.123456789Z"]
    state = json.dumps({"messages": [{"role": "user", "content": "a"}], "metadata": {"k": 1}})
    longer = json.dumps({"messages": [{"role": "user", "content": "a"}, {"role": "assistant"}]})
    rows = [
        ["s", session, "title", "PRIVATE", "ACTIVE", "/cwd", *at],
        ["c", first, session, "", state, at[0]],
        ["c", second, session, first, longer, at[1]],
    ]
    whole = b"\n".join("\0".join(row).encode() for row in rows)
    return [whole, whole.replace(second.encode(), first.encode()), whole.replace(b"PRIVATE", b"bPRIVATE")]


@cache
def _file_seeds() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for generation in Generation:
            path = Path(folder, generation)
            write_database(path, generation, Shape(sessions=2, turns=3, message_bytes=40))
            found.append(path.read_bytes())
    return found
