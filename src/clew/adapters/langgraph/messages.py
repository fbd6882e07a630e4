"""LangChain's messages, and plain ones, as messages of clew: to be read by people, and given back as they were.

Each says in `langgraph` which channel it is of, and what else its object holds; what clew has a name for (role,
content, tool calls) is not there twice. What cannot be said in JSON is kept as bytes of the
serializer beside a shortened text.
"""

import base64
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from langchain_core.messages import BaseMessage
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from msgspec import UNSET

from clew import CorruptStateError, Message
from clew.adapters.langgraph.classes import BY_CLASS, BY_NAME, MessageClass, is_same
from clew.adapters.langgraph.differences import difference
from clew.adapters.langgraph.garbage import no_collection
from clew.adapters.langgraph.values import Values, is_plain

KEY = "langgraph"
"""Where in a message of clew the rest of it is."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class _Rest(msgspec.Struct, gc=False):
    """What is under `KEY`."""

    channel: str
    cls: str = msgspec.field(name="class", default="")
    id: str | None = None
    set: list[str] | None = None
    extra: dict[str, Any] | None = None
    fields: dict[str, Any] | None = None
    data: str | None = None


class _Stored(msgspec.Struct, gc=False):
    """A message as far as LangChain's are concerned."""

    langgraph: _Rest
    content: Any = None
    name: Any = UNSET
    tool_call_id: Any = UNSET
    tool_calls: msgspec.Raw = msgspec.Raw()


class _Function(msgspec.Struct, gc=False):
    name: Any
    arguments: str


class _Call(msgspec.Struct, gc=False):
    id: Any
    function: _Function


_decode_all = msgspec.json.Decoder(list[_Stored]).decode
_decode_calls = msgspec.json.Decoder(list[_Call]).decode

_CHUNK = 64
_ROLES = {"human": "user", "ai": "assistant", "AIMessageChunk": "assistant"}
_CALL = ["name", "args", "id", "type"]
_SHOWN_CHARS = 200


def are_messages(items: Iterable[Any]) -> bool:
    """Whether all are messages: LangChain's, or dicts with a role."""
    kinds = set(map(type, items))
    if not all(issubclass(kind, BaseMessage) or kind is dict for kind in kinds):
        return False
    return dict not in kinds or all(type(item.get("role")) is str for item in items if type(item) is dict)


