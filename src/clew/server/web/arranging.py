"""Where the checkpoints of a session stand in a list that shows their tree.

The oldest is on top, as in the conversation. A branch is in one piece, one column further right than the step at which
it began, and the line that leads to the active step goes on below it::

    ○ root
    ├─○ a branch
    │ ○
    ○
    ● active

So whatever stands in a column has a line to its left for each column before it. Steps in a row at which nothing happens
but that messages are added are folded to one line.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple, TypeAlias
from uuid import UUID

from clew.model import CheckpointSummary

MAX_COLUMN = 8
"""Branches further right than that are drawn there. Nobody counts more lines."""

MIN_RUN = 3
"""The shortest row of steps that is folded."""


class Step(NamedTuple):
    """A checkpoint in its place.

    `added` is by how many messages it is longer than its parent. `begins` says that it is the first of a branch,
    `is_root` that nothing is above it, `is_leaf` that nothing is below, `has_hidden_parent` that its parent is not in
    the list.
    """

    checkpoint: CheckpointSummary
    column: int
    added: int
    begins: bool
    is_root: bool
    is_leaf: bool
    has_hidden_parent: bool
    is_plain: bool

    @property
    def id(self) -> UUID:
        return self.checkpoint.id


class Run(NamedTuple):
    """Steps that are folded, the oldest first."""

    steps: list[Step]

    @property
    def id(self) -> UUID:
        return self.steps[0].id

    @property
    def column(self) -> int:
        return self.steps[0].column


Row: TypeAlias = Step | Run


def arrange(
    checkpoints: Iterable[CheckpointSummary],
    *,
    active: UUID | None,
    kept: Collection[UUID] = (),
    opened: UUID | None = None,
) -> list[Row]:
    """The rows for checkpoints that are given oldest first.

    Those in `kept` are never folded, nor is the run that begins with `opened`.
    """
    found = {checkpoint.id: checkpoint for checkpoint in checkpoints}
    parents = _parents(found)
    children: dict[UUID | None, list[UUID]] = {id: [] for id in found}
    children[None] = []
    for id, parent in parents.items():
        children[parent].append(id)
    last = _path_to(active, parents)
    for siblings in children.values():
        siblings.sort(key=lambda id: id in last)
    kept = {*kept, *([] if active is None else [active])}
    return _folded(_steps(found, parents, children, kept), opened)


def _parents(found: dict[UUID, CheckpointSummary]) -> dict[UUID, UUID | None]:
    """The parent of each, if it is in the list and older. Links of damaged rows may lead in a circle."""
    parents: dict[UUID, UUID | None] = {}
    for id, checkpoint in found.items():
        parents[id] = checkpoint.parent_id if checkpoint.parent_id in parents else None
    return parents


def _path_to(id: UUID | None, parents: dict[UUID, UUID | None]) -> set[UUID]:
    path: set[UUID] = set()
    while id is not None and id in parents:
        path.add(id)
        id = parents[id]
    return path


def _steps(
    found: dict[UUID, CheckpointSummary],
    parents: dict[UUID, UUID | None],
    children: dict[UUID | None, list[UUID]],
    kept: Collection[UUID],
) -> list[Step]:
    # Not by recursion: a conversation may have 100,000 checkpoints.
    rows: list[Step] = []
    left = [(id, 0, False) for id in reversed(children[None])]
    while left:
        id, column, begins = left.pop()
        checkpoint, parent, below = found[id], parents[id], children[id]
        rows.append(
            Step(
                checkpoint=checkpoint,
                column=min(column, MAX_COLUMN),
                added=checkpoint.message_count - (found[parent].message_count if parent else 0),
                begins=begins,
                is_root=parent is None,
                is_leaf=not below,
                has_hidden_parent=parent is None and checkpoint.parent_id is not None,
                is_plain=_is_plain(checkpoint, parent, len(below)) and id not in kept,
            )
        )
        if below:
            left.append((below[-1], column, False))
            left += [(child, column + 1, True) for child in reversed(below[:-1])]
    return rows


def _is_plain(checkpoint: CheckpointSummary, parent: UUID | None, children: int) -> bool:
    return parent is not None and children == 1 and checkpoint.label is None and checkpoint.damage is None


def _folded(steps: list[Step], opened: UUID | None) -> list[Row]:
    rows: list[Row] = []
    run: list[Step] = []
    for step in [*steps, None]:
        if step is not None and step.is_plain and not step.begins:
            run.append(step)
            continue
        if run:
            rows += run if len(run) < MIN_RUN or run[0].id == opened else [Run(run)]
            run = []
        if step is not None:
            rows.append(step)
    return rows
