"""Taking a long session out of the search index before it is purged, in short transactions.

To take words out one message at a time is slow, and the purge has to be one transaction, for which all others wait. So
what the session has written is taken out before. Its family is to be indexed again from then on: whatever a fork needs
comes back with the next search, and so does all of it where the purge is given up. What such a search has indexed
meanwhile the purge takes out itself.

Few messages of a large index go one by one. Where they are many FTS5 only marks them, and all of the index is merged,
a few pages at a time. That is done before the purge too; `SQLiteTransaction.merge_index` sees to it where it is not.
"""

from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

import apsw
import msgspec

from clew import limits
from clew.relational import indexing
from clew.relational.transaction import Key
from clew.sqlite.transaction import SQLiteTransaction

Run = Callable[[Callable[[apsw.Connection], Any]], Any]
"""Runs something in a transaction of its own."""


class Removal(NamedTuple):
    """The messages of a session, to be taken out of the index."""

    family: int
    keys: list[Key]
    merge_later: bool

    @property
    def batch(self) -> int:
        """How many at once."""
        return limits.MERGED_BATCH_MESSAGES if self.merge_later else limits.UNINDEX_BATCH_MESSAGES


def take_out_session(session_id: UUID, read: Run, write: Run) -> None:
    """Take what a session has written out of the index, in as many transactions as it needs."""
    removal: Removal | None = read(lambda connection: _plan(connection, session_id))
    if removal is None:
        return
    for at in range(0, len(removal.keys), removal.batch):
        write(lambda connection: _take_out(connection, removal, at))  # noqa: B023 - run at once
    while not write(_merge):
        pass


def _plan(connection: apsw.Connection, session_id: UUID) -> Removal | None:
    """What there is to take out; None where it is so little that the purge may do it."""
    db = SQLiteTransaction(connection)
    found = db.fetch_all("indexed_of_session", {"id": session_id.bytes})
    if len(found) <= limits.UNINDEX_BATCH_MESSAGES:
        return None
    keys = [key for _, key in found]
    return Removal(found[0][0], keys, indexing.is_merged(len(keys), db.count_indexed()))


def _take_out(connection: apsw.Connection, removal: Removal, at: int) -> None:
    """Take the batch out that begins at a place."""
    db = SQLiteTransaction(connection)
    family = removal.family
    db.execute("add_family_to_index", {"family": family})
    db.execute("forget_indexed_of_family", {"family": family})
    keys = msgspec.json.encode(removal.keys[at : at + removal.batch]).decode()
    found = db.fetch_all("indexed_messages", {"keys": keys, "family": family})
    indexing.take_out(db, family, found, merge_later=removal.merge_later)


def _merge(connection: apsw.Connection) -> bool:
    """Merge some pages of the index; whether all words are gone that were taken out."""
    db = SQLiteTransaction(connection)
    if not db.fetch_all("is_unmerged", {})[0][0]:
        return True
    before = connection.total_changes()
    try:
        db.execute("merge_index", {"pages": -limits.MERGED_BATCH_PAGES})
    except db.unreadable:
        indexing.reset(db)
        return True
    is_done = connection.total_changes() - before < 2  # so FTS5 says that there was nothing to do
    if is_done:
        db.execute("set_unmerged", {"unmerged": 0})
    return is_done
