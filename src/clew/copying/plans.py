"""How a session of the source and what the destination has of it become one, decided before anything is written.

What only one side has stays or is added. Of what both have and may change (the fields of the session, its active
checkpoint and what waits for labels; the label and attachments of a checkpoint) the side with the later `updated_at`
counts; where both times are equal the source, unless it lacks checkpoints: then it is what a copy left that was
killed. What can never change has to be the same: a session or checkpoint that is
another one under the same id is ConflictError.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from clew.copying.reading import Head, Node
from clew.errors import ConflictError
from clew.model import AttachmentInfo

Waiting = Mapping[str, Sequence[AttachmentInfo]]
"""What is attached to labels that no checkpoint has."""

_FIXED = ("created_at", "source", "source_id", "parent_session_id", "forked_from")
_FIELDS = ("title", "visibility", "status", "cwd", "metadata", "owner")


class TakenError(ConflictError):
    """An id or a name belongs to something else in the destination, and will the next time too."""


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """A session as one store has it."""

    head: Head
    nodes: list[Node]
    waiting: Waiting = {}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be done for one session."""

    head: Head
    nodes: list[Node]
    waiting: Waiting
    existing: Head | None
    """The session in the destination, None where it is not there."""
    known: dict[UUID, Node]
    """Its checkpoints there."""
    known_waiting: Waiting
    labels: dict[UUID, str | None]
    """The label that each checkpoint of either side is to have."""

    @property
    def wins(self) -> bool:
        """Whether the source's is the session that has changed last."""
        if self.existing is None or self.head.updated_at > self.existing.updated_at:
            return True
        own = {node.id for node in self.nodes}
        return self.head.updated_at == self.existing.updated_at and self.known.keys() <= own

    @property
    def missing(self) -> list[Node]:
        """The checkpoints that the destination does not have, in the order of creation."""
        return [node for node in self.nodes if node.id not in self.known]

    @property
    def outdated(self) -> list[Node]:
        """The checkpoints of the destination whose label, attachments or time have to be changed, as they are there."""
        own = {node.id: node for node in self.nodes}
        return [
            there
            for there in self.known.values()
            if self.labels[there.id] != there.label or (there.id in own and own[there.id].updated_at > there.updated_at)
        ]

    @property
    def active(self) -> UUID | None:
        """The checkpoint that the session is to resume from: that of the side that counts, or the one that there is."""
        ours = self.head.active if any(node.id == self.head.active for node in self.nodes) else None
        theirs = None if self.existing is None else self.existing.active
        return (ours or theirs) if self.wins else (theirs or ours)

    @property
    def moves_active(self) -> bool:
        """Whether the destination resumes from another one as yet."""
        return self.active is not None and (self.existing is None or self.active != self.existing.active)

    @property
    def has_work(self) -> bool:
        """Whether the destination lacks anything."""
        if self.existing is None or self.missing or self.outdated or self.moves_active:
            return True
        return self.wins and (
            self.head.updated_at > self.existing.updated_at
            or bool(differing(self.head, self.existing))
            or bool(outdated_waiting(self))
            or bool(awaited(self))
        )


def make_plan(source: Side, destination: Side | None) -> Plan:
    """Compare; ConflictError where a session or checkpoint is another one under the same id."""
    head = source.head
    known: dict[UUID, Node] = {}
    nodes = {node.id: node for node in source.nodes}
    if destination is not None:
        _check_same_session(head, destination.head)
        known = {node.id: node for node in destination.nodes}
        for node in nodes.values():
            _check_same_checkpoint(node, known.get(node.id, node))
    return Plan(
        head=head,
        nodes=source.nodes,
        waiting=source.waiting,
        existing=None if destination is None else destination.head,
        known=known,
        known_waiting={} if destination is None else destination.waiting,
        labels=settle_labels(nodes, known),
    )


def differing(head: Head, existing: Head) -> dict[str, Any]:
    """The fields of the session that a user may change and that are not the same.

    That a session is nobody's says nothing: in a store of one person all are, and behind a server each is somebody's.
    """
    names = [name for name in _FIELDS if name != "owner" or head.owner is not None]
    return {name: getattr(head, name) for name in names if getattr(head, name) != getattr(existing, name)}


def settle_labels(nodes: Mapping[UUID, Node], known: Mapping[UUID, Node]) -> dict[UUID, str | None]:
    """The label of each checkpoint of both sides: that of the side that has changed it last.

    Where two checkpoints have one label by that, the one that has changed last keeps it.
    """
    claims: dict[UUID, tuple[int, bool, str | None]] = {}
    for id in {**known, **nodes}:
        sides = [(side[id].updated_at, side is nodes, side[id].label) for side in (nodes, known) if id in side]
        claims[id] = max(sides, key=lambda side: side[:2])
    holders: dict[str, UUID] = {}
    for id, (updated_at, is_ours, label) in claims.items():
        if label is not None and (label not in holders or (updated_at, is_ours) > claims[holders[label]][:2]):
            holders[label] = id
    return {id: label if label is not None and holders[label] == id else None for id, (*_, label) in claims.items()}


def outdated_waiting(plan: Plan) -> dict[str, list[str]]:
    """What waits in the destination and not in the source, by label: its names."""
    found: dict[str, list[str]] = {}
    for label, infos in plan.known_waiting.items():
        wanted = {info.name: info for info in plan.waiting.get(label, ())}
        names = [info.name for info in infos if wanted.get(info.name) != info]
        if names:
            found[label] = names
    return found


def awaited(plan: Plan) -> list[str]:
    """The labels for which something waits in the source that does not in the destination."""
    if plan.existing is not None and plan.head.updated_at > plan.existing.updated_at:
        return list(plan.waiting)  # the bytes may be others though name and size are the same
    held = {label for label in plan.labels.values() if label is not None}
    return [
        label
        for label, infos in plan.waiting.items()
        if label not in held and list(infos) != list(plan.known_waiting.get(label, ()))
    ]


def _check_same_session(head: Head, existing: Head) -> None:
    different = [name for name in _FIXED if getattr(head, name) != getattr(existing, name)]
    if different:
        raise TakenError(f"the destination has another session of this id: its {different[0]} is not the same")


def _check_same_checkpoint(node: Node, there: Node) -> None:
    if (node.chain, node.count) != (there.chain, there.count):
        raise TakenError(f"checkpoint {node.id} has other messages in the destination")
    if node.created_at != there.created_at:
        raise TakenError(f"checkpoint {node.id} is another one in the destination: it was created at another time")
