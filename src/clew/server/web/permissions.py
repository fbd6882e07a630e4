"""What a page offers to whom. `clew.server.rights` decides; here nothing is shown that it would refuse."""

from clew.model import Role, Session, SessionSummary
from clew.server.callers import Caller


def may_change(caller: Caller, session: Session | SessionSummary) -> bool:
    """Whether they may rename it, delete it, and so on."""
    is_own = session.owner is not None and session.owner == caller.owner
    return caller.is_admin or (caller.role is Role.WRITE and is_own)


def may_fork(caller: Caller) -> bool:
    """Whether they may begin a session of their own with one that they see."""
    return caller.role in (Role.WRITE, Role.ADMIN)
