"""The tool calls and results that a message has, and whether it says anything: the one place that knows the forms.

Three forms are known, by what they call a tool call:

* "chat": OpenAI's chat form, ``tool_calls`` of the assistant, answered by messages with the role ``tool``;
* "blocks": Anthropic's, blocks ``tool_use`` in the content, answered by blocks ``tool_result`` of the user, or, as
  some frameworks write them, of a message with the role ``tool``;
* "item": items of OpenAI's Responses, ``…_call`` with a ``call_id``, answered by ``…_output`` with the same.

A message of any other form has no parts: it is neither counted nor refused, and stands in nobody's way.
"""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from clew.model import Message

Form = Literal["chat", "blocks", "item"]

TEXT_PARTS = ("text", "input_text", "output_text")
UNKNOWN_TOOL = "(unknown)"

_ELSEWHERE = ("parts", "blocks", "message", "data")
"""Keys under which messages of other forms keep what they say."""

_SAYS_SOMETHING = ("tool_calls", "function_call", "refusal", "audio")


class Call(NamedTuple):
    """A tool call; `part` is its place among the tool calls, or the blocks, of its message."""

    form: Form
    part: int
    id: str | None
    name: str


class Result(NamedTuple):
    """What answers a tool call; `leads` where only other results stand before it in its message."""

    form: Form
    part: int
    id: str | None
    leads: bool
    value: dict[str, Any]


class Parts(NamedTuple):
    """What of a message matters here.

    `blank` are the places of its blocks of text that have none. `may_be_last` where it says nothing in the way that an
    assistant may at the end. `ends` where more than results stand in it, so that no result may come after it.
    `lists_no_calls` where it has a list of tool calls with nothing in it.
    """

    role: str | None
    calls: tuple[Call, ...] = ()
    results: tuple[Result, ...] = ()
    blank: tuple[int, ...] = ()
    is_empty: bool = False
    may_be_last: bool = False
    ends: bool = True
    lists_no_calls: bool = False

    @property
    def is_known(self) -> bool:
        """Whether the message is of a form that is known."""
        return self.role is not None or bool(self.calls or self.results)


NOTHING = Parts(role=None)


def parts_of(message: Message) -> Parts:
    """The parts of a message."""
    role = message.get("role")
    if not isinstance(role, str):
        return _item(message)
    blocks = message.get("content")
    listed = blocks if isinstance(blocks, list) else []
    results = tuple(_block_results(listed))
    if role == "tool" and (not results or _id(message.get("tool_call_id"))):
        results = _chat_result(message)
    blank = tuple(place for place, block in enumerate(listed) if _is_blank(block))
    speaks = role in ("user", "assistant")
    return Parts(
        role=role,
        calls=(*_chat_calls(message), *_block_calls(listed, _chat_ids(message))) if role == "assistant" else (),
        results=results,
        blank=blank if speaks else (),
        is_empty=speaks and _says_nothing(message, listed, blank),
        may_be_last=role == "assistant" and blocks in ("", []),
        ends=role == "assistant" or (role != "tool" and (not results or len(results) < len(listed))),
        lists_no_calls=role == "assistant" and message.get("tool_calls") == [],
    )


def tool_calls(message: Message) -> list[Any]:
    """The ``tool_calls`` of a message, none where that is no list."""
    calls = message.get("tool_calls")
    return calls if isinstance(calls, list) else []


def result_text(value: Any) -> str:
    """The text of a result, however it is wrapped."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(filter(None, map(result_text, value)))
    if isinstance(value, dict):
        for key in ("text", "content", "output"):
            if key in value:
                return result_text(value[key])
    return ""


def _item(message: Message) -> Parts:
    kind, id = message.get("type"), message.get("call_id")
    if not isinstance(kind, str) or "call_id" not in message:
        return NOTHING
    if kind.endswith("_call"):
        return NOTHING._replace(calls=(Call("item", 0, _id(id), _name(message.get("name"), kind)),))
    if kind.endswith("_output"):
        return NOTHING._replace(results=(Result("item", 0, _id(id), True, message),), ends=False)
    return NOTHING


def _chat_calls(message: Message) -> Iterator[Call]:
    for place, call in enumerate(tool_calls(message)):
        if isinstance(call, dict):
            inner = call.get("function") or call.get("custom") or call
            name = inner.get("name") if isinstance(inner, dict) else None
            yield Call("chat", place, _id(call.get("id")), _name(name))


def _chat_ids(message: Message) -> set[str | None]:
    return {_id(call.get("id")) for call in tool_calls(message) if isinstance(call, dict)}


def _block_calls(blocks: list[Any], told: set[str | None]) -> Iterator[Call]:
    """The calls in blocks; some write each of their ``tool_calls`` there once more, which is the same call."""
    for place, block in enumerate(blocks):
        if isinstance(block, dict) and block.get("type") == "tool_use" and _id(block.get("id")) not in told:
            yield Call("blocks", place, _id(block.get("id")), _name(block.get("name")))


def _chat_result(message: Message) -> tuple[Result, ...]:
    return (Result("chat", 0, _id(message.get("tool_call_id")), True, message),)


def _block_results(blocks: list[Any]) -> Iterator[Result]:
    leads = True
    for place, block in enumerate(blocks):
        if isinstance(block, dict) and block.get("type") == "tool_result":
            yield Result("blocks", place, _id(block.get("tool_use_id")), leads, block)
        else:
            leads = False


def _says_nothing(message: Message, blocks: list[Any], blank: tuple[int, ...]) -> bool:
    content = message.get("content")
    if "content" not in message and any(key in message for key in _ELSEWHERE):
        return False
    if any(message.get(key) for key in _SAYS_SOMETHING):
        return False
    if isinstance(content, str):
        return not content.strip()
    return content is None or (isinstance(content, list) and len(blank) == len(blocks))


def _is_blank(block: Any) -> bool:
    if isinstance(block, str):
        return not block.strip()
    if not isinstance(block, dict) or block.get("type") not in TEXT_PARTS:
        return False
    text = block.get("text")
    return text is None or (isinstance(text, str) and not text.strip())


def _id(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _name(value: Any, otherwise: str = UNKNOWN_TOOL) -> str:
    return value if isinstance(value, str) and value else otherwise
