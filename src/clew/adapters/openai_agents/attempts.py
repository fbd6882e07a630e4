"""Writes that hold only for what was read before them."""

from collections.abc import Callable
from typing import TypeVar

from clew import ConflictError

T = TypeVar("T")

_MOST = 100


def settled(attempt: Callable[[], T]) -> T:
    """What an attempt returns that nobody overtook. One that was overtaken is made again from what is there then.

    After a hundred times, each of them somebody else's write that went through, the ConflictError comes out.
    """
    for _ in range(_MOST - 1):
        try:
            return attempt()
        except ConflictError:
            continue
    return attempt()
