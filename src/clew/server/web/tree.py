"""The steps of a session beside its conversation."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from clew.display.conversation import preview
from clew.display.visible import one_line
from clew.errors import CorruptStateError
from clew.model import CheckpointSummary
from clew.server.served import Serving
from clew.server.web.addresses import StepAddress
from clew.server.web.arranging import Row, Run, Step, arrange
from clew.store import Store

MAX_ROWS = 100
"""Rows on one page."""

MAX_READ = 20_000
"""The newest steps, which the tree is made of."""

MAX_FORKS = 100
_READ_AT_ONCE = 1_000


class Fork(NamedTuple):
    """A session that was forked from a step, with its title in one line."""

    id: UUID
    title: str


class Node(NamedTuple):
    """A row as it is drawn: a step with the first words that it adds, or some steps that are folded.

    `first` and `last` are the numbers of the messages that it adds.
    """

    row: Row
    words: str
    label: str
    first: int
    last: int
    forks: list[Fork]
    is_run: bool


class Tree(NamedTuple):
    """Some rows of a tree, from `first` on, of `total`; of `steps` in all, `hidden` have not been read."""

    nodes: list[Node]
    first: int
    total: int
    steps: int
    hidden: int

    @property
    def earlier(self) -> int | None:
        """Where the part before this one begins."""
        return max(0, self.first - MAX_ROWS) if self.first else None

    @property
    def later(self) -> int | None:
        """Where the part after it begins."""
        end = self.first + len(self.nodes)
        return end if end < self.total else None


def read_tree(
    served: Serving,
    address: StepAddress,
    active: UUID | None,
    *,
    row: int | None = None,
    run: UUID | None = None,
) -> Tree:
    """The rows around the step of the address, or from `row` on, or of the opened `run`."""
    store, chosen = served.store, address.checkpoint_id
    found, total = _newest(store, address.session_id)
    forks = _forks(served, address.session_id)
    kept = {*forks, *([] if chosen is None else [chosen])}
    rows = arrange(found, active=active, kept=kept, opened=run)
    first = _first(rows, run or chosen or active) if row is None else min(row, len(rows))
    nodes = [_node(store, row, forks) for row in rows[first : first + MAX_ROWS]]
    return Tree(nodes, first, len(rows), total, total - len(found))


def _first(rows: list[Row], wanted: UUID | None) -> int:
    """Where a page of rows begins that shows a step: the first of all, if that does."""
    place = next((place for place, row in enumerate(rows) if row.id == wanted), 0)
    return 0 if place < MAX_ROWS else max(0, place - MAX_ROWS // 2)


def _newest(store: Store, session_id: UUID) -> tuple[list[CheckpointSummary], int]:
    """The newest checkpoints, oldest first, and how many there are."""
    found = list(islice(_backwards(store, session_id), MAX_READ))
    total = store.list_checkpoints(session_id, limit=0).total if len(found) == MAX_READ else len(found)
    return found[::-1], total or len(found)


def _backwards(store: Store, session_id: UUID) -> Iterator[CheckpointSummary]:
    cursor = None
    while True:
        page = store.list_checkpoints(session_id, order="-created", limit=_READ_AT_ONCE, cursor=cursor)
        yield from page
        cursor = page.next_cursor
        if cursor is None:
            return


def _forks(served: Serving, session_id: UUID) -> dict[UUID, list[Fork]]:
    """The sessions that were forked from this one, by the checkpoint; only a caller with a key may ask for lists."""
    if served.caller.role is None:
        return {}
    forks: dict[UUID, list[Fork]] = {}
    for session in served.store.list_sessions(parent_session_id=session_id, limit=MAX_FORKS):
        if session.forked_from is not None:
            forks.setdefault(session.forked_from, []).append(Fork(session.id, one_line(session.title)))
    return forks


def _node(store: Store, row: Row, forks: dict[UUID, list[Fork]]) -> Node:
    if isinstance(row, Run):
        oldest, newest = row.steps[0], row.steps[-1]
        before = oldest.checkpoint.message_count - oldest.added
        return Node(row, "", "", before + 1, newest.checkpoint.message_count, [], is_run=True)
    count = row.checkpoint.message_count
    label = one_line(row.checkpoint.label or "", 100)
    before = count - max(0, row.added)
    return Node(row, _words(store, row, before), label, before + 1, count, forks.get(row.id, []), is_run=False)


def _words(store: Store, step: Step, before: int) -> str:
    """The first words that a step adds; what is wrong with it where it is damaged."""
    if step.checkpoint.damage is not None:
        return f"damaged: {one_line(step.checkpoint.damage)}"
    if step.added <= 0:
        return ""
    try:
        messages = store.get_messages(step.id, start=before, stop=before + 1)
    except CorruptStateError as error:
        return f"damaged: {one_line(error.message)}"
    return preview(messages[0]) if messages else ""
