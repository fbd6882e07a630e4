"""The sessions that an adapter's objects are kept in: found by name, once, and read a little at a time."""

from typing import Any, NamedTuple
from uuid import UUID

from strands.types.exceptions import SessionException
from strands.types.session import SessionMessage

from clew import CorruptStateError, SessionSummary, Store
from clew.adapters.by_name import ByName, present
from clew.adapters.strands.messages import to_session_message
from clew.adapters.strands.names import SOURCE


class Found(NamedTuple):
    """A session, and the checkpoint that was active when it was looked at."""

    summary: SessionSummary
    active: UUID

    @property
    def id(self) -> UUID:
        """The session's."""
        return self.summary.id


class Records:
    """The sessions of a store by their names."""

    def __init__(self, store: Store, owner: str | None) -> None:
        self.store = store
        self.owner = owner
        self._names = ByName(SOURCE, owner=owner, with_deleted=False)

    def find(self, name: str) -> Found | None:
        """The session of this name; None where there is none, or one that was marked deleted."""
        return self._names.look(self.store, name, self._found, None)

    def get(self, name: str, what: str) -> Found:
        """The same; SessionException where there is none."""
        found = self.find(name)
        if found is None:
            raise SessionException(f"{what} does not exist")
        return found

    def kept(self, found: Found) -> dict[str, Any]:
        """What is kept beside the messages, without reading these where nobody has gone back."""
        (newest,) = self.store.list_checkpoints(found.id, order="-created", limit=1, with_metadata=True)
        if newest.damage is not None:
            raise CorruptStateError(f"checkpoint {newest.id} is damaged: {newest.damage}", newest.id)
        is_active = newest.id == found.active
        metadata = newest.metadata if is_active else self.store.get_checkpoint(found.active).state.metadata
        if not isinstance(metadata, dict):
            raise CorruptStateError(f"checkpoint {found.active} has no state of Strands", found.active)
        return metadata

    def message_at(self, found: Found, place: int) -> SessionMessage:
        """The message at a place of the conversation."""
        (stored,) = self.store.get_messages(found.active, start=place, stop=place + 1)
        return to_session_message(stored, found.active)

    def place_of(self, found: Found, message_id: int) -> int | None:
        """Where the message with this id is. Ids grow, mostly by one from 0, so it is where its id says, or before."""
        low, high = 0, min(found.summary.message_count, message_id + 1)
        place = high - 1
        while low < high:
            id = self.message_at(found, place).message_id
            if id == message_id:
                return place
            low, high = (place + 1, high) if id < message_id else (low, place)
            place = (low + high) // 2
        return None

    def _found(self, id: UUID) -> Found:
        summary = present(self.store.get_session_summary(id))
        if summary.active_checkpoint_id is None or summary.damage is not None:
            raise CorruptStateError(f"session {id} is damaged: {summary.damage or 'it has no active checkpoint'}")
        return Found(summary, summary.active_checkpoint_id)
