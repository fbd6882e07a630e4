"""Code that was made to take long, in every language that the web page colours."""

import math
import time
from collections.abc import Iterator
from unittest import mock

from clew.display import highlight
from clew.display.highlight import LANGUAGES, MAX_CHARS, MAX_LINE_CHARS, MAX_LINES, MAX_SPACES, is_short
from soak.plan import Plan

_LEXERS = sorted(set(LANGUAGES.values()))
_CUT_DOWN = ("c", "cpp", "csharp")

_BLANKS = " " * (MAX_SPACES - 1)
_UNITS = [
    *(" ", "\t", " \t", "\n", " \n", "\r", "\xa0"),
    *('"', "'", "`", "(", "[", "{", "\\", "/", "*", "#", "$", "<", "-", "=", "0", "a", "_", "é"),
    *("a ", "a\n", "a a\n", "int a\n", "a: ", "1.", "0x", "\\\n", "x" * 20 + " " * 20 + "\n"),
    *("/*", "<!--", "<a ", "<a><", "<<A\n", "${", "$(", "#{", "#if 0\n", "[[", "[=", "/** @", "a(", "a<", "a::"),
    *("a " * 12 + "\n", f"a{_BLANKS}a(", f"a a(){_BLANKS}\n", f"a{_BLANKS}a(){_BLANKS}\n"),
]
"""What is repeated, from its beginning and after something else: many of these begin what nothing ends."""

_ORDINARY = "def hello(name, count=1):\n    return [name for _ in range(count)]  # so often\n"

_FIRST = 0.02
"""After which part of the measure a lexer is stopped: between two tokens that can be done, within one it cannot."""

_ONE = 1.0
"""How much of the measure one token may take. It is 0.3 at most; of what Pygments' own lexer for C looks for, 300."""

_ALL = 15.0
"""How much of it all tokens may take where a lexer was cut down for its time. It is 6 at most; Pygments' own for C#
takes 25."""

_TRIES = 3


def colours(plan: Plan) -> Iterator[str]:
    """Every language, given the longest code there may be of what expressions are slow at.

    Times are told in parts of a measure, which is how long ordinary Python of that length takes just then. Where one is
    too long it is taken again, and the least counts; AssertionError where that is too long.
    """
    codes = _codes()[:: plan.some(1, 7)]
    assert all(map(is_short, codes))
    wrong = []
    for what, lexers, stop, bound in (("one token", _LEXERS, _FIRST, _ONE), ("all tokens", _CUT_DOWN, _ALL, _ALL)):
        parts = {(name, code): part for name in lexers for code, part in _parts(name, codes, stop, bound)}
        name, code = worst = max(parts, key=lambda key: parts[key])
        yield f"{len(lexers)} languages, {len(codes)} codes each, {what}: {parts[worst]:.2f} at most, of {bound:g}"
        yield f"which {name} takes for {code[:20]!r}"
        for (name, code), part in parts.items():
            if part > bound:
                wrong.append(name)
                yield f"WRONG: {what} of {name} takes {part:.1f} for {code[:20]!r}"
    assert not wrong, f"{len(wrong)} are too slow, of {', '.join(sorted(set(wrong)))}"


def _parts(name: str, codes: list[str], stop: float, bound: float) -> Iterator[tuple[str, float]]:
    """Each code, and what it takes."""
    measure = _measure()
    _seconds(name, "a", math.inf)  # the first time of all, in which the expressions are made, says nothing
    for code in codes:
        part, tries = _part(name, code, stop, measure), 1
        while part > bound and tries < _TRIES:
            part, tries = min(part, _part(name, code, stop, _measure())), tries + 1
        yield code, part


def _part(name: str, code: str, stop: float, measure: float) -> float:
    """What part of the measure a code takes, where its lexer is stopped after such a part of it."""
    return _seconds(name, code, stop * measure) / measure


def _measure() -> float:
    """The seconds of ordinary code."""
    return min(_seconds("python", (_ORDINARY * MAX_CHARS)[:MAX_CHARS], math.inf) for _ in range(_TRIES))


def _seconds(name: str, code: str, stop: float) -> float:
    """Of the processor's time."""
    with mock.patch.object(highlight, "MAX_SECONDS", stop):
        begin = time.thread_time()
        highlight.highlighted(code, name)
        return time.thread_time() - begin


def _codes() -> list[str]:
    return [_longest(unit) for unit in _UNITS] + [_longest(unit, "a ") for unit in _UNITS if len(unit) == 1]


def _longest(unit: str, begin: str = "") -> str:
    """Code as long as it may be and still be coloured, of one thing again and again."""
    if unit.isspace():
        unit = (unit * MAX_SPACES)[: MAX_SPACES - 1] + "a"  # with the end of a line that makes as many as there may be
    lines = (begin + unit * (MAX_CHARS // len(unit) + 1))[:MAX_CHARS].split("\n")
    wrapped = [line[at : at + MAX_LINE_CHARS] for line in lines for at in range(0, max(len(line), 1), MAX_LINE_CHARS)]
    return "\n".join(wrapped[:MAX_LINES])[:MAX_CHARS]
