"""Reads the Stakpak agent's `local.db`, whatever generation of its schema the file is in, without changing it.

Generations differ in which columns there are and in their order, so columns are asked for by name and may be missing.
A file that was torn by a migration killed half-way has its rows in `_sessions_old` or `_checkpoints_old`, or some in
each of the two tables: both are read and a row that is in both counts once. Such a file is lost to the agent itself.

Every text column is fetched as its bytes together with its type, because a single BLOB or a byte that is not UTF-8
would otherwise fail the whole query: what cannot be read is one row, and that one is named.

The file is opened read-only and never migrated. Beside a file in WAL mode SQLite leaves an empty `-wal` and its `-shm`,
as it does for any reader that may not write; the agent removes them when it next closes the file.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import UUID

import apsw
import msgspec

from clew import limits
from clew.errors import CorruptStateError, InvalidRequestError, UnavailableError
from clew.importers.base import Tally
from clew.model import SessionStatus, Visibility

SESSIONS = ("_sessions_old", "sessions")
CHECKPOINTS = ("_checkpoints_old", "checkpoints")

_REQUIRED = {
    SESSIONS: {"id", "title", "visibility", "created_at", "updated_at"},
    CHECKPOINTS: {"id", "session_id", "parent_id", "state", "created_at"},
}
_BUSY_MILLISECONDS = 5000
_Choice = TypeVar("_Choice", Visibility, SessionStatus)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_UUID = re.compile(
    r"(?:urn:uuid:)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|[0-9a-f]{32}"
    r"|\{[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)


class UnreadableError(ValueError):
    """A row of the source that cannot be read. The message says why."""


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A session of the source; times are nanoseconds since 1970."""

    id: UUID
    table: str
    title: str
    visibility: Visibility
    status: SessionStatus
    cwd: str | None
    created_at: int
    updated_at: int