class Messages:
    """Messages through one serializer."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._open = values if values.is_open else _open_values(values.serde)

    def stored(self, items: Sequence[Any], channel: str) -> tuple[list[Message], list[bytes]]:
        """New items as they are stored, and the bytes that tell whether one has changed since."""
        found = [self._open_form(item, channel) for item in items]
        for place, item in enumerate(items):
            if not self._is_kept(item, found[place][1]):
                found[place] = _with_body(self._whole(item, channel, self._open))
        forms = [form for form, _ in found]
        if not self._values.is_open:
            forms = [self._whole(item, channel, self._values) for item in items]
        return forms, [body for _, body in found]

    def encode(self, channel: str) -> Callable[[Any], bytes]:
        """What tells whether an item of a channel has changed."""
        return lambda item: self._open_form(item, channel)[1]

    def restored(self, bodies: Sequence[bytes]) -> tuple[list[Any], list[str]]:
        """The items of stored messages, and the channel of each."""
        with no_collection(len(bodies)):
            return self._restored(bodies)

    def _restored(self, bodies: Sequence[bytes]) -> tuple[list[Any], list[str]]:
        items, channels = [], []
        try:
            for start in range(0, len(bodies), _CHUNK):
                chunk = bodies[start : start + _CHUNK]
                for place, message in enumerate(_decode_all(b"[" + b",".join(chunk) + b"]")):
                    rest = message.langgraph
                    channels.append(rest.channel)
                    found = BY_NAME.get(rest.cls)
                    items.append(self._other(chunk[place], rest) if found is None else _built(found, message, rest))
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
            raise CorruptStateError("a message of LangGraph is not as clew writes them") from error
        return items, channels

    def bodies(self, stored: list[bytes], items: list[Any], channels: list[str]) -> list[bytes]:
        """What tells whether items that were just read have changed, of which the stored texts are given."""
        if self._values.is_open:
            return stored
        return [_encode(self._open_form(item, channel)) for item, channel in zip(items, channels, strict=True)]

    def _open_form(self, item: Any, channel: str) -> tuple[Message, bytes]:
        found = BY_CLASS.get(type(item))
        try:
            form = _plain_dict(item, channel) if found is None else _form(found, item, channel)
            if form is not None:
                return _with_body(form)
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
            pass  # surrogates, or numbers that are too long
        return _with_body(self._whole(item, channel, self._open))

    def _is_kept(self, item: Any, body: bytes) -> bool:
        back = self._open_restored(body)
        if difference(item, back):
            return False
        return type(item) not in BY_CLASS or is_same(item, back)

    def _whole(self, item: Any, channel: str, values: Values) -> Message:
        """The item as bytes of the serializer, with as much text beside it as may be seen."""
        data = base64.b64encode(values.dumps(item, f"an item of {channel!r}")).decode()
        form: Message = {"role": _role(item), "content": _shown(item) if values.is_open else ""}
        return {**form, KEY: {"channel": channel, "data": data}}

    def _other(self, body: bytes, rest: "_Rest") -> Any:
        if rest.data is not None:
            return self._values.loads(base64.b64decode(rest.data, validate=True))
        message = _decode(body)
        del message[KEY]
        return message

    def _open_restored(self, body: bytes) -> Any:
        opened = self if self._values is self._open else Messages(self._open)
        return opened.restored([body])[0][0]


def _with_body(form: Message) -> tuple[Message, bytes]:
    return form, _encode(form)


def _open_values(serde: Any) -> Values:
    inner = getattr(serde, "serde", None) if isinstance(serde, EncryptedSerializer) else None
    usable = isinstance(inner, JsonPlusSerializer)
    return Values(inner if usable else JsonPlusSerializer(allowed_msgpack_modules=None))


def _form(found: MessageClass, message: Any, channel: str) -> Message | None:
    """A message whose fields JSON can hold; None for another."""
    fields = found.fields(message)
    extra = message.__pydantic_extra__
    if fields is None or "content" not in fields or not is_plain(fields) or (extra and not is_plain(extra)):
        return None
    given = message.__pydantic_fields_set__
    rest: dict[str, Any] = {"channel": channel, "class": found.name}
    if given != fields.keys():
        rest["set"] = sorted(given)
    if extra:
        rest["extra"] = extra
    form: Message = {"role": _role(message), "content": fields.pop("content")}
    for name in ("name", "tool_call_id"):
        if name in fields:
            form[name] = fields.pop(name)
    calls = fields.get("tool_calls")
    if calls and all(list(call) == _CALL and call["type"] == "tool_call" for call in calls):
        form["tool_calls"] = [_call(call) for call in fields.pop("tool_calls")]
    if type(fields.get("id")) is str:
        rest["id"] = fields.pop("id")
    if fields:
        rest["fields"] = fields
    form[KEY] = rest
    return form


def _built(found: MessageClass, message: "_Stored", rest: "_Rest") -> Any:
    fields = {"content": message.content} if rest.fields is None else {**rest.fields, "content": message.content}
    if rest.id is not None:
        fields["id"] = rest.id
    if message.name is not UNSET:
        fields["name"] = message.name
    if message.tool_call_id is not UNSET:
        fields["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        fields["tool_calls"] = [_called(call) for call in _decode_calls(message.tool_calls)]
    return found.build(fields, rest.set, rest.extra)


def _call(call: dict[str, Any]) -> dict[str, Any]:
    """A call of a tool as clew's readers know it."""
    function = {"name": call["name"], "arguments": _encode(call["args"]).decode()}
    return {"id": call["id"], "type": "function", "function": function}


def _called(call: "_Call") -> dict[str, Any]:
    function = call.function
    return {"name": function.name, "args": _decode(function.arguments), "id": call.id, "type": "tool_call"}


def _plain_dict(item: Any, channel: str) -> Message | None:
    if type(item) is not dict or KEY in item or not is_plain(item):
        return None
    return {**item, KEY: {"channel": channel}}


def _role(item: Any) -> str:
    if isinstance(item, dict):
        return _clean(str(item.get("role")))
    role = getattr(item, "role", None)
    return _clean(role if isinstance(role, str) else _ROLES.get(item.type, item.type))


def _shown(item: Any) -> str:
    content = item.get("content") if isinstance(item, dict) else item.content
    return _clean(content if isinstance(content, str) else str(content))


def _clean(text: str) -> str:
    return text[:_SHOWN_CHARS].encode("utf-8", "replace").decode()
