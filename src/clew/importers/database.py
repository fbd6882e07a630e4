"""Reading another program's SQLite database without changing anything on disk, while the program writes it or not.

A reader of a file in WAL mode makes a `-wal` and a `-shm` beside it. That is avoided: a file without them is read as it
stands, one with them through the `-shm` that is there. What can be read in neither way, such as a backup with a `-wal`
on read-only media or a file that was left in the midst of a transaction, is copied to a private folder and read there.
"""

import base64
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import apsw

from clew.errors import CorruptStateError, InvalidRequestError, NotFoundError, StorageError, UnavailableError

Row = dict[str, Any]

MAGIC = b"SQLite format 3\0"
DAMAGED = "damaged"
"""In the place of a table: of the row that stands for one that cannot be read."""

_HEADER_BYTES = 20
_FORMAT_VERSION = 18  # where the header says whether the file is in WAL mode
_WAL = 2
_BUSY_MILLISECONDS = 5000


def is_database(path: Path) -> bool:
    """Whether there is an SQLite file. False where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def tables_of(path: Path) -> dict[str, list[str]]:
    """The tables of a file, each with its columns; none where it is no database or cannot be read."""
    if not is_database(path):
        return {}
    try:
        with Database(path) as database:
            return database.tables
    except (CorruptStateError, InvalidRequestError, NotFoundError, UnavailableError):
        return {}


def is_damaged(path: Path) -> bool:
    """Whether the file is a database, and so damaged that nobody can say what is in it."""
    if not is_database(path):
        return False
    try:
        with Database(path):
            return False
    except CorruptStateError:
        return True
    except (InvalidRequestError, NotFoundError, UnavailableError):
        return False


class Database:
    """An open database: what is read of it is one state, whatever the program writes meanwhile.

    Raises InvalidRequestError where the file is none, CorruptStateError where it is damaged, and UnavailableError where
    it cannot be read now.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._copies: tempfile.TemporaryDirectory[str] | None = None
        self._lost: dict[tuple[str, int], None] = {}
        self._stamp = _stamp(path) if _is_at_rest(path) else None
        with named_errors(path):
            self._connection, self._copies = open_read_only(path)
            try:
                self._connection.execute("BEGIN")
                self._text = "utf-8" if self._is_utf8() else "utf-16"
                self.tables = self._find_tables()
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if kind is None:
            self._refuse_mixture()

    def close(self) -> None:
        self._connection.close()
        if self._copies is not None:
            self._copies.cleanup()

    def has(self, table: str, *columns: str) -> bool:
        """Whether there is a table with these columns."""
        return table in self.tables and set(columns) <= set(self.tables[table])

    def rows(
        self, table: str, where: str = "", parameters: Sequence[Any] = (), order: Sequence[str] = ()
    ) -> Iterator[Row]:
        """The rows of a table as JSON objects, in order; none where there is no such table.

        `where` is SQL with parameters. Columns of `order` that the table does not have are passed over. A BLOB becomes
        `{"$base64": …}`. Where the file is damaged those rows are left out, and told by `lost`, that are on the damaged
        pages; CorruptStateError where nobody can say which there are.
        """
        if table not in self.tables:
            return
        by, count = [column for column in order if column in self.tables[table]], 0
        try:
            for row in self._found(table, where, parameters, by):
                yield row
                count += 1
        except CorruptStateError as error:
            yield from self._readable(table, where, parameters, by, error)[count:]

    def lost(self) -> Iterator[tuple[str, Row]]:
        """A row of `DAMAGED` for each that could not be read so far; its `id` says which it is."""
        for table, row in self._lost:
            yield DAMAGED, {"id": f"{table} row {row}"}

    def _found(self, table: str, where: str, parameters: Sequence[Any], order: Sequence[str]) -> Iterator[Row]:
        columns = self.tables[table]
        cells = ", ".join(f"typeof({_name(column)}), {_as_bytes(column)}" for column in columns)
        ordered = f"ORDER BY {', '.join(map(_name, order))}" if order else ""
        sql = f"SELECT {cells} FROM {_name(table)} WHERE {where or 1} {ordered}"  # noqa: S608
        for cursor in self.select(sql, parameters):
            pairs = zip(cursor[::2], cursor[1::2], strict=True)
            yield {column: self._value(*pair) for column, pair in zip(columns, pairs, strict=True)}

    def _readable(
        self, table: str, where: str, parameters: Sequence[Any], order: Sequence[str], error: CorruptStateError
    ) -> list[Row]:
        """The rows one by one, since an index often tells which there are without the damaged page."""
        try:
            ids = [id for (id,) in self.select(f"SELECT rowid FROM {_name(table)} WHERE {where or 1}", parameters)]  # noqa: S608
        except StorageError:
            raise error from None
        rows: list[Row] = []
        for id in ids:
            try:
                rows += self._found(table, "rowid = ?", (id,), ())
            except CorruptStateError:
                self._lost[table, id] = None
        return sorted(rows, key=lambda row: [_rank(row[column]) for column in order])

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """What a query gives."""
        with named_errors(self.path):
            yield from self._connection.execute(sql, tuple(_bound(value) for value in parameters))

    def _value(self, kind: str, cell: Any) -> Any:
        if kind == "text":
            # A byte that is no text is shown as such, and does not take the row with it.
            return cell.decode(self._text, errors="replace")
        return {"$base64": base64.b64encode(cell).decode()} if kind == "blob" else cell

    def _is_utf8(self) -> bool:
        return bool(self._connection.execute("PRAGMA encoding").fetchall()[0][0] == "UTF-8")

    def _find_tables(self) -> dict[str, list[str]]:
        names = [row[0] for row in self._connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        columns = "SELECT name FROM pragma_table_info(?)"
        return {name: [row[0] for row in self._connection.execute(columns, (name,))] for name in names}

    def _refuse_mixture(self) -> None:
        """UnavailableError where a program has begun to write to a file that was read as one that nobody has open."""
        if self._stamp is not None and self._stamp != _stamp(self.path):
            raise UnavailableError(f"{self.path} was written while it was read: import it again")


def _rank(value: Any) -> tuple[int, Any]:
    """Where SQLite puts a value among others."""
    if value is None:
        return 0, 0
    return (1, value) if isinstance(value, (int, float)) else (2, value) if isinstance(value, str) else (3, str(value))


def _bound(value: Any) -> Any:
    """A value of a row as a query takes it."""
    return base64.b64decode(value["$base64"]) if isinstance(value, dict) else value


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _as_bytes(column: str) -> str:
    name = _name(column)
    return f"CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) ELSE {name} END"


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """SQLite's errors as clew's, each naming the file."""
    try:
        yield
    except apsw.NotADBError as error:
        raise InvalidRequestError(f"{path} is not an SQLite database") from error
    except apsw.CorruptError as error:
        raise CorruptStateError(f"{path} is damaged: {error}") from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise UnavailableError(f"{path} is locked by another program") from error
    except (apsw.Error, OSError) as error:
        raise UnavailableError(f"{path} cannot be read: {error}") from error


def open_read_only(path: Path) -> tuple[apsw.Connection, tempfile.TemporaryDirectory[str] | None]:
    """A connection to a file, and the folder of the copy that it reads where it had to make one.

    Nothing is made or changed beside the file.
    """
    if _is_at_rest(path):
        return _connect(_uri(path, "mode=ro&immutable=1")), None
    options = ["mode=ro&readonly_shm=1"]
    if _beside(path, "-shm").exists():
        options.append("mode=ro")
    for option in options:
        try:
            return _connect(_uri(path, option)), None
        except (apsw.ReadOnlyError, apsw.CantOpenError):
            pass
    return _open_copy(path)


def _is_at_rest(path: Path) -> bool:
    """Whether the file is in WAL mode and nobody has it open: then it says all by itself."""
    with named_errors(path):
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
        wal = _beside(path, "-wal")
        in_wal_mode = len(header) == _HEADER_BYTES and header[_FORMAT_VERSION] == _WAL
        return in_wal_mode and not _beside(path, "-shm").exists() and not (wal.exists() and wal.stat().st_size)


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes when somebody opens or writes the file."""
    stat = path.stat()
    return (stat.st_size, stat.st_mtime_ns, stat.st_ino, _beside(path, "-wal").exists())


def _open_copy(path: Path) -> tuple[apsw.Connection, tempfile.TemporaryDirectory[str]]:
    folder = tempfile.TemporaryDirectory(prefix="clew-import-")
    try:
        copy = Path(folder.name) / path.name
        for suffix in ("", "-wal", "-journal"):
            if _beside(path, suffix).exists():
                shutil.copyfile(_beside(path, suffix), _beside(copy, suffix))
        return _connect(_uri(copy, "mode=rw")), folder
    except BaseException:
        folder.cleanup()
        raise


def _connect(uri: str) -> apsw.Connection:
    writable = apsw.SQLITE_OPEN_READWRITE if uri.endswith("mode=rw") else apsw.SQLITE_OPEN_READONLY
    connection = apsw.Connection(uri, flags=writable | apsw.SQLITE_OPEN_URI)
    try:
        connection.set_busy_timeout(_BUSY_MILLISECONDS)
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def _uri(path: Path, options: str) -> str:
    return f"file:{quote(str(path.resolve()))}?{options}"


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
