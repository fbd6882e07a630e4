"""Importing one session: whether there is anything new, its steps, and what is told of it beside them.

What somebody has changed in the store stays: a title, a working directory, where the session resumes from. Only what
the last import has set is set anew.
"""

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from clew import limits
from clew.errors import ConflictError, InvalidRequestError, NotFoundError, StorageError
from clew.importers import raw
from clew.importers.base import Tally, title_of
from clew.importers.chat import text_of
from clew.importers.records import Inventory, Watermark
from clew.importers.steps import Loose, Notes, Parsed, SessionInfo, Step
from clew.importers.values import storable
from clew.importers.writing import TreeWriter
from clew.model import KEEP, SessionSummary
from clew.store import Store

if TYPE_CHECKING:
    from clew.importers.formats import FormatImporter, Source

KEY = "import"
"""The key in a session's metadata of what the last import knew of it."""

_MAX_TYPES_SHOWN = 5
_GIVEN = ("user", "generated")
"""The origins of titles that are titles, and no prompts: those are not shortened."""


class ReadFile(msgspec.Struct, frozen=True, kw_only=True):
    """What an import has read, of one file or database: by which version of the parser, and which records."""

    version: int
    watermark: Watermark
    inventory: Inventory
    context: dict[str, Any] = {}


class Unfinished(msgspec.Struct, frozen=True):
    """That an import is writing, or was stopped while it did: where the session resumes from if somebody has chosen."""

    chosen: UUID | None = None


class ImportState(msgspec.Struct):
    """What an import keeps of a session, in its metadata. The file that was read last is the last of `files`."""

    title: str | None = None
    title_origin: str | None = None
    cwd: str | None = None
    active: UUID | None = None
    files: dict[str, ReadFile] = {}
    told: list[str] = []
    """The names in the metadata that the source has said last: what it says no more is taken away."""
    unfinished: Unfinished | None = None

    @classmethod
    def of(cls, session: SessionSummary | None) -> "ImportState":
        """That of a session; an empty one where it has none."""
        kept = (session.metadata or {}).get(KEY) if session is not None else None
        try:
            return msgspec.convert(kept, cls) if isinstance(kept, dict) else cls()
        except msgspec.ValidationError:
            return cls()  # somebody has changed it: then everything is read again, and written where it is missing


