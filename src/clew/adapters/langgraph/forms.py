"""Items of lists as JSON objects that people can read, and back.

LangChain's messages and plain ones say role, content and tool calls in the fields that clew's readers know; what else
their objects hold is under `KEY`, and nothing is there twice. An item that is no message says its channel as its type,
and its text as the content: a text as it is, anything else that JSON can hold as JSON.
"""

import re
import reprlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from langchain_core.messages import BaseMessage
from msgspec import UNSET

from clew import Message
from clew.adapters.langgraph.classes import BY_CLASS, BY_NAME, MessageClass
from clew.adapters.langgraph.names import name_of
from clew.adapters.langgraph.values import is_plain

KEY = "langgraph"
"""Where in a message of clew the rest of it is."""

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode


class Rest(msgspec.Struct, gc=False):
    """What is under `KEY`."""

    channel: str
    cls: str = msgspec.field(name="class", default="")
    id: str | None = None
    set: list[str] | None = None
    extra: dict[str, Any] | None = None
    fields: dict[str, Any] | None = None
    data: str | None = None
    form: str = ""


class _Any(msgspec.Struct, gc=False):
    """What all have in common."""

    langgraph: Rest
    content: Any = None


class _Function(msgspec.Struct, gc=False):
    name: Any
    arguments: str


class _Call(msgspec.Struct, gc=False):
    id: Any
    function: _Function


class Stored(_Any, gc=False):
    """A stored item, with what else a message of LangChain has."""

    name: Any = UNSET
    tool_call_id: Any = UNSET
    tool_calls: list[_Call] | None = None


_decode_all = msgspec.json.Decoder(list[Stored]).decode
_decode_one = msgspec.json.Decoder(Stored).decode
_decode_any = msgspec.json.Decoder(_Any).decode

_ROLES = {"human": "user", "ai": "assistant", "AIMessageChunk": "assistant"}
_CALL = ["name", "args", "id", "type"]
_TEXT, _JSON = "text", "json"
_SHOWN_CHARS = 200
_ADDRESS = re.compile(" at 0x[0-9a-fA-F]+")
_short = reprlib.Repr()
_short.maxstring = _short.maxother = _SHOWN_CHARS


def is_message(item: Any) -> bool:
    """Whether an item is a message: LangChain's, or a dict with a role."""
    return isinstance(item, BaseMessage) or (type(item) is dict and type(item.get("role")) is str)


def are_messages(items: Iterable[Any]) -> bool:
    """Whether all are."""
    return all(map(is_message, items))


def form_of(item: Any, channel: str) -> Message | None:
    """An item that JSON can hold, as it is stored; None for another."""
    found = BY_CLASS.get(type(item))
    if found is not None:
        return _of_class(found, item, channel)
    if type(item) is str:
        return {"type": name_of(channel), "content": item, KEY: {"channel": channel, "form": _TEXT}}
    if not is_plain(item):
        return None
    if is_message(item):
        return None if KEY in item else {**item, KEY: {"channel": channel}}
    return {"type": name_of(channel), "content": encode(item).decode(), KEY: {"channel": channel, "form": _JSON}}


def whole(item: Any, channel: str, data: str, *, is_open: bool) -> Message:
    """An item as bytes of a serializer, in base64, with as much text beside it as may be seen."""
    said = {"role": _role(item)} if is_message(item) else {"type": name_of(channel)}
    return {**said, "content": _shown(item) if is_open else "", KEY: {"channel": channel, "data": data}}


def decoded(bodies: Sequence[bytes]) -> Sequence[Stored]:
    """Stored items: of those that are no messages of LangChain, what all have in common."""
    try:
        return _decode_all(b"[" + b",".join(bodies) + b"]")
    except msgspec.ValidationError:  # a dict with a role may hold anything in the fields of a message
        return [_decoded(body) for body in bodies]


def item_of(stored: Stored, body: bytes) -> Any:
    """The item of a stored form that is neither a message of LangChain nor bytes of a serializer; else TypeError."""
    rest = stored.langgraph
    if rest.form == _TEXT and type(stored.content) is str:
        return stored.content
    if rest.form == _JSON:
        return decode(stored.content)
    if rest.form or rest.cls:
        raise TypeError(f"no item has the form {rest.form or rest.cls!r:.60}")
    message = decode(body)
    del message[KEY]
    return message


def _decoded(body: bytes) -> Stored:
    found = _decode_any(body)
    return _decode_one(body) if found.langgraph.cls else Stored(found.langgraph, found.content)


def _of_class(found: MessageClass, message: Any, channel: str) -> Message | None:
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


def message_of(message: Stored) -> Any:
    """The message of LangChain; KeyError for a class that is none of its own."""
    rest = message.langgraph
    fields = {"content": message.content}
    if rest.fields is not None:
        fields |= rest.fields
    if rest.id is not None:
        fields["id"] = rest.id
    if message.name is not UNSET:
        fields["name"] = message.name
    if message.tool_call_id is not UNSET:
        fields["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        fields["tool_calls"] = [
            {"name": call.function.name, "args": decode(call.function.arguments), "id": call.id, "type": "tool_call"}
            for call in message.tool_calls
        ]
    return BY_NAME[rest.cls].build(fields, rest.set, rest.extra)


def _call(call: dict[str, Any]) -> dict[str, Any]:
    """A call of a tool as clew's readers know it."""
    function = {"name": call["name"], "arguments": encode(call["args"]).decode()}
    return {"id": call["id"], "type": "function", "function": function}


def _role(item: Any) -> str:
    if isinstance(item, dict):
        return _clean(str(item.get("role")))
    role = item.__dict__.get("role") or (item.__pydantic_extra__ or {}).get("role")
    return _clean(role if isinstance(role, str) else _ROLES.get(item.type, item.type))


def _shown(item: Any) -> str:
    """A text that stands for an item: the same in every process, so that an item that has not changed is known."""
    if is_message(item):
        content = item.get("content") if isinstance(item, dict) else item.content
        return _clean(content if isinstance(content, str) else str(content))
    return _clean(item if isinstance(item, str) else _ADDRESS.sub("", _short.repr(item)))


def _clean(text: str) -> str:
    return text[:_SHOWN_CHARS].encode("utf-8", "replace").decode()
