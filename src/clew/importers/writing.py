"""Writing the steps of an imported session into the store.

The id of a checkpoint is made from everything that leads to it: the session's name, and the keys and messages of its
steps. So what is there already is known by its id, whoever wrote it and when; an import that was stopped, or one of a
file that has grown, writes what is missing and nothing else; a message that has changed since makes a branch, and what
was there stays. Two imports at once write the same ids.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from clew import checks, limits
from clew.errors import ConflictError, InvalidRequestError, NotFoundError
from clew.importers import raw
from clew.importers.grouping import Group, begins_anew, way_to
from clew.importers.places import DIGEST_BYTES, Place, Places
from clew.importers.records import Record
from clew.importers.steps import Loose, Step
from clew.messages import encode_messages
from clew.model import Attachment
from clew.store import Store
from clew.text import shown

_PAGE = 1_000
_NAMESPACE = uuid5(NAMESPACE_URL, "urn:clew:import")


class TreeWriter:
    """Writes one session, a step after the other, or finds out what would be written.

    A checkpoint takes in a prompt with the first answer to it, or an answer with the results of its tool calls; it ends
    where a branch or a label needs it to.
    """

    def __init__(self, store: Store, source: str, source_id: str, path: str, *, dry_run: bool = False) -> None:
        """`path` is that of the source, which is kept with its records. A dry run changes nothing."""
        self._store = store
        self._name = f"{source}\n{source_id}"
        self._path = path
        self._dry_run = dry_run
        self._session: UUID | None = None
        self._before_writing: Callable[[], object] = lambda: None
        self._root = Place(self.root_id, 0, b"", 0, 0)
        self._stored: set[bytes] = set()
        self._places = Places()
        self._group: Group | None = None
        self._loose: list[Record] = []
        self._loose_bytes = 0
        self._unattached: dict[str, Attachment] = {}
        """Loose records from before there was a session."""
        self._last = self._root
        self.created = 0
        self.known = 0
        self.messages = 0
        self.refused: list[tuple[str, str]] = []
        """Steps that the store does not take: where, and why."""
        self.mended: list[tuple[str, str]] = []
        """Steps that it has otherwise than they were."""

    @property
    def root_id(self) -> UUID:
        """The id of the session's first checkpoint, which has no message."""
        return uuid5(_NAMESPACE, f"{self._name}\nroot")

    def open(self, session_id: UUID, before_writing: Callable[[], object] = lambda: None) -> None:
        """Write to this session; `before_writing` is called once, before the first checkpoint is."""
        self._session, self._before_writing = session_id, before_writing
        cursor: str | None = None
        while True:
            page = self._store.list_checkpoints(session_id, limit=_PAGE, cursor=cursor)
            self._stored.update(checkpoint.id.bytes for checkpoint in page.items)
            cursor = page.next_cursor
            if cursor is None:
                return

    def add(self, step: Step | Loose) -> bool:
        """Take the next step; True where that wrote a checkpoint."""
        if isinstance(step, Loose):
            self._set_aside(step.records)
            return False
        before = self.created
        bodies = self._bodies(step)
        if not bodies and not step.restarts:
            self._pass(step)
        else:
            self._join(step, bodies)
        return self.created > before

    def finish(self, active: str | None) -> UUID:
        """Write what is left; the checkpoint of the step `active`, or of the last one that came."""
        if self._group is not None:
            # Not attached later: that would change the session now, which has changed when its source says.
            self._group.keep(self._loose)
            self._loose, self._loose_bytes = [], 0
        self._flush()
        if self._loose:
            self._attach({raw.TRAILING: raw.pack(self._path, self._loose)})
        self._attach({})
        place = self._last if active is None else self._places.get(active) or self._last
        return place.checkpoint if place.is_end else self._end_at(place)

    # ----------------------------------------------------------------------------------------------------- grouping

    def _bodies(self, step: Step) -> list[bytes]:
        """The JSON of the step's messages, none of them where the store would not take one."""
        try:
            bodies = encode_messages(step.messages)
        except InvalidRequestError as error:
            self.refused.append((f"step {step.key}", error.message))
            return []
        self.messages += len(bodies)
        return bodies

    def _pass(self, step: Step) -> None:
        """A step without a message: its children go on where its parent ends."""
        self._set_aside(step.records)
        if self._group is not None and step.parent in self._group.places:
            self._group.places[step.key] = self._group.places[step.parent]
        else:
            place = self._place(step.parent)
            steps = {step.key: (place.length, place.digest)}
            self._places.set(place.checkpoint, steps, total=place.total, start=place.start)

    def _join(self, step: Step, bodies: list[bytes]) -> None:
        group = self._group
        if group is not None and (not group.ends_at(step.parent) or begins_anew(step, group)):
            self._flush()
        if self._group is None:
            self._group = Group(self._settled(self._place(step.parent)), step)
        group = self._group
        group.keep(self._loose)
        self._loose, self._loose_bytes = [], 0
        group.add(step, bodies, way_to(group.digest, step, bodies))
        group.label = self._label(step)
        if group.label is not None or self._is_stored(self._id(group.digest)):
            self._flush()

    def _label(self, step: Step) -> str | None:
        try:
            return checks.optional_label(step.label)
        except InvalidRequestError as error:
            self.mended.append((f"step {step.key}", f"{error.message}: left out"))
            return None

    def _place(self, parent: str | None) -> Place:
        # A parent that nobody has seen is damage, or a record that was left out: what came before it is nearest.
        return self._root if parent is None else self._places.get(parent) or self._last

    def _settled(self, place: Place) -> Place:
        """The same place, at the end of a checkpoint where an earlier import has made one that ends there."""
        if place.is_end or not self._is_stored(self._end(place)):
            return place
        return place._replace(checkpoint=self._end(place), total=place.length)

    def _set_aside(self, records: list[Record]) -> None:
        """Keep records of no message for the next step; many of them are attached by themselves."""
        self._loose += records
        self._loose_bytes += raw.size(records)
        if self._loose_bytes > limits.MAX_IMPORT_GROUP_BYTES:
            name = raw.loose_name(self._path, self._loose[0].position)
            self._attach({name: raw.pack(self._path, self._loose)})

    # ------------------------------------------------------------------------------------------------------ writing

    def _id(self, digest: bytes) -> UUID:
        return uuid5(_NAMESPACE, f"{self._name}\n{digest.hex()}")

    def _is_stored(self, id: UUID) -> bool:
        return id.bytes in self._stored

    def _flush(self) -> None:
        """Write the steps that have come together."""
        group, self._group = self._group, None
        if group is None:
            return
        id = self._id(group.digest)
        self._write(group, id)
        start = -1 if group.restarts else group.parent.length
        self._places.set(id, group.places, total=group.count, start=start)
        self._last = Place(id, *group.places[group.last], group.count, start)

    def _write(self, group: Group, id: UUID) -> None:
        """Have the store have this checkpoint."""
        if self._is_stored(id):
            self.known += 1
            self._label_later(group, id)
            return
        if not self._dry_run:
            self._before_writing()
            self._before_writing = lambda: None
            try:
                self._send(group, id)
            except ConflictError:
                if not self._is_there(id) and not self._send_without_label(group, id):
                    raise
        self.created += 1

    def _send(self, group: Group, id: UUID) -> None:
        arguments: dict[str, Any] = {
            "label": group.label,
            "attachments": {raw.RECORDS: raw.pack(self._path, group.records)} if group.records else None,
            "id": id,
            "created_at": group.created_at or self._time_of(group.parent),
        }
        parent = group.parent
        if group.restarts:
            self._store.create_checkpoint(self._opened, group.messages, parent_id=parent.checkpoint, **arguments)
        elif parent.is_end:
            self._store.append(self._opened, group.messages, parent_id=parent.checkpoint, **arguments)
        else:
            self._send_from_midst(group, arguments)

    def _time_of(self, place: Place) -> datetime:
        """When the state before was made, for one that the source gives no time: it is not from now."""
        return self._store.get_checkpoint_summary(place.checkpoint).created_at

    def _send_from_midst(self, group: Group, arguments: dict[str, Any]) -> None:
        """Write what branches off within a checkpoint: beside that one, with those of its messages that are shared."""
        place = group.parent
        above = self._store.get_checkpoint_summary(place.checkpoint).parent_id or self.root_id
        start = place.start
        # Another import may have put steps together otherwise: only what the store says is sure.
        goes_on = start >= 0 and self._store.get_checkpoint_summary(above).message_count == start
        shared = self._store.get_messages(place.checkpoint, start=start if goes_on else 0, stop=place.length)
        write = self._store.append if goes_on else self._store.create_checkpoint
        write(self._opened, [*shared, *group.messages], parent_id=above, **arguments)

    def _is_there(self, id: UUID) -> bool:
        """Whether another import has written it, as steps that it had put together otherwise."""
        try:
            return self._store.get_checkpoint_summary(id).session_id == self._opened
        except NotFoundError:
            return False

    def _send_without_label(self, group: Group, id: UUID) -> bool:
        if group.label is None:
            return False
        self.mended.append((f"step {group.last}", f"the label {shown(group.label)} is taken: left out"))
        group.label = None
        self._send(group, id)
        return True

    def _label_later(self, group: Group, id: UUID) -> None:
        """Give a checkpoint the label that the source has for it since it was written; one that it has stays."""
        if group.label is None or self._dry_run or self._store.get_checkpoint_summary(id).label is not None:
            return
        try:
            self._store.set_label(id, group.label)
        except ConflictError:
            self.mended.append((f"step {group.last}", f"the label {shown(group.label)} is taken: left out"))

    def _end_at(self, place: Place) -> UUID:
        """A checkpoint that ends in the midst of another one."""
        group = Group(place, Step(key="", parent=None, messages=[], records=[]))
        self._write(group, self._end(place))
        return self._end(place)

    def _end(self, place: Place) -> UUID:
        return self._id(hashlib.blake2b(place.digest + b"\nend", digest_size=DIGEST_BYTES).digest())

    def _attach(self, items: dict[str, Attachment]) -> None:
        """Attach the loose records to the last checkpoint, as soon as there is one."""
        self._loose, self._loose_bytes = [], 0
        if self._dry_run:
            return
        self._unattached.update(items)
        if self._session is not None and self._unattached:
            checkpoint, items, at = self._last.checkpoint, self._unattached, self._time_of(self._last)
            self._store.attach(self._session, items, checkpoint_id=checkpoint, on_conflict="replace", updated_at=at)
            self._unattached = {}

    @property
    def _opened(self) -> UUID:
        assert self._session is not None, "open() comes first"  # noqa: S101
        return self._session
