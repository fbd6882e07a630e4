"""Branches and labels of a session.

Which branch is current, and where it ends, is the business of `tips`. A branch that is not the current one is found by
the label of its tip. Sessions of earlier versions have a label at the beginning of each branch instead: there the tip
is the newest checkpoint of the branch, until the branch is left for the first time.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from clew import CheckpointSummary, ConflictError, InvalidRequestError, Label, NotFoundError, Store
from clew.adapters.by_name import settled
from clew.adapters.openai_agents.tips import BRANCH, MAIN, TIP, Tip, active_of, branch_of, go_on, look, sound, write

_BEGINNING = "branch/"
"""How the labels begin that earlier versions gave to the beginnings of branches."""

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
    _check_name(name)
    where = _point(at)
    if not settled(lambda: _create(store, session, name, where)):
        raise ConflictError(f"there is a branch {name!r} already")


def switch(store: Store, session: UUID, name: str) -> None:
    """Go on with another branch where it was left."""
    _check_name(name)
    settled(lambda: _switch(store, session, name))


def current(store: Store, session: UUID) -> str:
    """The name of the current branch."""
    return look(store, session).branch


def listing(store: Store, session: UUID) -> list[Branch]:
    """Every branch: the one that every session has first, the others by name."""
    active, labelled = active_of(store, session), _labelled(store, session)
    tips = {label.removeprefix(TIP): item for label, item in labelled.items() if label.startswith(TIP)}
    names = {MAIN, *tips, *(label.removeprefix(_BEGINNING) for label in labelled if label.startswith(_BEGINNING))}
    now = MAIN if active is None else branch_of(active)
    if active is not None:
        tips[now] = active
    tips |= _newest(store, session, names - set(tips))
    ordered = [MAIN, *sorted((names | {now}) - {MAIN})]
    return [
        Branch(name, tips[name].message_count, name == now, tips[name].created_at) for name in ordered if name in tips
    ]


def delete(store: Store, session: UUID, name: str) -> None:
    """Forget the name of a branch. What it has stays in the tree of the session."""
    if name == MAIN:
        raise InvalidRequestError(f"the branch {MAIN!r} is always there")
    _check_name(name)
    if not _is_there(store, session, name):
        raise _no_branch(name)
    if name == current(store, session):
        raise ConflictError(f"{name!r} is the current branch: switch to another one first")
    labelled = _labelled(store, session)
    for mark in (TIP + name, _BEGINNING + name):
        if mark in labelled:
            store.set_label(labelled[mark].id, None)


def rewind(store: Store, session: UUID, to: int | str) -> None:
    """Go back to the first `to` items, or to those of a label, on the current branch."""
    where = _point(to)
    if isinstance(to, str):
        settled(lambda: _rewind_to_label(store, session, where))
    else:
        write(store, session, [], None, **where)


def set_label(store: Store, session: UUID, name: str, move: bool) -> None:
    """Give the items there are now a name.

    It is given to a new checkpoint, so that none loses the label it has: that of the tip stays one behind, with the
    same items, until the next write takes it along.
    """
    if not isinstance(name, str):
        raise InvalidRequestError(f"a label is text, not {name!r}"[:200])
    _refuse_marks(name)
    store.append(session, [], label=name, move=move)


def labels(store: Store, session: UUID) -> dict[str, int]:
    """How many items each label has, in the order of the labels."""
    found = _labelled(store, session)
    return {label: item.message_count for label, item in found.items() if not _is_mark(label)}


def _point(at: int | str | None) -> dict[str, Any]:
    """Where to go on from, as arguments of `append`."""
    if at is None:
        return {}
    if isinstance(at, str):
        _refuse_marks(at)
        return {"parent_id": Label(at)}
    if isinstance(at, bool) or not isinstance(at, int) or at < 0:
        raise InvalidRequestError(f"a point is a number of items or a label, not {at!r}"[:200])
    return {"after": at}


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not name:
        raise InvalidRequestError("the name of a branch must be text that is not empty")


def _is_mark(label: str) -> bool:
    return label.startswith((TIP, _BEGINNING))


def _refuse_marks(label: str) -> None:
    if _is_mark(label):
        raise InvalidRequestError(f"labels that begin with {TIP!r} or {_BEGINNING!r} stand for branches")


def _no_branch(name: str) -> NotFoundError:
    return NotFoundError(f"no branch {name!r}")


def _has(store: Store, session: UUID, label: str) -> bool:
    """Whether a checkpoint of the session has a label. None of its items is read."""
    try:
        store.get_messages(Label(label), session_id=session, stop=0)
    except NotFoundError:
        return False
    return True


def _is_there(store: Store, session: UUID, name: str) -> bool:
    """Whether there is a branch of that name, other than the one that is always there."""
    return _has(store, session, TIP + name) or _has(store, session, _BEGINNING + name)


def _create(store: Store, session: UUID, name: str, where: dict[str, Any]) -> bool:
    """False where there is a branch of that name."""
    if _is_there(store, session, name):
        return False
    tip = look(store, session)
    _check_point(store, session, tip, where)
    left = Label(TIP + _left(store, session, tip).branch)
    store.append(session, [], label=TIP + name, metadata={BRANCH: name}, if_active=left, **where)
    return True


def _check_point(store: Store, session: UUID, tip: Tip, where: dict[str, Any]) -> None:
    """The same errors as those of the write to come, before anything is written."""
    if where.get("after", 0) > tip.length:
        raise InvalidRequestError(f"there are {tip.length:,} items, not {where['after']:,}")
    if "parent_id" in where:
        store.get_messages(where["parent_id"], session_id=session, stop=0)


def _left(store: Store, session: UUID, tip: Tip) -> Tip:
    """A tip with its label, so that it is found again when the branch is not the current one any more."""
    return tip if tip.is_marked else go_on(store, session, [], tip._replace(moves=True))


def _switch(store: Store, session: UUID, name: str) -> None:
    tip = look(store, session)
    if name == tip.branch:
        return
    other = _tip_of(store, session, name)
    left = Label(TIP + _left(store, session, tip).branch)
    # `set_active_checkpoint` could go back behind what somebody has added to the branch since the tip was read.
    store.append(session, [], parent_id=other, label=TIP + name, move=True, metadata={BRANCH: name}, if_active=left)


def _tip_of(store: Store, session: UUID, name: str) -> UUID | Label:
    """Where a branch ends that is not the current one."""
    if _has(store, session, TIP + name):
        return Label(TIP + name)
    if name != MAIN and not _has(store, session, _BEGINNING + name):
        raise _no_branch(name)
    found = store.list_checkpoints(session, order="-created", metadata={BRANCH: name}, limit=1).items
    if not found:
        raise NotFoundError(f"nothing is left of the branch {name!r}")
    return sound(found[0]).id


def _rewind_to_label(store: Store, session: UUID, where: dict[str, Any]) -> None:
    tip = look(store, session)
    go_on(store, session, [], tip, metadata={BRANCH: tip.branch}, **where)


def _newest(store: Store, session: UUID, names: set[str]) -> dict[str, CheckpointSummary]:
    """The newest checkpoint of each branch, in one pass; none of a branch of which nothing is left."""
    found: dict[str, CheckpointSummary] = {}
    for item in _checkpoints(store, session) if names else ():
        name = branch_of(item)
        if name in names:
            found.setdefault(name, item)
            if len(found) == len(names):
                break
    return found


def _checkpoints(store: Store, session: UUID) -> Iterator[CheckpointSummary]:
    """The checkpoints of the session with their metadata, newest first."""
    cursor = None
    while True:
        page = store.list_checkpoints(session, order="-created", with_metadata=True, limit=_PAGE, cursor=cursor)
        yield from page
        cursor = page.next_cursor
        if cursor is None:
            return


def _labelled(store: Store, session: UUID) -> dict[str, CheckpointSummary]:
    """The checkpoints of the session that have a label, by label and in the order of the labels."""
    found: dict[str, CheckpointSummary] = {}
    cursor = None
    while True:
        page = store.list_checkpoints(session, order="label", limit=_PAGE, cursor=cursor)
        found |= {item.label: item for item in map(sound, page) if item.label is not None}
        cursor = page.next_cursor
        if cursor is None:
            return found
