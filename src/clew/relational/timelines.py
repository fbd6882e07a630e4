"""Conversations as timelines: runs of messages that may continue an ancestor from a length on.

A point is a place on a timeline, and stands for the conversation up to there. Every function keeps three rules: only
the session that owns a timeline extends it, a timeline has at least one entry of its own, and a point lies on the
timeline that holds its last message.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from operator import itemgetter
from uuid import UUID

import msgspec

from clew.errors import CorruptStateError
from clew.hashing import EMPTY_CHAIN, content_hash, extend_chain, link_chain, row_seal
from clew.relational.content import checked
from clew.relational.transaction import Row, Transaction


class Point(msgspec.Struct, frozen=True):
    """The conversation of the first `length` messages along `timeline` (None where that is none at all).

    `is_end` where the timeline ends here and belongs to the session that writes, so that it may grow. `trail` are the
    chains of the lengths just before, the last of them one message shorter, as far as they are at hand.
    """

    timeline: int | None
    length: int
    chain: bytes
    is_end: bool = False
    trail: tuple[bytes, ...] = ()

    def chain_of(self, count: int) -> bytes | None:
        """The chain of the first `count` messages, None where it is not at hand."""
        known = (*self.trail, self.chain)
        place = count - self.length - 1
        return known[place] if -len(known) <= place < 0 else None

    def grown(self, timeline: int | None, digests: Iterable[bytes]) -> "Point":
        """Where the conversation ends once messages with these hashes are after it, on a timeline that may grow."""
        chains = list(accumulate(digests, lambda chain, digest: link_chain(chain, (digest,)), initial=self.chain))
        trail = (*self.trail, *chains[:-1])[-_TRAIL:]
        return Point(timeline, self.length + len(chains) - 1, chains[-1], is_end=True, trail=trail)


class Part(msgspec.Struct, frozen=True):
    """The stretch of a conversation from `start` to `stop` that is a timeline's own."""

    family: int
    timeline: int
    start: int
    stop: int


class Owner(msgspec.Struct, frozen=True):
    """Who writes: a session, and the family that its content belongs to."""

    session: int
    family: int

    @property
    def key(self) -> dict[str, int]:
        """What leads to the rows of the session."""
        return {"family": self.family, "session": self.session}


_BLOCK = 512
_TRAIL = 128
"""How many chains a point has of lengths before it, at most."""

EMPTY = Point(None, 0, EMPTY_CHAIN)


def extend(db: Transaction, owner: Owner, point: Point, bodies: Sequence[bytes]) -> Point:
    """Add messages after `point` and return where the conversation ends now.

    At the end of an own timeline the timeline grows; anywhere else a new one branches off, which copies nothing.
    """
    if not bodies:
        return point
    timeline = point.timeline
    if timeline is None or not point.is_end:
        timeline = _branch(db, owner, point)
    digests = [content_hash(body) for body in bodies]
    keys = db.store_messages(owner.family, bodies, digests)
    seals = [entry_seal(timeline, position, digest) for position, digest in enumerate(digests, point.length)]
    db.insert_entries(owner.family, timeline, point.length, list(zip(keys, seals, strict=True)))
    return point.grown(timeline, digests)


def entry_seal(timeline: int, position: int, digest: bytes) -> int:
    """15 bits that tie a message to its place: a slice has them where a whole conversation has its chain.

    There are as many of them as messages, and they come on top of the hash of the message.
    """
    return row_seal((timeline, position, digest)) >> 16


def timeline_seal(timeline: int, family: int, ancestor: int | None, ancestor_length: int) -> int:
    """What a timeline is, but for its owner, who may go."""
    return row_seal((timeline, family, ancestor, ancestor_length))


def common_prefix(db: Transaction, family: int, point: Point, bodies: Sequence[bytes]) -> int:
    """How many messages the conversation at `point` and `bodies` begin with in common, compared byte by byte."""
    limit = min(point.length, len(bodies))
    for index, (_, _, body) in enumerate(_placed(db, parts_of(db, family, point), 0, limit)):
        if body != bodies[index]:
            return index
    return limit


def beginning(
    db: Transaction, family: int, point: Point, count: int, chain: bytes, checkpoint_id: UUID | None = None
) -> Point:
    """The point after the first `count` messages of the conversation at `point`, whose chain is `chain`.

    No more of the conversation's timelines are looked at than there are from there on; see `parts_of`.
    """
    if count == 0:
        return EMPTY
    if count == point.length:
        return point
    trail = point.trail[: max(len(point.trail) - point.length + count, 0)]
    return point_on(parts_of(db, family, point, count - 1, checkpoint_id), count, chain, trail)


def point_on(parts: list[Part], count: int, chain: bytes, trail: tuple[bytes, ...] = ()) -> Point:
    """The point after the first `count` messages, one or more, of the conversation that `parts` hold."""
    for part in parts:
        if part.start < count <= part.stop:
            return Point(part.timeline, count, chain, trail=trail)
    raise CorruptStateError(f"no timeline holds message {count - 1} of a conversation")


def read(db: Transaction, family: int, point: Point, checkpoint_id: UUID) -> list[bytes]:
    """Every message up to the point, checked against the point's chain."""
    bodies = _bodies(db, parts_of(db, family, point))
    if len(bodies) != point.length:
        raise _damaged(checkpoint_id, f"has {len(bodies)} of its {point.length} messages")
    if extend_chain(EMPTY_CHAIN, bodies) != point.chain:
        _name_damaged_message(db, family, point, checkpoint_id)
        raise _damaged(checkpoint_id, "has messages lost, doubled or out of place")
    return bodies


