"""Stored messages as the web page and the exports for people show them.

A message may be any JSON object. By convention it is in OpenAI's chat form; those of Anthropic's and of OpenAI's newer
interface are known too. A field that is not known, or of another type than its name suggests, is shown as JSON. So
nothing that is stored is left out, but for the ends of very long names, and no shape is an error.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from clew.display.blocks import Answer, Block, Call, Folded, Leaf, Maker, Result, spelled
from clew.display.visible import one_line
from clew.model import Message

if TYPE_CHECKING:
    from clew.display.markdown import Budget

_ROLES = {
    "system": "system", "developer": "system", "user": "user", "human": "user", "assistant": "assistant",
    "model": "assistant", "ai": "assistant", "tool": "tool", "function": "tool", "function_call": "assistant",
    "function_call_output": "tool", "reasoning": "assistant",
}  # fmt: skip
"""The look of a message by its role. Any other looks like none of these."""

_THINKING = "Thinking"
_PREVIEW_CHARS = 80
_LOOKED_AT = 10 * _PREVIEW_CHARS
_MARKS = re.compile(r"[*`]+|^[#>\s]+", re.MULTILINE)
"""Of Markdown, which are in the way where a text is told in a few words."""


class Shown(NamedTuple):
    """A message as it is shown: its number, counted from 1, who speaks, and what."""

    number: int
    role: str
    look: str
    name: str
    blocks: list[Block]

    @property
    def results(self) -> list[Result]:
        """The results of tools, where the message is nothing else; else none."""
        found = [block for block in self.blocks if isinstance(block, Result)]
        return found if len(found) == len(self.blocks) else []


class Unreadable(NamedTuple):
    """Stands for a message whose stored bytes are damaged."""

    reason: str


def converse(messages: Iterable[Message | Unreadable], first: int = 1) -> list[Shown]:
    """Messages from number `first` on. The results of a tool stand with the call, where both are among them."""
    from clew.display.markdown import Budget

    budget = Budget()
    shown = [
        _damaged(message, number) if isinstance(message, Unreadable) else show(message, number, budget)
        for number, message in enumerate(messages, first)
    ]
    calls: dict[str, Call] = {}
    left = []
    for message in shown:
        results = message.results
        if results and all(result.call in calls for result in results):
            for place, result in enumerate(results):
                calls[result.call].answers.append(Answer(message.number, result, place == 0))
            continue
        calls.update((call.id, call) for call in message.blocks if isinstance(call, Call) and call.id)
        left.append(message)
    return left


def show(message: Message, number: int, budget: "Budget | None" = None) -> Shown:
    """One message."""
    return _shown(message, number, Maker(budget))


def read(message: Message, number: int = 0) -> tuple[Shown, list[Leaf]]:
    """One message without its HTML, and its texts and pictures in full by their numbers."""
    maker = Maker(render=False)
    return _shown(message, number, maker), maker.leaves


def preview(message: Message) -> str:
    """The first words of a message in one line."""
    shown, leaves = read(message)
    calls = [block.name for block in shown.blocks if isinstance(block, Call)]
    said = next((leaf.value[:_LOOKED_AT] for leaf in leaves if leaf.form != "image"), "")
    words = one_line(_MARKS.sub("", said), _PREVIEW_CHARS)
    return f"{shown.role}: {', '.join(calls[:3]) if calls else words}"


def _damaged(message: Unreadable, number: int) -> Shown:
    return Shown(number, "damaged", "damaged", "", [Maker().output(message.reason)])


def _shown(message: Message, number: int, maker: Maker) -> Shown:
    role = message.get("role") or message.get("type")
    told = spelled(role) if role else "(no role)"
    look = _ROLES.get(role.lower(), "other") if isinstance(role, str) else "other"
    read_as = _TYPED.get(role, _chat) if isinstance(role, str) and not message.get("role") else _chat
    rest = dict(message)
    if isinstance(role, str) and role:
        rest.pop("role" if message.get("role") else "type")
    name = rest.pop("name") if read_as is _chat and isinstance(rest.get("name"), str) else ""
    blocks = list(read_as(rest, maker, look))
    if rest and rest != _PLAIN:
        blocks = [*blocks, Folded("Details", [maker.value(rest)])]
    return Shown(number, told, look, spelled(name), _with_details_inside(blocks))


def _with_details_inside(blocks: list[Block]) -> list[Block]:
    """The details of a message that is the result of a call are part of the result."""
    if len(blocks) == 2 and isinstance(blocks[0], Result) and isinstance(blocks[1], Folded):
        return [blocks[0]._replace(blocks=[*blocks[0].blocks, blocks[1]])]
    return blocks


def _chat(rest: dict[str, Any], maker: Maker, look: str) -> Iterator[Block]:
    """The fields of a message in the chat form; what has been read is taken out of `rest`."""
    for key in ("reasoning_content", "reasoning"):
        if isinstance(rest.get(key), str):
            yield Folded(_THINKING, [maker.prose(rest.pop(key))])
    answered = rest.pop("tool_call_id") if isinstance(rest.get("tool_call_id"), str) else None
    is_output = look == "tool" or answered is not None
    content = list(_content(rest.pop("content", None), maker, is_output=is_output))
    if answered is None:
        yield from content
    else:
        failed = rest.pop("is_error") if isinstance(rest.get("is_error"), bool) else False
        yield Result(spelled(answered), content, failed)
    if isinstance(rest.get("refusal"), str):
        yield maker.prose(rest.pop("refusal"))
    if isinstance(rest.get("tool_calls"), list):
        yield from (_openai_call(call, maker) for call in rest.pop("tool_calls"))
    if isinstance(rest.get("function_call"), dict):
        yield _openai_call({"function": rest.pop("function_call")}, maker)


def _content(content: Any, maker: Maker, *, is_output: bool = False) -> Iterator[Block]:
    if content is None or content == "":
        return
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            yield maker.output(part) if is_output else maker.prose(part)
        elif isinstance(part, dict):
            yield from _part(part, maker, is_output=is_output)
        else:
            yield maker.value(part)


def _part(part: dict[str, Any], maker: Maker, *, is_output: bool) -> Iterator[Block]:
    kind, rest = part.get("type"), dict(part)
    known = _RESULT_PARTS if is_output else _PARTS
    taken = known.get(kind) if isinstance(kind, str) else None
    blocks = None if taken is None else taken(rest, maker, is_output)
    if blocks is None:
        yield Folded(spelled(kind) or "Part", [maker.value(part)])
        return
    yield from blocks
    del rest["type"]
    if rest:
        yield Folded("Details of this part", [maker.value(rest)])


def _text_part(rest: dict[str, Any], maker: Maker, is_output: bool) -> list[Block] | None:
    if not isinstance(rest.get("text"), str):
        return None
    text = rest.pop("text")
    return [maker.output(text) if is_output else maker.prose(text)]


def _image_part(rest: dict[str, Any], maker: Maker, is_output: bool) -> list[Block] | None:
    """OpenAI's `image_url` (an object or a text), and Anthropic's `source`."""
    given = rest.get("image_url")
    url = given.get("url") if isinstance(given, dict) else given
    if isinstance(url, str):
        del rest["image_url"]
        if isinstance(given, dict) and len(given) > 1:
            rest["image_url"] = {key: value for key, value in given.items() if key != "url"}
        return [maker.image(url)]
    source = rest.get("source")
    if not isinstance(source, dict) or not isinstance(source.get("data"), str):
        return None
    del rest["source"]
    return [maker.image(f"data:{spelled(source.get('media_type'))};{spelled(source.get('type'))},{source['data']}")]


def _call_part(rest: dict[str, Any], maker: Maker, is_output: bool) -> list[Block]:
    return [maker.call(rest.pop("id", None), rest.pop("name", None), rest.pop("input", None))]


def _result_part(rest: dict[str, Any], maker: Maker, is_output: bool) -> list[Block]:
    failed = rest.pop("is_error") if isinstance(rest.get("is_error"), bool) else False
    content = list(_content(rest.pop("content", None), maker, is_output=True))
    return [Result(spelled(rest.pop("tool_use_id", None)), content, failed)]


def _thinking_part(rest: dict[str, Any], maker: Maker, is_output: bool) -> list[Block] | None:
    if not isinstance(rest.get("thinking"), str):
        return None
    return [Folded(_THINKING, [maker.prose(rest.pop("thinking"))])]


def _openai_call(call: Any, maker: Maker) -> Block:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return Folded("Tool call", [maker.value(call)])
    made = maker.call(call.get("id"), function.get("name"), function.get("arguments"))
    more = {key: value for key, value in call.items() if key not in ("id", "function") and (key, value) != _OF_COURSE}
    more |= {key: value for key, value in function.items() if key not in ("name", "arguments")}
    return made._replace(more=maker.value(more)) if more else made


def _function_call(rest: dict[str, Any], maker: Maker, look: str) -> Iterator[Block]:
    """A message of OpenAI's newer interface that is a tool call."""
    yield maker.call(rest.pop("call_id", None), rest.pop("name", None), rest.pop("arguments", None))


