"""Removing a session for good, and what its family no longer reaches with it."""

from uuid import UUID

from clew.errors import CorruptStateError
from clew.relational import indexing
from clew.relational.heads import check_revision, read_head
from clew.relational.reachability import is_whole
from clew.relational.transaction import Transaction


def purge_session(db: Transaction, session_id: UUID, if_revision: int | None = None) -> bool:
    """See `Backend.purge_session`.

    False where what the session shared with its family is left, because something else there is damaged.
    """
    head = read_head(db, session_id, strict=False, collecting=True)
    check_revision(head, if_revision)
    session = head.owner.key
    db.execute("detach_session", session)
    db.execute("delete_attachments_of_session", session)
    db.execute("delete_waiting_of_session", session)
    db.execute("delete_checkpoints_of_session", session)
    db.execute("disown_timelines", session)
    db.execute("delete_former_directories", session)
    db.execute("delete_session", session)
    db.count_change()
    db.execute("remember_purged", {"id": session_id.bytes})
    return collect_family(db, head.owner.family)


def collect_family(db: Transaction, family: int) -> bool:
    """Delete the timelines, entries and content of a family that no checkpoint or session of it reaches.

    False, and nothing is deleted, where a row that says what is reached is damaged: a flipped bit in a length or a key
    would have whole conversations deleted that can still be read or mended.
    """
    db.lock_family(family)
    if not is_whole(db, family):
        return False
    db.lock_index()  # before anything goes: whoever is indexing it now would put it back
    reached: dict[int, int] = dict(db.fetch_all("reached_lengths", {"family": family}))
    # Descendants come before their ancestors, so what each needs of its ancestor is known when that one's turn comes.
    for timeline, ancestor, ancestor_length in db.fetch_all("family_timelines", {"family": family}):
        length = reached.get(timeline, 0)
        indexing.cut(db, family, timeline, length)
        db.execute("cut_timeline", {"family": family, "timeline": timeline, "length": length})
        if length == 0:
            db.execute("delete_timeline", {"family": family, "timeline": timeline})
        elif ancestor is not None:
            reached[ancestor] = max(reached.get(ancestor, 0), ancestor_length)
    db.execute("delete_unreached_chunks", {"family": family})
    indexing.forget_unreached(db, family)
    if not reached:
        db.remove_family_to_index(family)
    db.delete_unreached_content(family)
    return True


def families(db: Transaction) -> list[int]:
    """Every family that has sessions."""
    return [family for family, _ in db.fetch_all("session_families", {})]


def damaged_families(count: int) -> CorruptStateError:
    """For a store that is compact but for what must not be touched."""
    return CorruptStateError(
        f"the store is compact, but in {count:,} of its families something is damaged, so nothing of these was deleted;"
        " `verify` says what"
    )
