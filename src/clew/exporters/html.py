"""One HTML file for people: a conversation with its pictures, to be opened anywhere.

There is no script in it, and nothing is loaded: the file says so to the browser, too (Content-Security-Policy). What is
stored stands in it as text; Markdown of messages is made as the web page makes it (`clew.display.markdown`).
"""

import base64
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, BinaryIO

from clew.display.blocks import Text, image_of
from clew.display.visible import one_line, without_colours
from clew.errors import missing_extra
from clew.exporters.base import Conversation, Exported, Exporter, Wanted
from clew.exporters.people import Told, branches, facts, own_messages, shortened, tell
from clew.store import Store

if TYPE_CHECKING:
    pass

_STYLES = ("style.css", "conversation.css")
_MARKDOWN = 20_000_000
"""The cost of Markdown in one file; what is beyond is shown as it was written."""

_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


class HtmlExporter(Exporter):
    """One conversation as one HTML file."""

    name = "html"
    summary = "one HTML file, for people"
    suffix = ".html"

    def write(self, store: Store, wanted: Wanted, out: BinaryIO) -> Exported:
        macros = _macros()
        conversation = Conversation(store, wanted)
        others = branches(store, conversation, wanted)
        texts = _Texts(wanted.result_lines)
        title = one_line(conversation.title) or "(no title)"
        _write(out, macros.head(title, _style(), facts(store, conversation), others))
        written = 0
        for told in tell(conversation.messages()):
            written += 1 + len(told.answers)
            _write(out, macros.message(told, texts, ""))
        for branch in others:
            _write(out, macros.branch(branch))
            for told in own_messages(store, branch, wanted):
                written += 1 + len(told.answers)
                _write(out, macros.message(told, texts, f"b{branch.number}-"))
        _write(out, macros.foot())
        return Exported(
            format=self.name,
            sessions=1,
            checkpoints=int(conversation.checkpoint is not None) + len(others),
            messages=written,
        )


class _Texts:
    """The texts and pictures of blocks as HTML."""

    def __init__(self, result_lines: int | None) -> None:
        from clew.display.markdown import Budget

        self._budget: Budget = Budget(_MARKDOWN)
        self._result_lines = result_lines

    def html(self, told: Told, block: Text, *, of_result: bool = False) -> Any:
        """A text: Markdown of what somebody wrote, and as it is what a program did."""
        from clew.display.markdown import preformatted, to_html

        value = told.leaves[block.number].value
        if block.form == "prose":
            return to_html(value, self._budget)
        return preformatted(shortened(without_colours(value), self._result_lines if of_result else None))

    def picture(self, told: Told, number: int) -> str | None:
        """The address of a picture that is in the address itself; None where it is damaged."""
        found = image_of(told.leaves[number].value)
        return None if found is None else f"data:{found[1]};base64,{base64.b64encode(found[0]).decode()}"


def _write(out: BinaryIO, html: object) -> None:
    out.write(_HALF_CHARACTER.sub("\N{REPLACEMENT CHARACTER}", str(html)).encode())


@cache
def _style() -> Any:
    """The style sheets of the web page, which stand in the file. They are clew's own, and no text of anybody."""
    from markupsafe import Markup

    static = files("clew") / "server" / "web" / "static"
    return Markup("\n".join((static / name).read_text(encoding="utf-8") for name in _STYLES))  # noqa: S704


@cache
def _macros() -> Any:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined

        import clew.display.markdown  # noqa: F401 - what it takes may not be there
    except ImportError as error:
        raise missing_extra(error, "HTML needs", "server") from error
    environment = Environment(
        loader=PackageLoader("clew.exporters"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("conversation.html").module
