"""The seam over a service that has the eight endpoints of the agent's own client alone, such as the vendor's.

What it cannot do is InvalidRequestError, and nothing is sent. Appending takes two requests there, to read and to write
the whole: of two that append at once, the later one wins.
"""

from typing import Any
from uuid import UUID

from clew.backend import (
    CheckpointQuery,
    NewCheckpoint,
    NewSession,
    Place,
    SessionChanges,
    SessionQuery,
    StalePrefixError,
    messages_kept,
    no_active_checkpoint,
    session_missing,
)
from clew.cursors import decode_cursor, encode_cursor
from clew.errors import InvalidRequestError, NotFoundError
from clew.model import ACTIVE, KEEP, Checkpoint, CheckpointSummary, Label, Page, Session, SessionStatus, SessionSummary
from clew.protocol import answers
from clew.protocol.codec import Bodies, Json
from clew.remote.backend import SESSIONS, RemoteBackend

_DEFAULTS: dict[str, Any] = {
    "attachments": (), "activate": True, "order": "created", "count": False, "active": False, "with_metadata": False,
    "parent_may_be_missing": False, "title": KEEP, "visibility": KEEP, "cwd": KEEP, "metadata": KEEP, "owner": KEEP,
    "move": False,
}  # fmt: skip
"""What an argument is where it asks for nothing; None where it is not here."""

_EVERYWHERE = ("id", "checkpoint_id", "now")
"""What the service chooses by itself, whatever was sent."""


class BasicBackend(RemoteBackend):
    """A store behind eight endpoints. Made by `open_backend`."""

    def create_session(self, new: NewSession, *, ensure: bool = False) -> Session:
        self._check_writable()
        self._check_takes(
            new, "title", "visibility", "cwd", "bodies", "metadata", ensure=ensure, owner=new.owner is not None
        )
        body: dict[str, Any] = {"title": new.title, "visibility": new.visibility.value}
        if new.cwd is not None:
            body["cwd"] = new.cwd
        made = self._client.call(
            "POST", SESSIONS, answers.CreatedSession, body={**body, "state": _state(new.bodies, new.metadata)}
        )
        return self.get_session(made.session_id)

    def list_sessions(self, query: SessionQuery) -> Page[SessionSummary]:
        self._check_takes(query, "limit", "offset", "cursor", "search", "status", "visibility", owner=bool(query.owner))
        chosen = {"search": query.search, "status": query.status, "visibility": query.visibility}
        offset = _offset(query)
        params = {"limit": query.limit, "offset": offset or None, **chosen}
        items = self._client.call("GET", SESSIONS, answers.SessionList, params=params).value().items
        return Page(items, None, _next(offset, items, query.limit))

    def update_session(self, session_id: UUID, changes: SessionChanges) -> Session:
        self._check_writable()
        if changes.status == SessionStatus.DELETED:
            self._check_takes(changes, "status")
            self._client.send("DELETE", f"{SESSIONS}/{session_id}")
            return self.get_session(session_id)
        self._check_takes(changes, "title", "visibility", status=changes.status is not KEEP)
        body = {name: value for name in ("title", "visibility") if (value := getattr(changes, name)) is not KEEP}
        return self._session("PATCH", f"{SESSIONS}/{session_id}", params={}, body=body)

    def write_checkpoint(self, session_id: UUID, new: NewCheckpoint) -> Checkpoint:
        self._check_writable()
        self._check_takes(new, "bodies", "full", "prefix", "parent", "after", "metadata")
        if new.prefix is not None:
            raise StalePrefixError("this service takes whole conversations only")
        parent = None if new.parent is None else self._parent(session_id, new.parent)
        body: dict[str, Any] = {"state": _state(*self._whole(new, parent))}
        if parent is not None:
            body["parent_id"] = str(parent.id)
        path = f"{SESSIONS}/{session_id}/checkpoints"
        return self._client.call("POST", path, answers.OneCheckpoint, body=body).checkpoint.value(self._unread)

    def list_checkpoints(self, query: CheckpointQuery) -> Page[CheckpointSummary]:
        self._check_takes(query, "session_ids", "limit", "offset", "cursor", several=len(query.session_ids) != 1)
        offset = _offset(query)
        path = f"{SESSIONS}/{query.session_ids[0]}/checkpoints"
        params = {"limit": query.limit, "offset": offset or None}
        items = self._client.call("GET", path, answers.CheckpointList, params=params).values()
        return Page(items, None, _next(offset, items, query.limit))

    def get_messages(
        self, place: Place, start: int | None, stop: int | None, session_id: UUID | None = None
    ) -> list[bytes]:
        if isinstance(place, UUID):
            return self.get_checkpoint(place).state.raw.bodies[start:stop]
        if session_id is None:
            raise session_missing()
        checkpoint = self._parent(session_id, place)
        if checkpoint is None:
            raise no_active_checkpoint(session_id)
        return checkpoint.state.raw.bodies[start:stop]

    def _parent(self, session_id: UUID, place: Place) -> Checkpoint | None:
        if isinstance(place, Label):
            raise self._lacks("label")
        if place is ACTIVE:
            return self.get_session(session_id).active_checkpoint
        found = self.get_checkpoint(place)
        if found.session_id != session_id:
            raise NotFoundError(f"Checkpoint {place} not found")
        return found

    def _whole(self, new: NewCheckpoint, parent: Checkpoint | None) -> tuple[list[bytes], bytes | None]:
        """All messages and the metadata of a checkpoint to write."""
        before = None if parent is None else parent.state.raw
        said = [] if new.full or before is None else before.bodies
        bodies = [*said[: messages_kept(new.after, len(said))], *new.bodies]
        kept = None if before is None else before.metadata
        return bodies, kept if new.metadata is KEEP else new.metadata

    def _check_takes(self, asked: Any, *names: str, **others: bool) -> None:
        """InvalidRequestError where the call asks for more than these fields."""
        unset = [name for name in asked.__struct_fields__ if name not in (*names, *others, *_EVERYWHERE)]
        refused = [name for name in unset if getattr(asked, name) not in (None, _DEFAULTS.get(name))]
        refused += [name for name, is_asked in others.items() if is_asked]
        if refused:
            raise self._lacks(", ".join(refused))

    def _lacks(self, what: str) -> InvalidRequestError:
        return InvalidRequestError(f"the service at {self._client.target.endpoint} knows no {what}")


def _state(bodies: Any, metadata: bytes | None) -> dict[str, Any]:
    state: dict[str, Any] = {"messages": Bodies(bodies)}
    return state if metadata is None else {**state, "metadata": Json(text=metadata)}


def _offset(query: SessionQuery | CheckpointQuery) -> int:
    if query.cursor is None:
        return query.offset
    offset: int = decode_cursor("basic", query.cursor, (int,))[0]
    return offset


def _next(offset: int, items: list[Any], limit: int) -> str | None:
    return encode_cursor("basic", offset + limit) if items and len(items) == limit else None
