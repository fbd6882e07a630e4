"""The two stores of a copy, and what it remembers from one session to the next."""

from collections.abc import Callable, Set
from typing import Any, cast
from uuid import UUID

import msgspec

from clew.backend import Backend, CheckpointQuery
from clew.copying.results import Tally
from clew.errors import CorruptStateError, NotFoundError
from clew.hashing import EMPTY_CHAIN, content_hash, extend_chain
from clew.model import CheckpointSummary, Page


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint of the destination that a fork begins as; `metadata` is the hash of its metadata."""

    id: UUID
    session_id: UUID
    chain: bytes
    metadata: bytes


class Ends:
    """Both stores, and what the whole copy knows."""

    def __init__(self, source: Backend, destination: Backend, *, verify: bool, arrived: Callable[[], None]) -> None:
        """`arrived` is called for each checkpoint that has been written."""
        self.source = _named(source, "source")
        self.destination = _named(destination.arriving(), "destination")
        self.verify = verify
        self.arrived = arrived
        self.tally = Tally()
        self.forked: Set[UUID] = frozenset()
        """The checkpoints that a session to copy began as."""
        self.may_be_taken = True
        """Whether the destination had anything before, so that an id may be in use there."""
        self._origins: dict[UUID, Origin | None] = {}

    def remember(self, origin: Origin) -> None:
        """A checkpoint has been written that forks may begin as."""
        if origin.id in self.forked:
            self._origins[origin.id] = origin

    def origin(self, checkpoint_id: UUID) -> Origin | None:
        """A checkpoint of the destination, None where it is not there or cannot be read."""
        if checkpoint_id not in self._origins:
            self._origins[checkpoint_id] = self._read_origin(checkpoint_id)
        return self._origins[checkpoint_id]

    def _read_origin(self, checkpoint_id: UUID) -> Origin | None:
        try:
            found = self.destination.get_checkpoint(checkpoint_id)
        except (NotFoundError, CorruptStateError):
            return None
        state = found.state.raw
        return Origin(
            id=checkpoint_id,
            session_id=found.session_id,
            chain=extend_chain(EMPTY_CHAIN, state.bodies),
            metadata=metadata_hash(state.metadata),
        )


def metadata_hash(metadata: bytes | None) -> bytes:
    """What tells one metadata from another, none included."""
    return b"" if metadata is None else content_hash(metadata)


class _Named:
    """A backend whose errors about damage say which of the two it is. A damaged row of a list is an error too."""

    def __init__(self, backend: Backend, name: str) -> None:
        self._backend = backend
        self._name = name

    def list_checkpoints(self, query: CheckpointQuery) -> Page[CheckpointSummary]:
        page = self._backend.list_checkpoints(query)
        for item in page:
            if item.damage is not None:
                raise CorruptStateError(f"in the {self._name} checkpoint {item.id}: {item.damage}", item.id)
        return page

    def __getattr__(self, method: str) -> Callable[..., Any]:
        act = getattr(self._backend, method)

        def call(*arguments: Any, **options: Any) -> Any:
            try:
                return act(*arguments, **options)
            except CorruptStateError as error:
                raise CorruptStateError(f"in the {self._name} {error.message}", error.checkpoint_id) from error

        return call


def _named(backend: Backend, name: str) -> Backend:
    return cast(Backend, _Named(backend, name))
