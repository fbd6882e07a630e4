"""Secrets that are known by the name or the place they stand at, and not by how they look.

`password=…`, `Authorization: Bearer …`, `https://name:…@host` and the like. A value that is a reference (`$TOKEN`,
`os.environ[…]`), a word, or a placeholder is none.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple


class Span(NamedTuple):
    """Where a secret is in a text, and what kind it is of."""

    start: int
    end: int
    kind: str


_NAME = (
    r"(?:password|passwd|passphrase|pwd|secret|secret[_-]?key|api[_-]?key|apikey|access[_-]?key|account[_-]?key|"
    r"private[_-]?key|auth[_-]?token|access[_-]?token|refresh[_-]?token|client[_-]?secret|auth[_-]?key|credential)"
)
_LONG_NAME = r"(?:token|_?auth)"
"""Names of keys, but also of many other things: only what is as long as a key is one under such a name."""

_IS = r"\b\\{0,7}[\"']?\s{0,3}(?:=|:=?|=>)\s{0,3}\\{0,7}([\"'`])?"
_ASSIGNED = re.compile(
    rf"{_NAME}{_IS}"
    r"(?P<value>(?(1)[^\"'`\s\\]|[^\"'`\s\\,;&)}\]>]){8,200})",
    re.IGNORECASE,
)
_LONG = r"[A-Za-z0-9._~+/=-]{20,2000}"
_ASSIGNED_LONG = re.compile(rf"{_LONG_NAME}{_IS}(?P<value>{_LONG})", re.IGNORECASE)
_SPOKEN = re.compile(
    rf"(?:(?<![\w-])--[\w-]{{0,40}}?(?:{_NAME}|token)|\blogin\s+\S{{1,200}}\s+password)\s+([\"'])?"
    r"(?P<value>(?(1)[^\"'\s\\]|[^\"'\s\\,;&)}\]>]){8,200})",
    re.IGNORECASE,
)
"""Options of commands, and lines of `.netrc`."""

_IN_URL = re.compile(r"://[^\s/:@\"'<>]{0,200}:(?P<value>[^\s/:@\"'<>]{8,200})@")
_UNDER = re.compile(rf"[\w.-]{{0,40}}?{_NAME}", re.IGNORECASE)
_UNDER_LONG = re.compile(rf"[\w.-]{{0,40}}?{_LONG_NAME}", re.IGNORECASE)
_KEY_LINES = r"(?P<value>(?:(?:\\[rn]|[\s+>|\u2192:\d-]){1,20}+[A-Za-z0-9+/=]{24,100})+)"
"""A key of which the end may be cut off, as tools do with long results; line numbers may stand before its lines."""

_PATTERNS = [
    (re.compile(r"(?<![A-Za-z0-9])(?P<value>(?:AKIA|ASIA)[A-Z2-7]{16})(?![A-Za-z0-9])"), "aws access key"),
    (
        re.compile(
            r"\bcookie\b[\"']?\s{0,3}:\s{0,3}[\"']?(?P<value>[\w.$-]{1,100}=[^\r\n\"'\\]{16,8000})", re.IGNORECASE
        ),
        "cookie",
    ),
    (re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----" + _KEY_LINES), "private key"),
    (re.compile(r"(?<![\w-])(?P<value>clew_[A-Za-z0-9_-]{43})(?![\w-])"), "clew key"),
    (re.compile(r"(?<!\d)(?P<value>\d{8,10}:AA[A-Za-z0-9_-]{33})(?![\w-])"), "telegram token"),
    (re.compile(r"\b(?:Bearer|Basic)\s{1,3}(?P<value>[A-Za-z0-9._~+/=-]{20,2000})", re.IGNORECASE), "bearer token"),
]
_EXAMPLE = re.compile(r"example|placeholder|redacted|changeme|your[_-]|xxxx|\*\*\*\*|\.\.\.\.", re.IGNORECASE)
_REFERENCE = re.compile(
    r"[$<{%(*]|os\.|env\b|environ|process\.|self\.|secrets\.|settings\.|config|null|none|https?:|/", re.IGNORECASE
)
_DIGIT, _LETTER = re.compile(r"\d"), re.compile(r"[A-Za-z]")
_CALL = re.compile(r"\w+\(")
_SHORTEST, _LONGEST = 8, 500
_FEWEST = 5
"""Different characters of what is taken for a secret."""


def named_secrets(text: str) -> Iterator[Span]:
    """The secrets in a text that are known by what stands beside them."""
    for pattern, kind in _PATTERNS:
        for found in pattern.finditer(text):
            if _is_random(found["value"]):
                yield Span(*found.span("value"), kind)
    for pattern in (_ASSIGNED, _ASSIGNED_LONG, _SPOKEN, _IN_URL):
        for found in pattern.finditer(text):
            if _is_secret(found["value"]):
                yield Span(*found.span("value"), "secret")


def secret_under(key: str, value: str) -> bool:
    """Whether a value is a secret because JSON has it under such a name."""
    if not key or not _SHORTEST <= len(value) <= _LONGEST:
        return False
    if not _UNDER.fullmatch(key) and not (_UNDER_LONG.fullmatch(key) and re.fullmatch(_LONG, value)):
        return False
    return not re.search(r"\s", value) and _is_secret(value)


def _is_secret(value: str) -> bool:
    return _is_random(value) and not _REFERENCE.match(value) and not _CALL.match(value)


def _is_random(value: str) -> bool:
    mixed = _DIGIT.search(value) and _LETTER.search(value)
    return bool(mixed) and len(set(value)) >= _FEWEST and not _EXAMPLE.search(value)
