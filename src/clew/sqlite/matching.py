"""What FTS5 finds for a search, and how well it fits.

FTS5 finds messages in the order of their keys, which is that in which they were written. How well one fits has to be
computed for each, so of a query that finds very many only the newest are compared with each other, then the next ones:
what a search costs does not grow with the store.
"""

import math
import struct
from collections.abc import Iterator
from typing import Any, Protocol

import apsw
import msgspec

from clew import limits
from clew.backend import bad_cursor
from clew.relational.transaction import Match, Row, Wanted
from clew.search.query import All, Node, Term

_SATURATION = 1.2
_LENGTH_WEIGHT = 0.75
"""The constants of BM25, k1 and b, as everybody sets them."""

_SCORE = struct.Struct(">d")
_BITS = struct.Struct(">q")


class _Queries(Protocol):
    def fetch_all(self, name: str, parameters: dict[str, Any]) -> list[Row]: ...


def matches(db: _Queries, wanted: Wanted, after: tuple[int, int, int] | None) -> Iterator[Match]:
    """See `Transaction.matches`. A position is where the window lies that a message is in, its score, and its key."""
    ((newest,),) = db.fetch_all("newest_indexed", {})
    if newest is None:
        return
    below = newest + 1 if after is None else after[0]
    query, found_terms = _match_text(wanted)
    weights = _weights(db, found_terms, newest)
    behind = None if after is None else (-score_of(after[1]), -after[2])
    while True:
        parameters = {"query": query, "weights": weights, "below": below, "limit": limits.MAX_RANKED_MESSAGES}
        window = db.fetch_all("match_messages", parameters)
        ranked = sorted((-score, -key) for key, score in window)
        for place in ranked:
            if behind is None or place > behind:
                score, key = -place[0], -place[1]
                yield Match((below, bits_of(score), key), None, key, score)
        if len(window) < limits.MAX_RANKED_MESSAGES:
            return
        below, behind = window[-1][0], None


def rank(api: apsw.FTS5ExtensionApi, weights: Any) -> float:
    """BM25 of a message for a query whose phrases have these weights. Facts have none."""
    given = api.aux_data
    if given is None:
        rows = max(api.row_count, 1)
        given = api.aux_data = (msgspec.json.decode(weights), max(api.column_total_size(0) / rows, 1.0))
    by_phrase, mean = given
    length = _SATURATION * (1 - _LENGTH_WEIGHT + _LENGTH_WEIGHT * api.column_size(0) / mean)
    score = 0.0
    for phrase, weight in by_phrase:
        count = len(api.phrase_column_offsets(phrase, 0))
        score += weight * count * (_SATURATION + 1) / (count + length)
    return score


def bits_of(score: float) -> int:
    """A score as a whole number, for a cursor."""
    bits: int = _BITS.unpack(_SCORE.pack(score))[0]
    return bits


def score_of(bits: int) -> float:
    """The score that `bits_of` made a number of."""
    score: float = _SCORE.unpack(_BITS.pack(bits))[0]
    if math.isnan(score):
        raise bad_cursor()
    return score


def _match_text(wanted: Wanted) -> tuple[str, list[tuple[str, bool]]]:
    """The query as FTS5 has it, and each of its phrases in order, with whether it may stand in what is found."""
    phrases: list[tuple[str, bool]] = []
    text = f"{{words}} : ({_expression(wanted.query, phrases, True)})"
    for group in wanted.facts:
        text += f" AND {{facts}} : ({' OR '.join(map(_quoted, group))})"
    return text, phrases


def _expression(node: Node, phrases: list[tuple[str, bool]], is_wanted: bool) -> str:
    if isinstance(node, Term):
        phrase = _quoted(" ".join(node.words)) + (" *" if node.prefix else "")
        phrases.append((phrase, is_wanted))
        return phrase
    if not isinstance(node, All):
        return "(" + " OR ".join([_expression(inner, phrases, is_wanted) for inner in node.choices]) + ")"
    text = "(" + " AND ".join([_expression(inner, phrases, is_wanted) for inner in node.wanted]) + ")"
    for inner in node.unwanted:
        text = f"({text} NOT {_expression(inner, phrases, False)})"
    return text


def _quoted(text: str) -> str:
    return f'"{text}"'  # words and facts have no quotes


def _weights(db: _Queries, phrases: list[tuple[str, bool]], newest: int) -> str:
    """How much each phrase tells, as JSON pairs of its number and its inverse document frequency."""
    known: dict[str, float] = {}
    for phrase, is_wanted in phrases:
        if is_wanted and phrase not in known:
            known[phrase] = _inverse_frequency(db, phrase, newest)
    weights = [(number, known[phrase]) for number, (phrase, is_wanted) in enumerate(phrases) if is_wanted]
    return msgspec.json.encode(weights).decode()


def _inverse_frequency(db: _Queries, phrase: str, newest: int) -> float:
    """Of a frequent phrase it is estimated from how far back the newest messages reach that have it."""
    limit = limits.MAX_RANKED_MESSAGES
    ((count, oldest),) = db.fetch_all("count_matches", {"query": f"{{words}} : {phrase}", "limit": limit})
    share = count / newest if count < limit else count / (newest - oldest + 1)
    having = min(share * newest, newest)
    return math.log(1 + (newest - having + 0.5) / (having + 0.5))  # never below 0, whatever share has it
