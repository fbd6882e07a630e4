"""Writing the checkpoints of one session to the destination, and changing those it has."""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from clew.backend import NewCheckpoint
from clew.copying.attached import Attached
from clew.copying.ends import Ends, Origin, metadata_hash
from clew.copying.plans import Plan
from clew.copying.reading import Node
from clew.hashing import extend_chain
from clew.model import KEEP, Keep


class Written(NamedTuple):
    """A checkpoint that this run has written: whether its messages were sent whole, and the hash of its metadata."""

    full: bool | None  # None where none were sent: a fork shares them
    metadata: bytes


class Checkpoints:
    """What is done to the checkpoints of one session; holds the messages of one of them at a time."""

    def __init__(self, ends: Ends, plan: Plan, attached: Attached) -> None:
        self.written: dict[UUID, Written] = {}
        self._ends = ends
        self._plan = plan
        self._attached = attached
        self._nodes = {node.id: node for node in plan.nodes}
        self._moves_active = plan.moves_active

    def note_shared(self, root: Node, metadata: bytes | None) -> None:
        """The first checkpoint has come with the fork that begins with it."""
        self._note(root, metadata, None)

    def free_labels(self, there: Iterable[Node]) -> None:
        """Take away the labels that are to be others, so that others can have them; times stay as they are."""
        for node in there:
            if node.label is not None and self._plan.labels[node.id] != node.label:
                self._ends.destination.set_label(node.id, None, node.updated_at, move=False)

    def write(self, node: Node, metadata: bytes | None) -> None:
        """Write a checkpoint whose parent is there, whole: with its attachments, label and time.

        Where the session is to go on resuming from where it does in the destination, it does all the time.
        """
        bodies, full = self._bodies(node)
        sent_metadata = self._metadata(node, metadata)
        updated_at = self._attached.make_way(node)
        self._ends.destination.write_checkpoint(
            self._plan.head.id,
            NewCheckpoint(
                id=node.id,
                bodies=bodies,
                full=full,
                prefix=None,
                parent=node.parent_id,
                metadata=sent_metadata,
                label=self._plan.labels[node.id],
                attachments=self._attached.to_send(node),
                if_active=None,
                activate=self._moves_active,
                created_at=node.created_at,
                updated_at=None if updated_at == node.created_at else updated_at,
                now=node.created_at,
                fingerprint=None,
            ),
        )
        self._ends.tally.messages += len(bodies)
        self._ends.tally.bytes += sum(map(len, bodies))
        self._ends.tally.bytes += len(sent_metadata) if isinstance(sent_metadata, bytes) else 0
        self._attached.check_last()
        self._note(node, metadata, full)

    def finish(self, there: Node) -> None:
        """Give a checkpoint that the destination has the label, attachments and time that it is to have.

        The time comes last: before it the source's is later, so that the next run does all of this where this one is
        killed.
        """
        own, wanted = self._nodes.get(there.id), self._plan.labels[there.id]
        if own is None or own.updated_at < there.updated_at:
            return  # it has lost its label to another, and that has been done
        self._attached.replace(there)
        updated_at = self._attached.make_way(own)
        if updated_at > there.updated_at and wanted in (there.label, None):
            # The time moves with the label only, and one that had to go has gone already.
            self._ends.destination.set_label(there.id, f"clew copy: {there.id}", there.updated_at, move=False)
        self._ends.destination.set_label(there.id, wanted, updated_at, move=False)

    def _bodies(self, node: Node) -> tuple[list[bytes], bool]:
        """The messages to send: what comes after the parent's where they begin alike, else all of them."""
        source = self._ends.source
        parent = None if node.parent_id is None else self._nodes.get(node.parent_id)
        if parent is not None and parent.count <= node.count:
            bodies = source.get_messages(node.id, parent.count, None) if parent.count < node.count else []
            if extend_chain(parent.chain, bodies) == node.chain:
                return bodies, False
        return source.get_checkpoint(node.id).state.raw.bodies, True

    def _metadata(self, node: Node, metadata: bytes | None) -> bytes | Keep | None:
        parent = None if node.parent_id is None else self.written.get(node.parent_id)
        return KEEP if parent is not None and parent.metadata == metadata_hash(metadata) else metadata

    def _note(self, node: Node, metadata: bytes | None, full: bool | None) -> None:
        digest = metadata_hash(metadata)
        self.written[node.id] = Written(full, digest)
        self._ends.remember(Origin(id=node.id, session_id=self._plan.head.id, chain=node.chain, metadata=digest))
        self._ends.tally.checkpoints += 1
        self._ends.arrived()
