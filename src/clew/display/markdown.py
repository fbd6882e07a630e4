"""Markdown of messages as HTML that can do nothing.

Two walls stand behind each other. The parser takes no HTML: what looks like it is text. What it makes is then cleaned
by a sanitizer that knows only the few tags, attributes and classes that are named here. There are no pictures: one that
a message names becomes a link, or opening the page would tell somebody's server that it was read. There are no ids,
which could stand for parts of the page, and headings are paragraphs that look like headings: the outline of the page is
its own. Nothing that is written is hidden either: what Markdown would swallow stays text, and a line ends where it was
ended, as in a log that somebody pasted.
"""

import re
from collections.abc import Sequence
from html import escape

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup

from clew.display.highlight import CLASSES, LANGUAGES, highlighted
from clew.display.visible import visible

MAX_COST = 100_000
"""The cost of the dearest text that is read as Markdown. It costs a microsecond or two a unit."""

PAGE_COST = 400_000
"""The same for all texts of one page."""

_BRACKET_COST = 25
_LINE_COST = 8
_FENCE_COST = 50
_CELL_COST = 10
_FEW_CELLS = 8

_ALLOWED_LINK = re.compile(r"(https?://|mailto:)[^\s]", re.IGNORECASE)
_PIPE = re.compile(r"(?<!\\)\|")
_HEADINGS = {f"h{level}" for level in range(1, 7)}
_TAGS = {
    "a", "blockquote", "br", "code", "del", "div", "em", "hr", "li", "ol", "p", "pre", "s", "span", "strong", "table",
    "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes={"*": set(), "a": {"href", "title"}, "ol": {"start"}},
    allowed_classes={"div": {"table"}, "p": _HEADINGS, "pre": {"code"}, "span": set(CLASSES)},
    tag_attribute_values={"div": {"tabindex": {"0"}, "role": {"group"}, "aria-label": {"Table"}}},
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
    link_rel="noopener noreferrer nofollow",
    strip_comments=True,
    generic_attribute_prefixes=set(),
)


class Budget:
    """How much Markdown one page may still have. What is beyond it is shown as it was written."""

    def __init__(self, left: int = PAGE_COST) -> None:
        self.left = left

    def takes(self, text: str) -> bool:
        """Whether the text can be read as Markdown; if so its cost is taken off."""
        asked = cost(text)
        if asked > min(self.left, MAX_COST):
            return False
        self.left -= asked
        return True


def cost(text: str) -> int:
    """About how long a text takes as Markdown. Never less than its length, and no more work than to count characters.

    Each bracket may begin a link, whose end is looked for; a line of cells gives every line below as many.
    """
    if len(text) > MAX_COST:
        return len(text)
    lines = text.count("\n")
    found = len(text) + _BRACKET_COST * text.count("[") + _LINE_COST * lines
    found += _FENCE_COST * (text.count("```") + text.count("~~~"))
    cells = max(line.count("|") for line in text.split("\n"))
    return found + (_CELL_COST * cells * (lines + 1) if cells > _FEW_CELLS else 0)


def to_html(text: str, budget: Budget | None = None) -> Markup:
    """A text as HTML: read as Markdown where the budget takes it, else as it was written."""
    shown = visible(text)
    if not (budget or Budget()).takes(shown):
        return preformatted(shown)
    environment: dict[str, object] = {}
    tokens = _PARSER.parse(shown, environment)
    if any(token.level >= _DEEPEST for token in tokens) or _has_lost_cells(tokens, shown):
        return preformatted(shown)  # the parser leaves out what is deeper, or beyond the last column
    # Once more, for what was written as an entity. No sign is one of HTML's.
    html = visible(_PARSER.renderer.render(tokens, _PARSER.options, environment))
    return Markup(_CLEANER.clean(html))  # noqa: S704 - this is the cleaner's


def preformatted(text: str) -> Markup:
    """A text as it was written, line by line."""
    return Markup("<pre>\n{}</pre>").format(visible(text))


class _Renderer(RendererHTML):
    """Writes tokens as HTML; rules are found by the names of the methods."""

    def heading_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f'<p class="{tokens[idx].tag}">'

    def heading_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return "</p>\n"

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return '<div class="table" tabindex="0" role="group" aria-label="Table"><table>\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return "</table></div>\n"

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        told = escape(self.renderInlineAsText(token.children, options, env).strip() or "image")
        if _stands_in_a_link(tokens, idx):
            return told
        return f'<a href="{escape(str(token.attrs["src"]))}">{told} (image)</a>'

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        language = (token.info.split(maxsplit=1) or [""])[0]
        # What is not the name of a language that is known may be words that nobody would see otherwise.
        words = token.info.strip()
        said = f'<span class="c">{escape(words)}</span>\n' if words and words.lower() not in LANGUAGES else ""
        return f'<pre class="code"><code>{said}{highlighted(token.content, language)}</code></pre>\n'


def _has_lost_cells(tokens: Sequence[Token], text: str) -> bool:
    """Whether a row of a table says something in more columns than its head has."""
    lines = text.split("\n")
    columns = 0
    for token in tokens:
        if token.type == "thead_open":
            columns = 0
        elif token.type == "th_open":
            columns += 1
        elif token.type == "tr_open" and token.map and columns:
            cells = _PIPE.split(lines[token.map[0]].strip().removeprefix("|"))
            if any(cell.strip() for cell in cells[columns:]):
                return True
    return False


def _stands_in_a_link(tokens: Sequence[Token], idx: int) -> bool:
    for token in reversed(tokens[:idx]):
        if token.type in ("link_open", "link_close"):
            return token.type == "link_open"
    return False


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802 - the parser's name for it
        """Whether a link may lead there. Where it may not, all of it stays text."""
        return _ALLOWED_LINK.match(url) is not None


_MAX_NESTING = 20
_DEEPEST = _MAX_NESTING - 2
_PARSER = _Parser("commonmark", {"html": False, "maxNesting": _MAX_NESTING, "breaks": True}, renderer_cls=_Renderer)
_PARSER.enable(["table", "strikethrough"])
# A definition for links elsewhere in the text is seen nowhere: a place to hide words in. So it stays as it was written.
_PARSER.disable("reference")
