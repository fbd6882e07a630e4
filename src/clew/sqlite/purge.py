"""Removing a session for good, and what its family no longer reaches with it."""

from uuid import UUID

import apsw

from clew.errors import UnavailableError
from clew.sqlite.heads import check_revision, read_head
from clew.sqlite.queries import execute, fetch_all
from clew.sqlite.reachability import is_whole

_LATER = "they go with the next purge or when the store is closed"
_PATIENCE_MILLISECONDS = 5  # for a read that is nearly over


def purge_session(connection: apsw.Connection, session_id: UUID, if_revision: int | None = None) -> bool:
    """See `Backend.purge_session`; `empty_wal` has to follow for the bytes to be gone from the files.

    False where what the session shared with its family is left, because something else there is damaged.
    """
    head = read_head(connection, session_id, strict=False)
    check_revision(head, if_revision)
    session = {"session": head.owner.session}
    execute(connection, "detach_session", session)
    execute(connection, "delete_attachments_of_session", session)
    execute(connection, "delete_waiting_of_session", session)
    execute(connection, "delete_checkpoints_of_session", session)
    fetch_all(connection, "disown_timelines", {**session, "family": head.owner.family})
    execute(connection, "delete_session", session)
    return collect_family(connection, head.owner.family)


def collect_family(connection: apsw.Connection, family: int) -> bool:
    """Delete the timelines, entries and content of a family that no checkpoint or session of it reaches.

    False, and nothing is deleted, where a row that says what is reached is damaged: a flipped bit in a length or a key
    would have whole conversations deleted that can still be read or mended.
    """
    if not is_whole(connection, family):
        return False
    reached: dict[int, int] = dict(fetch_all(connection, "reached_lengths", {"family": family}))
    # Descendants come before their ancestors, so what each needs of its ancestor is known when that one's turn comes.
    for timeline, ancestor, ancestor_length in fetch_all(connection, "family_timelines", {"family": family}):
        length = reached.get(timeline, 0)
        execute(connection, "cut_timeline", {"timeline": timeline, "length": length})
        if length == 0:
            execute(connection, "delete_timeline", {"timeline": timeline})
        elif ancestor is not None:
            reached[ancestor] = max(reached.get(ancestor, 0), ancestor_length)
    execute(connection, "delete_unreached_chunks", {"family": family})
    execute(connection, "delete_unreached_content", {"family": family})
    return True


def empty_wal(connection: apsw.Connection) -> bool:
    """Move the write-ahead log into the file and cut it to nothing; False while a reader still needs it.

    Purged bytes are zeroed in the file's pages, but older copies of these pages stay in the log until it is emptied.
    """
    # Who waits here keeps every writer waiting. The caller waits instead, and tries again.
    connection.set_busy_timeout(_PATIENCE_MILLISECONDS)
    ((busy, _, _),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return not busy


def wal_still_held(what: str) -> UnavailableError:
    """For a change that is committed, while a reader keeps older bytes in the log."""
    return UnavailableError(
        f"{what}, but a reader kept its bytes in the write-ahead log beyond the time limit; {_LATER}"
    )


def wal_not_emptied(what: str, error: Exception) -> UnavailableError:
    """For a change that is committed, where the log cannot be emptied after it."""
    return UnavailableError(f"{what}, but its bytes could not be removed from the write-ahead log ({error}); {_LATER}")
