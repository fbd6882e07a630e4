"""Finding and listing the transcripts that a store has."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from claude_agent_sdk import SessionKey, SessionListSubkeysKey, SessionStoreListEntry, SessionSummaryEntry

from clew import CorruptStateError, NotFoundError, Session, SessionStatus, SessionSummary, Store
from clew.adapters.claude_agent_sdk.entries import to_entries
from clew.adapters.claude_agent_sdk.names import SOURCE, key_of, source_id
from clew.adapters.claude_agent_sdk.transcript import SUMMARY, fold, read_summary

_PAGE = 200


class Reader:
    """The transcripts of an owner."""

    def __init__(self, owner: str | None) -> None:
        self.owner = owner
        self._are_mine: dict[str | None, bool] = {owner: True}

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
        summaries: list[SessionSummaryEntry] = []
        for page in self._pages(store, {"project_key": project_key, "subpath": None}):
            active = {found.id: found.active_checkpoint_id for found in page if found.active_checkpoint_id is not None}
            attached = store.get_attachments(active.values(), prefix=SUMMARY)
            for found in page:
                key, checkpoint_id = _key(found), active[found.id]
                data = read_summary(key, attached[checkpoint_id], checkpoint_id)
                if data is None:
                    data = fold(None, key, to_entries(store.get_messages(checkpoint_id), checkpoint_id))["data"]
                summaries.append({"session_id": key["session_id"], "mtime": _mtime(found), "data": data})
        return summaries

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
        return [found.id for page in self._pages(store, _names(key), everything=True) for found in page]

    def _find(self, store: Store, key: SessionKey) -> Session | None:
        try:
            return store.find_session(SOURCE, source_id(key), owner=self.owner)
        except NotFoundError:
            return None

    def _pages(
        self, store: Store, metadata: dict[str, Any], *, everything: bool = False
    ) -> Iterator[list[SessionSummary]]:
        """The sessions whose metadata has these values, each once; without `everything` those that a reader would find.

        A session that is written to while the pages are read goes to the front of the list, past what has been read: so
        the front is read once more.
        """
        seen: dict[UUID, int] = {}
        cursor = None
        while True:
            page = store.list_sessions(
                source=SOURCE,
                owner=self.owner,
                status=None if everything else SessionStatus.ACTIVE,
                metadata=metadata,
                limit=_PAGE,
                cursor=cursor,
            )
            again = cursor is None and bool(seen)
            met = again and any(seen.get(found.id) == found.revision for found in page)
            yield [
                found
                for found in map(_checked, page)
                if found.id not in seen and (everything or found.message_count) and self._is_mine(store, found)
            ]
            seen.update((found.id, found.revision) for found in page)
            if met or (page.next_cursor is None and (again or len(seen) <= _PAGE)):
                return
            cursor = page.next_cursor

    def _is_mine(self, store: Store, found: SessionSummary) -> bool:
        """Whether `find_session` would find it.

        Without an owner lists show everybody's, of which only nobody's are meant; but over a server those of the
        caller are. Who that is, one of them tells.
        """
        if found.owner not in self._are_mine:
            session = self._find(store, _key(found))
            if session is None:
                try:
                    store.get_session_summary(found.id)
                except NotFoundError:  # gone meanwhile: that tells nothing
                    return False
            self._are_mine[found.owner] = session is not None and session.id == found.id
        return self._are_mine[found.owner]


def _key(found: SessionSummary) -> SessionKey:
    return key_of(found.source_id or "")


def _names(key: SessionKey | SessionListSubkeysKey) -> dict[str, Any]:
    """What the metadata of all sessions of a transcript have; InvalidRequestError for a key that is none."""
    source_id({"project_key": key["project_key"], "session_id": key["session_id"]})
    return {"project_key": key["project_key"], "session_id": key["session_id"]}


def _checked(found: SessionSummary) -> SessionSummary:
    if found.damage is not None:
        raise CorruptStateError(f"session {found.id} is damaged: {found.damage}")
    return found


def _mtime(found: SessionSummary) -> int:
    return int((found.last_message_at or found.updated_at).timestamp() * 1000)
