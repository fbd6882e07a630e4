"""What tests of importers ask of a store after an import, and of a parser before it."""

from collections import Counter
from pathlib import Path
from typing import Any

from tests.importers.conftest import samples as samples

import clew
from clew.importers import raw
from clew.importers.formats import FormatImporter
from clew.importers.steps import Loose, Notes, Step

Said = list[dict[str, Any]]


def only_session(store: clew.Store) -> clew.SessionSummary:
    (summary,) = store.list_sessions().items
    return summary


def session_of(store: clew.Store, source: str, source_id: str) -> clew.SessionSummary:
    (summary,) = store.list_sessions(source=source, source_id=source_id).items
    return summary


def conversation(store: clew.Store, session: clew.SessionSummary | None = None) -> Said:
    """The messages that the session resumes with."""
    session = session or only_session(store)
    assert session.active_checkpoint_id is not None
    return store.get_messages(session.active_checkpoint_id)


def texts(messages: Said) -> list[str]:
    """What each message says, or the tools that it calls."""
    return [_told(message) for message in messages]


def _told(message: dict[str, Any]) -> str:
    content = message.get("content")
    shown = content if isinstance(content, str) else "+".join(part.get("text", part["type"]) for part in content or [])
    called = ",".join(call["function"]["name"] for call in message.get("tool_calls", []))
    return "/".join(part for part in (shown, called) if part)


def leaves(store: clew.Store, session: clew.SessionSummary | None = None) -> list[list[str]]:
    """What every branch says, in a fixed order."""
    session = session or only_session(store)
    return sorted(texts(store.get_messages(leaf.id)) for leaf in store.branches(session.id))


def described(session: clew.SessionSummary) -> dict[str, Any]:
    """The session's metadata without what the import keeps for itself."""
    return {name: value for name, value in (session.metadata or {}).items() if name != "import"}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def kept_records(store: clew.Store, session: clew.SessionSummary | None = None) -> set[bytes]:
    """What the store has kept of the source, whole records."""
    session = session or only_session(store)
    found: set[bytes] = set()
    for checkpoint in store.list_checkpoints(session.id).items:
        for info in store.list_attachments(checkpoint.id, prefix=raw.PREFIX):
            found |= {record.text for record in raw.unpack(store.get_attachment(checkpoint.id, info.name))[1]}
    return found


def lost_records(importer: FormatImporter, path: Path) -> list[int]:
    """The positions of records that the parser does not give back, or gives back more than once."""
    lost: list[int] = []
    for source in importer.sources(path, Notes()):
        parsed = importer.parse(source.records, source.context, Notes())
        kept: Counter[int] = Counter()
        for step in parsed.steps:
            assert isinstance(step, (Step, Loose))
            kept.update(record.position for record in step.records)
        there = Counter(record.position for record in source.records)
        lost += [position for position in there | kept if there[position] != kept[position]]
    return lost
