"""Finding and listing the transcripts that a store has."""

from collections.abc import Iterator
from typing import Any, cast
from uuid import UUID

from claude_agent_sdk import SessionKey, SessionListSubkeysKey, SessionStoreListEntry, SessionSummaryEntry

from clew import Attachment, NotFoundError, Session, SessionStatus, SessionSummary, Store
from clew.adapters.claude_agent_sdk.entries import to_entries
from clew.adapters.claude_agent_sdk.names import SOURCE, key_of, source_id
from clew.adapters.claude_agent_sdk.transcript import SUMMARY, fold, read_summary
from clew.adapters.listing import Listing


class Reader:
    """The transcripts of an owner."""

    def __init__(self, owner: str | None) -> None:
        self.owner = owner
        self._listing = Listing(SOURCE, owner=owner)

    def load(self, store: Store, key: SessionKey) -> list[Any] | None:
        """See `ClewSessionStore.load`."""
        session = self._find(store, key)
        checkpoint = None if session is None else session.active_checkpoint
        if session is None or session.status is SessionStatus.DELETED or checkpoint is None:
            return None
        return to_entries(checkpoint.state.messages, checkpoint.id) or None

    def list_sessions(self, store: Store, project_key: str) -> list[SessionStoreListEntry]:
        """See `ClewSessionStore.list_sessions`."""
        pages = self._pages(store, {"project_key": project_key, "subpath": None})
        return [{"session_id": _key(found)["session_id"], "mtime": _mtime(found)} for page in pages for found in page]

    def list_summaries(self, store: Store, project_key: str) -> list[SessionSummaryEntry]:
        """See `ClewSessionStore.list_session_summaries`. Two reads a page."""
        pages = self._pages(store, {"project_key": project_key, "subpath": None})
        return [entry for page in pages for entry in _summed(store, page)]

    def list_subkeys(self, store: Store, key: SessionListSubkeysKey) -> list[str]:
        """See `ClewSessionStore.list_subkeys`."""
        keys = (_key(found) for page in self._pages(store, _names(key)) for found in page)
        return [subkey["subpath"] for subkey in keys if "subpath" in subkey]

    def all_of(self, store: Store, key: SessionKey) -> list[UUID]:
        """The session of a transcript, and for a main one those of its subagents, in whatever state they are."""
        if key.get("subpath") is not None:
            session = self._find(store, key)
            return [] if session is None else [session.id]
        # By their metadata: the parent may be gone already.
        pages = self._listing.pages(store, metadata=_names(key), with_damaged=True)
        return [found.id for page in pages for found in page]

    def _find(self, store: Store, key: SessionKey) -> Session | None:
        try:
            return store.find_session(SOURCE, source_id(key), owner=self.owner)
        except NotFoundError:
            return None

    def _pages(self, store: Store, metadata: dict[str, Any]) -> Iterator[list[SessionSummary]]:
        """Those that a reader would find of the sessions whose metadata has these values."""
        for page in self._listing.pages(store, status=SessionStatus.ACTIVE, metadata=metadata):
            yield [found for found in page if found.message_count]


def _summed(store: Store, page: list[SessionSummary]) -> list[SessionSummaryEntry]:
    active = {found.id: found.active_checkpoint_id for found in page if found.active_checkpoint_id is not None}
    try:
        attached = store.get_attachments(active.values(), prefix=SUMMARY)
        return [_summary(store, found, active[found.id], attached) for found in page]
    except NotFoundError:  # one has been deleted since it was listed, or has gone back
        return _summed(store, [now for found in page if (now := _now(store, found)) is not None])


def _summary(
    store: Store, found: SessionSummary, checkpoint_id: UUID, attached: dict[UUID, dict[str, Attachment]]
) -> SessionSummaryEntry:
    key = _key(found)
    data = read_summary(key, attached[checkpoint_id], checkpoint_id)
    if data is None:
        data = fold(None, key, to_entries(store.get_messages(checkpoint_id), checkpoint_id))["data"]
    return {"session_id": key["session_id"], "mtime": _mtime(found), "data": data}


def _now(store: Store, listed: SessionSummary) -> SessionSummary | None:
    """A session as it is by now; None where it has been deleted."""
    try:
        found = store.get_session_summary(listed.id)
    except NotFoundError:
        return None
    return found if found.message_count and found.status is SessionStatus.ACTIVE else None


def _key(found: SessionSummary) -> SessionKey:
    return key_of(found.source_id or "")


def _names(key: SessionKey | SessionListSubkeysKey) -> dict[str, Any]:
    """What the metadata of all sessions of a transcript have; InvalidRequestError for a key that is none."""
    source_id(cast("SessionKey", {name: part for name, part in key.items() if name != "subpath"}))
    return {"project_key": key["project_key"], "session_id": key["session_id"]}


def _mtime(found: SessionSummary) -> int:
    return int((found.last_message_at or found.updated_at).timestamp() * 1000)
