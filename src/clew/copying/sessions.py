"""Carrying out the plan for one session.

A copy may be killed between any two of these steps, and others may look at the destination at any time. So the time of
the session, which says that it is as in the source, moves last.
"""

from collections.abc import Iterator
from itertools import chain

import msgspec

from clew.backend import SessionChanges
from clew.copying import checking
from clew.copying.attached import Attached
from clew.copying.beginnings import begin
from clew.copying.checkpoints import Checkpoints
from clew.copying.ends import Ends
from clew.copying.plans import Plan, awaited, differing, outdated_waiting
from clew.copying.reading import Head, Node, head_of, read_metadata
from clew.model import Label, Session

Arriving = Iterator[tuple[Node, bytes | None]]
"""The checkpoints to write, with their metadata, in the order of creation."""


class SessionCopy:
    """One session, brought from the source to the destination."""

    def __init__(self, ends: Ends, plan: Plan) -> None:
        self._ends = ends
        self._plan = plan
        self._id = plan.head.id
        self._attached = Attached(ends, plan)
        self._checkpoints = Checkpoints(ends, plan, self._attached)
        self._outdated = plan.outdated

    def run(self) -> None:
        """Do all of it."""
        arriving, existing = self._arriving(), self._plan.existing
        if existing is None:
            existing, arriving = self._begin(arriving)
        self._set_fields(existing)
        self._checkpoints.free_labels(self._outdated)
        self._bring_waiting(existing)
        for node, metadata in arriving:
            self._checkpoints.write(node, metadata)
        if self._plan.active is not None and self._plan.moves_active:
            self._ends.destination.set_active_checkpoint(self._id, self._plan.active, existing.updated_at)
        for there in self._outdated:
            self._checkpoints.finish(there)
        updated_at = self._plan.head.updated_at
        ended = head_of(self._update(SessionChanges(updated_at=updated_at, now=updated_at)))
        if self._ends.verify:
            checking.check(self._ends, self._plan, ended, self._checkpoints.written, self._attached.times)

    def _arriving(self) -> Arriving:
        missing = {node.id: node for node in self._plan.missing}
        first = next((place for place, node in enumerate(self._plan.nodes) if node.id in missing), 0)
        for id, metadata in read_metadata(self._ends.source, self._id, missing.keys(), first):
            yield missing[id], metadata

    def _begin(self, arriving: Arriving) -> tuple[Head, Arriving]:
        """Make the session; and what is still to be written after that."""
        first = next(arriving, None)
        root, metadata = (None, None) if first is None else first
        label = None if root is None else self._plan.labels[root.id]
        begun, is_shared = begin(self._ends, self._plan.head, root, metadata, label)
        if root is None:
            return begun, arriving
        if not is_shared:
            return begun, chain([(root, metadata)], arriving)
        self._checkpoints.note_shared(root, metadata)
        if root.updated_at > root.created_at:
            self._outdated.append(msgspec.structs.replace(root, label=None, updated_at=root.created_at))
        return begun, arriving

    def _set_fields(self, existing: Head) -> None:
        """Change the fields of the session. ConflictError where it has changed since it was compared."""
        changes = differing(self._plan.head, existing) if self._plan.wins else {}
        if changes or self._plan.existing is not None:
            self._update(SessionChanges(**changes, if_revision=existing.revision, now=existing.updated_at))

    def _bring_waiting(self, existing: Head) -> None:
        """Make what waits for labels that of the source, where the source's session has changed last."""
        if not self._plan.wins:
            return
        for label, names in outdated_waiting(self._plan).items():
            self._ends.destination.detach(self._id, Label(label), names, existing.updated_at)
        for label in awaited(self._plan):
            self._attached.await_label(label, self._ends.source.get_waiting(self._id, label), existing.updated_at)

    def _update(self, changes: SessionChanges) -> Session:
        return self._ends.destination.update_session(self._id, changes)
