"""Program text in colours, as spans with classes: `static/conversation.css` says which colour each class has."""

from functools import cache
from html import escape

from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexer import Lexer  # type: ignore[import-untyped]
from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]
from pygments.token import STANDARD_TYPES  # type: ignore[import-untyped]

MAX_CHARS = 20_000
MAX_LINE_CHARS = 1_000
"""Longer code stays plain: a lexer is a heap of regular expressions, some of which take long for long lines."""

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

_FORMATTER = HtmlFormatter(nowrap=True)


def highlighted(code: str, language: str) -> str:
    """The code as HTML: coloured where the language is known and the code is short, else escaped and no more."""
    name = LANGUAGES.get(language.lower())
    if name is None or len(code) > MAX_CHARS or max(map(len, code.split("\n"))) > MAX_LINE_CHARS:
        return escape(code)
    return str(highlight(code, _lexer(name), _FORMATTER))


@cache
def _lexer(name: str) -> Lexer:
    return get_lexer_by_name(name, stripnl=False, ensurenl=False)
