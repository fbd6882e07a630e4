"""Conversations as timelines: runs of messages that may continue an ancestor from a length on.

A point is a place on a timeline, and stands for the conversation up to there. Every function keeps three rules: only
the session that owns a timeline extends it, a timeline has at least one entry of its own, and a point lies on the
timeline that holds its last message.
"""

from collections.abc import Iterator, Sequence
from itertools import chain as concatenate
from uuid import UUID

import apsw
import msgspec

from clew.errors import CorruptStateError
from clew.hashing import EMPTY_CHAIN, content_hash, extend_chain, link_chain
from clew.sqlite.content import checked, store_messages
from clew.sqlite.queries import execute, execute_many, iterate


class Point(msgspec.Struct, frozen=True):
    """The conversation of the first `length` messages along `timeline` (None where that is none at all).

    `is_end` where the timeline ends here and belongs to the session that writes, so that it may grow.
    """

    timeline: int | None
    length: int
    chain: bytes
    is_end: bool = False


class Part(msgspec.Struct, frozen=True):
    """The stretch of a conversation from `start` to `stop` that is a timeline's own."""

    timeline: int
    start: int
    stop: int


class Owner(msgspec.Struct, frozen=True):
    """Who writes: a session, and the family that its content belongs to."""

    session: int
    family: int


EMPTY = Point(None, 0, EMPTY_CHAIN)


def extend(connection: apsw.Connection, owner: Owner, point: Point, bodies: Sequence[bytes]) -> Point:
    """Add messages after `point` and return where the conversation ends now.

    At the end of an own timeline the timeline grows; anywhere else a new one branches off, which copies nothing.
    """
    if not bodies:
        return point
    timeline = point.timeline
    if timeline is None or not point.is_end:
        timeline = _branch(connection, owner, point)
    digests = [content_hash(body) for body in bodies]
    keys = store_messages(connection, owner.family, bodies, digests)
    execute_many(
        connection, "insert_entry", [(timeline, position, key) for position, key in enumerate(keys, point.length)]
    )
    return Point(timeline, point.length + len(bodies), link_chain(point.chain, digests), is_end=True)


def common_prefix(connection: apsw.Connection, point: Point, bodies: Sequence[bytes]) -> int:
    """How many messages the conversation at `point` and `bodies` begin with in common, compared byte by byte."""
    limit = min(point.length, len(bodies))
    for position, (_, body) in enumerate(_hashed(connection, point, 0, limit)):
        if body != bodies[position]:
            return position
    return limit


def beginning(connection: apsw.Connection, point: Point, count: int, chain: bytes) -> Point:
    """The point after the first `count` messages of the conversation at `point`, whose chain is `chain`."""
    if count == 0:
        return EMPTY
    if count == point.length:
        return point
    timelines = [part.timeline for part in _parts(connection, point) if part.start < count <= part.stop]
    if not timelines:
        raise CorruptStateError(f"timeline {point.timeline} has no part that holds message {count - 1}")
    return Point(timelines[0], count, chain)


def read(connection: apsw.Connection, point: Point, checkpoint_id: UUID) -> list[bytes]:
    """Every message up to the point, checked against the point's chain."""
    bodies = [
        body
        for part in _parts(connection, point)
        for (body,) in iterate(connection, "read_bodies", msgspec.structs.asdict(part))
    ]
    if len(bodies) != point.length:
        raise _damaged(checkpoint_id, f"has {len(bodies)} of its {point.length} messages")
    if extend_chain(EMPTY_CHAIN, bodies) != point.chain:
        _name_damaged_message(connection, point, checkpoint_id)
        raise _damaged(checkpoint_id, "has messages lost, doubled or out of place")
    return bodies


def read_slice(connection: apsw.Connection, point: Point, start: int, stop: int, checkpoint_id: UUID) -> list[bytes]:
    """The messages from `start` to `stop`, each checked against its own hash, without reading any other."""
    if stop <= start:
        return []
    bodies = [
        checked(digest, body, f"message {position} of checkpoint {checkpoint_id}", checkpoint_id)
        for position, (digest, body) in enumerate(_hashed(connection, point, start, stop), start)
    ]
    if len(bodies) != stop - start:
        raise _damaged(checkpoint_id, f"has {len(bodies)} of the {stop - start} messages from {start} on")
    return bodies


def _branch(connection: apsw.Connection, owner: Owner, point: Point) -> int:
    execute(
        connection,
        "insert_timeline",
        {
            "family": owner.family,
            "session": owner.session,
            "ancestor": point.timeline,
            "ancestor_length": point.length,
        },
    )
    return connection.last_insert_rowid()


def _parts(connection: apsw.Connection, point: Point, start: int = 0) -> list[Part]:
    """The parts that hold the conversation from `start` to the point, in order."""
    if point.timeline is None:
        return []
    rows = iterate(connection, "timeline_parts", {"timeline": point.timeline, "length": point.length, "from": start})
    return [Part(*row) for row in rows][::-1]


def _hashed(connection: apsw.Connection, point: Point, start: int, stop: int) -> Iterator[tuple[bytes, bytes]]:
    clipped = (
        Part(part.timeline, max(part.start, start), min(part.stop, stop)) for part in _parts(connection, point, start)
    )
    return concatenate.from_iterable(
        iterate(connection, "read_hashed_bodies", msgspec.structs.asdict(part)) for part in clipped
    )


def _name_damaged_message(connection: apsw.Connection, point: Point, checkpoint_id: UUID) -> None:
    for position, (digest, body) in enumerate(_hashed(connection, point, 0, point.length)):
        if content_hash(body) != digest:
            raise _damaged(checkpoint_id, f"has a message {position} that does not match its hash")


def _damaged(checkpoint_id: UUID, what: str) -> CorruptStateError:
    return CorruptStateError(f"checkpoint {checkpoint_id} {what}", checkpoint_id)
