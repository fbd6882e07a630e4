"""JSON text with its long strings cut, made while it goes by: for lines that are too long to be held in memory."""

import re

from clew import limits

_HIGH = rb"\\u[dD][89abAB][0-9a-fA-F]{2}"
_HALF_ESCAPE = re.compile(rb"(?<!\\)(?:\\\\)*+((?:" + _HIGH + rb")?\\u[0-9a-fA-F]{0,3}|" + _HIGH + rb")\Z")


class ShortenedLine:
    """A line of JSON of which at most `keep` bytes of every string stay, and a note of how many were cut.

    What is fed in pieces is JSON at the end if it was before. Once it is longer than `MAX_RECORD_BYTES` it is of no use
    and no more of it is kept.
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._parts: list[bytes] = []
        self._string: list[bytes] | None = None  # the pieces of the string that is open
        self._kept = self._length = 0  # of the open string
        self._backslash = False  # the last piece ended with one
        self.size = 0

    def feed(self, piece: bytes) -> None:
        """The next piece of the line."""
        if not piece:
            return
        if self.size > limits.MAX_RECORD_BYTES:
            self._parts.clear()
            return
        place = 0
        if self._backslash:
            self._inside(b"\\" + piece[:1])
            self._backslash, place = False, 1
        quote = escape = -1
        while place < len(piece):
            # A search for one byte is many times as fast as an expression for either.
            quote = quote if quote >= place else _find(piece, b'"', place)
            escape = escape if escape >= place else _find(piece, b"\\", place)
            end = min(quote, escape)
            self._plain(piece[place:end])
            place = end if end == len(piece) else self._mark(piece, end)

    def text(self) -> bytes:
        """What there is of it."""
        return b"".join(self._parts)

    def _mark(self, piece: bytes, at: int) -> int:
        """Deal with the quote or backslash at a place, and say where to go on."""
        if piece[at : at + 1] == b'"':
            if self._string is None:
                self._string, self._kept, self._length = [], 0, 0
            else:
                self._close(self._string)
            return at + 1
        if at + 1 == len(piece):
            self._backslash = True
            return at + 1
        self._inside(piece[at : at + 2])
        return at + 2

    def _plain(self, text: bytes) -> None:
        if self._string is None:
            self._add(text)
        else:
            self._inside(text)

    def _inside(self, text: bytes) -> None:
        self._length += len(text)
        if self._string is None:  # a backslash outside of a string: this is no JSON, and stays none
            self._add(text)
        elif self._kept < self._keep:
            kept = text if text.startswith(b"\\") else text[: self._keep - self._kept]
            self._string.append(kept)
            self._kept += len(kept)

    def _close(self, pieces: list[bytes]) -> None:
        text = b"".join(pieces)
        cut = self._length - len(text)
        if cut:
            # The cut may have gone through a character or an escape.
            text = _without_half(text.decode(errors="ignore").encode())
            text += f" [cut: {cut:,} more bytes]".encode()
        self._add(b'"' + text + b'"')
        self._string = None

    def _add(self, text: bytes) -> None:
        self._parts.append(text)
        self.size += len(text)


def _without_half(text: bytes) -> bytes:
    """The inside of a string without the half of an escape, or of a pair of surrogates, that it ends with."""
    half = _HALF_ESCAPE.search(text)
    return text if half is None else text[: half.start(1)]


def _find(piece: bytes, mark: bytes, place: int) -> int:
    """Where a byte comes next, the end of the piece where it does not."""
    found = piece.find(mark, place)
    return len(piece) if found < 0 else found
