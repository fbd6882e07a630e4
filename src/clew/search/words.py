"""Words: what is looked for, and what a text is cut into.

A word is a run of letters and digits, without differences of case, of diacritics, and of forms that Unicode calls
compatible. Whatever else is written between them ends a word: `snake_case`, `a.b.c` and `/usr/lib` are several words in
a row, so that each is found, and the whole as a phrase. `camelCase` is one word, because it is looked for in any case.

Scripts that are written without spaces have a word a character. What is looked for in them is then a phrase.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

MAX_WORD_CHARS = 64
"""Of longer words the beginning counts, in a text as in a query."""

# Letters of scripts without spaces: Thai to Burmese, Khmer, kana, the ideographs, and the syllables of Korean, whose
# words grow by endings.
_ALONE = (
    "\u0e00-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
    "\uf900-\ufaff\uff66-\uff9d\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_MARKS = "\u0300-\u036f"  # combined with the letter before; those of other scripts change what a word means

_RUN = re.compile(rf"[{_ALONE}]|(?:(?![{_ALONE}])[^\W_])(?:(?![{_ALONE}])[^\W_]|[{_MARKS}])*")
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


def _folded(run: str) -> list[str]:
    """A run of letters and digits as it is compared. A few characters of Unicode stand for several words."""
    if run.isascii():
        return [run.lower()[:MAX_WORD_CHARS]]
    plain = unicodedata.normalize("NFKC", _MARK.sub("", unicodedata.normalize("NFKD", run))).casefold()
    plain = unicodedata.normalize("NFKC", _MARK.sub("", unicodedata.normalize("NFKD", plain)))
    return [word[:MAX_WORD_CHARS] for word in _RUN.findall(plain)]
