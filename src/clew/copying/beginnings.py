"""How a session begins in the destination: as a fork of what it was forked from, or on its own."""

from uuid import UUID

from clew.backend import Backend, NewFork, NewSession
from clew.copying.ends import Ends, Origin, metadata_hash
from clew.copying.reading import Head, Node, head_of
from clew.hashing import content_hash


def begin(ends: Ends, head: Head, root: Node | None, metadata: bytes | None, label: str | None) -> tuple[Head, bool]:
    """Make the session, without a checkpoint; or with its first one, where as a fork it shares that with another.

    `root` is the first one in the source, `metadata` and `label` what it is to have. The second value says whether it
    has come with the session; then its label, attachments and time are still to be made those of the source.
    """
    origin = _origin(ends, head)
    if origin is None:
        return _create(ends, head), False
    if root is not None and _is_shared(ends, head, root, origin, metadata, label):
        return _fork(ends, head, origin, root.id), True
    return _fork(ends, head, origin, None), False


def _origin(ends: Ends, head: Head) -> Origin | None:
    """The checkpoint that the session began as, where the destination has it."""
    if head.forked_from is None or head.source is not None:
        return None
    origin = ends.origin(head.forked_from)
    return origin if origin is not None and origin.session_id == head.parent_session_id else None


def _is_shared(ends: Ends, head: Head, root: Node, origin: Origin, metadata: bytes | None, label: str | None) -> bool:
    """Whether a fork made now begins with this checkpoint, but for what can be changed in it afterwards.

    Where the times would not tell that something is still to be changed, nothing may be: the copy may be killed.
    """
    if root.created_at != head.created_at or root.chain != origin.chain or metadata_hash(metadata) != origin.metadata:
        return False
    if root.updated_at > root.created_at:
        return True
    return label is None and _hashes(ends.source, root.id) == _hashes(ends.destination, origin.id)


def _hashes(backend: Backend, checkpoint_id: UUID) -> dict[str, tuple[str | None, bytes]]:
    """The content types and hashes of the attachments, read one after the other."""
    return {
        info.name: (info.content_type, content_hash(backend.get_attachment(checkpoint_id, info.name, None, None)))
        for info in backend.list_attachments(checkpoint_id, "")
    }


def _fork(ends: Ends, head: Head, origin: Origin, root: UUID | None) -> Head:
    new = NewFork(
        id=head.id,
        checkpoint_id=root,
        source_checkpoint=origin.id,
        title=head.title,
        owner=head.owner,
        created_at=head.created_at,
        now=head.created_at,
    )
    return head_of(ends.destination.fork_session(origin.session_id, new))


def _create(ends: Ends, head: Head) -> Head:
    new = NewSession(
        id=head.id,
        checkpoint_id=None,
        title=head.title,
        bodies=[],
        metadata=None,
        session_metadata=head.metadata,
        visibility=head.visibility,
        cwd=head.cwd,
        source=head.source,
        source_id=head.source_id,
        parent_session_id=head.parent_session_id,
        parent_may_be_missing=True,
        forked_from=head.forked_from,
        owner=head.owner,
        created_at=head.created_at,
        now=head.created_at,
        fingerprint=None,
    )
    return head_of(ends.destination.create_session(new))
