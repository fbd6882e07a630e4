"""Imports one conversation from a file of messages, as programs that call a model's API keep it.

Taken are a JSON array of messages, JSON lines with a message each, and an object with the array under `messages`,
which is the body of a request to OpenAI or Anthropic; Anthropic's `system` becomes the first message, and what else the
object holds (`model`, `tools`, …) is kept in the session's metadata under `messages`.

The name of the session is the hash of its messages as they were first imported: the same conversation is imported once,
wherever the file is moved and whichever of the forms it is in. A file that has only grown since goes on with its
session; one that says anything else is another conversation.
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from clew import checks
from clew.errors import InvalidRequestError, StorageError
from clew.importers import raw
from clew.importers.array_records import around_of, is_document, line_numbers, messages_in, records_of, why_broken
from clew.importers.base import ImportSteps, Progress, Tally, require_file, title_of
from clew.importers.formats import FormatImporter, Source
from clew.importers.message_forms import Forms, time_of
from clew.importers.records import Records
from clew.importers.sessions import ImportState, SessionImport, find
from clew.importers.steps import Loose, Notes, Parsed, SessionInfo, Step
from clew.importers.values import storable
from clew.model import Message
from clew.store import Store

SOURCE = "messages"
_LOOK_BYTES = 4096
_BOM = b"\xef\xbb\xbf"


class MessageArrayImporter(FormatImporter):
    """A file that holds one conversation in OpenAI's or Anthropic's form."""

    name = SOURCE
    summary = "OpenAI or Anthropic messages (JSON or JSON lines)"

    def detect(self, path: Path) -> bool:
        try:
            require_file(path)
            with path.open("rb") as file:
                begin = file.read(_LOOK_BYTES).removeprefix(_BOM).lstrip()
            # Where it begins otherwise it is not worth reading: it may be large.
            return begin[:1] in (b"[", b"{") and any(map(_has_role, _Conversation.of_file(path).messages()))
        except (StorageError, OSError):
            return False

    def locations(self, home: Path) -> list[Path]:
        return []  # no program's own place

    def sources(self, path: Path, notes: Notes) -> Iterator[Source]:
        yield _Conversation.of_file(path).source(path, [])

    def parse(self, records: Records, context: dict[str, Any], notes: Notes) -> Parsed:
        conversation = _Conversation(records, is_document=context.get("is_document") is True)
        return Parsed(conversation.info(storable(context.get("file"))), conversation.steps(notes))

    def steps(self, store: Store, path: Path, *, dry_run: bool = False) -> ImportSteps:
        tally = Tally(self.name, path, dry_run=dry_run)
        require_file(path)
        conversation = _Conversation.of_file(path)
        conversation.tell_broken(path, tally)
        prefixes: list[bytes] = []
        source = conversation.source(path, prefixes)
        name = _wanted_name(store, source, prefixes)
        if name is None:
            tally.sessions_unchanged = 1
        else:
            source.source_id = name
            for title in SessionImport(self, store, source, tally, dry_run=dry_run).run():
                yield Progress(0, 1, title)
        report = tally.report()
        if not report.sessions:
            raise InvalidRequestError(f"nothing of {path} can be imported: {report.broken[0]}")
        yield Progress(1, 1, conversation.info(path.stem).title or "")
        return report


class _Conversation:
    """The messages of a file, or of the records that were kept of one, read as often as somebody asks for them."""

    def __init__(self, records: Records, *, is_document: bool) -> None:
        self._records = records
        self._is_document = is_document

    @classmethod
    def of_file(cls, path: Path) -> "_Conversation":
        """That of a file; InvalidRequestError where it is neither JSON nor JSON lines."""
        is_one = is_document(path)
        return cls(records_of(path, is_document=is_one), is_document=is_one)

    def messages(self) -> Iterator[Message]:
        """The messages as the file has them."""
        return messages_in(self._records, is_document=self._is_document)

    def steps(self, notes: Notes) -> Iterator[Step | Loose]:
        """A step for each message, and the records that are none between them."""
        forms, last = Forms(notes), -1
        for record in self._records:
            found = list(messages_in([record], is_document=self._is_document))
            if not record.is_whole and found:
                notes.mended.append((f"at {record.position}", "is very long: its long strings were cut"))
            if not found:
                yield Loose([record])
            for message in found:
                yield Step(
                    key=str(last + 1),
                    parent=str(last) if last >= 0 else None,
                    messages=forms.stored(message),
                    records=[record],
                    created_at=time_of(message),
                )
                last += 1

    def source(self, path: Path, prefixes: list[bytes]) -> Source:
        """The file as a source, named by its messages; `prefixes` takes the name of every beginning of it.

        InvalidRequestError where there is no message, or something beside them that a store does not take.
        """
        digest, is_said = hashlib.sha256(), False
        for message in self.messages():
            digest.update(json.dumps(message, sort_keys=True, separators=(",", ":")).encode() + b"\n")
            prefixes.append(digest.digest())
            is_said = is_said or _has_role(message)
        # A request in Responses form has items without one, and the records of an agent's own log have none at all.
        if not is_said:
            raise InvalidRequestError(f"{path} holds no messages: nothing in it has a role")
        checks.session_metadata(self._metadata() or None, "session_metadata")
        context = {"file": raw.shown_path(path.stem), "hash": digest.hexdigest(), "is_document": self._is_document}
        return Source(source_id=digest.hexdigest(), path=path.absolute(), records=self._records, context=context)

    def info(self, file: str | None) -> SessionInfo:
        """What is told of the session; `file` is its name where the user has said nothing."""
        times, prompt = list[datetime](), ""
        for message in self.messages():
            prompt = prompt or title_of(_request(message), "")
            if (at := time_of(message)) is not None:
                times = [min([at, *times]), max([at, *times])]
        return SessionInfo(
            title=prompt or file,
            title_origin="first_prompt",
            created_at=times[0] if times else None,
            updated_at=times[-1] if times else None,
            metadata=self._metadata(),
        )

    def _metadata(self) -> dict[str, Any]:
        around = around_of(self._records) if self._is_document else {}
        return {SOURCE: around} if around else {}

    def tell_broken(self, path: Path, tally: Tally) -> None:
        """Note what is no message: by its place in the array, or by its line."""
        told = ((record.position, why_broken(record)) for record in self._records)
        broken = {position: why for position, why in told if why is not None}
        table = "messages" if self._is_document else "line"
        names = (position - 1 for position in broken) if self._is_document else line_numbers(path, broken)
        for name, why in zip(names, broken.values(), strict=True):
            tally.broken(table, str(name), why)


def _wanted_name(store: Store, source: Source, prefixes: list[bytes]) -> str | None:
    """The name of the session that a file belongs to; None where that has all of it.

    It is its own, or that of the session which an earlier, shorter state of the file was imported as.
    """
    path, names = raw.shown_path(str(source.path)), [prefix.hex() for prefix in prefixes]
    for name in reversed(names):
        stored = find(store, SOURCE, name)
        if stored is None:
            continue
        state = ImportState.of(stored)
        if state.unfinished is not None or not state.files:
            if name == source.source_id:
                return None if state.unfinished is None else name  # one of before, which was written in one go
            continue
        same = [file for file in state.files.values() if file.context.get("hash") == source.source_id]
        if same:
            return None if any(file.version == MessageArrayImporter.version for file in same) else name
        if path in state.files and state.files[path].context.get("hash") in names:
            return name
    return source.source_id


def _has_role(message: Message) -> bool:
    return isinstance(message.get("role"), str)


def _request(message: Message) -> str:
    """The text of a message in which the user says something."""
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"text": content}]
    for part in parts if message.get("role") == "user" else ():
        text = part.get("text") if isinstance(part, dict) else None
        if isinstance(text, str) and text.strip():
            return text
    return ""
