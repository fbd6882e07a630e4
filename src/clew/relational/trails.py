"""The chains of beginnings that no checkpoint ends at, remembered for the checkpoints last written.

Who rewrites the last message at every step while others come goes on each time from a length at which no checkpoint of
that conversation ends. Only the hashes of all its messages lead to the chain there, more of them at every step; but
whoever wrote the parent had it at hand.
"""

import threading
from collections import OrderedDict

import msgspec

from clew.relational.heads import Node
from clew.relational.timelines import Point

_MOST_POINTS = 512


class Trails:
    """The points of the checkpoints last written, by their ids. Safe to share between threads.

    What is remembered need not have been committed: it is used only for a checkpoint that has the id and the very same
    chain, and of that it is true.
    """

    def __init__(self) -> None:
        self._points: OrderedDict[bytes, Point] = OrderedDict()
        self._mutex = threading.Lock()

    def remember(self, checkpoint_id: bytes, point: Point) -> None:
        """Keep the trail of the point where a checkpoint lies."""
        with self._mutex:
            self._points[checkpoint_id] = point
            self._points.move_to_end(checkpoint_id)
            if len(self._points) > _MOST_POINTS:
                self._points.popitem(last=False)

    def along(self, node: Node | None) -> Node | None:
        """A checkpoint as it was read, its point with the trail where that is remembered."""
        if node is None:
            return None
        with self._mutex:
            known = self._points.get(node.row.id)
        if known is None or (known.length, known.chain) != (node.point.length, node.point.chain):
            return node
        return Node(node.row, msgspec.structs.replace(node.point, trail=known.trail))
