"""The place in a text where what was looked for stands."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from clew.search.query import Term
from clew.search.words import MAX_WORD_CHARS, places

MAX_CHARS = 240
"""How long a snippet is, at most, but for the signs that something is left out."""

_BEFORE = 60
_MAX_HITS = 200
_MAX_PATTERNS, _MAX_PATTERN_WORDS = 8, 8  # of more, or longer ones, it takes longer than to look at each word
_KEPT_WORDS = 1_000
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
    begun = [(begin, end) for _, begin, end in hits if start <= begin < stop]
    # What does not fit is marked as far as it is shown, unless there is something that does.
    inside = [(begin, end) for begin, end in begun if end <= stop] or [(begin, stop) for begin, _ in begun]
    shown, marks = _one_line(text, start, stop, inside)
    if start:
        shown, marks = _CUT + shown, [(begin + 1, end + 1) for begin, end in marks]
    return Snippet(shown + (_CUT if stop < len(text) else ""), marks)


def _hits(text: str, terms: Sequence[Term]) -> list[tuple[int, int, int]]:
    """Where the terms stand: the number of each, and from where to where, in order."""
    is_short = len(terms) <= _MAX_PATTERNS and all(len(term.words) <= _MAX_PATTERN_WORDS for term in terms)
    if text.isascii() and is_short:
        found = (
            (number, match.start(), match.end())
            for number, term in enumerate(terms)
            for match in islice(_pattern(term).finditer(text), _MAX_HITS)
        )
        return sorted(found, key=lambda hit: hit[1])
    return sorted(_walked(text, _Ends(terms)), key=lambda hit: hit[1])


@lru_cache(maxsize=256)
def _pattern(term: Term) -> re.Pattern[str]:
    """A term where there is nothing but ASCII: the same as word by word, but much faster."""
    words = [f"{word}[a-z0-9]*" if len(word) == MAX_WORD_CHARS else word for word in term.words]
    end = "[a-z0-9]*" if term.prefix else "(?![a-z0-9])"
    return re.compile(f"(?<![a-z0-9]){'[^a-z0-9]+'.join(words)}{end}", re.IGNORECASE | re.ASCII)


class _Ends:
    """Terms by the word that ends them, so that what a word costs does not grow with the terms."""

    def __init__(self, terms: Sequence[Term]) -> None:
        self._whole: dict[str, list[tuple[int, Term]]] = {}
        self._begun: dict[str, list[tuple[int, Term]]] = {}
        for number, term in enumerate(terms):
            term = term if len(term.words) <= MAX_CHARS else Term(term.words[:MAX_CHARS])  # no more can be shown
            (self._begun if term.prefix else self._whole).setdefault(term.words[-1], []).append((number, term))
        self._lengths = sorted({len(begin) for begin in self._begun})
        self.count = len(terms)
        self.longest = max((len(term.words) for term in terms), default=0)

    def of(self, word: str) -> Iterator[tuple[int, Term]]:
        """The terms that a word can end."""
        yield from self._whole.get(word, ())
        for length in self._lengths:
            if length > len(word):
                return
            yield from self._begun.get(word[:length], ())


def _walked(text: str, ends: _Ends) -> Iterator[tuple[int, int, int]]:
    """The same, word by word, up to the end of the first part that has all of the terms."""
    latest: dict[int, int] = {}
    hits: Counter[int] = Counter()
    words: list[str] = []  # the last ones, and where they begin
    starts: list[int] = []
    stop = len(text)
    for place in places(text):
        if place.stop > stop:
            return
        words.append(place.word)
        starts.append(place.start)
        for number, term in ends.of(place.word):
            count = len(term.words)
            if hits[number] >= _MAX_HITS or words[-count:-1] != list(term.words[:-1]):
                continue
            yield number, starts[-count], place.stop
            hits[number] += 1
            latest[number] = starts[-count]
            if len(latest) == ends.count and place.stop - min(latest.values()) <= MAX_CHARS - _BEFORE:
                stop = min(stop, min(latest.values()) + MAX_CHARS)
        if len(words) > _KEPT_WORDS + ends.longest:
            del words[: -ends.longest], starts[: -ends.longest]


def _best(hits: list[tuple[int, int, int]]) -> int:
    """Where the part begins in which the most different terms stand."""
    best, most = 0, 0
    inside: Counter[int] = Counter()
    by_end = sorted(hits, key=lambda hit: hit[2])
    added = 0
    for number, start, end in hits:
        limit = start + MAX_CHARS - _BEFORE
        while added < len(by_end) and by_end[added][2] <= limit:
            if by_end[added][1] >= start:
                inside[by_end[added][0]] += 1
            added += 1
        if len(inside) > most:
            best, most = start, len(inside)
        if end <= limit:
            inside[number] -= 1
            if not inside[number]:
                del inside[number]
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
