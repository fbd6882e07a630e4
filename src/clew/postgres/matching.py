"""What a search asks of the server's index, and how messages are written into it.

Words are cut by clew, so the texts here are the server's own form of what is cut already. The server ranks by cover
density: how near to each other the words stand, and how often, divided by the logarithm of the length. It does not know
how rare a word is.
"""

import struct
from collections.abc import Iterator
from typing import Any, Protocol

from clew.relational.transaction import Match, Position, Row, Wanted
from clew.search.query import All, Node, Term
from clew.search.texts import Document
from clew.search.words import words

_PAGE = 200
_MAX_BYTES = 900_000  # of a document: the server takes 1 MiB
_MAX_POSITION = 16_383  # words behind it are found, but not as phrases
_MAX_POSITIONS = 256  # of one word
_BITS, _SCORE = struct.Struct(">q"), struct.Struct(">d")


class _Queries(Protocol):
    def fetch_all(self, name: str, parameters: dict[str, Any]) -> list[Row]: ...


def matches(db: _Queries, wanted: Wanted, after: Position | None) -> Iterator[Match]:
    """See `Transaction.matches`. A position is the newest message when the search began, a score, and a key."""
    query = _expression(wanted.query)
    facts = ["(" + " | ".join(map(_quoted, group)) + ")" for group in wanted.facts]
    parameters: dict[str, Any] = {"query": " & ".join([f"({query})", *facts]), "ranked": query, "limit": _PAGE}
    if after is None:
        ((newest,),) = db.fetch_all("newest_indexed", {})
        score, key = None, None
    else:
        newest, score, key = after[0], repr(_score(after[1])), after[2]
    while True:
        place = {"newest": newest, "after_score": score, "after_key": key}
        found = db.fetch_all("match_messages", {**parameters, **place})
        for family, content, number, fits in found:
            yield Match((newest, _BITS.unpack(_SCORE.pack(fits))[0], number, b""), family, content, fits)
        if len(found) < _PAGE:
            return
        score, key = repr(found[-1][3]), found[-1][2]


def document_text(document: Document) -> str:
    """A document in the form that the server reads. What it could not take is left out from the end."""
    size = 0
    places: dict[str, list[str]] = {}
    for position, word in enumerate(words(document.text), 1):
        known = places.get(word)
        size += 2 if known else len(word.encode()) + 12
        if size > _MAX_BYTES:
            break
        if known is None:
            known = places[word] = []
        if len(known) < _MAX_POSITIONS:
            known.append(str(min(position, _MAX_POSITION)))
    found = [f"{_quoted(word)}:{','.join(positions)}" for word, positions in places.items()]
    return " ".join([*map(_quoted, document.facts), *found])


def _score(bits: int) -> float:
    score: float = _SCORE.unpack(_BITS.pack(bits))[0]
    return score


def _expression(node: Node) -> str:
    if isinstance(node, Term):
        *before, last = map(_quoted, node.words)
        return " <-> ".join([*before, f"{last}:*" if node.prefix else last])
    if not isinstance(node, All):
        return "(" + " | ".join(f"({_expression(inner)})" for inner in node.choices) + ")"
    parts = [f"({_expression(inner)})" for inner in node.wanted]
    return "(" + " & ".join([*parts, *(f"!({_expression(inner)})" for inner in node.unwanted)]) + ")"


def _quoted(text: str) -> str:
    return f"'{text}'"  # words and facts have no quotes
