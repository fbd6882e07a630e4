"""Secrets that are known by the name or the place they stand at, and not by how they look.

`password=…`, `Authorization: Bearer …` and the like. A value that is a reference (`$TOKEN`, `os.environ[…]`), a word,
or a placeholder is none.
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
_ASSIGNED = re.compile(
    rf"(?<![A-Za-z])[\w-]{{0,40}}?{_NAME}\b\\?[\"']?\s{{0,3}}(?:=|:=?|=>)\s{{0,3}}\\?([\"'`])?"
    r"(?P<value>(?(1)[^\"'`\s\\]|[^\"'`\s\\,;&)}\]>]){8,200})",
    re.IGNORECASE,
)
_UNDER = re.compile(rf"[\w.-]{{0,40}}?{_NAME}", re.IGNORECASE)
_PATTERNS = [
    (re.compile(r"(?<![A-Za-z0-9])(?P<value>(?:AKIA|ASIA)[A-Z2-7]{16})(?![A-Za-z0-9])"), "aws access key"),
    (re.compile(r"(?<![\w-])(?P<value>clew_[A-Za-z0-9_-]{43})(?![\w-])"), "clew key"),
    (re.compile(r"(?<!\d)(?P<value>\d{8,10}:AA[A-Za-z0-9_-]{33})(?![\w-])"), "telegram token"),
    (re.compile(r"\b(?:Bearer|Basic)\s{1,3}(?P<value>[A-Za-z0-9._~+/=-]{20,2000})", re.IGNORECASE), "bearer token"),
]
_EXAMPLE = re.compile(r"example|placeholder|redacted|changeme|your[_-]|xxxx|\*\*\*\*|\.\.\.\.", re.IGNORECASE)
_REFERENCE = re.compile(
    r"[$<{%(*]|os\.|env\b|environ|process\.|self\.|secrets\.|config|null|none|https?:|/", re.IGNORECASE
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
    for found in _ASSIGNED.finditer(text):
        if _is_secret(found["value"]):
            yield Span(*found.span("value"), "secret")


def secret_under(key: str, value: str) -> bool:
    """Whether a value is a secret because JSON has it under such a name."""
    if not key or not _SHORTEST <= len(value) <= _LONGEST or not _UNDER.fullmatch(key):
        return False
    return not re.search(r"\s", value) and _is_secret(value)


def _is_secret(value: str) -> bool:
    return _is_random(value) and not _REFERENCE.match(value) and not _CALL.match(value)


def _is_random(value: str) -> bool:
    mixed = _DIGIT.search(value) and _LETTER.search(value)
    return bool(mixed) and len(set(value)) >= _FEWEST and not _EXAMPLE.search(value)
