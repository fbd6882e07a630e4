"""Giving back space: content that nothing refers to any more, and what the server keeps of rows that are gone."""

from clew.postgres.connections import unhurried
from clew.postgres.guarded import Connection
from clew.relational.transaction import Transaction

_TABLES = (
    "clew_session", "clew_tip", "clew_purged", "clew_checkpoint", "clew_timeline", "clew_entry", "clew_content",
    "clew_attachment", "clew_waiting_attachment", "clew_chunk", "clew_message_index", "clew_message_place",
    "clew_indexed_timeline",
    "clew_former_directory",
)  # fmt: skip


def size(db: Transaction) -> int:
    """The bytes that the store takes: of its tables and their indexes."""
    ((total,),) = db.fetch_all("size", {})
    return int(total)


def vacuum(connection: Connection) -> None:
    """Clear away what is dead in every table, while others read and write."""
    unhurried(connection)
    for table in _TABLES:
        connection.execute(f"VACUUM (ANALYZE) {table}".encode(), prepare=False)
