"""Checkpoints of LangGraph out of those of the store."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from langgraph.checkpoint.base import CheckpointTuple

from clew import Attachment, CorruptStateError, NotFoundError, Store
from clew.adapters.langgraph.envelopes import Envelope, load
from clew.adapters.langgraph.layouts import Layout, channels_of
from clew.adapters.langgraph.memory import Memory
from clew.adapters.langgraph.messages import Messages
from clew.adapters.langgraph.names import METADATA, Place, name_of
from clew.adapters.langgraph.values import Values
from clew.adapters.langgraph.writes import Write, loaded, value_of


class Row(NamedTuple):
    """A checkpoint of the store, without its messages."""

    session: UUID
    id: UUID
    parent_id: UUID | None
    label: str
    length: int
    metadata: Any
    attachments: Mapping[str, Attachment]
    envelope: Envelope


class Reader:
    """Reads one checkpoint at a time, through one serializer."""

    def __init__(self, memory: Memory, values: Values) -> None:
        self._memory = memory
        self.values = values
        self.messages = Messages(values)

    def read(self, store: Store, place: Place) -> CheckpointTuple | None:
        """The checkpoint, or the newest of its namespace; None where there is none."""
        return self._memory.names.look(store, place.source_id, lambda id: self._read(store, id, place), None)

    def row(self, summary: Any) -> Row:
        """An item of a list that came with metadata and attachments."""
        if summary.damage is not None:
            raise CorruptStateError(f"checkpoint {summary.id}: {summary.damage}", summary.id)
        attachments = summary.attachments or {}
        return Row(
            summary.session_id, summary.id, summary.parent_id, summary.label, summary.message_count, summary.metadata,
            attachments, load(attachments, self.values, summary.id),
        )  # fmt: skip

    def find(self, store: Store, session: UUID, label: str) -> tuple[Row, dict[str, list[Any]]]:
        """The checkpoint of a session, and the items of its lists, which are remembered."""
        checkpoint = store.find_checkpoint(session, label)
        attachments = store.get_attachments(checkpoint.id)[checkpoint.id]
        state = checkpoint.state
        envelope = load(attachments, self.values, checkpoint.id)
        row = Row(
            session, checkpoint.id, checkpoint.parent_id, label, len(state.raw.bodies), state.metadata, attachments,
            envelope,
        )  # fmt: skip
        return row, self._lists(row, state)

    def find_row(self, store: Store, place: Place) -> Row | None:
        """The checkpoint without its messages, or the newest of its namespace; None where there is none."""

        def row(session: UUID) -> Row | None:
            if place.checkpoint is None:
                page = store.list_checkpoints(session, order="-label", limit=1, with_attachments="")
                return self.row(page.items[0]) if page.items else None
            try:
                return self.find(store, session, place.checkpoint)[0]
            except NotFoundError:
                return None

        return self._memory.names.look(store, place.source_id, row, None)

    def metadata(self, row: Row) -> dict[str, Any]:
        """LangGraph's metadata."""
        kept = row.attachments.get(METADATA)
        found: dict[str, Any] = row.metadata if kept is None else self.values.loads(kept)
        return found

    def tuple_of(
        self, place: Place, row: Row, lists: dict[str, list[Any]], parent: str | None, metadata: dict[str, Any]
    ) -> CheckpointTuple:
        """All of it, as LangGraph has it."""
        return CheckpointTuple(
            config=place.config(row.label),  # type: ignore[arg-type]
            checkpoint={**row.envelope.checkpoint, "channel_values": self._channel_values(row, lists)},  # type: ignore[typeddict-item]
            metadata=metadata,  # type: ignore[arg-type]
            parent_config=None if parent is None else place.config(parent),  # type: ignore[arg-type]
            pending_writes=[
                (write.task, write.channel, value_of(write, self.values, lists.get(write.channel)))
                for write in loaded(row.attachments)
            ],
        )

    def parent(self, store: Store, row: Row) -> str | None:
        """LangGraph's id of the parent that the checkpoint has now: where one was deleted, that is an older one."""
        if row.parent_id is None:
            return None
        if str(row.parent_id) == row.envelope.parent_id:
            return row.envelope.parent
        return store.get_checkpoint_summary(row.parent_id).label

    def value(self, store: Store, row: Row, channel: str) -> tuple[bool, Any]:
        """Whether the checkpoint has a value of a channel, and which."""
        if channel not in row.envelope.order:
            return False, None
        lists = {}
        if channel in row.envelope.lists:
            items, channels = self.messages.restored(store.get_checkpoint(row.id).state.raw.bodies)
            lists = _by_channel(row.envelope.lists, items, channels)
        only = row._replace(envelope=row.envelope._replace(order=[channel]))
        return True, self._channel_values(only, lists)[channel]

    def written(self, store: Store, row: Row, write: Write) -> Any:
        """What a task has written from a checkpoint."""
        held = self.value(store, row, write.channel)[1] if write.kept else None
        return value_of(write, self.values, held)

    def _read(self, store: Store, session: UUID, place: Place) -> CheckpointTuple | None:
        found = self._newest(store, session) if place.checkpoint is None else self._found(store, session, place)
        if found is None:
            store.get_session_summary(session)  # NotFoundError: it was purged, and another may have its name
            return None
        row, lists = found
        return self.tuple_of(place, row, lists, self.parent(store, row), self.metadata(row))

    def _newest(self, store: Store, session: UUID) -> tuple[Row, dict[str, list[Any]]] | None:
        page = store.list_checkpoints(session, order="-label", limit=1, with_metadata=True, with_attachments="")
        if not page.items:
            return None
        row = self.row(page.items[0])
        lists = self._remembered(row)
        return row, lists or self._lists(row, store.get_checkpoint(row.id).state if row.length else None)

    def _found(self, store: Store, session: UUID, place: Place) -> tuple[Row, dict[str, list[Any]]] | None:
        try:
            return self.find(store, session, place.checkpoint or "")
        except NotFoundError:
            return None

    def _remembered(self, row: Row) -> dict[str, list[Any]] | None:
        """The items of the lists from their bytes, where these are in memory; a checkpoint never changes."""
        layout = self._memory.layouts.get((row.session, row.label))
        if not self.values.is_open or layout is None or layout.id != row.id:
            return None
        keys = {channel: (row.session, row.label, channel) for channel in row.envelope.lists}
        bodies = {channel: self._memory.known.bodies(key) for channel, key in keys.items()}
        lists: dict[str, list[Any]] = {}
        for channel, held in bodies.items():
            if held is None:
                return None
            lists[channel], _ = self.messages.restored(held)
            self._memory.known.remember(keys[channel], lists[channel], held)
        return lists

    def _lists(self, row: Row, state: Any) -> dict[str, list[Any]]:
        """The items of the lists of a checkpoint. They are remembered, for whoever goes on from it."""
        stored = [] if state is None else state.raw.bodies
        items, channels = self.messages.restored(stored)
        bodies = self.messages.bodies(stored, items, channels)
        lists = _by_channel(row.envelope.lists, items, channels)
        texts = _by_channel(row.envelope.lists, bodies, channels)
        for channel, held in lists.items():
            self._memory.known.remember((row.session, row.label, channel), held, texts[channel])
        self._memory.layouts.remember((row.session, row.label), self._layout(row, channels))
        return lists

    def _layout(self, row: Row, channels: list[str]) -> Layout:
        envelope = row.envelope
        apart = {*envelope.inline, *envelope.lists}
        step = row.metadata.get("step") if isinstance(row.metadata, dict) else None
        return Layout(
            row.id, envelope.checkpoint.get("channel_versions", {}),
            frozenset(channel for channel in envelope.order if channel not in apart),
            frozenset(envelope.lists), envelope.marks or {}, channels_of(channels), len(channels), step,
        )  # fmt: skip

    def _channel_values(self, row: Row, lists: dict[str, list[Any]]) -> dict[str, Any]:
        envelope = row.envelope
        found: dict[str, Any] = {}
        for channel in envelope.order:
            if channel in lists:
                found[channel] = lists[channel]
            elif channel in envelope.inline:
                found[channel] = envelope.inline[channel]
            else:
                body = row.attachments.get(name_of(channel))
                if body is None:
                    raise CorruptStateError(f"the value of the channel {channel!r} is gone", row.id)
                found[channel] = self.values.loads(body)
        return found


def by_channel(row: Row, items: list[Any], channels: list[str]) -> dict[str, list[Any]]:
    """The items of each list, which the caller may change."""
    return _by_channel(row.envelope.lists, items[: row.length], channels[: row.length])


def _by_channel(lists: list[str], items: list[Any], channels: list[str]) -> dict[str, list[Any]]:
    if len(lists) == 1:
        return {lists[0]: list(items)}
    found: dict[str, list[Any]] = {channel: [] for channel in lists}
    for item, channel in zip(items, channels, strict=True):
        found[channel].append(item)
    return found
