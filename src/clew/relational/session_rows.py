"""Writing what a user can change of a session, inside a transaction that the caller holds."""

from clew.relational.rows import SessionRow
from clew.relational.transaction import Transaction
from clew.text import folded_or_none


def update_row(db: Transaction, row: SessionRow) -> None:
    """Write what a user can change of a session, as it is in `row`."""
    title = row.title.decode()
    db.execute(
        "update_session",
        {
            "session": row.key,
            "title": title,
            "title_folded": folded_or_none(title),
            "visibility": row.visibility.decode(),
            "status": row.status.decode(),
            "cwd": None if row.cwd is None else row.cwd.decode(),
            "metadata": row.metadata,
            "owner": None if row.owner is None else row.owner.decode(),
            "seal": row.new_seal(),
        },
    )
