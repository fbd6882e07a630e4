"""The list of sessions: searching, filtering and paging it."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Controller, Request, Response
from litestar.params import FromQuery

from clew.errors import NotFoundError
from clew.model import Page, SessionStatus, SessionSummary, Visibility
from clew.server.served import Served, Serving, get
from clew.server.web.pages import page

PAGE_SIZE = 50
"""Sessions on one page of the list."""

EVERY = "all"
"""The status of a list in which deleted sessions stand too."""

STATUSES = [(SessionStatus.ACTIVE.value, "Active"), (SessionStatus.DELETED.value, "Deleted"), (EVERY, "All")]
VISIBILITIES = [("", "Any"), (Visibility.PRIVATE.value, "Private"), (Visibility.PUBLIC.value, "Public")]


class Choice(msgspec.Struct, frozen=True):
    """What the list is to show. Fields that are left empty let everything through."""

    search: str = ""
    status: str = SessionStatus.ACTIVE
    visibility: str = ""
    cwd: str = ""
    source: str = ""
    owner: str = ""

    def address(self, cursor: str = "") -> str:
        """The address of the list that shows it, from the beginning or from where a cursor stands."""
        given = {name: getattr(self, name) for name in self.changed()}
        query = urlencode({**given, "cursor": cursor} if cursor else given, errors="replace")
        return f"/?{query}" if query else "/"

    def changed(self) -> list[str]:
        """The names of the fields that are not what they are where nobody has chosen."""
        usual = Choice()
        return [name for name in self.__struct_fields__ if getattr(self, name) != getattr(usual, name)]


class ListRoutes(Controller):
    """The first page."""

    @get("/")
    def list_sessions(
        self,
        request: Request[Any, Any, Any],
        served: Served,
        search: FromQuery[str] = "",
        status: FromQuery[str] = SessionStatus.ACTIVE.value,
        visibility: FromQuery[str] = "",
        cwd: FromQuery[str] = "",
        source: FromQuery[str] = "",
        owner: FromQuery[str] = "",
        cursor: FromQuery[str] = "",
        deleted: FromQuery[UUID | None] = None,
        restored: FromQuery[UUID | None] = None,
    ) -> Response[Any]:
        """Sessions, newest change first.

        `deleted` is the one whose deletion can be undone here, `restored` one for which that was done.
        """
        choice = Choice(search, status or SessionStatus.ACTIVE, visibility, cwd, source, owner)
        found = _find(served, choice, cursor)
        # What was typed becomes the address, so that reloading and going back lead to it.
        headers = {"HX-Push-Url": choice.address()} if "HX-Request" in request.headers else None
        return page(
            served,
            "list.html",
            headers=headers,
            here="deleted" if choice.status == SessionStatus.DELETED else "sessions",
            choice=choice,
            sessions=found.items,
            total=found.total,
            said=_said(found, is_first=not cursor),
            address=choice.address(cursor),
            older=choice.address(found.next_cursor) if found.next_cursor else None,
            is_first=not cursor,
            heading="Deleted sessions" if choice.status == SessionStatus.DELETED else "Sessions",
            undo=_while(SessionStatus.DELETED, served, deleted),
            restored=_while(SessionStatus.ACTIVE, served, restored),
            statuses=STATUSES,
            visibilities=VISIBILITIES,
        )


def _find(served: Serving, choice: Choice, cursor: str) -> Page[SessionSummary]:
    return served.store.list_sessions(
        limit=PAGE_SIZE,
        cursor=cursor or None,
        search=choice.search or None,
        status=None if choice.status == EVERY else choice.status,
        visibility=choice.visibility or None,
        cwd=choice.cwd or None,
        source=choice.source or None,
        owner=choice.owner or None,
    )


def _said(found: Page[SessionSummary], *, is_first: bool) -> str:
    """How many there are, as far as somebody knows."""
    count = len(found.items) if found.total is None and is_first and found.next_cursor is None else found.total
    if count is None:
        return f"{len(found.items)} sessions on this page" + (", and there are older ones" if found.next_cursor else "")
    return "1 session" if count == 1 else f"{count:,} sessions" if count else "No sessions"


def _while(status: SessionStatus, served: Serving, id: UUID | None) -> SessionSummary | None:
    """The session that something was done with just now, while it has the status that this gave it."""
    if id is None:
        return None
    try:
        found = served.store.get_session_summary(id)
    except NotFoundError:  # purged since
        return None
    return found if found.status is status else None
