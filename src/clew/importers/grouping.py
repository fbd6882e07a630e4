"""Putting the steps of a session together: what becomes one checkpoint, and what names the way to a step."""

import hashlib
from datetime import datetime

from clew import limits
from clew.importers import raw
from clew.importers.places import DIGEST_BYTES, Place
from clew.importers.records import Record
from clew.importers.steps import Step
from clew.model import Message


class Group:
    """Steps that become one checkpoint."""

    def __init__(self, parent: Place, first: Step) -> None:
        self.parent = parent
        self.restarts = first.restarts
        self.messages: list[Message] = []
        self.records: list[Record] = []
        self.bytes = 0
        self.places: dict[str, tuple[int, bytes]] = {}
        """The steps, each with the number of messages up to it and its digest."""
        self.count = 0 if first.restarts else parent.length
        self.digest = parent.digest
        self.label: str | None = None
        self.created_at: datetime | None = None
        self.last = first.key

    def add(self, step: Step, bodies: list[bytes], digest: bytes) -> None:
        self.messages += step.messages if bodies else []
        self.keep(step.records)
        self.bytes += sum(map(len, bodies))
        self.count += len(bodies)
        self.created_at = step.created_at or self.created_at
        self.last, self.digest, self.label = step.key, digest, step.label
        self.places[step.key] = (self.count, digest)

    def keep(self, records: list[Record]) -> None:
        self.records += records
        self.bytes += raw.size(records)

    def ends_at(self, key: str | None) -> bool:
        """Whether a step's messages are the last ones so far."""
        return key is not None and self.places.get(key, (-1, b""))[0] == self.count

    def is_full(self) -> bool:
        return self.bytes > limits.MAX_IMPORT_GROUP_BYTES or len(self.messages) >= limits.MAX_IMPORT_GROUP_MESSAGES


def begins_anew(step: Step, group: Group) -> bool:
    """Whether a step that goes on from a group is the beginning of the next one."""
    if step.restarts or group.is_full():
        return True
    role = step.messages[0].get("role")
    last = group.messages[-1].get("role") if group.messages else None
    return role == "user" or (role == "assistant" and last == "tool")


def way_to(before: bytes, step: Step, bodies: list[bytes]) -> bytes:
    """What names the way to a step."""
    digest = hashlib.blake2b(before, digest_size=DIGEST_BYTES)
    for part in (step.key.encode(errors="surrogatepass"), bytes([step.restarts]), *bodies):
        digest.update(len(part).to_bytes(8) + part)
    return digest.digest()