class SessionImport:
    """Brings one session of the store up to what its source has."""

    def __init__(
        self, importer: "FormatImporter", store: Store, source: "Source", tally: Tally, *, dry_run: bool = False
    ) -> None:
        self._importer = importer
        self._store = store
        self._source = source
        self._tally = tally
        self._dry_run = dry_run
        self._notes = Notes()
        self._stored: SessionSummary | None = None
        self._before = ImportState()
        self._path = raw.shown_path(str(source.path))
        self._writer = TreeWriter(store, importer.name, source.source_id, self._path, dry_run=dry_run)
        self._prompt: str | None = None
        self._made = False

    def run(self, *, known: ReadFile | None = None) -> Iterator[str]:
        """Do it; yields the title after each checkpoint.

        `known` is for records that the store has kept: they are read whatever was read before, and stand for this file.
        """
        try:
            self._stored = find(self._store, self._importer.name, self._source.source_id)
            self._before = ImportState.of(self._stored)
            watermark = self._source.records.watermark() if known is None else known.watermark
            if known is None and self._is_unchanged(watermark):
                self._tally.sessions_unchanged += 1
            else:
                yield from self._import(watermark)
        except StorageError as error:
            # What is wrong with one session does not keep the others from being imported.
            self._tally.broken("session", self._where, error.message)
        except OSError as error:
            self._tally.broken("session", self._where, f"cannot be read: {error.strerror or error}")
        except RecursionError:
            self._tally.broken("session", self._where, "is nested too deeply")
        finally:
            self._notes.broken += self._writer.refused
            self._notes.mended += self._writer.mended
            self._tally.take(self._where, self._notes)

    @property
    def _where(self) -> str:
        return f"{self._source.source_id} in {self._path}"

    def _is_unchanged(self, watermark: Watermark) -> bool:
        before = self._before.files.get(self._path)
        if before is None or self._before.unfinished is not None:
            return False
        kept = (before.version, before.watermark, before.context)
        return kept == (self._importer.version, watermark, self._context)

    @property
    def _context(self) -> dict[str, Any]:
        """What is told of the session from beside its records, as it comes back from the store."""
        context: dict[str, Any] = json.loads(json.dumps(self._source.context))
        return context

    def _import(self, watermark: Watermark) -> Iterator[str]:
        parsed = self._importer.parse(self._source.records, self._source.context, self._notes)
        for step in self._after_opening(parsed):
            if self._writer.add(step):
                yield self._title(parsed.info)
        if not self._writer.messages:
            raise InvalidRequestError(self._empty(watermark))
        head = self._writer.finish(parsed.active)
        self._count(watermark)
        if not self._dry_run:
            self._settle(parsed.info, head, watermark)
        yield self._title(parsed.info)

    def _after_opening(self, parsed: Parsed) -> Iterator[Step | Loose]:
        """The steps; the session is found or made when the first message comes, so that none is made without any."""
        is_open = False
        for step in parsed.steps:
            self._look_at(step)
            if isinstance(step, Step) and step.messages and not is_open:
                self._open(parsed.info, step)
                is_open = True
            yield step

    def _look_at(self, step: Step | Loose) -> None:
        if self._prompt is None and isinstance(step, Step):
            prompts = (text_of(message) for message in step.messages if message.get("role") == "user")
            self._prompt = next((title for text in prompts if (title := title_of(text, ""))), None)

    def _open(self, info: SessionInfo, first: Step) -> None:
        if self._stored is None and not self._dry_run:
            parent = self._source.parent or info.parent
            above = None if storable(parent) is None else find(self._store, self._importer.name, str(parent))
            self._store.ensure_session(
                self._importer.name,
                self._source.source_id,
                self._title(info),
                cwd=info.cwd,
                parent_session_id=None if above is None else above.id,
                session_metadata={KEY: msgspec.to_builtins(self._state(info, unfinished=Unfinished()))},
                checkpoint_id=self._writer.root_id,
                created_at=info.created_at or first.created_at,
            )
            self._stored = find(self._store, self._importer.name, self._source.source_id)
            self._before = ImportState.of(self._stored)
            self._made = True
        if self._stored is not None:
            self._writer.open(self._stored.id, self._begin)

    def _begin(self) -> None:
        """Keep where somebody has chosen to resume from: each checkpoint that is written becomes the active one."""
        if self._before.unfinished is None:
            before = msgspec.structs.replace(self._before, unfinished=Unfinished(self._chosen()))
            self._update({KEY: msgspec.to_builtins(before)})

    @property
    def _opened(self) -> SessionSummary:
        assert self._stored is not None, "_open() comes first"  # noqa: S101
        return self._stored

    def _chosen(self) -> UUID | None:
        """The checkpoint that somebody has made the active one since the last import, None where nobody has."""
        if self._before.unfinished is not None:
            return self._before.unfinished.chosen
        active = self._opened.active_checkpoint_id
        return None if self._before.active in (None, active) else active

    def _title(self, info: SessionInfo) -> str:
        given = _whole(info.title or "") if info.title_origin in _GIVEN else ""
        before = self._before.title if self._before.title_origin not in _GIVEN else None  # of a begin since cut off
        return given or title_of(info.title or "", self._prompt or before or self._source.source_id)

    def _empty(self, watermark: Watermark) -> str:
        unknown = self._notes.unknown.most_common(_MAX_TYPES_SHOWN)
        kinds = ", ".join(f"{count} {name}" for name, count in unknown)
        of_what = f", of types that are not known: {kinds}" if kinds else ""
        return f"holds {watermark.size:,} bytes, but no message that could be read{of_what}"

    # ------------------------------------------------------------------------------------------------------ the end

    def _count(self, watermark: Watermark) -> None:
        tally, writer = self._tally, self._writer
        tally.checkpoints_created += writer.created
        tally.checkpoints_known += writer.known
        tally.messages += writer.messages
        tally.bytes_read += watermark.size
        if self._made or self._stored is None:
            tally.sessions_created += 1
        elif writer.created:
            tally.sessions_updated += 1
        else:
            tally.sessions_unchanged += 1

    def _settle(self, info: SessionInfo, head: UUID, watermark: Watermark) -> None:
        """Have the session show what the source says of it, and resume from where that does."""
        session, chosen = self._opened, self._chosen()
        wanted = head if chosen is None else chosen
        if self._store.get_session_summary(session.id).active_checkpoint_id != wanted:
            # Given the time of the source: what is imported has not happened now.
            self._store.set_active_checkpoint(session.id, wanted, updated_at=info.updated_at or session.updated_at)
        file = ReadFile(
            version=self._importer.version,
            watermark=watermark,
            inventory=Inventory.of(self._source.records),
            context=self._context,
        )
        state = self._state(info)
        state.told = sorted(info.metadata)
        state.active = head if chosen is None else self._before.active
        state.files = {
            path: kept for path, kept in self._before.files.items() if not self._is_replaced(path, kept, file)
        }
        state.files[self._path] = file
        self._update({**info.metadata, KEY: msgspec.to_builtins(state)}, info)

    def _is_replaced(self, path: str, before: ReadFile, now: ReadFile) -> bool:
        """Whether the file that was read now is this one, or what it was moved to: it may be moved back."""
        return path == self._path or (before.watermark == now.watermark and not _is_there(path))

    def _state(self, info: SessionInfo, unfinished: Unfinished | None = None) -> ImportState:
        origin = info.title_origin if info.title else "first_prompt"
        return ImportState(self._title(info), origin, info.cwd, unfinished=unfinished)

    def _update(self, metadata: dict[str, Any], info: SessionInfo | None = None) -> None:
        """Change the session's metadata, and its title and directory where nobody else has since the last import."""
        before = self._before
        gone = set() if info is None else set(before.told) - metadata.keys()
        while True:
            now = self._store.get_session_summary(self._opened.id)
            try:
                self._store.update_session(
                    now.id,
                    title=self._title(info) if info is not None and now.title == before.title else KEEP,
                    cwd=info.cwd if info is not None and now.cwd == before.cwd else KEEP,
                    metadata={name: it for name, it in (now.metadata or {}).items() if name not in gone} | metadata,
                    # It has changed when the source says, and not when it is imported.
                    updated_at=(None if info is None else info.updated_at) or now.updated_at,
                    if_revision=now.revision,
                )
            except ConflictError:
                continue  # somebody else has changed the session meanwhile: what they wrote must not be lost
            return


def _is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:
        return True  # it is where nobody may look


def _whole(title: str) -> str:
    """The first line of a title that says something, as far as a store takes it; empty where none does."""
    lines = (line for line in title.splitlines() if title_of(line, ""))
    chars = (char if unicodedata.category(char) not in ("Cc", "Cs") else " " for char in next(lines, ""))
    return " ".join("".join(chars).split())[: limits.MAX_TITLE_CHARS].rstrip()


def find(store: Store, source: str, source_id: str) -> SessionSummary | None:
    """The session that an importer made under this name, None where there is none."""
    try:
        return store.find_session_summary(source, source_id)
    except NotFoundError:
        return None
