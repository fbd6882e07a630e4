"""What a store remembers of conversations it wrote in full.

A program that hands over its whole message list at every step repeats all but the last messages. Whether it does is
found in memory, by two comparisons that are each cheap and together exact: the list in MessagePack begins with the
parent's (which tells 1 from 1.0 and true, and the order of keys, but not a set from an array, or a UUID from its
text), and its values equal those that were stored (which tells the latter, but not the former). Encoding it as JSON
and checking every value, as is done for what is new, would cost several times as much.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

_BYTES_HELD_PER_BYTE = 3  # of MessagePack: itself, and the values decoded


class Conversation(NamedTuple):
    """A list of messages written in full: in MessagePack, as the values stored, and the chain of their hashes."""

    packed: bytes
    messages: Sequence[Any]
    chain: bytes

    @property
    def size(self) -> int:
        """About how many bytes of memory it holds."""
        return len(self.packed) * _BYTES_HELD_PER_BYTE


class PrefixCache:
    """The conversations last written in full, by checkpoint, up to a number of bytes. Safe to share between threads."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._conversations: OrderedDict[UUID, Conversation] = OrderedDict()
        self._mutex = threading.Lock()

    def beginning(
        self, checkpoint_id: UUID | None, messages: Sequence[Any], packed: bytes | None
    ) -> Conversation | None:
        """The conversation of this checkpoint, where it is remembered and `messages` begin with all of it."""
        with self._mutex:
            known = None if checkpoint_id is None else self._conversations.get(checkpoint_id)
        if known is None or packed is None:
            return None
        begins = memoryview(known.packed)[_header_bytes(len(known.messages)) :]
        if not packed.startswith(begins, _header_bytes(len(messages))):
            return None
        return known if messages[: len(known.messages)] == known.messages else None

    def remember(self, checkpoint_id: UUID, conversation: Conversation, parent_id: UUID | None) -> None:
        """Keep a conversation; its parent, which it most likely replaces, becomes the first to go."""
        with self._mutex:
            if conversation.size > self._max_bytes or checkpoint_id in self._conversations:
                return
            self._conversations[checkpoint_id] = conversation
            self._bytes += conversation.size
            if parent_id is not None and parent_id in self._conversations:
                self._conversations.move_to_end(parent_id, last=False)
            while self._bytes > self._max_bytes:
                _, dropped = self._conversations.popitem(last=False)
                self._bytes -= dropped.size


def pack_messages(messages: Sequence[Any]) -> bytes | None:
    """`messages` in MessagePack; None where they hold what that cannot (some of which JSON can)."""
    try:
        return msgspec.msgpack.encode(messages)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        return None


def _header_bytes(count: int) -> int:
    """How long the header of a packed list is: it holds the length, so a list and its beginning differ there."""
    return 1 if count < 1 << 4 else 3 if count < 1 << 16 else 5
