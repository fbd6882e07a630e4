"""Program text in colours, as spans with classes: `static/conversation.css` says which colour each class has."""

import re
import time
from collections.abc import Iterator
from functools import cache
from html import escape
from typing import Any

from pygments import format  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexer import Lexer, RegexLexer, include  # type: ignore[import-untyped]
from pygments.lexers import (  # type: ignore[import-untyped]
    CLexer,
    CppLexer,
    CSharpLexer,
    get_lexer_by_name,
)
from pygments.token import STANDARD_TYPES, Punctuation  # type: ignore[import-untyped]

MAX_CHARS = 10_000
MAX_LINES = 400
MAX_LINE_CHARS = 500
MAX_SPACES = 200
"""In a row, ends of lines among them. Longer code stays plain: a lexer is a heap of regular expressions, some of which
take the square or the cube of the length."""

MAX_SECONDS = 0.2
"""Of the processor's time, after which code stays plain: each expression may be fast, and all of them slow."""

LANGUAGES = {
    "bash": "bash", "c": "c", "c++": "cpp", "cpp": "cpp", "console": "console", "cs": "csharp", "csharp": "csharp",
    "css": "css", "diff": "diff", "docker": "docker", "dockerfile": "docker", "go": "go", "golang": "go",
    "hcl": "terraform", "html": "html", "ini": "ini", "java": "java", "javascript": "javascript", "js": "javascript",
    "json": "json", "jsx": "javascript", "kotlin": "kotlin", "lua": "lua", "make": "make", "makefile": "make",
    "patch": "diff", "php": "php", "powershell": "powershell", "py": "python", "python": "python",
    "python3": "python", "rb": "ruby", "rs": "rust", "ruby": "ruby", "rust": "rust", "scss": "scss", "sh": "bash",
    "shell": "bash", "sql": "sql", "swift": "swift", "terraform": "terraform", "tf": "terraform", "toml": "toml",
    "ts": "typescript", "tsx": "typescript", "typescript": "typescript", "xml": "xml", "yaml": "yaml", "yml": "yaml",
    "zsh": "bash",
}  # fmt: skip
"""The languages that are known, by the names people give them. Any other is plain: what a message names picks from
this list and nothing else."""

CLASSES = frozenset(name for name in STANDARD_TYPES.values() if name)
"""Every class that a span may have."""

_SPACES = re.compile(r"\s+")
_FORMATTER = HtmlFormatter(nowrap=True)
_BLOCKS = [include("whitespace"), include("statements"), ("[{};]", Punctuation)]
_METHODS = r"^([ \t]*)((?:"  # how the expression for C# begins that looks for methods


class _TooMuchError(Exception):
    """A lexer takes longer than it may."""


class _C(CLexer):  # type: ignore[misc]
    """Without the two expressions that look for whole functions: on spaces they take the cube of the length."""

    tokens = {"root": _BLOCKS}  # noqa: RUF012


class _Cpp(CppLexer):  # type: ignore[misc]
    """The same."""

    tokens = {"root": _BLOCKS}  # noqa: RUF012


class _CSharp(RegexLexer):  # type: ignore[misc]
    """Without the expression that looks for methods, which reads all that follows again for each line."""

    flags = CSharpLexer.flags
    tokens = {  # noqa: RUF012
        **CSharpLexer.tokens["basic"],
        "root": [rule for rule in CSharpLexer.tokens["basic"]["root"] if not str(rule[0]).startswith(_METHODS)],
    }


_OWN = {"c": _C, "cpp": _Cpp, "csharp": _CSharp}


def highlighted(code: str, language: str) -> str:
    """The code as HTML: coloured where the language is known and that is done soon, else escaped and no more."""
    name = LANGUAGES.get(language.lower())
    if name is None or not is_short(code):
        return escape(code)
    try:
        return str(format(_bounded(_lexer(name).get_tokens(code)), _FORMATTER))
    except _TooMuchError:
        return escape(code)


def is_short(code: str) -> bool:
    """Whether the code may be coloured."""
    if len(code) > MAX_CHARS:
        return False
    lines = code.split("\n")
    if len(lines) > MAX_LINES or max(map(len, lines)) > MAX_LINE_CHARS:
        return False
    return max(map(len, _SPACES.findall(code)), default=0) <= MAX_SPACES


def _bounded(tokens: Iterator[tuple[Any, str]]) -> Iterator[tuple[Any, str]]:
    until = time.thread_time() + MAX_SECONDS
    for token in tokens:
        if time.thread_time() > until:
            raise _TooMuchError
        yield token


@cache
def _lexer(name: str) -> Lexer:
    options = {"stripnl": False, "ensurenl": False}
    return _OWN[name](**options) if name in _OWN else get_lexer_by_name(name, **options)