class CheckpointRow(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint of the source as far as it is read in advance.

    `key` is the id as the file spells it and `parent` the `canonical` parent. `position` gives the order of insertion:
    the rowid, which a copy into another table keeps, as the agent removes no row.
    """

    id: UUID
    key: str
    table: str
    parent: str | None
    position: tuple[int, str]


class Checkpoints(msgspec.Struct, frozen=True):
    """Every checkpoint of a file, without its state.

    `lineage` has the parent of every row with an id of any kind, broken ones too: a child of a broken row is to find
    its grandparent. `home` has the session of every row in `by_session`. Both by `canonical` id.
    """

    by_session: dict[UUID, list[CheckpointRow]]
    lineage: dict[str, str | None]
    home: dict[str, UUID]
    count: int


def canonical(identifier: str) -> str:
    """The lower-case hyphenated form of a UUID in any of its spellings; other text as it is."""
    return str(UUID(identifier)) if _UUID.fullmatch(identifier) else identifier


def to_datetime(nanoseconds: int) -> datetime:
    """The moment in whole microseconds, what is beyond them cut off."""
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


class Source:
    """An open `local.db`. What cannot be read is reported to the tally and left out."""

    def __init__(self, path: Path, tally: Tally) -> None:
        self._path = path
        self._tally = tally
        with self._named_errors():
            self._connection = _open_read_only(path)
        try:
            with self._named_errors():
                self._columns = self._find_tables()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def sessions(self) -> list[SessionRow]:
        """The readable sessions, oldest first."""
        found: dict[UUID, SessionRow] = {}
        for table in self._present(SESSIONS):
            for row in self._session_rows(table):
                earlier = found.get(row.id)
                if earlier is not None and earlier.table == table:
                    self._tally.broken(table, str(row.id), "another row has the same id")
                # The migration copies a row with its status and cwd set back: of two that are equally new, the old
                # table's is the true one.
                elif earlier is None or row.updated_at > earlier.updated_at:
                    found[row.id] = row
        return sorted(found.values(), key=lambda row: row.created_at)

    def checkpoints(self) -> Checkpoints:
        """All checkpoints, but for their times and states, which lie behind megabytes."""
        listing = Checkpoints({}, {}, {}, 0)
        rows: dict[UUID, CheckpointRow] = {}
        count = 0
        for table in self._present(CHECKPOINTS):
            for rowid, *cells in self._select(table, "id", "session_id", "parent_id"):
                count += 1
                self._list_checkpoint(listing, rows, table, rowid, cells)
        return msgspec.structs.replace(listing, count=count)

    def created_at(self, row: CheckpointRow) -> int:
        """When the checkpoint was made."""
        return _time(*self._cell_of(row, "created_at"), "created_at")

    def state(self, row: CheckpointRow) -> bytes:
        """The JSON text of the checkpoint's state."""
        kind, raw = self._cell_of(row, "state")
        if kind != "text" or raw is None:
            raise UnreadableError(f"state is {_kind_name(kind)}")
        return raw

    def _session_rows(self, table: str) -> Iterator[SessionRow]:
        columns = ("id", "title", "visibility", "status", "cwd", "created_at", "updated_at")
        for rowid, *cells in self._select(table, *columns):
            try:
                yield self._session_row(table, cells)
            except UnreadableError as error:
                self._tally.broken(table, _row_name(rowid, cells), str(error))

    def _session_row(self, table: str, cells: list[Any]) -> SessionRow:
        id_, title, visibility, status, cwd, created_at, updated_at = _pairs(cells)
        session_id = _uuid(*id_, "id")
        described = _Described(self._tally, table, str(session_id))
        return SessionRow(
            id=session_id,
            table=table,
            title=described.title(*title),
            visibility=described.choice(*visibility, "visibility", Visibility, Visibility.PRIVATE),
            status=described.choice(*status, "status", SessionStatus, SessionStatus.ACTIVE),
            cwd=described.cwd(*cwd),
            created_at=_time(*created_at, "created_at"),
            updated_at=_time(*updated_at, "updated_at"),
        )

    def _list_checkpoint(
        self, listing: Checkpoints, rows: dict[UUID, CheckpointRow], table: str, rowid: int, cells: list[Any]
    ) -> None:
        id_, session_id, parent_id = _pairs(cells)
        name = _row_name(rowid, cells)
        try:
            key = _text(*id_, "id")
            parent = self._parent_key(table, name, *parent_id)
            listing.lineage.setdefault(canonical(key), parent)
            checkpoint_id, owner = _uuid(*id_, "id"), _uuid(*session_id, "session_id")
        except UnreadableError as error:
            self._tally.broken(table, name, str(error))
            return
        earlier = rows.get(checkpoint_id)
        if earlier is None:
            row = CheckpointRow(id=checkpoint_id, key=key, table=table, parent=parent, position=(rowid, table))
            rows[checkpoint_id] = row
            listing.home[str(checkpoint_id)] = owner
            listing.by_session.setdefault(owner, []).append(row)
        elif earlier.table == table:
            self._tally.broken(table, name, "another row has the same id")

    def _parent_key(self, table: str, name: str, kind: str, raw: bytes | None) -> str | None:
        if kind == "null":
            return None
        try:
            return canonical(_text(kind, raw, "parent_id"))
        except UnreadableError as error:
            self._tally.mended(table, name, f"{error}: made a root")
            return None

    def _present(self, tables: tuple[str, ...]) -> list[str]:
        return [table for table in tables if table in self._columns]

    def _find_tables(self) -> dict[str, set[str]]:
        """The columns of each table that this format has; InvalidRequestError where the file is something else."""
        found: dict[str, set[str]] = {}
        for table in (*SESSIONS, *CHECKPOINTS):
            columns = {row[0] for row in self._connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}
            if columns:
                found[table] = columns
        for group, required in _REQUIRED.items():
            self._require(group, required, found)
        return found

    def _require(self, group: tuple[str, ...], required: set[str], found: dict[str, set[str]]) -> None:
        present = [table for table in group if table in found]
        if not present:
            raise InvalidRequestError(f"{self._path} is no Stakpak database: it has no table {group[-1]}")
        for table in present:
            missing = sorted(required - found[table])
            if missing:
                columns = ", ".join(missing)
                raise InvalidRequestError(f"{self._path} is no Stakpak database: its table {table} lacks {columns}")

    def _select(self, table: str, *columns: str) -> Iterator[tuple[Any, ...]]:
        """The rowid, then the type and the bytes of each column, in the order of insertion."""
        present = self._columns[table]
        cells = ", ".join(
            f"typeof({column}), CAST({column} AS BLOB)" if column in present else "'null', NULL" for column in columns
        )
        with self._named_errors():
            yield from self._connection.execute(f"SELECT rowid, {cells} FROM {table} ORDER BY rowid")  # noqa: S608

    def _cell_of(self, row: CheckpointRow, column: str) -> tuple[str, bytes | None]:
        sql = f"SELECT typeof({column}), CAST({column} AS BLOB) FROM {row.table} WHERE id = ?"  # noqa: S608
        try:
            with self._named_errors():
                cell: Any = self._connection.execute(sql, (row.key,)).fetchone()
        except CorruptStateError as error:
            raise UnreadableError(f"{column} lies in a damaged part of the file ({error.__cause__})") from error
        if cell is None:
            raise UnreadableError("the row went away while the file was read")
        return cell[0], cell[1]

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """SQLite's errors as clew's, each naming the file."""
        try:
            yield
        except apsw.NotADBError as error:
            raise InvalidRequestError(f"{self._path} is not an SQLite database") from error
        except apsw.CorruptError as error:
            raise CorruptStateError(f"{self._path} is damaged: {error}") from error
        except (apsw.BusyError, apsw.LockedError) as error:
            raise UnavailableError(f"{self._path} is locked by another program") from error
        except apsw.Error as error:
            raise UnavailableError(f"{self._path} cannot be read: {error}") from error


def _open_read_only(path: Path) -> apsw.Connection:
    connection = _connect(str(path), apsw.SQLITE_OPEN_READONLY)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    except (apsw.ReadOnlyError, apsw.CantOpenError):
        connection.close()
        # A file in WAL mode in a folder where nobody may make its -shm, such as a backup on read-only media. With a
        # -wal beside it there could be more than the file itself says, and then this must not pass for all of it.
        if path.with_name(f"{path.name}-wal").exists():
            raise
        name = f"file:{quote(str(path.resolve()))}?immutable=1"
        connection = _connect(name, apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    except apsw.Error:
        connection.close()
        raise
    return connection


def _connect(name: str, flags: int) -> apsw.Connection:
    connection = apsw.Connection(name, flags=flags)
    connection.set_busy_timeout(_BUSY_MILLISECONDS)
    return connection


class _Described:
    """Reads the columns of a session without which its conversation is still whole: what is wrong there is mended."""

    def __init__(self, tally: Tally, table: str, name: str) -> None:
        self._tally = tally
        self._table = table
        self._name = name

    def title(self, kind: str, raw: bytes | None) -> str:
        text = self._lenient(kind, raw, "title") or ""
        return self._cut(text, "title", limits.MAX_TITLE_CHARS)

    def cwd(self, kind: str, raw: bytes | None) -> str | None:
        text = None if kind == "null" else self._lenient(kind, raw, "cwd")
        return None if text is None else self._cut(text, "cwd", limits.MAX_CWD_CHARS)

    def choice(self, kind: str, raw: bytes | None, column: str, choices: type[_Choice], default: _Choice) -> _Choice:
        if kind == "null":
            return default
        text = self._lenient(kind, raw, column)
        if text is None:
            return default
        try:
            return choices(text.upper())
        except ValueError:
            self._mended(f"{column} {text!r:.50} read as {default}")
            return default

    def _lenient(self, kind: str, raw: bytes | None, column: str) -> str | None:
        try:
            return _text(kind, raw, column)
        except UnreadableError as error:
            self._mended(f"{error}: left out")
            return None

    def _cut(self, text: str, column: str, limit: int) -> str:
        if len(text) > limit:
            self._mended(f"{column} has {len(text):,} characters: cut at {limit:,}")
        return text[:limit]

    def _mended(self, why: str) -> None:
        self._tally.mended(self._table, self._name, why)


def _pairs(cells: list[Any]) -> list[tuple[str, bytes | None]]:
    return list(zip(cells[::2], cells[1::2], strict=True))


def _row_name(rowid: int, cells: list[Any]) -> str:
    """How a report names a row whose first column is its id: by that, or by its place where it has no text there."""
    try:
        return _text(cells[0], cells[1], "id")
    except UnreadableError:
        return f"rowid {rowid}"


def _kind_name(kind: str) -> str:
    return "NULL" if kind == "null" else f"of type {kind.upper()}, not text"


def _text(kind: str, raw: bytes | None, column: str) -> str:
    """The text of a cell, cut at a NUL as the agent reads it."""
    if kind != "text" or raw is None:
        raise UnreadableError(f"{column} is {_kind_name(kind)}")
    try:
        return raw.partition(b"\0")[0].decode()
    except UnicodeDecodeError:
        raise UnreadableError(f"{column} is not UTF-8") from None


def _uuid(kind: str, raw: bytes | None, column: str) -> UUID:
    text = _text(kind, raw, column)
    if not _UUID.fullmatch(text):
        raise UnreadableError(f"{column} {text!r:.60} is not a UUID")
    return UUID(text)


def _time(kind: str, raw: bytes | None, column: str) -> int:
    """Nanoseconds since 1970 of a time in RFC 3339; of its fraction, what is beyond nine digits is cut off."""
    text = _text(kind, raw, column)
    match = _TIME.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        return _nanoseconds(match)
    except (ValueError, OverflowError):
        raise UnreadableError(f"{column} {text!r:.60} is not a time") from None


def _nanoseconds(match: re.Match[str]) -> int:
    year, month, day, hour, minute, second = (int(group) for group in match.groups()[:6])
    fraction, sign, offset_hours, offset_minutes = match.groups()[6:]
    # A leap second is written as the 60th of its minute, and Python's datetime has none.
    whole = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    seconds = (whole - _EPOCH) // timedelta(seconds=1) + (second == 60)
    if second > 60:
        raise ValueError
    if sign is not None:
        hours, minutes = int(offset_hours), int(offset_minutes)
        if hours > 23 or minutes > 59:
            raise ValueError
        seconds -= (hours * 3600 + minutes * 60) * (1 if sign == "+" else -1)
    nanoseconds = seconds * 1_000_000_000 + int((fraction or "")[:9].ljust(9, "0"))
    to_datetime(nanoseconds)  # an offset may move the first and last day out of the calendar
    return nanoseconds
