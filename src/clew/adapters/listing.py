"""The sessions of a source in pages: those that an adapter would find by their names, and each of them once.

A list without an owner has everybody's, so that an adapter that took all of them would show, and delete, what belongs
to others and only has the same name.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from clew import CorruptStateError, NotFoundError, SessionStatus, SessionSummary, Store

PAGE = 200


class Listing:
    """Lists the sessions of one source and owner. Safe to share between threads."""

    def __init__(self, source: str, *, owner: str | None = None) -> None:
        """`source` and `owner` are as for `Store.find_session`: what that would not find is not listed."""
        self.source = source
        self.owner = owner
        self._are_mine: dict[str | None, bool] = {owner: True}

    def pages(
        self,
        store: Store,
        *,
        status: SessionStatus | None = None,
        metadata: dict[str, Any] | None = None,
        size: int | None = None,
        with_damaged: bool = False,
    ) -> Iterator[list[SessionSummary]]:
        """The sessions of this status whose metadata has these values, `size` of them at a time.

        CorruptStateError where one is damaged, unless `with_damaged`. A session that is written to while the pages are
        read goes to the front of the list, past what has been read: so the front is read once more.
        """
        seen: dict[UUID, int] = {}
        size = size or PAGE
        cursor = None
        while True:
            page = store.list_sessions(
                source=self.source, owner=self.owner, status=status, metadata=metadata, limit=size, cursor=cursor
            )
            mine = [found for found in page if found.id not in seen and self.is_mine(store, found)]
            yield mine if with_damaged else [_checked(found) for found in mine]
            again = cursor is None and bool(seen)
            met = again and any(seen.get(found.id) == found.revision for found in page)
            seen.update((found.id, found.revision) for found in page)
            if met or (page.next_cursor is None and (again or len(seen) <= size)):
                return
            cursor = page.next_cursor

    def is_mine(self, store: Store, found: SessionSummary) -> bool:
        """Whether `find_session` would find it.

        Without an owner lists show everybody's, of which only nobody's are meant; but over a server those of the
        caller are. Who that is, one of them tells.
        """
        known = self._are_mine.get(found.owner)
        if known is not None or found.source_id is None:
            return bool(known)
        try:
            mine = store.find_session_summary(self.source, found.source_id, owner=self.owner).id == found.id
        except NotFoundError:
            mine = False
        if mine or _is_there(store, found):  # one that is gone by now tells nothing
            self._are_mine[found.owner] = mine
        return mine


def _is_there(store: Store, session: SessionSummary) -> bool:
    try:
        store.get_session_summary(session.id)
    except NotFoundError:
        return False
    return True


def _checked(found: SessionSummary) -> SessionSummary:
    if found.damage is not None:
        raise CorruptStateError(f"session {found.id} is damaged: {found.damage}")
    return found
