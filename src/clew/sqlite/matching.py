"""What FTS5 finds for a search, and how well it fits.

FTS5 finds messages in the order of their keys, which is that in which they were written. How well one fits has to be
computed for each, so of a query that finds very many only the newest are compared with each other, then the next ones:
what a search costs does not grow with the store.
"""

import math
import struct
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import apsw
import msgspec

from clew import limits
from clew.backend import bad_cursor
from clew.relational.transaction import Match, Position, Row, Wanted
from clew.search.query import All, Node, Term

_SATURATION = 1.2
_LENGTH_WEIGHT = 0.75
"""The constants of BM25, k1 and b, as everybody sets them."""

_SCORE = struct.Struct(">d")
_BITS = struct.Struct(">q")
_FROZEN = struct.Struct(">qd")
_MAX_WEIGHT = 64  # more than that of a phrase that one message has of as many as there can be


class _Queries(Protocol):
    def fetch_all(self, name: str, parameters: dict[str, Any]) -> list[Row]: ...


class _Basis(NamedTuple):
    """What scores are computed with. It is that of the first page on every page: were it that of the moment, each write
    would shift the scores, and a page would not begin where the one before it ends.
    """

    mean: float
    """How many words a message has."""
    weights: list[float]
    """How much each phrase tells that may stand in what is found, in their order."""

    def packed(self, floor: int) -> bytes:
        """The same for a cursor, with the key that the window ends at; 0 where nothing is below it."""
        return _FROZEN.pack(floor, self.mean) + b"".join(map(_SCORE.pack, self.weights))


def matches(db: _Queries, wanted: Wanted, after: Position | None) -> Iterator[Match]:
    """See `Transaction.matches`. A position is where the window begins that a message is in, its score, its key, and
    what the scores are computed with and where the window ends.
    """
    query, phrases = _match_text(wanted)
    numbers = [number for number, (_, is_wanted) in enumerate(phrases) if is_wanted]
    if after is None:
        ((newest,),) = db.fetch_all("newest_indexed", {})
        below, floor, behind = (newest or 0) + 1, 0, None
        basis = _basis(db, [phrases[number][0] for number in numbers], _facts(wanted), newest or 0)
    else:
        below, behind = after[0], (-score_of(after[1]), -after[2])
        basis, floor = _unpacked(after[3], len(numbers))
    if basis is None:
        return
    weights = msgspec.json.encode((basis.mean, list(zip(numbers, basis.weights, strict=True)))).decode()
    while True:
        window, floor = _window(db, {"query": query, "weights": weights, "below": below, "floor": floor})
        frozen = basis.packed(floor)
        for place in window:
            if behind is None or place > behind:
                score, key = -place[0], -place[1]
                yield Match((below, bits_of(score), key, frozen), None, key, score)
        if not floor:
            return
        below, floor, behind = floor, 0, None


def _window(db: _Queries, parameters: dict[str, Any]) -> tuple[list[tuple[float, int]], int]:
    """The messages that are compared with each other, the best first, and the key that they end at; 0 for the last."""
    limit = limits.MAX_RANKED_MESSAGES
    found = db.fetch_all("match_messages", {**parameters, "limit": limit})
    floor = parameters["floor"] or (found[-1][0] if len(found) >= limit else 0)
    return sorted((-score, -key) for key, score in found), floor


def rank(api: apsw.FTS5ExtensionApi, basis: str | None) -> float:
    """BM25 of a message, by the mean length of one and the weights of the query's phrases. Facts have none.

    Without these the mean length, which SQLite tells nobody else.
    """
    given = api.aux_data
    if basis is None:
        return max(api.column_total_size(0) / max(api.row_count, 1), 1.0)
    if given is None:
        given = api.aux_data = msgspec.json.decode(basis)
    mean, by_phrase = given
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
    return f"{{words}} : ({_expression(wanted.query, phrases, True)}){_facts(wanted)}", phrases


def _facts(wanted: Wanted) -> str:
    return "".join(f" AND {{facts}} : ({' OR '.join(map(_quoted, group))})" for group in wanted.facts)


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


def _basis(db: _Queries, phrases: list[str], facts: str, newest: int) -> _Basis | None:
    """What scores are computed with from now on; None where no phrase is anywhere."""
    known = dict.fromkeys(phrases, 1.0)
    mean = _mean(db, known)
    if mean is None:
        return None
    if len(known) > 1:  # else it is the same for all
        known = {phrase: _inverse_frequency(db, f"{{words}} : {phrase}{facts}", newest) for phrase in known}
    return _Basis(mean, [known[phrase] for phrase in phrases])


def _mean(db: _Queries, phrases: Iterable[str]) -> float | None:
    """How many words a message has, as one that has a phrase can be asked; None where none has."""
    for phrase in phrases:
        query = f"{{words}} : {phrase}"
        ((count, key),) = db.fetch_all("count_matches", {"query": query, "limit": 1})
        if count:
            ((mean,),) = db.fetch_all("mean_length", {"query": query, "key": key})
            return float(mean)
    return None


def _inverse_frequency(db: _Queries, query: str, newest: int) -> float:
    """How rare a phrase is among the messages that are searched: what others have written is not to be guessed by it.

    Of a frequent one it is estimated from how far back the newest messages reach that have it.
    """
    limit = limits.MAX_RANKED_MESSAGES
    ((count, oldest),) = db.fetch_all("count_matches", {"query": query, "limit": limit})
    share = count / newest if count < limit else count / (newest - oldest + 1)
    having = min(share * newest, newest)
    return math.log(1 + (newest - having + 0.5) / (having + 0.5))  # never below 0, whatever share has it


def _unpacked(frozen: bytes, count: int) -> tuple[_Basis, int]:
    """What a position has of so many phrases, and where its window ends. Anybody can have written a cursor."""
    if len(frozen) != _FROZEN.size + count * _SCORE.size:
        raise bad_cursor()
    floor, mean = _FROZEN.unpack_from(frozen)
    weights = [weight for (weight,) in _SCORE.iter_unpack(frozen[_FROZEN.size :])]
    if not 1 <= mean < math.inf or not all(0 <= weight < _MAX_WEIGHT for weight in weights):
        raise bad_cursor()
    return _Basis(mean, weights), floor