def _function_output(rest: dict[str, Any], maker: Maker, look: str) -> Iterator[Block]:
    """One that is the result of a call."""
    content = list(_content(rest.pop("output", None), maker, is_output=True))
    yield Result(spelled(rest.pop("call_id", None)), content, failed=False)


def _reasoning(rest: dict[str, Any], maker: Maker, look: str) -> Iterator[Block]:
    """One that says what a model thought."""
    yield Folded(_THINKING, list(_content(rest.pop("summary", None), maker)))


_OF_COURSE = ("type", "function")

_PLAIN = {"type": "message"}
"""What OpenAI's newer interface says of a message that is one."""

_TYPED: dict[str, Callable[[dict[str, Any], Maker, str], Iterator[Block]]] = {
    "function_call": _function_call, "function_call_output": _function_output, "reasoning": _reasoning,
}  # fmt: skip

_RESULT_PARTS: dict[str, Callable[[dict[str, Any], Maker, bool], list[Block] | None]] = {
    "text": _text_part, "input_text": _text_part, "output_text": _text_part, "summary_text": _text_part,
    "image_url": _image_part, "image": _image_part, "input_image": _image_part,
}  # fmt: skip
"""By type: takes out of a part what it shows; None where the part has not what its type promises."""

_PARTS = _RESULT_PARTS | {
    "tool_use": _call_part, "server_tool_use": _call_part, "tool_result": _result_part, "thinking": _thinking_part,
}  # fmt: skip
"""The same in a message. Results in results, and so on without end, are JSON."""
