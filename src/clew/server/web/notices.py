"""What the page of a session says of what has just been done. Its address asks for that, and the session has to bear it
out: an address that somebody made up says nothing."""

from typing import NamedTuple

from clew.display.visible import one_line
from clew.errors import CorruptStateError, NotFoundError
from clew.model import SessionStatus, SessionSummary, Visibility
from clew.server.served import Serving

PUBLISHED = "published"
FORKED = "forked"


class Notice(NamedTuple):
    """What is said; where `is_link` with the address of the page and a way to undo it."""

    words: str
    is_link: bool = False


def notice_of(served: Serving, session: SessionSummary | None, asked: str) -> Notice | None:
    """The notice that is asked for, where it is true."""
    if session is None:
        return None
    is_read = session.visibility is Visibility.PUBLIC and session.status is SessionStatus.ACTIVE
    if asked == PUBLISHED and is_read:
        return Notice("Public: whoever has this link can read it", is_link=True)
    if asked == FORKED and session.parent_session_id is not None and session.forked_from is not None:
        return Notice(f"Forked from {_parent(served, session)}")
    return None


def _parent(served: Serving, session: SessionSummary) -> str:
    """The title of the session that it was forked from, as far as who asks may see that."""
    if session.parent_session_id is None:
        return "another session"
    try:
        parent = served.store.get_session_summary(session.parent_session_id)
    except (NotFoundError, CorruptStateError):
        return "another session"
    return f"\N{LEFT DOUBLE QUOTATION MARK}{one_line(parent.title) or '(no title)'}\N{RIGHT DOUBLE QUOTATION MARK}"
