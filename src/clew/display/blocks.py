"""What a message is shown as: blocks, each with a template of its own, and how each is made from a stored value.

Texts and pictures of a message are numbered in the order in which they stand in it. By that number a text that is cut
is asked for in full, and a picture is served. So the numbers are the same whether or not a text is cut.
"""

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from clew.display.visible import one_line, without_colours

if TYPE_CHECKING:
    from markupsafe import Markup

    from clew.display.markdown import Budget

# What makes HTML is imported where HTML is made: messages as plain text need none of its packages.

MAX_TEXT_LINES, MAX_TEXT_CHARS = 200, 16_000
"""Of what people and models write; what is beyond is shown on request."""

MAX_OUTPUT_LINES, MAX_OUTPUT_CHARS = 40, 4_000
"""The same for what programs write."""

HEAD_LINES, HEAD_CHARS = 30, 3_000
TAIL_LINES, TAIL_CHARS = 10, 1_000
"""What is shown of more than that. The end is, because there a build says what came of it."""

MAX_WHOLE_CHARS = 2_000_000
"""The most of a text that a page shows on request. All of it can be downloaded."""

_MAX_PRETTY_CHARS = 200_000
_MAX_PRETTY_LEVELS = 32
"""JSON beyond either is shown in one line."""

_DATA_URL = re.compile(r"data:(image/(?:png|jpeg|gif|webp));base64,", re.IGNORECASE)
_SNIFFED_CHARS = 32  # of base64: enough for every signature


class Text(NamedTuple):
    """A text, or the beginning of it where `is_cut`; `lines` and `chars` are how much there is."""

    number: int
    html: "Markup | str"
    lines: int
    chars: int
    is_cut: bool
    form: Literal["prose", "output"]
    kind: str = "text"


class Image(NamedTuple):
    """A picture that stands in the message itself."""

    number: int
    kind: str = "image"


class Folded(NamedTuple):
    """Blocks behind a heading that opens them."""

    heading: str
    blocks: "list[Block]"
    kind: str = "folded"


class Result(NamedTuple):
    """What came of a tool call; `call` is its id."""

    call: str
    blocks: "list[Block]"
    failed: bool
    kind: str = "result"


class Answer(NamedTuple):
    """A result in a message of its own, the first of that message or not."""

    message: int
    result: Result
    is_first: bool


class Call(NamedTuple):
    """A tool call, and what answers it."""

    id: str
    name: str
    preview: str
    arguments: Text
    answers: "list[Answer]"
    more: Text | None = None
    kind: str = "call"


Block: TypeAlias = Text | Image | Folded | Result | Call


class Leaf(NamedTuple):
    """A text or a picture of a message as it is stored."""

    value: str
    form: Literal["prose", "output", "image"]


class Maker:
    """Makes the blocks of one message, and keeps what it numbers.

    Without `render` the texts of the blocks are empty: it is done for the numbers, and for what stands in `leaves`.
    """

    def __init__(self, budget: "Budget | None" = None, *, render: bool = True) -> None:
        self.leaves: list[Leaf] = []
        self._budget = budget
        self._render = render

    def prose(self, text: str) -> Text:
        """What somebody wrote: Markdown."""
        number = self._number(text, "prose")
        shown, lines, is_cut = cut(text, MAX_TEXT_LINES, MAX_TEXT_CHARS)
        html = self._html(shown) if self._render else ""
        return Text(number, html, lines, len(text), is_cut, "prose")

    def output(self, text: str) -> Text:
        """What a program wrote, line by line."""
        number = self._number(text, "output")
        shown, lines, is_cut = cut(text, MAX_OUTPUT_LINES, MAX_OUTPUT_CHARS)
        html = "" if not self._render else _ends(text) if is_cut else _preformatted(shown)
        return Text(number, html, lines, len(text), is_cut, "output")

    def value(self, value: Any) -> Text:
        """Any value: a text as it is, else its JSON over several lines."""
        return self.output(value if isinstance(value, str) else pretty(value))

    def image(self, url: str) -> Block:
        """A picture that is in the message; of any other its address, as text."""
        if is_image_url(url):
            return Image(self._number(url, "image"))
        return Folded("Image that is not shown", [self.output(url)])

    def call(self, id: Any, name: Any, arguments: Any) -> Call:
        """A tool call; arguments that are JSON in a text are spread over several lines."""
        value = _parsed(arguments)
        return Call(spelled(id), spelled(name), _preview(value), self.value(value), [])

    def _html(self, text: str) -> "Markup":
        from clew.display.markdown import Budget, to_html

        self._budget = self._budget or Budget()
        return to_html(text, self._budget)

    def _number(self, value: str, form: Literal["prose", "output", "image"]) -> int:
        self.leaves.append(Leaf(value, form))
        return len(self.leaves) - 1


