"""Messages as Markdown, for people to read."""

import json
import re
from typing import Any

from clew.display.blocks import Block, Call, Folded, Image, Leaf, Result, Text
from clew.display.conversation import read
from clew.display.visible import one_line, visible
from clew.model import Message

_FENCES = re.compile("`{3,}")
_MIN_FENCE = 3


def to_markdown(message: Message, number: int) -> str:
    """A message under a heading with its number, from 1, and its role."""
    shown, leaves = read(message, number)
    name = f" ({shown.name})" if shown.name else ""
    return f"\n## {number}. {shown.role}{name}\n" + "".join(_written(block, leaves) for block in shown.blocks)


def _written(block: Block, leaves: list[Leaf]) -> str:
    if isinstance(block, Text):
        text = visible(leaves[block.number].value)
        return f"\n{text.rstrip()}\n" if block.form == "prose" else f"\n{_fenced(text)}\n"
    if isinstance(block, Image):
        return "\n(a picture, which the JSON export holds)\n"
    if isinstance(block, Call):
        more = [] if block.more is None else [block.more]
        return f"\n**Tool call: {block.name}** {_code(block.id)}\n" + _all([block.arguments, *more], leaves)
    heading = block.heading if isinstance(block, Folded) else _result_heading(block)
    return f"\n**{heading}**\n" + _all(block.blocks, leaves)


def _all(blocks: list[Any], leaves: list[Leaf]) -> str:
    return "".join(_written(block, leaves) for block in blocks)


def _result_heading(result: Result) -> str:
    return f"{'Failed' if result.failed else 'Result'} of call {_code(result.call)}"


def _code(text: str) -> str:
    return f"`{one_line(text).replace('`', '')}`" if text else ""


def _fenced(text: str) -> str:
    """A text that is shown as it is: between more backticks than it has in a row."""
    longest = max([_MIN_FENCE - 1, *(len(run) for run in _FENCES.findall(text))])
    fence = "`" * (longest + 1)
    language = "json" if _is_json(text) else ""
    return f"{fence}{language}\n{text}\n{fence}"


def _is_json(text: str) -> bool:
    if not text.startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
