"""What reading rows raises where they are damaged."""

from clew.errors import CorruptStateError
from clew.relational.transaction import Transaction

UNREADABLE = (CorruptStateError, AttributeError, LookupError, TypeError, ValueError)
"""Where a page is damaged, a column may also come out as a value of another type."""


def unreadable(db: Transaction) -> tuple[type[Exception], ...]:
    """The same, with what the driver of the transaction raises."""
    return (*UNREADABLE, *db.unreadable)
