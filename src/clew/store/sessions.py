"""The methods of a store that are about sessions."""

import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from clew import checks, limits
from clew.backend import NewCopy, NewFork, NewSession, SessionChanges, SessionQuery, purged_in_part
from clew.hashing import EMPTY_CHAIN, extend_chain, fingerprint
from clew.ids import new_id, to_id, to_optional_id
from clew.messages import encode_messages, encode_metadata, message_list
from clew.model import (
    ACTIVE,
    KEEP,
    Active,
    Keep,
    Label,
    Message,
    Page,
    Session,
    SessionStatus,
    SessionSummary,
    Visibility,
)
from clew.store.base import Id, StoreBase, spelled
from clew.times import to_micros


class SessionMethods(StoreBase):
    """Creating, finding, listing, changing, copying and removing sessions."""

    def create_session(
        self,
        title: str,
        *,
        messages: Iterable[Message] = (),
        metadata: Any = None,
        visibility: Visibility | str = Visibility.PRIVATE,
        cwd: str | os.PathLike[str] | None = None,
        source: str | None = None,
        source_id: str | None = None,
        parent_session_id: Id | None = None,
        session_metadata: Mapping[str, Any] | None = None,
        owner: str | None = None,
        id: Id | None = None,
        checkpoint_id: Id | None = None,
        created_at: datetime | None = None,
    ) -> Session:
        """Create a session and its root checkpoint, which becomes the active one.

        `messages` and `metadata` (any JSON value) are the root's state; `session_metadata` is a JSON object of the
        session's own. (`source`, `source_id`) is the name another program knows it by, unique among those of its
        `owner`: whose session it is, None where that is nobody's business, as in a store that one person uses. `id`
        makes the call safe to repeat: the same call again returns what is stored. `checkpoint_id` (the root's) and
        `created_at` are for importers. ConflictError where the id or the source name is taken.
        """
        return self._create_session(
            False, title, messages, metadata, visibility, cwd, source, source_id, parent_session_id, session_metadata,
            owner, id, checkpoint_id, created_at,
        )  # fmt: skip

    def ensure_session(
        self,
        source: str,
        source_id: str,
        title: str = "",
        *,
        messages: Iterable[Message] = (),
        metadata: Any = None,
        visibility: Visibility | str = Visibility.PRIVATE,
        cwd: str | os.PathLike[str] | None = None,
        parent_session_id: Id | None = None,
        session_metadata: Mapping[str, Any] | None = None,
        owner: str | None = None,
        id: Id | None = None,
        checkpoint_id: Id | None = None,
        created_at: datetime | None = None,
    ) -> Session:
        """The session that another program knows by this name, created as by `create_session` where there is none.

        Found or made in one transaction: of two callers one makes it and both get it. A session that is found stays as
        it is, whatever the other arguments say; those of another `owner` are others, whatever their names.
        """
        return self._create_session(
            True, title, messages, metadata, visibility, cwd, source, source_id, parent_session_id, session_metadata,
            owner, id, checkpoint_id, created_at,
        )  # fmt: skip

    def get_session(self, id: Id) -> Session:
        """The session with its active checkpoint; a deleted one too."""
        return self._backend.get_session(to_id(id, "id"))

    def get_session_summary(self, id: Id) -> SessionSummary:
        """The session as lists show it, without its state; a deleted one too.

        CorruptStateError where its row cannot be trusted; its `damage` says what else of it cannot be read.
        """
        return self._backend.get_session_summary(to_id(id, "id"))

    def find_session(self, source: str, source_id: str, *, owner: str | None = None) -> Session:
        """The session that another program knows by this name, with its active checkpoint.

        Only among those of `owner`, or, where that is None, among those of nobody.
        """
        return self._backend.find_session(*checks.source_name(source, source_id), checks.optional_owner(owner))

    def find_session_summary(self, source: str, source_id: str, *, owner: str | None = None) -> SessionSummary:
        """The session that `find_session` finds, without its state, as `get_session_summary` has it."""
        return self._backend.find_session_summary(*checks.source_name(source, source_id), checks.optional_owner(owner))

    def list_sessions(
        self,
        *,
        limit: int = limits.DEFAULT_PAGE,
        offset: int = 0,
        cursor: str | None = None,
        search: str | None = None,
        status: SessionStatus | str | None = None,
        visibility: Visibility | str | None = None,
        cwd: str | os.PathLike[str] | None = None,
        source: str | None = None,
        source_id: str | None = None,
        parent_session_id: Id | None = None,
        metadata: Mapping[str, Any] | None = None,
        owner: str | None = None,
        count: bool = False,
    ) -> Page[SessionSummary]:
        """Sessions, newest `updated_at` first, ties by descending id. A filter that is None lets everything through.

        `search` is a part of the title, in any case; `metadata` are top-level keys of the session's metadata that must
        be equal. `cwd` is the working directory of a session, or one that it had before `move_directory` changed it.
        `source_id`, only with a `source`, is the name that this program knows a session by: one of each owner
        may have it, and no other session is looked at. The page's `total` is there where the only filter is the status,
        or with `count`. Its `next_cursor` leads to the next page: a session that does not change meanwhile is seen
        exactly once, one that changes moves to the front of the list and is not seen again.
        """
        checks.page(limit, offset, cursor)
        return self._backend.list_sessions(
            SessionQuery(
                limit=limit,
                offset=offset,
                cursor=cursor,
                search=checks.optional_search(search),
                status=checks.optional_status(status),
                visibility=checks.optional_visibility(visibility),
                cwd=checks.optional_cwd(cwd),
                source=checks.optional_source(source),
                source_id=checks.optional_source_id(source_id, source),
                parent_session_id=to_optional_id(parent_session_id, "parent_session_id"),
                metadata=checks.optional_filter(metadata),
                owner=checks.optional_owner(owner),
                count=bool(count),
            )
        )

    def update_session(
        self,
        id: Id,
        *,
        title: str | Keep = KEEP,
        visibility: Visibility | str | Keep = KEEP,
        status: SessionStatus | str | Keep = KEEP,
        cwd: str | os.PathLike[str] | Keep | None = KEEP,
        metadata: Mapping[str, Any] | Keep | None = KEEP,
        owner: str | Keep | None = KEEP,
        if_revision: int | None = None,
        updated_at: datetime | None = None,
    ) -> Session:
        """Change what is given, all of it or nothing; KEEP leaves a field as it is.

        With `if_revision` only while that is the session's revision, else ConflictError; so is a new `owner` who has
        another session of the same (`source`, `source_id`). `updated_at` is for importers: kept as given, though it
        never moves the session back in the list. What changes nothing adds no revision.
        """
        changes = SessionChanges(
            title=KEEP if title is KEEP else checks.title(title),
            visibility=KEEP if visibility is KEEP else checks.visibility(visibility),
            status=KEEP if status is KEEP else checks.status(status),
            cwd=KEEP if cwd is KEEP else checks.optional_cwd(cwd),
            metadata=KEEP if metadata is KEEP else checks.session_metadata(metadata, "metadata"),
            owner=checks.kept_or_owner(owner),
            if_revision=checks.optional_revision(if_revision),
            updated_at=None if updated_at is None else to_micros(updated_at, "updated_at"),
            now=self._clock(),
        )
        return self._backend.update_session(to_id(id, "id"), changes)

    def delete_session(self, id: Id) -> None:
        """Mark a session deleted. Everything of it stays until it is purged; `restore_session` undoes this."""
        self._set_status(id, SessionStatus.DELETED)

    def restore_session(self, id: Id) -> None:
        """Undo `delete_session`."""
        self._set_status(id, SessionStatus.ACTIVE)

    def purge_session(self, id: Id, *, if_revision: int | None = None) -> None:
        """Remove a session for good: every byte of it that no other session of its family needs. This cannot be undone.

        With `if_revision` only while that is the session's revision, else ConflictError. UnavailableError where a
        reader kept the bytes in the write-ahead log until the time limit; the session is purged all the same, and the
        message says so. CorruptStateError where another session of the family is damaged: the session is purged, and
        what it shared is left.
        """
        purged = to_id(id, "id")
        if not self._backend.purge_session(purged, checks.optional_revision(if_revision)):
            raise purged_in_part(purged)

    def fork_session(
        self,
        session_id: Id,
        *,
        checkpoint_id: Id | Label | Active = ACTIVE,
        title: str | None = None,
        owner: str | Keep | None = KEEP,
        id: Id | None = None,
    ) -> Session:
        """A new session that begins with the state of a checkpoint of another one. Nothing is copied.

        It takes over title and owner (unless one is given), visibility, cwd and metadata, and its root has the
        attachments of the checkpoint; `parent_session_id` and `forked_from` say where it comes from. `id` makes the
        call safe to repeat: the same call again returns what is stored.
        """
        origin = to_id(session_id, "session_id")
        new = NewFork(
            id=to_optional_id(id, "id") or new_id(),
            checkpoint_id=new_id(),
            source_checkpoint=checks.place(checkpoint_id),
            title=None if title is None else checks.title(title),
            owner=checks.kept_or_owner(owner),
            now=self._clock(),
        )
        if id is not None:
            call = fingerprint("fork_session", origin, spelled(new.source_checkpoint), new.title, *_given(new.owner))
            new = msgspec.structs.replace(new, fingerprint=call)
        return self._backend.fork_session(origin, new)

    def copy_session(
        self,
        session_id: Id,
        *,
        source: str | None = None,
        source_id: str | None = None,
        title: str | None = None,
        owner: str | Keep | None = KEEP,
        id: Id | None = None,
    ) -> Session:
        """A new session with the whole tree of another one: every checkpoint, label and attachment. Content is shared.

        Ids are new; times, metadata and which checkpoint is active are kept, and title and owner unless one is given.
        (`source`, `source_id`) is the name of the copy in another program; ConflictError where it is taken. `id` makes
        the call safe to repeat: the same call again returns what is stored.
        """
        origin = to_id(session_id, "session_id")
        if source is not None or source_id is not None:
            source, source_id = checks.source_name(source, source_id)
        new = NewCopy(
            id=to_optional_id(id, "id") or new_id(),
            title=None if title is None else checks.title(title),
            source=source,
            source_id=source_id,
            owner=checks.kept_or_owner(owner),
            now=self._clock(),
        )
        if id is not None:
            call = fingerprint("copy_session", origin, new.title, source, source_id, *_given(new.owner))
            new = msgspec.structs.replace(new, fingerprint=call)
        return self._backend.copy_session(origin, new)

    def _create_session(
        self,
        ensure: bool,
        title: str,
        messages: Iterable[Message],
        metadata: Any,
        visibility: Visibility | str,
        cwd: str | os.PathLike[str] | None,
        source: str | None,
        source_id: str | None,
        parent_session_id: Id | None,
        session_metadata: Mapping[str, Any] | None,
        owner: str | None,
        id: Id | None,
        checkpoint_id: Id | None,
        created_at: datetime | None,
    ) -> Session:
        if ensure or source is not None or source_id is not None:
            source, source_id = checks.source_name(source, source_id)
        new = NewSession(
            id=to_optional_id(id, "id") or new_id(),
            checkpoint_id=to_optional_id(checkpoint_id, "checkpoint_id") or new_id(),
            title=checks.title(title),
            bodies=encode_messages(message_list(messages)),
            metadata=encode_metadata(metadata),
            session_metadata=checks.session_metadata(session_metadata, "session_metadata"),
            visibility=checks.visibility(visibility),
            cwd=checks.optional_cwd(cwd),
            source=source,
            source_id=source_id,
            parent_session_id=to_optional_id(parent_session_id, "parent_session_id"),
            owner=checks.optional_owner(owner),
            created_at=None if created_at is None else to_micros(created_at),
            now=self._clock(),
            fingerprint=None,
        )
        if id is not None:
            new = msgspec.structs.replace(new, fingerprint=_session_fingerprint(new))
        return self._backend.create_session(new, ensure=ensure)

    def _set_status(self, id: Id, status: SessionStatus) -> None:
        self._backend.update_session(to_id(id, "id"), SessionChanges(status=status, now=self._clock()))


def _session_fingerprint(new: NewSession) -> bytes:
    return fingerprint(
        "create_session", new.title, extend_chain(EMPTY_CHAIN, new.bodies), new.metadata, new.session_metadata,
        new.visibility, new.cwd, new.source, new.source_id, new.parent_session_id,
        *_given(KEEP if new.owner is None else new.owner),
    )  # fmt: skip


def _given(owner: str | Keep | None) -> tuple[str | None, ...]:
    """An owner for a fingerprint: of calls without one it is what it was before there were owners."""
    return () if owner is KEEP else (owner,)
