"""What every importer is, and what it tells about its work.

An importer reads what another program has written and never changes it. It works through its source a session at a
time, each checkpoint in a transaction of its own, so it may be stopped anywhere: the next run does the rest. What is in
the store already, by `(source, source_id)` and checkpoint id, is not read again.

A part of the source that cannot be read is named in the report and left out; nothing is ever read as empty instead. A
source with content of which nothing can be read is an error.
"""

import json
import math
import unicodedata
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import msgspec

from clew.errors import InvalidRequestError, StorageError
from clew.importers.looking import require_readable, why_unreadable
from clew.store import Store

if TYPE_CHECKING:
    from clew.importers.steps import Notes

_TITLE_CHARS = 60
_TITLE_SOURCE_CHARS = 10_000  # how far into a message a title is looked for


class Finding(msgspec.Struct, frozen=True):
    """One row of the source, or line or element, that could not be taken over as it stands.

    `table` says where it is, `id` which one it is (as the source spells it), `why` what is the matter.
    """

    table: str
    id: str
    why: str

    def __str__(self) -> str:
        return f"{self.table} {self.id}: {self.why}"


class Progress(msgspec.Struct, frozen=True):
    """How far an import is: `done` of `total` checkpoints, just now in the session of this title."""

    done: int
    total: int
    title: str


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did.

    `broken` was left out, `mended` is in the store but not just as it stood; a session is `updated` when it was there
    before and has changed. `messages` are those of the sessions that were read, and `bytes_read` their conversations as
    the source holds them. `unknown` counts the records of types that the importer does not know, by type: they are
    kept, and no message was made of them. After a `dry_run` it says what an import would do.
    """

    importer: str
    path: str
    sessions_created: int = 0
    sessions_updated: int = 0
    sessions_unchanged: int = 0
    checkpoints_created: int = 0
    checkpoints_known: int = 0
    messages: int = 0
    bytes_read: int = 0
    broken: tuple[Finding, ...] = ()
    mended: tuple[Finding, ...] = ()
    unknown: dict[str, int] = {}
    dry_run: bool = False

    @property
    def sessions(self) -> int:
        """The sessions of the source that the store has now."""
        return self.sessions_created + self.sessions_updated + self.sessions_unchanged


class Tally:
    """The report while it is being written."""

    def __init__(self, importer: str, path: Path, *, dry_run: bool = False) -> None:
        self.importer = importer
        self._path = path
        self._dry_run = dry_run
        self._unknown: Counter[str] = Counter()
        self._broken: list[Finding] = []
        self._mended: list[Finding] = []
        self.sessions_created = 0
        self.sessions_updated = 0
        self.sessions_unchanged = 0
        self.checkpoints_created = 0
        self.checkpoints_known = 0
        self.messages = 0
        self.bytes_read = 0

    def broken(self, table: str, row: str, why: str) -> None:
        """This was left out."""
        self._broken.append(Finding(table, row, why))

    def mended(self, table: str, row: str, why: str) -> None:
        """This was taken over, but not just as it stands in the source."""
        self._mended.append(Finding(table, row, why))

    def take(self, where: str, notes: "Notes") -> None:
        """Add what a parser has noted of a source."""
        self._unknown.update(notes.unknown)
        for record, why in notes.broken:
            self.broken(where, record, why)
        for record, why in notes.mended:
            self.mended(where, record, why)

    def report(self) -> ImportReport:
        return ImportReport(
            importer=self.importer,
            path=str(self._path),
            sessions_created=self.sessions_created,
            sessions_updated=self.sessions_updated,
            sessions_unchanged=self.sessions_unchanged,
            checkpoints_created=self.checkpoints_created,
            checkpoints_known=self.checkpoints_known,
            messages=self.messages,
            bytes_read=self.bytes_read,
            broken=tuple(self._broken),
            mended=tuple(self._mended),
            unknown=dict(self._unknown.most_common()),
            dry_run=self._dry_run,
        )


ImportSteps = Generator[Progress, None, ImportReport]
"""A running import: it yields after each checkpoint and may be closed at any of them; its value is the report."""


class Importer(ABC):
    """One format that sessions can be imported from. Stateless: one instance serves every import."""

    name: ClassVar[str]
    """What users call it, and the `source` of the sessions it makes."""

    summary: ClassVar[str]
    """One line for a list of formats."""

    patterns: ClassVar[tuple[str, ...]] = ("*",)
    """The names of the files that may be of this format where they are in a folder. A file alone may have any name."""

    @abstractmethod
    def detect(self, path: Path) -> bool:
        """Whether there is a file of this format. False, not an error, where it cannot be read or does not exist."""

    @abstractmethod
    def locations(self, home: Path) -> list[Path]:
        """The places below a home directory where the program keeps its data by default, those that exist."""

    def unreadable(self, path: Path) -> Iterator[tuple[Path, str]]:
        """What may be of this format at `path` and cannot be read: files that cannot be opened, folders; and why."""
        why = why_unreadable(path)
        if why is not None:
            yield path, why

    @abstractmethod
    def steps(self, store: Store, path: Path, *, dry_run: bool = False) -> ImportSteps:
        """Import `path`, a checkpoint at a time; in a `dry_run` only find out what that would do.

        Raises NotFoundError where there is no such file, UnavailableError where nobody may read it, and
        InvalidRequestError where it is of another format or has content of which nothing can be read.
        """

    def run(
        self,
        store: Store,
        path: Path | str,
        progress: Callable[[Progress], object] | None = None,
        *,
        dry_run: bool = False,
    ) -> ImportReport:
        """Import `path`, calling `progress` after each checkpoint; in a `dry_run` only find out what that would do."""
        steps = self.steps(store, Path(path).expanduser(), dry_run=dry_run)
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                report: ImportReport = end.value
                return report
            if progress is not None:
                progress(step)


Place = tuple[Importer, Path]
"""A file or folder, and what imports it."""


class Failure(NamedTuple):
    """An import that has failed."""

    importer: str
    path: Path
    error: StorageError


def require_file(path: Path) -> None:
    """NotFoundError where there is nothing at `path`, InvalidRequestError where it is no file.

    UnavailableError where it cannot be opened.
    """
    require_readable(path)
    if not path.is_file():
        raise InvalidRequestError(f"{path} is not a file")


def title_of(text: str, fallback: str) -> str:
    """A title from what a user wrote: its first line that says something, cut at 60 characters."""
    for line in text[:_TITLE_SOURCE_CHARS].splitlines():
        # A store takes neither NUL nor lone surrogates, and a list of titles no escape sequences.
        shown = "".join(" " if unicodedata.category(char) in ("Cc", "Cs") else char for char in line)
        title = " ".join(shown.split())
        if title:
            return title[:_TITLE_CHARS].rstrip()
    return fallback


def read_json(text: bytes) -> Any:
    """The value of a JSON text; ValueError saying what it is where it is no JSON.

    What clew can store is read, the escape of a lone surrogate included, which the fast decoder refuses.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass  # the slower decoder reads what this one refuses without need, and says better what is wrong
    try:
        return json.loads(text.decode(), parse_float=_finite, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from None


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"the number {digits:.30} is out of range")
    return number


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")
