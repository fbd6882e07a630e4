"""Items of lists as messages of clew: to be read by people, and given back as they were.

Each says in `langgraph` which channel it is of, and what else it holds. What cannot be said in JSON is kept as bytes of
the serializer beside a shortened text.
"""

import base64
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

import msgspec
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from clew import CorruptStateError, Message
from clew.adapters.langgraph.classes import BY_CLASS, is_same
from clew.adapters.langgraph.differences import difference
from clew.adapters.langgraph.forms import Stored, decoded, encode, form_of, item_of, message_of, whole
from clew.adapters.langgraph.garbage import no_collection
from clew.adapters.langgraph.values import UnkeepableError, Values

_CHUNK = 64


class Messages:
    """Items through one serializer."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._open = values if values.is_open else _open_values(values.serde)

    def stored(self, items: Sequence[Any], channel: str) -> tuple[list[Message], list[bytes]]:
        """New items as they are stored, and the bytes that tell whether one has changed since."""
        found = [self._checked(item, channel) for item in items]
        forms = [form for form, _ in found]
        if not self._values.is_open:
            forms = [self._whole(item, channel, self._values) for item in items]
        return forms, [body for _, body in found]

    def encode(self, channel: str) -> Callable[[Any], bytes]:
        """What tells whether an item of a channel has changed."""
        return lambda item: self._open_form(item, channel)[1]

    def mark(self, items: list[Any], what: str, body: bytes | None = None) -> list[Any]:
        """How many items a list has, and what tells whether another one begins with them.

        `what` is what errors call it, `body` the list as bytes of this serializer, where that has been made.
        """
        if body is None or not self._values.is_open:  # what is encrypted is never the same twice
            try:
                body = self._open.dumps(items, what)
            except UnkeepableError:  # it is for a serializer that takes more than LangGraph's
                body = self._values.dumps(items, what)
        return [len(items), blake2b(body, digest_size=16).hexdigest()]

    def restored(self, bodies: Sequence[bytes]) -> tuple[list[Any], list[str]]:
        """The items of stored messages, and the channel of each."""
        items: list[Any] = []
        channels: list[str] = []
        with no_collection(len(bodies)):
            for start in range(0, len(bodies), _CHUNK):
                chunk = bodies[start : start + _CHUNK]
                try:
                    stored = decoded(chunk)
                    items += [
                        message_of(message) if message.langgraph.cls else self._item(message, body)
                        for message, body in zip(stored, chunk, strict=True)
                    ]
                except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
                    raise CorruptStateError("a message of LangGraph is not as clew writes them") from error
                channels += [message.langgraph.channel for message in stored]
        return items, channels

    def bodies(self, stored: list[bytes], items: list[Any], channels: list[str]) -> list[bytes]:
        """What tells whether items that were just read have changed, of which the stored texts are given."""
        if self._values.is_open:
            return stored
        return [self._open_form(item, channel)[1] for item, channel in zip(items, channels, strict=True)]

    def _item(self, stored: Stored, body: bytes) -> Any:
        data = stored.langgraph.data
        return item_of(stored, body) if data is None else self._values.loads(base64.b64decode(data, validate=True))

    def _checked(self, item: Any, channel: str) -> tuple[Message, bytes]:
        """The form of an item that gives it back as it is; UnkeepableError where there is none."""
        form, body = self._open_form(item, channel)
        if "data" in form["langgraph"] or self._is_kept(item, body):  # the serializer has compared it
            return form, body
        return self._open_whole(item, channel)

    def _open_form(self, item: Any, channel: str) -> tuple[Message, bytes]:
        try:
            form = form_of(item, channel)
            if form is not None:
                return form, encode(form)
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
            pass  # surrogates, or numbers that are too long
        return self._open_whole(item, channel)

    def _open_whole(self, item: Any, channel: str) -> tuple[Message, bytes]:
        try:
            form = self._whole(item, channel, self._open)
        except UnkeepableError:
            if self._values.is_open:
                raise
            form = self._whole(item, channel, self._values)
        return form, encode(form)

    def _is_kept(self, item: Any, body: bytes) -> bool:
        (stored,) = decoded([body])
        back = message_of(stored) if stored.langgraph.cls else item_of(stored, body)
        return not difference(item, back) and (type(item) not in BY_CLASS or is_same(item, back))

    def _whole(self, item: Any, channel: str, values: Values) -> Message:
        data = base64.b64encode(values.dumps(item, f"an item of {channel!r}")).decode()
        return whole(item, channel, data, is_open=values.is_open)


def _open_values(serde: Any) -> Values:
    inner = getattr(serde, "serde", None) if isinstance(serde, EncryptedSerializer) else None
    usable = isinstance(inner, JsonPlusSerializer)
    return Values(inner if usable else JsonPlusSerializer(allowed_msgpack_modules=None))
