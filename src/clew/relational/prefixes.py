"""The beginning of a checkpoint's conversation as a point, found without reading a message.

A point has the chain of its messages. The checkpoints before the given one have theirs: most often one of them ends
where the beginning does. Otherwise the chain goes on from the nearest of them, by the hashes of the messages alone, and
has to arrive at the chain of the next one: a hash that is damaged is not built on.
"""

from contextlib import suppress
from typing import NamedTuple
from uuid import UUID

from clew.errors import CorruptStateError
from clew.hashing import EMPTY_CHAIN, extend_chain, link_chain
from clew.relational.heads import Head, Node, find_node
from clew.relational.timelines import EMPTY, Part, Point, hashes, parts_of, point_on, read
from clew.relational.transaction import Row, Transaction

_MOST_STEPS_BACK = 256
"""How many checkpoints are looked at. From further back the hashes of all messages are read instead."""


class _Known(NamedTuple):
    """A length of the conversation whose chain a checkpoint has."""

    length: int
    chain: bytes
    checkpoint: UUID | None


def first_messages(db: Transaction, head: Head, node: Node, count: int) -> Point:
    """The point after the first `count` messages of a checkpoint, which has at least as many.

    CorruptStateError, naming the checkpoint, where what is stored does not say for certain what they are.
    """
    if count == 0:
        return EMPTY
    if count == node.point.length:
        return node.point
    id = UUID(bytes=node.row.id)
    parts = parts_of(db, head.owner.family, node.point, checkpoint_id=id)
    chain = _chain_from_checkpoints(db, head, node, parts, count)
    if chain is None:  # the messages themselves are the last word, and name what is damaged
        chain = extend_chain(EMPTY_CHAIN, read(db, head.owner.family, node.point, id)[:count])
    return point_on(parts, count, chain)


def _chain_from_checkpoints(db: Transaction, head: Head, node: Node, parts: list[Part], count: int) -> bytes | None:
    """The chain of the first `count` messages; None where the chains of the checkpoints around do not agree."""
    below, above = _around(db, head, node, parts, count)
    if below.length == count and below.checkpoint is not None:
        with suppress(CorruptStateError):  # its messages may be whole where its label, say, is not
            sealed = find_node(db, head, below.checkpoint)
            if sealed is not None:
                return sealed.point.chain
    digests = hashes(db, parts, below.length, above.length)
    chain = link_chain(below.chain, digests[: count - below.length])
    return chain if link_chain(chain, digests[count - below.length :]) == above.chain else None


def _around(db: Transaction, head: Head, node: Node, parts: list[Part], count: int) -> tuple[_Known, _Known]:
    """The nearest known lengths of the conversation: up to `count`, and beyond it."""
    above = _Known(node.point.length, node.point.chain, None)
    place = {**head.owner.key, "seq": node.seq, "length": count, "most": _MOST_STEPS_BACK}
    for row in db.fetch_all("points_before", place):
        known = _known(row, parts)
        if known is None:
            continue  # of a conversation that went another way
        if known.length <= count:
            return known, above
        if known.length < above.length:
            above = known
    return _Known(0, EMPTY_CHAIN, None), above


def _known(row: Row, parts: list[Part]) -> _Known | None:
    """What a checkpoint knows of the conversation that `parts` hold; None where it does not lie on it."""
    id, timeline, length, chain = row
    for part in parts:
        if part.timeline == timeline and part.start < length <= part.stop:
            return _Known(length, chain, UUID(bytes=id))
    return None
