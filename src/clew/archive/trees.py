"""What an export reads of sessions and their trees. What is damaged is told, and hides nothing else."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

from clew.backend import Backend, CheckpointQuery, checkpoint_not_found
from clew.copying.reading import Head, Node, all_heads, head_of
from clew.errors import CorruptStateError
from clew.messages import encode_metadata

_PAGE = 20  # values of a page are in memory at once, and each may be of megabytes

Failures = list[tuple[str, str]]
"""What is damaged and is left out: what it is, and why."""


class Described(NamedTuple):
    """A checkpoint with its metadata; `damage` says why there is none where there should be."""

    node: Node
    metadata: bytes | None
    damage: str | None


def find_heads(backend: Backend, chosen: Sequence[UUID] | None, failed: Failures) -> dict[UUID, Head]:
    """Every session by its id, or those that are chosen; NotFoundError where one of these is not there."""
    if chosen is None:
        return all_heads(backend)
    heads = {}
    for id in chosen:
        try:
            heads[id] = head_of(backend.get_session_summary(id))
        except CorruptStateError as error:
            failed.append((f"session {id}", error.message))
    return heads


def describe(backend: Backend, session_id: UUID, nodes: Sequence[Node]) -> Iterator[Described]:
    """The checkpoints of a session with their metadata, in their order.

    NotFoundError where one of them is not there any more.
    """
    missing = {node.id: node for node in nodes}
    cursor = None
    while missing:
        page = backend.list_checkpoints(
            CheckpointQuery(session_ids=[session_id], limit=_PAGE, offset=0, cursor=cursor, with_metadata=True)
        )
        for item in page:
            if (node := missing.pop(item.id, None)) is not None:
                yield Described(node, encode_metadata(item.metadata), item.damage)
        cursor = page.next_cursor
        if cursor is None:
            break
    for id in missing:
        raise checkpoint_not_found(id)


def check_row(backend: Backend, described: Described) -> None:
    """CorruptStateError where more of a damaged checkpoint cannot be trusted than its metadata."""
    if described.damage is not None:
        backend.get_messages(described.node.id, 0, None)


def check_session(backend: Backend, head: Head, failed: Failures) -> None:
    """CorruptStateError where the row of a session is damaged; what else of it is damaged is told."""
    if head.damage is not None:
        backend.get_session_summary(head.id)
        failed.append((f"metadata or active checkpoint of session {head.id}", head.damage))


def note_lost_active(backend: Backend, head: Head, nodes: Sequence[Node], failed: Failures) -> None:
    """Tell of a session whose active checkpoint is gone: the list of sessions shows it as one that has none."""
    if head.active is None and nodes:
        try:
            backend.get_session(head.id)
        except CorruptStateError as error:
            failed.append((f"active checkpoint of session {head.id}", error.message))
