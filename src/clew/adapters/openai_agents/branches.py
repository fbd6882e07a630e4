"""Branches and labels of a session.

The metadata of each state says which branch it is of, and `append` takes it over: so items and the branch they are of
are one write, and the newest checkpoint of a branch is its tip. A label marks the checkpoint that a branch begins with,
which makes its name unique. No checkpoint has both kinds of label, because each has a checkpoint of its own.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from clew import CheckpointSummary, ConflictError, CorruptStateError, InvalidRequestError, Label, NotFoundError, Store
from clew.adapters.by_name import settled

BRANCH = "branch"
"""The key in the metadata of a state."""

MAIN = "main"
"""The branch that every session begins with. It has no mark: it is always there."""

_MARK = "branch/"
_PAGE = 1_000


class Branch(NamedTuple):
    """A branch: its name, how many items it has, whether it is the current one, and when it was last written to."""

    name: str
    item_count: int
    is_current: bool
    updated_at: datetime


def create(store: Store, session: UUID, name: str, at: int | str | None) -> None:
    """Begin a branch with the items of the current one, its first `at`, or those of a label; it is current then."""
    if name == MAIN:
        raise ConflictError(f"every session has a branch {MAIN!r} from its beginning")
    store.append(session, [], label=_mark(name), metadata={BRANCH: name}, **_point(at))


def switch(store: Store, session: UUID, name: str) -> None:
    """Go on with another branch where it was left."""
    if name != MAIN:
        _mark_of(store, session, name)
    settled(lambda: _switch(store, session, name))


def current(store: Store, session: UUID) -> str:
    """The name of the current branch."""
    return _active(store, session)[1]


def listing(store: Store, session: UUID) -> list[Branch]:
    """Every branch: the one that every session has first, the others by name."""
    now = current(store, session)
    names = {label.removeprefix(_MARK) for label in _labels(store, session) if label.startswith(_MARK)}
    wanted = [MAIN, *sorted((names | {now}) - {MAIN})]
    tips = _tips(store, session, set(wanted))
    return [
        Branch(name, tips[name].message_count, name == now, tips[name].created_at) for name in wanted if name in tips
    ]


def delete(store: Store, session: UUID, name: str) -> None:
    """Forget the name of a branch. What it has stays in the tree of the session."""
    if name == MAIN:
        raise InvalidRequestError(f"the branch {MAIN!r} is always there")
    mark = _mark_of(store, session, name)
    if name == current(store, session):
        raise ConflictError(f"{name!r} is the current branch: switch to another one first")
    store.set_label(mark, None)


def rewind(store: Store, session: UUID, to: int | str) -> None:
    """Go back to the first `to` items, or to those of a label, on the current branch."""
    if isinstance(to, str):
        settled(lambda: _rewind_to_label(store, session, to))
    else:
        store.append(session, [], **_point(to))


def set_label(store: Store, session: UUID, name: str, move: bool) -> None:
    """Give the items there are now a name."""
    if not isinstance(name, str):
        raise InvalidRequestError(f"a label is text, not {name!r}"[:200])
    _refuse_mark(name)
    if not move:
        store.append(session, [], label=name)
        return
    store.set_label(store.append(session, []).id, name, move=True)


def labels(store: Store, session: UUID) -> dict[str, int]:
    """How many items each label has, in the order of the labels."""
    found = _labels(store, session)
    return {label: count for label, count in found.items() if not label.startswith(_MARK)}


def _point(at: int | str | None) -> dict[str, Any]:
    """Where to go on from, as arguments of `append`."""
    if at is None:
        return {}
    if isinstance(at, str):
        _refuse_mark(at)
        return {"parent_id": Label(at)}
    if isinstance(at, bool) or not isinstance(at, int) or at < 0:
        raise InvalidRequestError(f"a point is a number of items or a label, not {at!r}"[:200])
    return {"after": at}


def _mark(name: str) -> str:
    if not isinstance(name, str) or not name:
        raise InvalidRequestError("the name of a branch must be text that is not empty")
    return _MARK + name


def _refuse_mark(label: str) -> None:
    if label.startswith(_MARK):
        raise InvalidRequestError(f"labels that begin with {_MARK!r} stand for branches")


def _mark_of(store: Store, session: UUID, name: str) -> UUID:
    """The checkpoint that a branch begins with; the one that every session has is not marked."""
    try:
        return store.find_checkpoint(session, _mark(name)).id
    except NotFoundError:
        raise NotFoundError(f"no branch {name!r}") from None


def _switch(store: Store, session: UUID, name: str) -> None:
    active, now = _active(store, session)
    if name == now:
        return
    tip = store.list_checkpoints(session, order="-created", metadata={BRANCH: name}, limit=1).items
    if not tip:
        raise NotFoundError(f"nothing is left of the branch {name!r}")
    # `set_active_checkpoint` could go back behind what somebody has added to the branch since the tip was read.
    store.append(session, [], parent_id=_sound(tip[0]).id, if_active=active)


def _rewind_to_label(store: Store, session: UUID, label: str) -> None:
    active, branch = _active(store, session)
    store.append(session, [], metadata={BRANCH: branch}, if_active=active, **_point(label))


def _active(store: Store, session: UUID) -> tuple[UUID | None, str]:
    """The active checkpoint, and the branch that it is of."""
    active = store.get_session_summary(session).active_checkpoint_id
    # It is the newest, unless somebody has gone back by other means.
    item = next((item for item in _checkpoints(store, session) if item.id == active), None)
    return active, MAIN if item is None else _branch_of(item)


def _tips(store: Store, session: UUID, names: set[str]) -> dict[str, CheckpointSummary]:
    """The newest checkpoint of each branch, in one pass."""
    tips: dict[str, CheckpointSummary] = {}
    for item in _checkpoints(store, session):
        name = _branch_of(item)
        if name in names:
            tips.setdefault(name, item)
            if len(tips) == len(names):
                break
    return tips


def _branch_of(item: CheckpointSummary) -> str:
    metadata = _sound(item).metadata
    name = metadata.get(BRANCH) if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else MAIN


def _sound(item: CheckpointSummary) -> CheckpointSummary:
    if item.damage is not None:
        raise CorruptStateError(item.damage, item.id)
    return item


def _checkpoints(store: Store, session: UUID) -> Iterator[CheckpointSummary]:
    """The checkpoints of the session with their metadata, newest first."""
    cursor, limit = None, 1  # mostly the first is the one that is looked for
    while True:
        page = store.list_checkpoints(session, order="-created", with_metadata=True, limit=limit, cursor=cursor)
        yield from page
        cursor, limit = page.next_cursor, _PAGE
        if cursor is None:
            return


def _labels(store: Store, session: UUID) -> dict[str, int]:
    """The labels of the session in their order, with how many items each has."""
    found: dict[str, int] = {}
    cursor = None
    while True:
        page = store.list_checkpoints(session, order="label", limit=_PAGE, cursor=cursor)
        found |= {item.label: _sound(item).message_count for item in page if item.label is not None}
        cursor = page.next_cursor
        if cursor is None:
            return found
