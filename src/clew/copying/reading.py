"""What is read of either store: sessions without their trees, trees without their messages."""

from collections.abc import Iterator, Mapping, Set
from uuid import UUID

import msgspec

from clew.backend import Backend, CheckpointQuery, SessionQuery, checkpoint_not_found
from clew.errors import NotFoundError
from clew.messages import encode_metadata
from clew.model import CheckpointSummary, Session, SessionStatus, SessionSummary, Visibility
from clew.times import to_micros

_PAGE = 1_000
_METADATA_PAGE = 20  # values of a page are in memory at once, and each may be of megabytes
UNCOUNTED = -1


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """A session without its tree. Times are microseconds since 1970, metadata is JSON text."""

    id: UUID
    title: str
    visibility: Visibility
    status: SessionStatus
    cwd: str | None
    source: str | None
    source_id: str | None
    parent_session_id: UUID | None
    forked_from: UUID | None
    metadata: bytes | None
    owner: str | None
    revision: int
    created_at: int
    updated_at: int
    active: UUID | None
    checkpoint_count: int
    damage: str | None


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint without its state: its place in the tree, how long its conversation is, and the chain of that."""

    id: UUID
    parent_id: UUID | None
    label: str | None
    count: int
    chain: bytes
    created_at: int
    updated_at: int


def head_of(session: Session | SessionSummary) -> Head:
    """What either form of a session says of it."""
    if isinstance(session, SessionSummary):
        active, count, damage = session.active_checkpoint_id, session.checkpoint_count, session.damage
    else:
        checkpoint = session.active_checkpoint
        active, count, damage = None if checkpoint is None else checkpoint.id, UNCOUNTED, None
    return Head(
        id=session.id,
        title=session.title,
        visibility=session.visibility,
        status=session.status,
        cwd=session.cwd,
        source=session.source,
        source_id=session.source_id,
        parent_session_id=session.parent_session_id,
        forked_from=session.forked_from,
        metadata=encode_metadata(session.metadata),
        owner=session.owner,
        revision=session.revision,
        created_at=to_micros(session.created_at),
        updated_at=to_micros(session.updated_at),
        active=active,
        checkpoint_count=count,
        damage=damage,
    )


def find_head(backend: Backend, session_id: UUID) -> Head | None:
    """One session, None where there is none."""
    try:
        return head_of(backend.get_session(session_id))
    except NotFoundError:
        return None


def all_heads(backend: Backend) -> dict[UUID, Head]:
    """Every session by its id, those that change meanwhile included."""
    found = {head.id: head for head in list_heads(backend)}
    newest = max((head.updated_at for head in found.values()), default=0)
    # One that changes between two pages moves to the front of the list, and may not have been seen behind.
    for head in list_heads(backend):
        if head.updated_at < newest:
            break
        found[head.id] = head
    return found


def list_heads(backend: Backend) -> Iterator[Head]:
    """Every session, the last changed first."""
    cursor = None
    while True:
        page = backend.list_sessions(SessionQuery(limit=_PAGE, cursor=cursor))
        yield from map(head_of, page)
        cursor = page.next_cursor
        if cursor is None:
            return


def parents_first(heads: Mapping[UUID, Head]) -> Iterator[Head]:
    """The sessions in an order in which the one that a session comes from is before it."""
    done: set[UUID] = set()
    for head in reversed(list(heads.values())):
        line: list[Head] = []
        at: Head | None = head
        while at is not None and at.id not in done:
            done.add(at.id)
            line.append(at)
            at = None if at.parent_session_id is None else heads.get(at.parent_session_id)
        yield from reversed(line)


def read_tree(backend: Backend, session_id: UUID) -> list[Node]:
    """The checkpoints of a session in the order of creation."""
    return [_node(item) for item in _listed(backend, session_id, 0, _PAGE, with_metadata=False)]


def read_metadata(
    backend: Backend, session_id: UUID, wanted: Set[UUID], first: int
) -> Iterator[tuple[UUID, bytes | None]]:
    """The metadata of some checkpoints of a session, in their order, of which the first is the `first` of all.

    NotFoundError at the end, where one is not there any more.
    """
    missing = set(wanted)
    if not missing:
        return
    for item in _listed(backend, session_id, first, _METADATA_PAGE, with_metadata=True):
        if item.id in missing:
            missing.remove(item.id)
            yield item.id, encode_metadata(item.metadata)
            if not missing:
                return
    raise checkpoint_not_found(missing.pop())


def _listed(
    backend: Backend, session_id: UUID, first: int, limit: int, *, with_metadata: bool
) -> Iterator[CheckpointSummary]:
    offset, cursor = first, None
    while True:
        query = CheckpointQuery(
            session_ids=[session_id], limit=limit, offset=offset, cursor=cursor, with_metadata=with_metadata
        )
        page = backend.list_checkpoints(query)
        yield from page
        offset, cursor = 0, page.next_cursor
        if cursor is None:
            return


def _node(item: CheckpointSummary) -> Node:
    return Node(
        id=item.id,
        parent_id=item.parent_id,
        label=item.label,
        count=item.message_count,
        chain=bytes.fromhex(item.chain),
        created_at=to_micros(item.created_at),
        updated_at=to_micros(item.updated_at),
    )
