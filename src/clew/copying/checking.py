"""Reading back what has been written, and comparing it with what was read from the source.

Every message that was sent is read once: a branch is read from its end back to what the destination had before.
"""

from collections.abc import Iterator, Mapping
from uuid import UUID

from clew.backend import Backend
from clew.copying.checkpoints import Written
from clew.copying.ends import Ends, metadata_hash
from clew.copying.plans import Plan, differing
from clew.copying.reading import Head, Node, read_metadata, read_tree
from clew.errors import CorruptStateError
from clew.hashing import EMPTY_CHAIN, extend_chain

_SLICE = 500  # messages that are read back at a time


class MovedError(CorruptStateError):
    """Something that others may change is not as it was written: they may have done that meanwhile."""


def check(ends: Ends, plan: Plan, ended: Head, written: Mapping[UUID, Written], times: Mapping[UUID, int]) -> None:
    """CorruptStateError where the session, which is `ended` now, is not in the destination what the plan made of it.

    `times` are those of checkpoints that have become later than they are in the source.
    """
    _check_head(plan, ended)
    tree = read_tree(ends.destination, plan.head.id)
    there = {node.id: node for node in tree}
    for node in plan.nodes:
        updated_at = max(node.updated_at, plan.known.get(node.id, node).updated_at, times.get(node.id, node.updated_at))
        _check_node(node, there.get(node.id), plan.labels[node.id], updated_at, moved=node.id not in written)
    for id in plan.known:
        if id not in there:
            raise _not_as_read(MovedError, f"checkpoint {id}, which is gone", id)
    _check_metadata(ends, plan, tree, written)
    for leaf, base in _unread_branches(plan.nodes, written):
        if _chain(ends.destination, leaf, base) != leaf.chain:
            raise _not_as_read(CorruptStateError, f"messages of checkpoint {leaf.id}", leaf.id)


def _check_head(plan: Plan, ended: Head) -> None:
    wanted = plan.head if plan.wins or plan.existing is None else plan.existing
    different = list(differing(wanted, ended))
    if ended.updated_at != wanted.updated_at:
        different.append("updated_at")
    if plan.active not in (None, ended.active):
        different.append("active checkpoint")
    if different:
        raise _not_as_read(MovedError, f"{different[0]} of the session")


def _check_node(node: Node, there: Node | None, label: str | None, updated_at: int, *, moved: bool) -> None:
    if there is None:
        raise _not_as_read(MovedError, f"checkpoint {node.id}, which is gone", node.id)
    for kind, what, is_same in (
        (CorruptStateError, "messages", (there.count, there.chain) == (node.count, node.chain)),
        (CorruptStateError, "parent", moved or there.parent_id == node.parent_id),
        (CorruptStateError, "created_at", there.created_at == node.created_at),
        (MovedError, "label", there.label == label),
        (MovedError, "updated_at", there.updated_at == updated_at),
    ):
        if not is_same:
            raise _not_as_read(kind, f"{what} of checkpoint {node.id}", node.id)


def _check_metadata(ends: Ends, plan: Plan, tree: list[Node], written: Mapping[UUID, Written]) -> None:
    first = next((place for place, node in enumerate(tree) if node.id in written), 0)
    for id, metadata in read_metadata(ends.destination, plan.head.id, written.keys(), first):
        if metadata_hash(metadata) != written[id].metadata:
            raise _not_as_read(CorruptStateError, f"metadata of checkpoint {id}", id)


def _unread_branches(nodes: list[Node], written: Mapping[UUID, Written]) -> Iterator[tuple[Node, Node | None]]:
    """The ends of the branches that were written, each with the checkpoint after whose messages it is to be read."""
    own = {node.id: node for node in nodes}
    done: set[UUID] = {id for id, how in written.items() if how.full is None}
    for leaf in reversed(nodes):
        at: Node | None = leaf
        if leaf.id not in written or leaf.id in done:
            continue
        while at is not None and at.id in written and at.id not in done:
            done.add(at.id)
            at = None if written[at.id].full or at.parent_id is None else own[at.parent_id]
        yield leaf, at


def _chain(backend: Backend, leaf: Node, base: Node | None) -> bytes:
    """The chain of a checkpoint, computed from what is there; the messages after those of `base` are read in slices."""
    start, chain = (0, EMPTY_CHAIN) if base is None else (base.count, base.chain)
    for first in range(start, leaf.count, _SLICE):
        chain = extend_chain(chain, backend.get_messages(leaf.id, first, min(first + _SLICE, leaf.count)))
    return chain


def _not_as_read(kind: type[CorruptStateError], what: str, checkpoint_id: UUID | None = None) -> CorruptStateError:
    return kind(f"in the destination something is not as it was read: {what}", checkpoint_id)
