"""The place in a text where what was looked for stands."""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from clew.search.query import Term
from clew.search.words import MAX_WORD_CHARS, Place, places

MAX_CHARS = 240
"""How long a snippet is, at most, but for the signs that something is left out."""

_BEFORE = 60
_MAX_HITS = 200
_CUT = "…"
_SPACE = re.compile(r"\s+")


class Snippet(NamedTuple):
    """A part of a text in one line, and from where to where the words stand there that were looked for."""

    text: str
    marks: list[tuple[int, int]]


def snippet_of(text: str, terms: Sequence[Term]) -> Snippet:
    """The part of a text that has the most of the terms, the earliest of several; its beginning where none has any."""
    hits = _hits(text, terms)
    start = max(0, _best(hits) - _BEFORE)
    stop = min(len(text), start + MAX_CHARS)
    start = _word_begins(text, start) if start else 0
    inside = [(begin, end) for _, begin, end in hits if begin >= start and end <= stop]
    shown, marks = _one_line(text, start, stop, inside)
    if start:
        shown, marks = _CUT + shown, [(begin + 1, end + 1) for begin, end in marks]
    return Snippet(shown + (_CUT if stop < len(text) else ""), marks)


def _hits(text: str, terms: Sequence[Term]) -> list[tuple[int, int, int]]:
    """Where the terms stand: the number of each, and from where to where, in order."""
    if text.isascii():
        found = (
            (number, match.start(), match.end())
            for number, term in enumerate(terms)
            for match in islice(_pattern(term).finditer(text), _MAX_HITS)
        )
        return sorted(found, key=lambda hit: hit[1])
    return _hits_of_any(text, terms)


@lru_cache(maxsize=256)
def _pattern(term: Term) -> re.Pattern[str]:
    """A term where there is nothing but ASCII: the same as word by word, but much faster."""
    words = [f"{word}[a-z0-9]*" if len(word) == MAX_WORD_CHARS else word for word in term.words]
    end = "[a-z0-9]*" if term.prefix else "(?![a-z0-9])"
    return re.compile(f"(?<![a-z0-9]){'[^a-z0-9]+'.join(words)}{end}", re.IGNORECASE | re.ASCII)


def _hits_of_any(text: str, terms: Sequence[Term]) -> list[tuple[int, int, int]]:
    longest = max((len(term.words) for term in terms), default=0)
    last: list[Place] = []
    found: list[tuple[int, int, int]] = []
    for place in places(text):
        last = [*last[-longest + 1 :], place] if longest > 1 else [place]
        for number, term in enumerate(terms):
            if _ends_here(term, last):
                found.append((number, last[-len(term.words)].start, place.stop))
        if len(found) >= _MAX_HITS:
            break
    return sorted(found, key=lambda hit: hit[1])


def _ends_here(term: Term, last: list[Place]) -> bool:
    """Whether the last words of a text, as far as it was read, are those of a term."""
    *before, final = term.words
    word = last[-1].word
    if not (word.startswith(final) if term.prefix else word == final):
        return False
    if not before:
        return True
    return len(last) >= len(term.words) and [item.word for item in last[-len(term.words) : -1]] == before


def _best(hits: list[tuple[int, int, int]]) -> int:
    """Where the part begins in which the most different terms stand."""
    best, most = 0, 0
    for index, (_, start, _) in enumerate(hits):
        inside = {number for number, _, end in hits[index:] if end <= start + MAX_CHARS - _BEFORE}
        if len(inside) > most:
            best, most = start, len(inside)
    return best


def _word_begins(text: str, start: int) -> int:
    """The beginning of a word from here on, unless that is far."""
    for place in range(start, min(start + 20, len(text))):
        if text[place - 1].isspace():
            return place
    return start


def _one_line(text: str, start: int, stop: int, inside: list[tuple[int, int]]) -> tuple[str, list[tuple[int, int]]]:
    """A part in one line, each run of white space a space, and where the marks are in it."""
    shown = ""
    marks: list[tuple[int, int]] = []
    for begin, end in _joined(inside):
        shown = _added(shown, text[start:begin])
        mark = len(shown)
        shown = _added(shown, text[begin:end])
        marks.append((mark, len(shown)))
        start = end
    return _added(shown, text[start:stop]), marks


def _joined(hits: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Without any that stands in another, or begins in it."""
    found: list[tuple[int, int]] = []
    for begin, end in sorted(hits):
        if found and begin < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return found


def _added(shown: str, more: str) -> str:
    """A line with more of the text behind it. White space at a seam is one space too."""
    more = _SPACE.sub(" ", more)
    return shown + (more[1:] if more.startswith(" ") and (not shown or shown.endswith(" ")) else more)
