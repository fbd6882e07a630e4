"""The methods of a store that are about the tree of a session: lists, labels, branches, and what is active."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from clew import checks, limits
from clew.backend import CheckpointQuery, CheckpointSearch, Children, Order
from clew.ids import to_id
from clew.model import Checkpoint, CheckpointSummary, Label, Page, Session
from clew.store.base import Id
from clew.store.checkpoints import CheckpointMethods


class TreeMethods(CheckpointMethods):
    """Listing, labelling, deleting and choosing checkpoints."""

    def list_checkpoints(
        self,
        session_ids: Id | Iterable[Id],
        *,
        order: Order = "created",
        active: bool = False,
        before_label: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        with_metadata: bool = False,
        with_attachments: str | None = None,
        limit: int = limits.DEFAULT_PAGE,
        offset: int = 0,
        cursor: str | None = None,
    ) -> Page[CheckpointSummary]:
        """The checkpoints of one session, or of several.

        `order` is "created" (in which they were written; of several sessions, by their time), "label" (by code point;
        only those that have one), or either with a minus, the other way round. With `active` only the active one of
        each session is listed, which costs the same however many it has; where a session's own row is damaged, the item
        has `damage`, and CorruptStateError where nobody can tell which one is active. `before_label` leaves out labels
        from that one on, `metadata` are top-level keys of the state's metadata that must be equal. With `with_metadata`
        and `with_attachments` (how their names begin; "" for all) each item has its metadata and attachments, read in
        one query for the whole page. The page's `total` is there where nothing filters.
        """
        checks.page(limit, offset, cursor)
        query = CheckpointQuery(
            session_ids=checks.ids(session_ids, "session_ids"),
            limit=limit,
            order=checks.order(order),
            active=bool(active),
            before_label=checks.optional_label(before_label, "before_label"),
            offset=offset,
            cursor=cursor,
            metadata=checks.optional_filter(metadata),
            with_metadata=bool(with_metadata),
            with_attachments=checks.optional_prefix(with_attachments, "with_attachments"),
        )
        return self._backend.list_checkpoints(query)

    def find_checkpoint(self, session_id: Id, label: str) -> Checkpoint:
        """The checkpoint of the session that has this label, with its state."""
        return self._backend.find_checkpoint(to_id(session_id, "session_id"), checks.label(label))

    def find_checkpoints(
        self,
        *,
        metadata: Mapping[str, Any] | None,
        source: str | None = None,
        owner: str | None = None,
        with_attachments: str | None = None,
        limit: int = limits.DEFAULT_PAGE,
        cursor: str | None = None,
    ) -> Page[CheckpointSummary]:
        """The checkpoints of every session whose state's metadata has these top-level keys with equal values.

        Each item has its metadata, and attachments as in `list_checkpoints`. `source` and `owner` look only at
        sessions of theirs. Every checkpoint of these is looked at: there is no index of what metadata may hold.
        """
        checks.page(limit, 0, cursor)
        search = CheckpointSearch(
            metadata=checks.optional_filter(metadata),
            source=checks.optional_source(source),
            owner=checks.optional_owner(owner),
            limit=limit,
            cursor=cursor,
            with_attachments=checks.optional_prefix(with_attachments, "with_attachments"),
        )
        return self._backend.find_checkpoints(search)

    def children(self, checkpoint_id: Id) -> list[CheckpointSummary]:
        """The checkpoints whose parent it is, oldest first."""
        return self._backend.list_children(to_id(checkpoint_id, "checkpoint_id"))

    def ancestry(self, checkpoint_id: Id) -> list[CheckpointSummary]:
        """The checkpoint itself, its parent, and so on to the root."""
        return self._backend.list_ancestry(to_id(checkpoint_id, "checkpoint_id"))

    def branches(self, session_id: Id) -> list[CheckpointSummary]:
        """The leaves of the session's tree, newest first: each ends a branch."""
        return self._backend.list_branches(to_id(session_id, "session_id"))

    def set_label(self, checkpoint_id: Id, label: str | None, *, move: bool = False) -> CheckpointSummary:
        """Give a checkpoint a label, in place of the one it has; None takes it away.

        A label is unique in its session: where another checkpoint has it, ConflictError, or with `move` that one loses
        it. What was attached to the label while nothing had it becomes the checkpoint's.
        """
        return self._backend.set_label(
            to_id(checkpoint_id, "checkpoint_id"), checks.optional_label(label), self._clock(), move=bool(move)
        )

    def set_active_checkpoint(
        self, session_id: Id, checkpoint_id: Id | Label, *, updated_at: datetime | None = None
    ) -> Session:
        """Resume from this checkpoint of the session from now on: rewind, or switch to another branch.

        Nothing is deleted. A checkpoint of another session is NotFoundError. `updated_at` is for importers: when that
        was, if not now; it never moves the session back in the list.
        """
        backend, now = self._writing(updated_at)
        return backend.set_active_checkpoint(to_id(session_id, "session_id"), checks.place(checkpoint_id), now)

    def delete_checkpoints(
        self,
        session_id: Id,
        ids: Id | Iterable[Id],
        *,
        children: Children = "reparent",
        if_revision: int | None = None,
    ) -> Session:
        """Delete checkpoints of a session with their attachments. Messages that no other needs go with them.

        Children of a deleted checkpoint go to its nearest ancestor that stays; with `children` "delete" all descendants
        are deleted too, and with "refuse" a child that would stay is ConflictError. Where the active checkpoint is
        deleted, its nearest ancestor that stays becomes active, else the newest checkpoint. An id that is not of the
        session is NotFoundError, and nothing is deleted.
        """
        return self._backend.delete_checkpoints(
            to_id(session_id, "session_id"),
            checks.ids(ids, "ids"),
            checks.children(children),
            self._clock(),
            checks.optional_revision(if_revision),
        )
