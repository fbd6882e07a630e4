"""Where a tree of checkpoints is drawn: which column each is in, and the lines between them.

The newest is on top and a parent below its children, as `git log --graph` has it. A branch is drawn in one piece, the
newest branch first, and its line joins the one that leads down to where it began::

    ○ newest
    ○
    │ ○ newest of an older branch
    │ ○
    ├─╯
    ○ where both began
    ○ root

So a picture is as wide as branches lie in branches, not as there are branches. Where even that is too wide, the widest
branch is drawn first: no tree needs more columns then than its size has binary digits.
"""

from collections.abc import Hashable, Iterator, Mapping
from typing import Generic, NamedTuple, TypeVar

MAX_COLUMNS = 12
"""How many columns a picture may have before the widest branches come first."""

BOXES = "○●│├─╯"
_LETTERS = "o*||-'"
_TO_LETTERS = str.maketrans(BOXES, _LETTERS)

K = TypeVar("K", bound=Hashable)


class Row(NamedTuple, Generic[K]):
    """A line of the picture, and what is on it: the line of a checkpoint, or only lines between some (None)."""

    graph: str
    key: K | None = None


class _Tree(NamedTuple):
    """A forest by number, the newest first; from `shown` on are parents that are not shown."""

    children: list[list[int]]
    roots: list[int]
    shown: int


def draw(parents: Mapping[K, K | None], *, active: K | None = None, letters: bool = False) -> Iterator[Row[K]]:
    """The picture of what `parents` says, newest first: the parent of each, None for a root.

    A parent that is not in it, or not older, is a ``~``: something is there that is not shown. There is a blank line
    between two trees. `letters` draws with ASCII.
    """
    keys = list(parents)
    for graph, number in _rows(_forest(parents), None if active is None else _place(keys, active)):
        graph = graph.translate(_TO_LETTERS) if letters else graph
        yield Row(graph, None if number is None else keys[number])


def _place(keys: list[K], key: K) -> int | None:
    return keys.index(key) if key in keys else None


def _forest(parents: Mapping[K, K | None]) -> _Tree:
    numbers = {key: number for number, key in enumerate(parents)}
    shown = len(numbers)
    hidden: dict[K, int] = {}
    children: list[list[int]] = [[] for _ in numbers]
    roots: list[int] = []
    for number, parent in enumerate(parents.values()):
        if parent is None:
            roots.append(number)
            continue
        above = numbers.get(parent, -1)
        # A parent is older than its children. Links of damaged rows may say otherwise, and lead in a circle.
        if above <= number:
            above = hidden.setdefault(parent, shown + len(hidden))
            if above == len(children):
                children.append([])
                roots.append(above)
        children[above].append(number)
    return _ordered(_Tree(children, roots, shown))


def _ordered(tree: _Tree) -> _Tree:
    """The same with the newest branches first, or the widest where that is too wide."""
    newest = list(range(len(tree.children)))
    # Children come before their parents here, so each is done when its parent asks for it.
    for number, children in enumerate(tree.children):
        newest[number] = min([number, *(newest[child] for child in children)])
        children.sort(key=newest.__getitem__)
    widths = _widths(tree)
    if max(widths, default=0) > MAX_COLUMNS:
        for number, children in enumerate(tree.children):
            children.sort(key=lambda child: (-widths[child], newest[child]))
            widths[number] = _width(children, widths)
    return tree._replace(roots=sorted(tree.roots, key=newest.__getitem__))


def _widths(tree: _Tree) -> list[int]:
    widths = [1] * len(tree.children)
    for number, children in enumerate(tree.children):
        widths[number] = _width(children, widths)
    return widths


def _width(children: list[int], widths: list[int]) -> int:
    """The columns of a tree: the first branch goes on downwards, every other is drawn beside that line."""
    return max((widths[child] + (place > 0) for place, child in enumerate(children)), default=1)


def _rows(tree: _Tree, active: int | None) -> Iterator[tuple[str, int | None]]:
    first = True
    for root in tree.roots:
        if not first:
            yield "", None
        first = False
        yield from _branch(tree, root, active)


def _branch(tree: _Tree, root: int, active: int | None) -> Iterator[tuple[str, int | None]]:
    # What is left to do, the next at the end: a tree to draw at a column, its own line (all above it is drawn), or the
    # line that joins a column to the one left of it. Not by recursion: a conversation may have 100,000 checkpoints.
    left: list[tuple[str, int, int]] = [("tree", root, 0)]
    while left:
        step, number, column = left.pop()
        if step == "tree":
            left.append(("own", number, column))
            for place, child in reversed(list(enumerate(tree.children[number]))):
                if place:
                    left.append(("join", child, column))
                left.append(("tree", child, column + (place > 0)))
        elif step == "join":
            yield "│ " * column + "├─╯", None
        elif number >= tree.shown:
            yield "│ " * column + "~", None
        else:
            yield "│ " * column + ("●" if number == active else "○"), number
