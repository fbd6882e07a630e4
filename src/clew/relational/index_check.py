"""Whether the search index has what it should, and nothing else. It hides nothing but what is searched."""

from clew.relational import indexing
from clew.relational.transaction import Transaction
from clew.reports import Finding

MEND = "`compact` has it built anew"


def of_family(db: Transaction, family: int) -> list[Finding]:
    """Messages of a family that a search does not find, though the index is said to have them."""
    ((count,),) = db.fetch_all("unindexed_of_family", {"family": family})
    if not count:
        return []
    return [
        Finding(kind="search_index", message=f"family {family}: {count:,} messages are not in the search index; {MEND}")
    ]


def strays(db: Transaction) -> list[Finding]:
    """What the index has of messages that are not there."""
    ((count,),) = db.fetch_all("stray_indexed", {})
    if not count:
        return []
    return [Finding(kind="search_index", message=f"the search index has {count:,} rows of no message; {MEND}")]


def is_right(db: Transaction) -> bool:
    """Whether nothing of the sort is found."""
    return not strays(db) and not any(of_family(db, family) for family, _ in db.fetch_all("session_families", {}))


def mend(db: Transaction) -> None:
    """Throw the index away where anything is wrong with it, so that the next search builds it anew."""
    db.lock_index()
    if not is_right(db):
        indexing.reset(db)
