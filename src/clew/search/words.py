"""Words: what is looked for, and what a text is cut into.

A word is a run of letters and digits, without differences of case, of diacritics and points of vowels, and of forms
that Unicode calls compatible. Whatever else is written between them ends a word: `snake_case`, `a.b.c` and `/usr/lib`
are several words in a row, so that each is found, and the whole as a phrase. `camelCase` is one word, because it is
looked for in any case.

Scripts that are written without spaces have a word a character. What is looked for in them is then a phrase.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

MAX_WORD_CHARS = 64
"""Of longer words the beginning counts, in a text as in a query."""

# Letters of scripts without spaces: Thai to Burmese, Khmer, kana, the ideographs, and the syllables of Korean, whose
# words grow by endings.
_ALONE = (
    "\u0e00-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
    "\uf900-\ufaff\uff66-\uff9d\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
# What nobody types who looks for a word: combined with the letter before it, points of vowels in Hebrew and Arabic, and
# what only makes a word longer.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"
)
# What makes another word of it: signs of vowels, which are no letters to Python; those of India with its letters.
_SIGNS = (
    "\u0711\u0730-\u074a\u07a6-\u07b0\u07eb-\u07f3"
    "\u0900-\u0963\u0971-\u09f1\u0a00-\u0a75\u0a81-\u0aef\u0b00-\u0b6f\u0b71-\u0bf2\u0c00-\u0c76\u0c80-\u0c83"
    "\u0c85-\u0d4e\u0d50-\u0d78\u0d7a-\u0df3"
    "\u1b34-\u1b44\u1ba1-\u1bad\ua9b3-\ua9c0\uaa29-\uaa36\uabe3-\uabea\uabec\uabed"
)
_VOICED = "\u3099\u309a\uff9e\uff9f"  # of kana, where it is not written in one character with them
_STROKES = str.maketrans("\u0111\u0127\u0131\u0142\u00f8\u0167", "dhilot")  # letters that Unicode takes no stroke from

_RUN = re.compile(rf"[{_ALONE}][{_VOICED}]?|(?:(?![{_ALONE}])[^\W_])(?:(?![{_ALONE}])[^\W_]|[{_MARKS}]|[{_SIGNS}])*")
_ASCII_RUN = re.compile(r"[a-z0-9]+")
_MARK = re.compile(f"[{_MARKS}]")

# Bytes that are written as text. Nobody looks for them, and each would be a word of its own in the index.
_DATA = re.compile(r"data:[\w/+.;=-]{0,200};base64,[A-Za-z0-9+/=_-]*|(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/=_-]{256,}")
_LONG = 256


class Place(NamedTuple):
    """A word of a text, and from where to where it stands there."""

    word: str
    start: int
    stop: int


def without_data(text: str) -> str:
    """A text without bytes that are written as text, such as pictures."""
    if "base64" not in text and max(map(len, text.split()), default=0) < _LONG:
        return text  # as nearly every one
    return _DATA.sub(" ", text)


def words(text: str) -> list[str]:
    """The words of a text, in order."""
    if text.isascii():
        found: list[str] = _ASCII_RUN.findall(text.lower())
        is_short = max(map(len, found), default=0) <= MAX_WORD_CHARS
        return found if is_short else [word[:MAX_WORD_CHARS] for word in found]
    return [place.word for place in places(text)]


def spaced(text: str) -> str:
    """The words of a text as a text, for who cuts what is ASCII where `words` does, and does so faster."""
    if text.isascii() and max(map(len, text.split()), default=0) <= MAX_WORD_CHARS:
        return text
    return " ".join(words(text))


def places(text: str) -> Iterator[Place]:
    """The same words, with where each stands."""
    for match in _RUN.finditer(text):
        for word in _folded(match[0]):
            yield Place(word, match.start(), match.end())


def _folded(run: str) -> Sequence[str]:
    """A run of letters and digits as it is compared. A few characters of Unicode stand for several words."""
    if run.isascii():
        return [run.lower()[:MAX_WORD_CHARS]]
    return _folded_often(run) if len(run) <= MAX_WORD_CHARS else _folded_anew(run)


def _folded_anew(run: str) -> tuple[str, ...]:
    plain = unicodedata.normalize("NFKC", _MARK.sub("", unicodedata.normalize("NFKD", run))).casefold()
    plain = unicodedata.normalize("NFKC", _MARK.sub("", unicodedata.normalize("NFKD", plain))).translate(_STROKES)
    return tuple(word[:MAX_WORD_CHARS] for word in _RUN.findall(plain))


_folded_often = lru_cache(maxsize=20_000)(_folded_anew)
