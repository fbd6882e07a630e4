"""Markdown for people: one conversation, with tool calls and thoughts folded."""

import re
from collections.abc import Iterator
from html import escape
from typing import BinaryIO

from clew.display.blocks import Block, Call, Folded, Image, Result, Text
from clew.display.visible import one_line, visible, without_colours
from clew.exporters.base import Conversation, Exported, Exporter, Wanted
from clew.exporters.people import Branch, Told, branches, facts, own_messages, shortened, tell
from clew.store import Store

_FENCES = re.compile("`{3,}")
_MIN_FENCE = 3
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#&])")

_OPENS = re.compile(r"(\s*(?:>\s?|[-*+]\s+|\d{1,9}[.)]\s+)*)(`{3,}|~{3,})[^`]*")
_CLOSES = re.compile(r"[\s>]*(`{3,}|~{3,})\s*")
_TAG = re.compile(r"(?<!`)(`++)(?=[^`]).{0,2000}?(?<!`)\1(?!`)|<(?=[A-Za-z/!?])(?!https?://|mailto:)")
"""A piece of code in a line, or what may begin a tag or a comment."""


class MarkdownExporter(Exporter):
    """One conversation as Markdown."""

    name = "markdown"
    summary = "Markdown, for people"
    suffix = ".md"

    def write(self, store: Store, wanted: Wanted, out: BinaryIO) -> Exported:
        conversation = Conversation(store, wanted)
        writer = _Writer(wanted.result_lines)
        others = branches(store, conversation, wanted)
        out.writelines(_encoded(text) for text in writer.head(conversation, facts(store, conversation), others))
        out.writelines(_encoded(writer.message(told)) for told in tell(conversation.messages()))
        for branch in others:
            out.write(_encoded(writer.branch(branch)))
            out.writelines(_encoded(writer.message(told)) for told in own_messages(store, branch, wanted))
        return Exported(
            format=self.name,
            sessions=1,
            checkpoints=int(conversation.checkpoint is not None) + len(others),
            messages=writer.written,
        )


class _Writer:
    def __init__(self, result_lines: int | None) -> None:
        self._result_lines = result_lines
        self.written = 0

    def head(self, conversation: Conversation, known: list[tuple[str, str]], others: list[Branch]) -> Iterator[str]:
        """The title, the facts, and which other branches there are."""
        yield f"# {_plain(conversation.title) or '(no title)'}\n\n"
        for name, value in known:
            yield f"- **{name}:** {_plain(value)}\n"
        for branch in others:
            yield f"- **Branch {branch.number}:** {_named(branch)}, after message {branch.common:,}\n"

    def branch(self, branch: Branch) -> str:
        """The heading of a branch."""
        return f"\n# Branch {branch.number}: {_named(branch)}\n\nAfter message {branch.common:,}.\n"

    def message(self, told: Told) -> str:
        """A message, with what its tool calls came to."""
        self.written += 1 + len(told.answers)
        shown = told.shown
        name = f" ({_plain(shown.name)})" if shown.name else ""
        heading = f"\n## {shown.number:,}. {_plain(shown.role)}{name}\n"
        return heading + "".join(self._block(block, told) for block in shown.blocks)

    def _block(self, block: Block, told: Told) -> str:
        if isinstance(block, Text):
            text = told.leaves[block.number].value
            return f"\n{_prose(visible(text).rstrip())}\n" if block.form == "prose" else f"\n{_output(text)}\n"
        if isinstance(block, Image):
            return "\n(a picture)\n"
        if isinstance(block, Call):
            return self._call(block, told)
        if isinstance(block, Result):
            return _folded(_result_summary(block), self._result(block, told))
        return _folded(escape(block.heading), "".join(self._inner(inner, told) for inner in block.blocks))

    def _call(self, call: Call, told: Told) -> str:
        answers = told.answers_to(call)
        failed = " (failed)" if any(result.failed for _, result in answers) else ""
        summary = f"Tool call: <code>{escape(call.name or '(no name)')}</code> {escape(call.preview)}{failed}"
        body = self._inner(call.arguments, told)
        if call.more is not None:
            body += self._inner(call.more, told)
        for answer, result in answers:
            body += f"\n**{'Failed' if result.failed else 'Result'}** ({answer.shown.number:,})\n"
            body += self._result(result, answer)
        return _folded(summary.rstrip(), body)

    def _result(self, result: Result, told: Told) -> str:
        shown = (self._inner(block, told, self._result_lines) for block in result.blocks)
        return "".join(shown) or "\n(nothing came back)\n"

    def _inner(self, block: Block, told: Told, lines: int | None = None) -> str:
        """What is folded: texts between fences, so that nothing in them ends the fold."""
        if isinstance(block, Text):
            return f"\n{_output(told.leaves[block.number].value, lines)}\n"
        if isinstance(block, Folded):
            return f"\n**{_plain(block.heading)}**\n" + "".join(self._inner(inner, told) for inner in block.blocks)
        return self._block(block, told)


def _prose(text: str) -> str:
    """Markdown that somebody wrote, of which nothing reaches into what follows: no tag, and no code without an end."""
    lines, fence, at_margin = list[str](), "", False
    for line in text.split("\n"):
        if fence:
            closes = _CLOSES.fullmatch(line)
            if closes is not None and closes[1].startswith(fence):
                fence = ""
        elif (opens := _OPENS.fullmatch(line)) is not None:
            fence, at_margin = opens[2], not opens[1]
        else:
            line = _TAG.sub(lambda found: found[0] if found[1] else "&lt;", line)
        lines.append(line)
    if fence and at_margin:  # one that is further in ends with the list or quotation that it stands in
        lines.append(fence)
    return "\n".join(lines)


def _output(text: str, lines: int | None = None) -> str:
    return _fenced(shortened(visible(without_colours(text)), lines))


def _named(branch: Branch) -> str:
    return _plain(branch.label or branch.words) or str(branch.checkpoint.id)


def _result_summary(result: Result) -> str:
    return f"{'Failed result' if result.failed else 'Tool result'} <code>{escape(result.call)}</code>"


def _folded(summary: str, body: str) -> str:
    return f"\n<details>\n<summary>{summary}</summary>\n{body}\n</details>\n"


def _plain(text: str) -> str:
    """A text in one line in which nothing is Markdown."""
    return _SPECIAL.sub(r"\\\1", one_line(text, 300))


def _fenced(text: str) -> str:
    """A text that is shown as it is: between more backticks than it has in a row."""
    longest = max([_MIN_FENCE - 1, *(len(run) for run in _FENCES.findall(text))])
    fence = "`" * (longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")
