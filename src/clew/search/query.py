"""What a person types, as what is looked for. Nothing that can be typed is an error.

Words must all be there, in any order. `"a phrase"` is words in a row, `pre*` how a word begins, `a OR b` either, and
`NOT a` or `-a` what must not be there; `( )` group. Whatever else is typed is words: `foo:bar`, `C++`, `--flag`, what
follows a quote without its other one. An operator that has nothing to join is left out. A query without a word to look
for, or with nothing but what must not be there, looks for nothing.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from clew.search.words import words

MAX_TERMS = 256
"""How many words and phrases of a query count; those behind them do not."""

MAX_DEPTH = 20
"""How many groups stand in each other; brackets beyond that are not seen."""

_TOKEN = re.compile(
    r"""(?P<minus>-?)"(?P<phrase>[^"]*)(?:"(?P<star>\*?)|$)|[()]|(?P<not>(?:(?<!\S)|(?<=\())-(?=[^\s\-]))|[^\s()"]+"""
)
_NOT = "NOT"
_QUOTES = dict.fromkeys(map(ord, "\u201c\u201d\u201e\u201f"), '"')  # what telephones and word processors make of them


class Term(NamedTuple):
    """Words in a row; with `prefix` the last one is how a word begins."""

    words: tuple[str, ...]
    prefix: bool = False


class All(NamedTuple):
    """Every one of `wanted`, and none of `unwanted`. At least one is wanted."""

    wanted: "tuple[Node, ...]"
    unwanted: "tuple[Node, ...]" = ()


class Any(NamedTuple):
    """At least one of `choices`, of which there are two or more."""

    choices: "tuple[Node, ...]"


Node: TypeAlias = Term | All | Any


def parse(text: str) -> Node | None:
    """What a query looks for; None where that is nothing."""
    return _Parser(text).run()


def terms(node: Node) -> Iterator[Term]:
    """What of a query can stand in what is found, to be marked there."""
    if isinstance(node, Term):
        yield node
        return
    for inner in node.wanted if isinstance(node, All) else node.choices:
        yield from terms(inner)


class _Parser:
    def __init__(self, text: str) -> None:
        found = _TOKEN.finditer(text.translate(_QUOTES))
        self._tokens = [(_NOT if match["not"] else match[0], match) for match in found]
        self._at = 0
        self._terms = 0

    def run(self) -> Node | None:
        """A bracket that closes nothing is not seen."""
        found: list[Node] = []
        while self._at < len(self._tokens):
            group = self._choices(0)
            if group is not None:
                found.append(group)
            self._at += 1  # the bracket
        return _all(found, [])

    def _choices(self, depth: int) -> Node | None:
        """Up to a bracket that closes, or the end."""
        choices: list[Node] = []
        while True:
            choice = self._together(depth)
            if choice is not None:
                choices.append(choice)
            if self._peek() != "OR":
                break
            self._at += 1
        return choices[0] if len(choices) == 1 else Any(tuple(choices)) if choices else None

    def _together(self, depth: int) -> Node | None:
        wanted: list[Node] = []
        unwanted: list[Node] = []
        negated = False
        while (token := self._peek()) not in (None, ")", "OR"):
            if token in (_NOT, "AND"):
                negated = negated or token == _NOT
                self._at += 1
                continue
            node, minus = self._one(depth)
            if node is not None:
                (unwanted if negated or minus else wanted).append(node)
            negated = False
        return _all(wanted, unwanted)

    def _one(self, depth: int) -> tuple[Node | None, bool]:
        """A group, a phrase or a word, and whether a minus stands before it."""
        token, match = self._tokens[self._at]
        self._at += 1
        if token == "(":  # noqa: S105 - a bracket
            if depth >= MAX_DEPTH:
                return None, False
            group = self._choices(depth + 1)
            if self._peek() == ")":
                self._at += 1
            return group, False
        if match["phrase"] is not None:
            return self._term(match["phrase"], bool(match["star"])), bool(match["minus"])
        return self._term(token.rstrip("*"), token.endswith("*")), False

    def _term(self, text: str, prefix: bool) -> Term | None:
        found = words(text)
        if not found or self._terms >= MAX_TERMS:
            return None
        self._terms += 1
        return Term(tuple(found), prefix)

    def _peek(self) -> str | None:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else None


def _all(wanted: list[Node], unwanted: list[Node]) -> Node | None:
    if not wanted:
        return None
    return wanted[0] if len(wanted) == 1 and not unwanted else All(tuple(wanted), tuple(unwanted))