def read_slice(db: Transaction, family: int, point: Point, start: int, stop: int, checkpoint_id: UUID) -> list[bytes]:
    """The messages from `start` to `stop`, each checked for its place and its hash, without reading any other."""
    if stop <= start:
        return []
    parts = parts_of(db, family, point, start, checkpoint_id)
    bodies: list[bytes] = []
    for position, (is_in_place, digest, body) in enumerate(_placed(db, parts, start, stop), start):
        if not is_in_place:
            raise _damaged(checkpoint_id, f"has messages out of place from {position} on")
        if content_hash(body) != digest:  # asked here: to name each message would take longer than to read it
            checked(digest, body, f"message {position} of checkpoint {checkpoint_id}", checkpoint_id)
        bodies.append(body)
    if len(bodies) != stop - start:
        raise _damaged(checkpoint_id, f"has {len(bodies)} of the {stop - start} messages from {start} on")
    return bodies


def hashes(db: Transaction, parts: list[Part], start: int, stop: int) -> list[bytes]:
    """The stored hashes of the messages from `start` to `stop`: only a chain that they lead to proves any of them."""
    found = _fetched(db, "read_hashes", _within(parts, start, stop))
    return [digest for _, digest in found]


def _branch(db: Transaction, owner: Owner, point: Point) -> int:
    timeline = db.insert_timeline({**owner.key, "ancestor": point.timeline, "ancestor_length": point.length})
    seal = timeline_seal(timeline, owner.family, point.timeline, point.length)
    db.execute("seal_timeline", {"family": owner.family, "timeline": timeline, "seal": seal})
    return timeline


def parts_of(
    db: Transaction, family: int, point: Point, start: int = 0, checkpoint_id: UUID | None = None
) -> list[Part]:
    """The parts that hold the conversation from `start` to the point, in order.

    With a `checkpoint_id` each timeline must be as it was written, else CorruptStateError naming that; without one the
    caller finds out by the chain.
    """
    if point.timeline is None:
        return []
    place = {"family": family, "timeline": point.timeline, "length": point.length, "from": start}
    rows = db.fetch_all("timeline_parts", place)
    parts: list[Part] = []
    for timeline, kept_in, ancestor, begin, seal, stop in reversed(rows):
        if not (isinstance(begin, int) and isinstance(stop, int)):
            raise CorruptStateError(f"timeline {timeline} cannot be trusted", checkpoint_id)
        if checkpoint_id is not None and seal != timeline_seal(timeline, kept_in, ancestor, begin):
            raise _damaged(checkpoint_id, f"lies on timeline {timeline}, which does not match its seal")
        parts.append(Part(family, timeline, begin, stop))
    return parts


def _placed(db: Transaction, parts: list[Part], start: int, stop: int) -> Iterator[tuple[bool, bytes, bytes]]:
    """The messages from `start` to `stop`: whether each is in its place, its hash, and its body.

    Read in blocks, so that whoever stops early has not read all, and no statement stays open behind an error.
    """
    expected = start
    blocks = [
        msgspec.structs.replace(part, start=block, stop=min(block + _BLOCK, part.stop))
        for part in _within(parts, start, stop)
        for block in range(part.start, part.stop, _BLOCK)
    ]
    for group in _grouped(blocks):
        for position, timeline, seal, digest, body in _fetched(db, "read_hashed_bodies", group):
            yield position == expected and seal == entry_seal(timeline, position, digest), digest, body
            expected += 1


def _bodies(db: Transaction, parts: list[Part]) -> list[bytes]:
    """Every message of the parts."""
    bodies: list[bytes] = []
    for group in _grouped(parts):
        if len(group) == 1:
            bodies.extend(body for (body,) in db.iterate("read_bodies", msgspec.structs.asdict(group[0])))
        else:
            bodies.extend(body for _, body in _fetched(db, "read_scattered_bodies", group))
    return bodies


def _within(parts: list[Part], start: int, stop: int) -> list[Part]:
    """The parts as far as they lie from `start` to `stop`."""
    return [
        Part(part.family, part.timeline, max(part.start, start), min(part.stop, stop))
        for part in parts
        if part.start < stop and start < part.stop
    ]


def _grouped(parts: list[Part]) -> Iterator[list[Part]]:
    """The parts in groups to be read at once: a conversation that was often rewritten has as many as messages."""
    group: list[Part] = []
    for part in parts:
        if group and part.stop - group[0].start > _BLOCK:
            yield group
            group = []
        group.append(part)
    if group:
        yield group


def _fetched(db: Transaction, name: str, parts: list[Part]) -> list[Row]:
    """The rows of a query over some parts, by the positions that they begin with."""
    if not parts:
        return []
    stretches = msgspec.json.encode([(part.timeline, part.start, part.stop) for part in parts]).decode()
    return sorted(db.fetch_all(name, {"family": parts[0].family, "stretches": stretches}), key=itemgetter(0))


def _name_damaged_message(db: Transaction, family: int, point: Point, checkpoint_id: UUID) -> None:
    """Raise for the first message that is not what it was; none where it cannot be told."""
    messages = _placed(db, parts_of(db, family, point), 0, point.length)
    for position, (is_in_place, digest, body) in enumerate(messages):
        if content_hash(body) != digest:
            raise _damaged(checkpoint_id, f"has a message {position} that does not match its hash")
        if not is_in_place:
            raise _damaged(checkpoint_id, f"has messages lost, doubled or out of place from {position} on")


def _damaged(checkpoint_id: UUID, what: str) -> CorruptStateError:
    return CorruptStateError(f"checkpoint {checkpoint_id} {what}", checkpoint_id)
