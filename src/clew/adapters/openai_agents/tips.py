"""Where a session goes on: its active checkpoint, and which branch that is the tip of.

The metadata of each state says which branch it is of, and `append` takes it over: so items and the branch they are of
are one write. Beyond that the tip of a branch has a label, which each write takes along. It finds the branch in one
lookup once another one is current, and keeps `prune` off it. A session that one object writes to and that has never had
a branch does without: what it goes on from is the active checkpoint, and no write pays for a label.
"""

from typing import Any, NamedTuple
from uuid import UUID

from clew import CheckpointSummary, ConflictError, CorruptStateError, Label, Store
from clew.adapters.by_name import settled

BRANCH = "branch"
"""The key in the metadata of a state."""

MAIN = "main"
"""The branch that every session begins with."""

TIP = "branch-tip/"
"""How the labels begin that the tips of branches have."""


class Tip(NamedTuple):
    """The active checkpoint, how many items it has, its branch, and whether it has the label of that branch's tip.

    Without `moves` no label is taken along. `checkpoint` is None where a session has none.
    """

    checkpoint: UUID | None
    length: int
    branch: str
    is_marked: bool
    moves: bool


def begun(checkpoint: UUID, count: int) -> Tip:
    """Where a session is that has just been made."""
    return Tip(checkpoint, count, MAIN, False, False)


def active_of(store: Store, session: UUID) -> CheckpointSummary | None:
    """The active checkpoint with its metadata, in one read."""
    return next(iter(store.list_checkpoints(session, active=True, with_metadata=True)), None)


def look(store: Store, session: UUID) -> Tip:
    """Where a session is, in one read."""
    active = active_of(store, session)
    if active is None:
        return Tip(None, 0, MAIN, False, False)
    branch = branch_of(active)
    # What has another label than its own may have been the tip before it got that: then the tip's is to follow.
    moves = branch != MAIN or active.label is not None
    return Tip(active.id, active.message_count, branch, active.label == TIP + branch, moves)


def go_on(store: Store, session: UUID, items: list[Any], tip: Tip, *, alone: bool = False, **where: Any) -> Tip:
    """Go on from a tip, or on its branch from `where`, as arguments of `append`. ConflictError where it is none now.

    A tip with a label is one as long as its branch is the current one, whatever others add to it; with `alone` only
    until they do.
    """
    label = TIP + tip.branch
    expected = Label(label) if tip.is_marked and not alone else tip.checkpoint
    moved: dict[str, Any] = {"label": label, "move": True} if tip.moves else {}
    made = store.append(session, items, if_active=expected, **moved, **where)
    return Tip(made.id, 0, tip.branch, tip.moves, tip.moves)


def write(store: Store, session: UUID, items: list[Any], known: Tip | None, **where: Any) -> Tip:
    """Go on from where the session is: from the tip that is `known` if it is still one, else from what there is now."""
    if known is not None:
        try:
            return go_on(store, session, items, known, **where)
        except ConflictError:  # somebody else has written: see what there is now
            pass
    others = known is not None

    def attempt() -> Tip:
        nonlocal others
        tip = look(store, session)
        # With a label those who write at once stay out of each other's way.
        tip, others = tip._replace(moves=tip.moves or others), True
        return go_on(store, session, items, tip, **where)

    return settled(attempt)


def branch_of(item: CheckpointSummary) -> str:
    """The branch that a checkpoint is of."""
    metadata = sound(item).metadata
    name = metadata.get(BRANCH) if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else MAIN


def sound(item: CheckpointSummary) -> CheckpointSummary:
    """The item itself, unless something is wrong with it."""
    if item.damage is not None:
        raise CorruptStateError(item.damage, item.id)
    return item
