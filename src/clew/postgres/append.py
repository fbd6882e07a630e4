"""The append: one statement, sent to where this process left the session.

Nearly every write adds messages to the active checkpoint of a session that this process wrote to last. What that write
left is remembered, so everything about the new checkpoint is known before the server is asked: the statement writes it
if the session is still so, and otherwise changes nothing, and the write goes the long way, under locks.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import msgspec
import psycopg

from clew import limits
from clew.backend import NewCheckpoint
from clew.hashing import content_hash
from clew.model import ACTIVE, KEEP
from clew.postgres.objects import searchable_or_none
from clew.relational.checkpoints import new_row
from clew.relational.content import Content
from clew.relational.heads import Head, Node, Tip, tip_seal
from clew.relational.rows import CheckpointRow
from clew.relational.timelines import Point, entry_seal
from clew.relational.trails import Trails

_MAX_BYTES = 1024 * 1024
_TURNS = 1024

CLASH = psycopg.errors.DivisionByZero
"""What the statement raises, and takes everything back, where other content has the key of what it stores."""


class Heads:
    """The sessions that this process wrote to last, as it left them. Safe to use from many threads at once."""

    def __init__(self) -> None:
        self._heads: OrderedDict[UUID, Head] = OrderedDict()
        self._mutex = threading.Lock()
        self._turns = [threading.Lock() for _ in range(_TURNS)]

    @contextmanager
    def turn(self, session_id: UUID, timeout: float) -> Iterator[None]:
        """Around a write: the threads of a process write to one session one after the other.

        All at once, all but one of them would find it changed. Whoever has waited long enough has the server decide.
        """
        turn = self._turns[hash(session_id) % _TURNS]
        is_ours = turn.acquire(timeout=timeout)
        try:
            yield
        finally:
            if is_ours:
                turn.release()

    def get(self, session_id: UUID) -> Head | None:
        """The session, where it is remembered."""
        return self._heads.get(session_id)

    def put(self, head: Head) -> None:
        """Remember a session as it was written, and was committed."""
        with self._mutex:
            known = self._heads.get(head.id)
            if known is None or known.tip.revision <= head.tip.revision or known.owner != head.owner:
                self._heads[head.id] = head
                self._heads.move_to_end(head.id)
            if len(self._heads) > limits.MAX_REMEMBERED_HEADS:
                self._heads.popitem(last=False)

    def forget(self, session_id: UUID) -> None:
        """The session is not as it was remembered."""
        with self._mutex:
            self._heads.pop(session_id, None)


class Plan(msgspec.Struct, frozen=True):
    """An append ready to be sent, the checkpoint that it writes, where that lies, and the head that it leaves."""

    parameters: Mapping[str, Any]
    row: CheckpointRow
    point: Point
    head: Head


def may_be_plain(new: NewCheckpoint) -> bool:
    """Whether a checkpoint is messages and metadata and nothing else, as far as it says itself."""
    as_usual = new.activate and new.updated_at is None
    return as_usual and new.fingerprint is None and new.label is None and not new.attachments


def plan(head: Head, new: NewCheckpoint, trails: Trails) -> Plan | None:
    """The append of a checkpoint to a session that is as `head` says; None where it is no plain append."""
    parent = trails.along(_parent(head, new))
    if parent is None or not _is_plain(new, parent):
        return None
    digests = [content_hash(body) for body in new.bodies]
    point = parent.point.grown(parent.point.timeline, digests)
    metadata = parent.metadata if new.metadata is KEEP else _hashed(new.metadata)
    content = _content(new, digests)
    if content is None:
        return None
    row = new_row(
        head,
        id=new.id,
        parent=parent,
        point=point,
        metadata=metadata,
        label=None,
        created_at=max(new.now, head.tip.updated_at) if new.created_at is None else new.created_at,
        fingerprint=None,
    )
    tip = _tip_after(head.tip, row, has_news=bool(digests))
    parameters = {**row._asdict(), **head.owner.key, **content, **_entries(parent.point, digests), "parent": parent.seq}
    after = msgspec.structs.replace(head, tip=tip, active_row=(*row, True))
    return Plan({**parameters, **_tips(head, tip)}, row, point, after)


def _parent(head: Head, new: NewCheckpoint) -> Node | None:
    """The active checkpoint, where the new one is to be its child."""
    # Another parent may be whole where the active checkpoint is damaged.
    if new.parent is not ACTIVE and not (isinstance(new.parent, UUID) and new.parent.bytes == head.active_id()):
        return None
    return head.active()


def _is_plain(new: NewCheckpoint, parent: Node) -> bool:
    """Whether the checkpoint is messages after all of its parent's, and metadata, and nothing else."""
    whole = _takes_all(new, parent.point)
    ends = parent.point.is_end or (not new.bodies and parent.point.timeline is not None)
    expected = new.if_active is None or (isinstance(new.if_active, UUID) and new.if_active.bytes == parent.row.id)
    return may_be_plain(new) and whole and ends and expected and sum(map(len, new.bodies)) <= _MAX_BYTES


def _takes_all(new: NewCheckpoint, point: Point) -> bool:
    """Whether the parent's messages are all taken over, and none of them is repeated."""
    if new.prefix is not None:
        return new.prefix.whole == new.prefix.chain == point.chain
    return not new.full and (new.after is None or new.after == point.length)


def _tip_after(tip: Tip, row: CheckpointRow, *, has_news: bool) -> Tip:
    return Tip(
        active=row.seq,
        next_seq=row.seq + 1,
        checkpoint_count=tip.checkpoint_count + 1,
        revision=tip.revision + 1,
        updated_at=max(row.created_at, tip.updated_at),
        last_message_at=row.created_at if has_news else tip.last_message_at,
    )


def _tips(head: Head, tip: Tip) -> dict[str, Any]:
    """What the session has to be, and what it becomes."""
    return {
        "checkpoint_count": head.tip.checkpoint_count,
        "revision": head.tip.revision,
        "old_updated_at": head.tip.updated_at,
        "old_last_message_at": head.tip.last_message_at,
        "old_seal": tip_seal(head, head.tip),
        "tip_updated_at": tip.updated_at,
        "last_message_at": tip.last_message_at,
        "tip_seal": tip_seal(head, tip),
    }


def _entries(point: Point, digests: list[bytes]) -> dict[str, Any]:
    timeline = point.timeline or 0
    seals = [entry_seal(timeline, position, digest) for position, digest in enumerate(digests, point.length)]
    return {"start": point.length, "seals": seals, "contents": digests}


def _content(new: NewCheckpoint, digests: list[bytes]) -> dict[str, Any] | None:
    """What is to be stored, each once, in the order of the keys; None where two bodies share a hash."""
    bodies: dict[bytes, bytes] = {}
    objects: dict[bytes, str | None] = {}
    given = list(zip(digests, new.bodies, strict=True))
    if isinstance(new.metadata, bytes):
        digest = content_hash(new.metadata)
        given.append((digest, new.metadata))
        objects[digest] = searchable_or_none(new.metadata)
    for digest, body in given:
        if bodies.setdefault(digest, body) != body:
            return None
    keys = sorted(bodies)
    return {
        "keys": keys,
        "bodies": [bodies[key] for key in keys],
        "objects": [objects.get(key) for key in keys],
    }


def _hashed(metadata: bytes | None) -> Content | None:
    if metadata is None:
        return None
    digest = content_hash(metadata)
    return Content(digest, digest)
