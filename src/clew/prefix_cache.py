"""What a store remembers of conversations it wrote in full.

A program that hands over its whole message list at every step repeats all but the last messages. How much it repeats is
found in memory, by two comparisons that are each cheap and together exact: of the lists in MessagePack (which tells 1
from 1.0 and true, and the order of keys, but not a set from an array, or a UUID from its text), and of their values
with those that were stored (which tells the latter, but not the former). Encoding the list as JSON and checking every
value, as is done for what is new, would cost several times as much.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from clew.backend import Prefix
from clew.hashing import EMPTY_CHAIN, link_chain

_BYTES_HELD_PER_BYTE = 3  # of MessagePack: itself, and the values decoded


class Conversation(NamedTuple):
    """A list of messages written in full: in MessagePack, as the values stored, the hash of each, and their chain."""

    packed: bytes
    messages: Sequence[Any]
    hashes: Sequence[bytes]
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

    def conversation(self, checkpoint_id: UUID) -> Conversation | None:
        """The conversation of a checkpoint, where it is remembered."""
        with self._mutex:
            return self._conversations.get(checkpoint_id)

    def remember(self, checkpoint_id: UUID, conversation: Conversation, parent_id: UUID | None) -> None:
        """Keep a conversation; its parent, which it most likely replaces, becomes the first to go."""
        with self._mutex:
            self._drop(checkpoint_id)
            if conversation.size > self._max_bytes:
                return
            self._conversations[checkpoint_id] = conversation
            self._bytes += conversation.size
            if parent_id is not None and parent_id in self._conversations:
                self._conversations.move_to_end(parent_id, last=False)
            while self._bytes > self._max_bytes:
                self._drop(next(iter(self._conversations)))

    def forget(self, checkpoint_id: UUID) -> None:
        """Remember nothing of a checkpoint any more."""
        with self._mutex:
            self._drop(checkpoint_id)

    def _drop(self, checkpoint_id: UUID) -> None:
        dropped = self._conversations.pop(checkpoint_id, None)
        if dropped is not None:
            self._bytes -= dropped.size


def pack_messages(messages: Sequence[Any]) -> bytes | None:
    """`messages` in MessagePack; None where they hold what that cannot (some of which JSON can)."""
    try:
        return msgspec.msgpack.encode(messages)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        return None


def shared_prefix(known: Conversation, messages: Sequence[Any], packed: bytes) -> Prefix:
    """The longest beginning that `messages` (in MessagePack `packed`) have in common with a conversation."""
    count = _equal_messages(known, packed, len(messages))
    if messages[:count] != known.messages[:count]:
        count = next(index for index in range(count) if messages[index] != known.messages[index])
    is_whole = count == len(known.messages)
    chain = known.chain if is_whole else link_chain(EMPTY_CHAIN, known.hashes[:count])
    return Prefix(count=count, chain=chain, whole=known.chain)


def _equal_messages(known: Conversation, packed: bytes, length: int) -> int:
    """How many messages at the start have the same bytes in both lists."""
    ours, theirs = _header_bytes(len(known.messages)), _header_bytes(length)
    if packed.startswith(memoryview(known.packed)[ours:], theirs):
        return len(known.messages)
    same = _equal_bytes(known.packed[ours:], packed[theirs:])
    count = 0
    for message in known.messages:
        same -= len(msgspec.msgpack.encode(message))
        if same < 0:
            break
        count += 1
    return count


def _equal_bytes(a: bytes, b: bytes) -> int:
    """How many bytes at the start are the same, by halving what is compared."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _header_bytes(count: int) -> int:
    """How long the header of a packed list is: it holds the length, so a list and its beginning differ there."""
    return 1 if count < 1 << 4 else 3 if count < 1 << 16 else 5
