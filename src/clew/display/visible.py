"""Stored text as a page may show it: what cannot be seen, or turns the direction of what follows, made visible.

Escaping is the templates' business. This is about characters that stay harmful, or deceive, when they are escaped.
"""

import re

_LINE_ENDS = re.compile("\r\n?")

# Control characters of both ranges (all but newline and tab); the marks that embed, override or isolate a direction;
# characters that are never drawn, in which instructions can be hidden; halves of characters, which UTF-8 cannot hold.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)
_COLOURS = re.compile("\x1b\\[[0-9;:]*m")

_FIRST_PICTURE = 0x2400
_LAST_PICTURED = 0x1F
_DELETE = 0x7F
_DELETE_PICTURE = "\N{SYMBOL FOR DELETE}"


def visible(text: str) -> str:
    """The text with a sign for each character that would not be seen, such as ``␛`` or ``[U+202E]``."""
    return _UNSEEN.sub(_sign, _LINE_ENDS.sub("\n", text))


def one_line(text: str, limit: int = 200) -> str:
    """The beginning of a text in one line, with an ellipsis where it goes on."""
    start = " ".join(visible(text[: 4 * limit]).split())
    return start if len(start) <= limit and len(text) <= 4 * limit else start[: limit - 1] + "…"


def without_colours(text: str) -> str:
    """What a program wrote to a terminal, without the codes for colours."""
    return _COLOURS.sub("", text)


def _sign(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code <= _LAST_PICTURED:
        return chr(_FIRST_PICTURE + code)
    return _DELETE_PICTURE if code == _DELETE else f"[U+{code:04X}]"
