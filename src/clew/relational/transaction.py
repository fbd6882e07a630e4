"""What the data model asks of an open transaction: statements by name, and the few steps that engines do differently.

Each engine has a ``queries.sql`` with every statement under the same name and with the same columns. Parameters come as
a dict that may hold more than a statement has use for: an engine picks what it needs.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias
from uuid import UUID

from clew.search.query import Node
from clew.search.texts import Document

Row = tuple[Any, ...]

Kind = Literal["message", "metadata", "bytes"]
"""What content is: the JSON text of a message or of metadata, or bytes of an attachment."""

Key = int | bytes
"""What content is found by within its family; an engine makes it."""

MAX_ROWS = 2**63 - 1
"""The largest LIMIT that an engine takes."""


class Indexed(NamedTuple):
    """A message as the search index has it."""

    family: int
    key: Key
    document: Document


Position: TypeAlias = tuple[int, int, int, bytes]
"""Where a match stands among all of a search, and what stays as it was when the search began."""


class Wanted(NamedTuple):
    """What a search asks of the index: what is looked for, and facts of which every group must have one."""

    query: Node
    facts: list[list[str]]


class Match(NamedTuple):
    """A message that the index found. `position` says where to go on behind it; a greater score is a better match."""

    position: Position
    family: int | None
    key: Key
    score: float


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

    # -- the search index

    keeps_documents: ClassVar[bool] = False
    """Whether the index has rows of its own, which can be deleted without knowing their words."""

    @abstractmethod
    def index(self, messages: Sequence[Indexed]) -> None:
        """Put messages into the index that are not there yet."""

    @abstractmethod
    def unindex(self, messages: Sequence[Indexed], *, merge_later: bool = False) -> None:
        """Take messages out of the index, so that none of their words is left in any file.

        With `merge_later` they are left until `merge_index`: quicker where the messages are many among those indexed.
        """

    def merge_index(self) -> None:  # noqa: B027 - most have nothing to do
        """Let go of the words of all that was taken out."""

    def count_indexed(self) -> int:
        """How many messages are in the index."""
        return 0

    def families_to_index(self) -> list[int]:
        """Families that are to be indexed again though nothing in them has changed."""
        return []

    def remove_family_to_index(self, family: int) -> None:  # noqa: B027 - the same
        """A family is not one of these any more."""

    @abstractmethod
    def empty_index(self) -> None:
        """Take every message out of it."""

    @abstractmethod
    def insert_places(self, family: int, timeline: int, places: Sequence[tuple[Key, int, int]]) -> None:
        """Say where messages stand on a timeline: the key, position and writer of each. What is said already stays."""

    @abstractmethod
    def matches(self, wanted: Wanted, after: Position | None) -> Iterator[Match]:
        """What the index finds, the best first as far as the engine goes, from behind a position on."""

    @abstractmethod
    def places_of(self, messages: Sequence[tuple[int | None, Key]]) -> list[Row]:
        """Where messages stand, each known by its family and key: the number of the message in the sequence, and then
        timeline, position, writer, family and the session that owns the timeline, in this order."""

    @abstractmethod
    def lock_index(self) -> None:
        """Keep others from changing the index."""

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
