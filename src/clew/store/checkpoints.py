"""The methods of a store that write and read checkpoints."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from clew import checks
from clew.backend import NewAttachment, NewCheckpoint, Place, Prefix, StalePrefixError
from clew.errors import NotFoundError
from clew.hashing import EMPTY_CHAIN, content_hash, extend_chain, fingerprint
from clew.ids import new_id, to_id
from clew.messages import decode_messages, encode_messages, encode_metadata, message_list
from clew.model import ACTIVE, KEEP, SAME, Active, Checkpoint, CheckpointSummary, Diff, Label, Message, Same
from clew.prefix_cache import Conversation, pack_messages, shared_prefix
from clew.store.base import Id, spelled
from clew.store.sessions import SessionMethods
from clew.times import to_micros


class CheckpointMethods(SessionMethods):
    """Writing checkpoints, and reading the state of one."""

    def create_checkpoint(
        self,
        session_id: Id,
        messages: Iterable[Message],
        *,
        metadata: Any = None,
        parent_id: Id | Label | Active | None = None,
        label: str | None = None,
        move: bool = False,
        attachments: Mapping[str, bytes | Same] | None = None,
        id: Id | None = None,
        if_active: Id | Label | None = None,
        created_at: datetime | None = None,
    ) -> Checkpoint:
        """Write a state given in full, and make it the active checkpoint. Only what the parent lacks is stored.

        `parent_id` None makes a new root; it may also be a `Label`. `label` names the checkpoint, uniquely in the
        session: where another one has it, ConflictError, or with `move` that one loses it. `attachments` are bytes by
        name, kept beside it; SAME takes what the parent has under the name. `id` makes the call safe to repeat: the
        same call again returns what is stored, and moves no label; another call with the id is ConflictError. With
        `if_active`, only while that is the active checkpoint, or while the active one has that `Label`, else
        ConflictError. `created_at` is for importers.
        """
        session = to_id(session_id, "session_id")
        given = message_list(messages)
        parent = checks.optional_place(parent_id, "parent_id")
        packed = pack_messages(given)
        known = self._written.conversation(parent) if isinstance(parent, UUID) else None
        prefix = None if known is None or packed is None else shared_prefix(known, given, packed)
        count, chain = (0, EMPTY_CHAIN) if prefix is None else (prefix.count, prefix.chain)
        bodies = encode_messages(given[count:], count)
        new = self._new_checkpoint(
            bodies, metadata, parent, label, move, attachments, id, if_active, created_at, full=True, prefix=prefix
        )
        if id is not None:
            new = _fingerprinted("create_checkpoint", session, extend_chain(chain, bodies), new)
        try:
            checkpoint = self._backend.write_checkpoint(session, new)
        except StalePrefixError:
            if isinstance(parent, UUID):
                self._written.forget(parent)
            return self.create_checkpoint(
                session, given, metadata=metadata, parent_id=parent_id, label=label, move=move,
                attachments=attachments, id=id, if_active=if_active, created_at=created_at,
            )  # fmt: skip
        if packed is not None:
            self._remember(checkpoint, packed, known, prefix, bodies)
        return checkpoint

    def append(
        self,
        session_id: Id,
        messages: Iterable[Message],
        *,
        metadata: Any = KEEP,
        parent_id: Id | Label | Active | None = ACTIVE,
        after: int | None = None,
        label: str | None = None,
        move: bool = False,
        attachments: Mapping[str, bytes | Same] | None = None,
        id: Id | None = None,
        if_active: Id | Label | None = None,
        created_at: datetime | None = None,
    ) -> Checkpoint:
        """Add messages to a checkpoint (the active one, unless told otherwise), and make the result active.

        The active checkpoint is read inside the write: of two callers that append at once, neither loses a message.
        With `after` only the first so many of the parent's messages are taken over, as in a Python slice: -1 replaces
        the last one, and without `messages` drops it. Nothing is sent or copied for that, and the parent stays as it
        is. More than the parent has is InvalidRequestError. `metadata` KEEP takes over the parent's. The other
        arguments are as for `create_checkpoint`.
        """
        session = to_id(session_id, "session_id")
        bodies = encode_messages(message_list(messages))
        parent = checks.optional_place(parent_id, "parent_id")
        kept = checks.optional_after(after, parent)
        new = self._new_checkpoint(
            bodies, metadata, parent, label, move, attachments, id, if_active, created_at, full=False, after=kept
        )
        if id is not None:
            new = _fingerprinted("append", session, extend_chain(EMPTY_CHAIN, bodies), new)
        return self._backend.write_checkpoint(session, new)

    def get_checkpoint(self, id: Id) -> Checkpoint:
        """The checkpoint with its state. CorruptStateError, naming it, where the stored bytes are damaged."""
        return self._backend.get_checkpoint(to_id(id, "id"))

    def get_checkpoint_summary(self, id: Id) -> CheckpointSummary:
        """The checkpoint without its state. CorruptStateError where what it says cannot be trusted."""
        return self._backend.get_checkpoint_summary(to_id(id, "id"))

    def get_active_checkpoint(self, session_id: Id) -> Checkpoint:
        """The checkpoint that the session resumes from."""
        checkpoint = self.get_session(session_id).active_checkpoint
        if checkpoint is None:
            raise NotFoundError("No active checkpoint")
        return checkpoint

    def get_messages(
        self,
        checkpoint_id: Id | Label | Active,
        *,
        session_id: Id | None = None,
        start: int | None = None,
        stop: int | None = None,
    ) -> list[Message]:
        """The messages from `start` to `stop`, as a Python slice has it, negative ones too. Nothing else is read.

        A `Label`, or ACTIVE, is of the session `session_id`; which checkpoint that is and its messages are one read.
        NotFoundError where nothing has the label, or no checkpoint is active.
        """
        place = checks.place(checkpoint_id)
        session = checks.session_of(place, session_id)
        bodies = self._backend.get_messages(
            place, checks.optional_index(start, "start"), checks.optional_index(stop, "stop"), session
        )
        return decode_messages(bodies, place if isinstance(place, UUID) else None)

    def diff(self, checkpoint_a: Id, checkpoint_b: Id) -> Diff:
        """How two checkpoints differ, of one session or of two."""
        a, b = to_id(checkpoint_a, "checkpoint_a"), to_id(checkpoint_b, "checkpoint_b")
        state_a, state_b = self.get_checkpoint(a).state, self.get_checkpoint(b).state
        common = _common_prefix(state_a.raw.bodies, state_b.raw.bodies)
        descent_of_b = set(self._backend.get_descent(b))
        return Diff(
            checkpoint_a=a,
            checkpoint_b=b,
            common=common,
            only_a=state_a.messages[common:],
            only_b=state_b.messages[common:],
            ancestor_id=next((id for id in self._backend.get_descent(a) if id in descent_of_b), None),
            metadata_a=state_a.metadata,
            metadata_b=state_b.metadata,
            metadata_changed=state_a.raw.metadata != state_b.raw.metadata,
        )

    def _remember(
        self,
        checkpoint: Checkpoint,
        packed: bytes,
        parent: Conversation | None,
        prefix: Prefix | None,
        bodies: list[bytes],
    ) -> None:
        """Remember a conversation that is `prefix` of its parent's, and then `bodies`."""
        messages, hashes, chain = decode_messages(bodies), [content_hash(body) for body in bodies], EMPTY_CHAIN
        if parent is not None and prefix is not None:
            messages = [*parent.messages[: prefix.count], *messages]
            chain, hashes = prefix.chain, [*parent.hashes[: prefix.count], *hashes]
        conversation = Conversation(packed, messages, hashes, extend_chain(chain, bodies))
        self._written.remember(checkpoint.id, conversation, checkpoint.parent_id)

    def _new_checkpoint(
        self,
        bodies: list[bytes],
        metadata: Any,
        parent: Place | None,
        label: str | None,
        move: bool,
        attachments: Mapping[str, bytes | Same] | None,
        id: Id | None,
        if_active: Id | Label | None,
        created_at: datetime | None,
        *,
        full: bool,
        prefix: Prefix | None = None,
        after: int | None = None,
    ) -> NewCheckpoint:
        return NewCheckpoint(
            id=new_id() if id is None else to_id(id, "id"),
            bodies=bodies,
            full=full,
            prefix=prefix,
            parent=parent,
            after=after,
            metadata=KEEP if metadata is KEEP else encode_metadata(metadata),
            label=None if label is None else checks.label(label),
            move=checks.move(move, label),
            attachments=checks.attachments(attachments, "attachments", may_be_same=True) if attachments else (),
            if_active=checks.expected(if_active),
            created_at=None if created_at is None else to_micros(created_at),
            now=self._clock(),
            fingerprint=None,
        )


def _fingerprinted(operation: str, session: UUID, chain: bytes, new: NewCheckpoint) -> NewCheckpoint:
    """`new` with the fingerprint of the call that asked for it; `chain` is that of the messages given."""
    parts = (operation, session, chain, spelled(new.metadata), spelled(new.parent), new.label)
    attached = [[_spelled_attachment(item) for item in new.attachments]] if new.attachments else []
    # What older calls could not say is left out where it is not said: their fingerprints stay the same.
    after = [] if new.after is None else [new.after]
    moved = ["MOVE"] if new.move else []
    return msgspec.structs.replace(new, fingerprint=fingerprint(*parts, *attached, *after, *moved))


def _spelled_attachment(item: NewAttachment) -> list[Any]:
    data = [item.data.name] if item.data is SAME else content_hash(item.data)
    return [item.name, data, item.content_type]


def _common_prefix(a: list[bytes], b: list[bytes]) -> int:
    for index, (left, right) in enumerate(zip(a, b, strict=False)):
        if left != right:
            return index
    return min(len(a), len(b))
