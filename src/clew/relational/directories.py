"""Moving sessions from one working directory to another, inside a transaction that the caller holds.

Directories are text: they may be of another machine, and of another system. A separator is "/", and "\\" too in a path
that is written as on Windows. Where a session was is kept beside it, for lists that ask for that.
"""

import re
from uuid import UUID

from clew import limits
from clew.backend import DirectoryMove
from clew.errors import CorruptStateError, InvalidRequestError
from clew.hashing import row_seal
from clew.relational.heads import Head, move_tip, read_head
from clew.relational.rows import SessionRow, checked_session
from clew.relational.session_rows import update_row
from clew.relational.transaction import Transaction
from clew.reports import Moved, MovedSession

_WINDOWS = re.compile(r"[A-Za-z]:|\\\\")
_DRIVE = re.compile(r"[A-Za-z]:")


def find(db: Transaction, move: DirectoryMove) -> Moved:
    """What `move` would change."""
    return _each(db, move, changes=False)


def move(db: Transaction, move: DirectoryMove) -> Moved:
    """See `Backend.move_directory`."""
    return _each(db, move, changes=True)


def moved_to(cwd: str, old: str, new: str) -> str | None:
    """Where a directory is once `old` is `new`; None where it is not in `old`."""
    separators = _separators(old)
    beginning = old.rstrip(separators)
    rest = cwd[len(beginning) :]
    if not cwd.startswith(beginning) or (rest and rest[0] not in separators):
        return None
    into = _separators(new)
    if not rest.strip(separators):  # the directory itself, however its end is written
        return _without_end(new, into)
    if into != separators:
        rest = rest.replace("/", "\\") if "\\" in into else rest.replace("\\", "/")
    return new.rstrip(into) + rest


def _without_end(path: str, separators: str) -> str:
    """A directory as programs name the one that they are in: with a separator at its end only where it is a root."""
    bare = path.rstrip(separators)
    return path if not bare or _DRIVE.fullmatch(bare) else bare


def copy_former(db: Transaction, origin: SessionRow, copy: Head) -> None:
    """A fork or a copy is found where its origin was before."""
    for cwd, seal in db.fetch_all("former_directories", {"session": origin.key}):
        if seal == former_seal(origin.id, cwd):
            _add_former(db, copy, cwd)


def former_seal(session_id: bytes, cwd: bytes) -> int:
    """The seal of a directory that a session was in before."""
    return row_seal((session_id, cwd))


def _each(db: Transaction, move: DirectoryMove, *, changes: bool) -> Moved:
    moved: list[MovedSession] = []
    damaged: list[UUID] = []
    beginning = move.old.rstrip(_separators(move.old)).encode()
    found = db.fetch_all("sessions_in_directory", {"beginning": beginning, "owner": move.owner})
    for (id,) in found:
        session = UUID(bytes=id)
        try:
            change = _one(db, session, move, changes=changes)
        except CorruptStateError:  # which is found out before anything of it is written
            damaged.append(session)
        else:
            moved += [] if change is None else [change]
    return Moved(sessions=moved, damaged=damaged)


def _one(db: Transaction, session: UUID, move: DirectoryMove, *, changes: bool) -> MovedSession | None:
    """Move one session; None where it is elsewhere by now, or is there already."""
    head = read_head(db, session) if changes else None
    columns = db.fetch_one("session_row", {"id": session.bytes})
    if columns is None:
        return None
    row = checked_session(columns)
    cwd = None if row.cwd is None else moved_to(row.cwd.decode(), move.old, move.new)
    if row.cwd is None or cwd is None or cwd.encode() == row.cwd or not _is_of(row, move.owner):
        return None
    if len(cwd) > limits.MAX_CWD_CHARS:
        raise InvalidRequestError(
            f"the directory of session {session} would be {len(cwd):,} characters, more than the "
            f"{limits.MAX_CWD_CHARS:,} of MAX_CWD_CHARS"
        )
    if head is not None:
        _write(db, head, row._replace(cwd=cwd.encode()), row.cwd)
    return MovedSession(session_id=session, title=row.title.decode(), old_cwd=row.cwd.decode(), cwd=cwd)


def _write(db: Transaction, head: Head, row: SessionRow, old: bytes) -> None:
    update_row(db, row)
    _add_former(db, head, old)
    move_tip(db, head, head.tip, head.tip.updated_at)


def _add_former(db: Transaction, head: Head, cwd: bytes) -> None:
    seal = former_seal(head.id.bytes, cwd)
    db.execute("add_former_directory", {"session": head.owner.session, "cwd": cwd.decode(), "seal": seal})


def _is_of(row: SessionRow, owner: str | None) -> bool:
    return owner is None or row.owner == owner.encode()


def _separators(path: str) -> str:
    return "/\\" if _WINDOWS.match(path) else "/"
