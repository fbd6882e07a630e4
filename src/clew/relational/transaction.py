"""What the data model asks of an open transaction: statements by name, and the few steps that engines do differently.

Each engine has a ``queries.sql`` with every statement under the same name and with the same columns. Parameters come as
a dict that may hold more than a statement has use for: an engine picks what it needs.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal
from uuid import UUID

Row = tuple[Any, ...]

Kind = Literal["message", "metadata", "bytes"]
"""What content is: the JSON text of a message or of metadata, or bytes of an attachment."""

Key = int | bytes
"""What content is found by within its family; an engine makes it."""

MAX_ROWS = 2**63 - 1
"""The largest LIMIT that an engine takes."""


class Transaction(ABC):
    """An open transaction. Everything in it is of one moment, and its writes happen together or not at all."""

    unreadable: ClassVar[tuple[type[Exception], ...]] = ()
    """What the driver raises where stored rows cannot be read."""

    # -- statements

    @abstractmethod
    def fetch_all(self, name: str, parameters: Mapping[str, Any]) -> list[Row]:
        """Every row of a query."""

    @abstractmethod
    def fetch_one(self, name: str, parameters: Mapping[str, Any]) -> Row | None:
        """The first row of a query, None where there is none."""

    @abstractmethod
    def iterate(self, name: str, parameters: Mapping[str, Any]) -> Iterator[Row]:
        """The rows of a query one after the other, never all of a long answer in memory."""

    @abstractmethod
    def execute(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Run a statement that returns no rows."""

    # -- rows that get a key

    @abstractmethod
    def insert_session(self, parameters: Mapping[str, Any]) -> int:
        """Run ``insert_session`` and return the key of the session, greater than any before it."""

    @abstractmethod
    def insert_timeline(self, parameters: Mapping[str, Any]) -> int:
        """Run ``insert_timeline`` and return the key of the timeline, greater than that of its ancestors."""

    @abstractmethod
    def insert_entries(self, family: int, timeline: int, start: int, entries: Sequence[tuple[Key, int]]) -> None:
        """Write the messages from position `start` on of a timeline: the key of each, and its seal."""

    # -- content

    @abstractmethod
    def store_content(self, family: int, body: bytes, digest: bytes, kind: Kind) -> Key:
        """The key of `body`, whose hash is `digest`, in the family; written only where the family does not have it.

        The hash finds candidates and the bytes decide: a collision can never put other content in the place of `body`.
        JSON text and bytes that are the same are two contents.
        """

    @abstractmethod
    def store_messages(self, family: int, bodies: Sequence[bytes], digests: Sequence[bytes]) -> Sequence[Key]:
        """The same for many messages at once, nearly all of which are new."""

    @abstractmethod
    def bodies(self, places: Collection[tuple[int, Key]]) -> dict[tuple[int, Key], bytes]:
        """The bytes under each key of a family; what leads nowhere is left out."""

    @abstractmethod
    def delete_unreached_content(self, family: int) -> None:
        """Run ``delete_unreached_content``; what has changed keeps its number."""

    # -- changes

    @abstractmethod
    def count_change(self) -> None:
        """Give this transaction's next change a number greater than any before it."""

    # -- locks: nothing where there is one writer

    @abstractmethod
    def lock_session(self, session_id: UUID, *, collecting: bool = False) -> None:
        """Keep every other writer from this session, in a transaction that writes.

        With `collecting` also from its whole family, because what nothing reaches is about to be deleted. Called before
        anything of the session is read. Sessions that do not exist are no error here.
        """

    @abstractmethod
    def lock_family(self, family: int) -> None:
        """Keep every other writer from all sessions of a family."""

    @abstractmethod
    def lock_id(self, id: UUID) -> None:
        """Keep others from giving away this id of a checkpoint, which a caller chose, or from changing this API key."""
