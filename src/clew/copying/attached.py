"""The attachments of one session's checkpoints, and what waits for their labels."""

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from clew.backend import NewAttachment, NewAttachments, Place
from clew.copying.ends import Ends
from clew.copying.plans import Plan
from clew.copying.reading import Node
from clew.errors import CorruptStateError
from clew.hashing import content_hash
from clew.model import SAME, Attachment, AttachmentInfo, Label


class Sent(NamedTuple):
    """An attachment as it was read from the source."""

    size: int
    content_type: str | None
    digest: bytes


class Attached:
    """What is done to the attachments of one session; holds those of one checkpoint at a time."""

    def __init__(self, ends: Ends, plan: Plan) -> None:
        self.times: dict[UUID, int] = {}
        """The `updated_at` of checkpoints that have got something that the source's do not have."""
        self._ends = ends
        self._plan = plan
        self._waiting = {label: {info.name for info in infos} for label, infos in plan.known_waiting.items()}
        self._last: tuple[UUID | None, dict[str, Sent]] = (None, {})
        self._read_back: set[bytes] = set()

    def to_send(self, node: Node) -> list[NewAttachment]:
        """Those to write with a checkpoint: without the bytes of what its parent, where just written, has too."""
        data = self._read(node.id)
        last, parent = self._last
        if last is None or last != node.parent_id:
            parent = {}
        sent = {name: _sent(item) for name, item in data.items()}
        self._last = (node.id, sent)
        new = [
            NewAttachment(name=name, data=SAME) if parent.get(name) == sent[name] else _new(name, item)
            for name, item in data.items()
        ]
        self._count(new)
        return new

    def check_last(self) -> None:
        """CorruptStateError where those of the checkpoint just written do not read back."""
        checkpoint_id, sent = self._last
        if checkpoint_id is not None:
            self._check(checkpoint_id, sent)

    def replace(self, there: Node) -> None:
        """Make those of a checkpoint that the destination has the source's, without moving its time."""
        destination, data = self._ends.destination, self._read(there.id)
        extra = [info.name for info in destination.list_attachments(there.id, "") if info.name not in data]
        if extra:
            destination.detach(self._plan.head.id, there.id, extra, there.updated_at)
        self._attach(there.id, data, there.updated_at)
        self._check(there.id, {name: _sent(item) for name, item in data.items()})

    def await_label(self, label: str, data: Mapping[str, Attachment], now: int) -> None:
        """Let some wait for a label; a checkpoint of the destination that has it gets those that it lacks."""
        holder = next((id for id, held in self._plan.labels.items() if held == label), None)
        if holder is not None:
            there = {info.name for info in self._ends.destination.list_attachments(holder, "")}
            data = {name: item for name, item in data.items() if name not in there}
            if data:
                self.times[holder] = now
        self._attach(Label(label), data, now)

    def make_way(self, node: Node) -> int:
        """See to what waits in the destination for the label that a checkpoint gets; the time that it is to have then.

        Names that the checkpoint brings along are taken away there. What it gets besides is a change on this side.
        """
        plan, label = self._plan, self._plan.labels[node.id]
        waiting = self._waiting.get(label) if label is not None else None
        if not waiting or label is None or plan.existing is None or plan.wins:
            return node.updated_at  # where the source has changed last, what waits is what waits there
        brought = {info.name for info in self._ends.source.list_attachments(node.id, "")}
        taken = sorted(waiting & brought)
        if taken:
            self._ends.destination.detach(plan.head.id, Label(label), taken, plan.existing.updated_at)
            waiting.difference_update(taken)
        if waiting:
            self.times[node.id] = plan.existing.updated_at
        return self.times.get(node.id, node.updated_at)

    def _read(self, checkpoint_id: UUID) -> dict[str, Attachment]:
        """All those of a checkpoint of the source."""
        return self._ends.source.get_attachments([checkpoint_id], "")[checkpoint_id]

    def _attach(self, place: Place, data: Mapping[str, Attachment], now: int) -> None:
        if data:
            items = [_new(name, item) for name, item in data.items()]
            new = NewAttachments(items=items, place=place, on_conflict="replace", now=now)
            self._ends.destination.attach(self._plan.head.id, new)
            self._count(items)

    def _count(self, items: list[NewAttachment]) -> None:
        self._ends.tally.attachments += len(items)
        self._ends.tally.bytes += sum(len(item.data) for item in items if item.data is not SAME)

    def _check(self, checkpoint_id: UUID, sent: Mapping[str, Sent]) -> None:
        """Compare with the destination. Bytes that many checkpoints have are read once."""
        label = self._plan.labels[checkpoint_id]
        if not self._ends.verify or (not sent and label is None):
            return
        destination = self._ends.destination
        waited = self._waiting.get(label, set()) if label is not None else set()
        found = {info.name: info for info in destination.list_attachments(checkpoint_id, "")}
        for name in {*found, *sent} - (waited - sent.keys()):
            if not _is_alike(found.get(name), sent.get(name)):
                raise _not_as_read(checkpoint_id, name)
        for name, item in sent.items():
            if item.digest not in self._read_back:
                if content_hash(destination.get_attachment(checkpoint_id, name, None, None)) != item.digest:
                    raise _not_as_read(checkpoint_id, name)
                self._read_back.add(item.digest)


def _new(name: str, item: Attachment) -> NewAttachment:
    return NewAttachment(name=name, data=item, content_type=item.content_type)


def _sent(item: Attachment) -> Sent:
    return Sent(len(item), item.content_type, content_hash(item))


def _is_alike(found: AttachmentInfo | None, sent: Sent | None) -> bool:
    if found is None or sent is None:
        return False
    return found.damage is None and (found.size, found.content_type) == sent[:2]


def _not_as_read(checkpoint_id: UUID, name: str) -> CorruptStateError:
    return CorruptStateError(
        f"in the destination something is not as it was read: attachment {name!r} of checkpoint {checkpoint_id}",
        checkpoint_id,
    )
