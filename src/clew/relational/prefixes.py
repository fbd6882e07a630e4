"""The beginning of a checkpoint's conversation as a point, found without reading a message.

A point has the chain of its messages, and where it was written lately the chains of the lengths before it. Otherwise
the checkpoints before the given one have theirs: most often one of them ends where the beginning does. Else the chain
goes on from the nearest of them, by the hashes of the messages alone, and has to arrive at the chain of the next one: a
hash that is damaged is not built on.
"""

from contextlib import suppress
from typing import NamedTuple
from uuid import UUID

from clew.errors import CorruptStateError
from clew.hashing import EMPTY_CHAIN, extend_chain, link_chain
from clew.relational.heads import Head, Node, find_node
from clew.relational.timelines import Part, Point, beginning, hashes, parts_of, read
from clew.relational.transaction import Row, Transaction

_MOST_STEPS_BACK = 256
"""How many checkpoints are looked at. From further back the hashes of all messages are read instead."""

_MOST_SHORTER = (1, 16)
"""How many of them may be no longer than the beginning: the first is most often one that knows it. Where it went
another way, because the end was rewritten meanwhile, a few more are asked."""


class _Known(NamedTuple):
    """A length of the conversation whose chain a checkpoint has."""

    length: int
    chain: bytes
    checkpoint: UUID | None


class _Between(NamedTuple):
    """The nearest known lengths of the conversation, up to the wanted one and beyond it, and what holds it there."""

    below: _Known
    above: _Known
    parts: list[Part]


_NOTHING = _Known(0, EMPTY_CHAIN, None)


def first_messages(db: Transaction, head: Head, node: Node, count: int) -> Point:
    """The point after the first `count` messages of a checkpoint, which has at least as many.

    CorruptStateError, naming the checkpoint, where what is stored does not say for certain what they are.
    """
    id = UUID(bytes=node.row.id)
    chain = node.point.chain_of(count) if count else EMPTY_CHAIN
    if chain is None:
        chain = _chain_from_checkpoints(db, head, node, count)
    if chain is None:  # the messages themselves are the last word, and name what is damaged
        chain = extend_chain(EMPTY_CHAIN, read(db, head.owner.family, node.point, id)[:count])
    return beginning(db, head.owner.family, node.point, count, chain, id)


def _chain_from_checkpoints(db: Transaction, head: Head, node: Node, count: int) -> bytes | None:
    """The chain of the first `count` messages; None where the chains of the checkpoints around do not agree."""
    below, above, parts = _around(db, head, node, count)
    if below.length == count and below.checkpoint is not None:
        with suppress(CorruptStateError):  # its messages may be whole where its label, say, is not
            sealed = find_node(db, head, below.checkpoint)
            if sealed is not None:
                return sealed.point.chain
    digests = hashes(db, parts, below.length, above.length)
    chain = link_chain(below.chain, digests[: count - below.length])
    return chain if link_chain(chain, digests[count - below.length :]) == above.chain else None


def _around(db: Transaction, head: Head, node: Node, count: int) -> _Between:
    """What the checkpoints before the given one know of its conversation."""
    above = _Known(node.point.length, node.point.chain, None)
    for shorter in _MOST_SHORTER:
        place = {**head.owner.key, "seq": node.seq, "length": count, "most": _MOST_STEPS_BACK, "short": shorter}
        rows = db.fetch_all("points_before", place)
        parts = _parts_from(db, head, node, min((length for _, _, length, _ in rows), default=0))
        known = [known for row in rows if (known := _known(row, parts)) is not None]
        above = min((above, *(point for point in known if point.length > count)), key=_length)
        below = max((point for point in known if point.length <= count), key=_length, default=None)
        if below is not None:
            return _Between(below, above, parts)
    return _Between(_NOTHING, above, _parts_from(db, head, node, 0))


def _parts_from(db: Transaction, head: Head, node: Node, length: int) -> list[Part]:
    """What holds the conversation of a checkpoint from its first `length` messages on, their last one included."""
    return parts_of(db, head.owner.family, node.point, max(length - 1, 0), UUID(bytes=node.row.id))


def _known(row: Row, parts: list[Part]) -> _Known | None:
    """What a checkpoint knows of the conversation that `parts` hold; None where it does not lie on it."""
    id, timeline, length, chain = row
    for part in parts:
        if part.timeline == timeline and part.start < length <= part.stop:
            return _Known(length, chain, UUID(bytes=id))
    return None


def _length(known: _Known) -> int:
    return known.length