def cut(text: str, max_lines: int, max_chars: int) -> tuple[str, int, bool]:
    """The beginning of a text, how many lines all of it has, and whether something is missing."""
    lines = text.count("\n") + 1
    end = min(len(text), max_chars)
    place = -1
    for _ in range(max_lines):
        place = text.find("\n", place + 1, end)
        if place < 0:
            break
    else:
        end = place
    # One line more of what would fill a page is no reason to ask for it.
    return (text[:end], lines, True) if text[end:].strip() else (text, lines, False)


def _preformatted(text: str) -> "Markup":
    from clew.display.markdown import preformatted

    return preformatted(without_colours(text))


def _ends(text: str) -> "Markup":
    """The beginning and the end of a text of which not all is shown, and how much is between them."""
    from markupsafe import Markup

    text = text.rstrip()
    head, _, _ = cut(text, HEAD_LINES, HEAD_CHARS)
    tail = text[_last_lines(text, TAIL_LINES, TAIL_CHARS) :]
    between = text[len(head) : len(text) - len(tail)]
    lines = between.count("\n") - 1
    told = f"… {lines:,} line{'' if lines == 1 else 's'} …" if lines > 0 else f"… {len(between):,} characters …"
    gap = Markup('<p class="gap">{}</p>').format(told)
    return _preformatted(head) + gap + _preformatted(tail)


def _last_lines(text: str, max_lines: int, max_chars: int) -> int:
    """Where the last lines of a text begin."""
    least = max(0, len(text) - max_chars)
    place = len(text)
    for _ in range(max_lines):
        place = text.rfind("\n", least, place)
        if place < 0:
            return least
    return place + 1


def pretty(value: Any) -> str:
    """The JSON of a value over several lines; something else that says what it is where it has none.

    What is deep or long stays in one line: over many, each with its indent, it would be a thousand times as long.
    """
    try:
        compact = json.dumps(value, ensure_ascii=False)
        if len(compact) > _MAX_PRETTY_CHARS or _is_deeper(value, _MAX_PRETTY_LEVELS):
            return compact
        return json.dumps(value, indent=2, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return f"(a value of type {type(value).__name__} that cannot be written)"


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects stand in each other on more levels than that."""
    inner = [value] if isinstance(value, (dict, list)) else []
    for _ in range(levels):
        items = (item for part in inner for item in (part.values() if isinstance(part, dict) else part))
        inner = [item for item in items if isinstance(item, (dict, list))]
        if not inner:
            return False
    return True


def spelled(value: Any) -> str:
    """A name or an id, whatever it is, in one line."""
    if value is None:
        return ""
    return one_line(value if isinstance(value, str) else pretty(value))


def is_image_url(url: str) -> bool:
    """Whether an address is a picture itself, and of the type that it says."""
    found = _DATA_URL.match(url)
    if found is None:
        return False
    try:
        start = base64.b64decode(url[found.end() : found.end() + _SNIFFED_CHARS], validate=True)
    except (binascii.Error, ValueError):
        return False
    return image_type(start) == found[1].lower()


def image_of(url: str) -> tuple[bytes, str] | None:
    """The bytes of such a picture and its media type, None where its base64 is damaged."""
    found = _DATA_URL.match(url)
    if found is None or not is_image_url(url):
        return None
    try:
        return base64.b64decode(url[found.end() :], validate=True), found[1].lower()
    except (binascii.Error, ValueError):
        return None


def image_type(data: bytes) -> str | None:
    """The media type of a picture by its first bytes, for the few types that are shown."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def whole(leaf: Leaf) -> Text:
    """A text in full, as far as a page can hold it."""
    from clew.display.markdown import to_html

    shown = leaf.value[:MAX_WHOLE_CHARS]
    html = to_html(shown) if leaf.form == "prose" else _preformatted(shown)
    is_cut = len(shown) < len(leaf.value)
    form: Literal["prose", "output"] = "prose" if leaf.form == "prose" else "output"
    return Text(0, html, leaf.value.count("\n") + 1, len(leaf.value), is_cut, form)


def _parsed(arguments: Any) -> Any:
    if not isinstance(arguments, str):
        return arguments
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments


def _preview(arguments: Any) -> str:
    """What tells one call from another at a glance: the first argument that is a text."""
    values = arguments.values() if isinstance(arguments, dict) else [arguments]
    return one_line(next((value for value in values if isinstance(value, str)), ""), 100)
