"""What a store is to hold after a number of steps, said in plain values that share no code with clew."""

from copy import deepcopy
from typing import Any
from uuid import UUID

import msgspec

Message = dict[str, Any]
Made = list[UUID | None]
"""The ids that came of a call: of a session and all its checkpoints, or of a checkpoint and its parent."""


class Step(msgspec.Struct, frozen=True):
    """One call of a method of the store, and the session it is about where that exists already."""

    method: str
    session: UUID | None
    arguments: dict[str, Any]


class Point(msgspec.Struct):
    """A checkpoint."""

    id: UUID
    parent: UUID | None
    label: str | None
    messages: list[Message]
    metadata: Any
    attachments: dict[str, bytes] = {}


class Kept(msgspec.Struct, kw_only=True):
    """A session with its checkpoints in the order in which they were written."""

    id: UUID
    title: str
    visibility: str
    status: str = "ACTIVE"
    cwd: str | None
    source: str | None
    source_id: str | None
    parent_session_id: UUID | None
    forked_from: UUID | None
    metadata: Any
    revision: int
    active: UUID | None
    points: list[Point]

    def point(self, id: UUID | None) -> Point:
        """One of its checkpoints, the active one for None."""
        return next(point for point in self.points if point.id == (id or self.active))

    def line(self, id: UUID | None) -> list[UUID]:
        """A checkpoint, its parent, and so on to the root."""
        found: list[UUID] = []
        while id is not None:
            found.append(id)
            id = self.point(id).parent
        return found


World = dict[UUID, Kept]


def same(one: object, other: object) -> bool:
    """Equal, and also where ``==`` sees no difference: 1 and 1.0 and True, 0.0 and -0.0, the order of keys."""
    return repr(one) == repr(other)


def apply(world: World, step: Step, made: Made) -> None:
    """What `step` does; `made` is needed where the store chose the ids."""
    _EFFECTS[step.method](world, step, deepcopy(step.arguments), made)


def _create(world: World, _: Step, call: dict[str, Any], __: Made) -> None:
    root = Point(call["checkpoint_id"], None, None, call["messages"], call["metadata"])
    world[call["id"]] = Kept(
        id=call["id"],
        title=call["title"],
        visibility=call["visibility"],
        cwd=call["cwd"],
        source=call.get("source"),
        source_id=call.get("source_id"),
        parent_session_id=None,
        forked_from=None,
        metadata=call["session_metadata"],
        revision=1,
        active=root.id,
        points=[root],
    )


def _fork(world: World, step: Step, call: dict[str, Any], made: Made) -> None:
    origin = _session(world, step)
    begun = origin.point(call["checkpoint_id"])
    (root,) = _derive(world, origin, call["title"], made)
    world[made[0]].forked_from = begun.id  # type: ignore[index]
    world[made[0]].points = [Point(root, None, None, begun.messages, begun.metadata, begun.attachments)]  # type: ignore[index]


def _copy(world: World, step: Step, call: dict[str, Any], made: Made) -> None:
    origin = _session(world, step)
    ids: dict[UUID | None, UUID | None] = {None: None}
    ids |= zip((point.id for point in origin.points), _derive(world, origin, call["title"], made), strict=True)
    copy = world[made[0]]  # type: ignore[index]
    copy.active = ids[origin.active]
    copy.points = deepcopy(origin.points)
    for point in copy.points:
        new, point.parent = ids[point.id], ids[point.parent]
        assert new is not None
        point.id = new


def _derive(world: World, origin: Kept, title: str, made: Made) -> list[UUID]:
    """A session that comes of another, without its checkpoints; the ids of these."""
    id, *points = [one for one in made if one is not None]
    world[id] = Kept(
        id=id,
        title=title,
        visibility=origin.visibility,
        cwd=origin.cwd,
        source=None,
        source_id=None,
        parent_session_id=origin.id,
        forked_from=None,
        metadata=deepcopy(origin.metadata),
        revision=1,
        active=points[0],
        points=[],
    )
    return points


def _append(world: World, step: Step, call: dict[str, Any], _: Made) -> None:
    session = _session(world, step)
    parent = session.point(call.get("parent_id"))
    messages = [*parent.messages, *call["messages"]]
    metadata, attachments = call.get("metadata", parent.metadata), call.get("attachments", {})
    _add(session, Point(call["id"], parent.id, call.get("label"), messages, metadata, attachments))


def _create_checkpoint(world: World, step: Step, call: dict[str, Any], _: Made) -> None:
    _add(_session(world, step), Point(call["id"], call["parent_id"], None, call["messages"], call["metadata"]))


def _set_active(world: World, step: Step, call: dict[str, Any], _: Made) -> None:
    session = _session(world, step)
    session.active = call["checkpoint_id"]
    session.revision += 1


def _update(world: World, step: Step, call: dict[str, Any], _: Made) -> None:
    session = _session(world, step)
    for name, value in call.items():
        if name != "id":
            setattr(session, name, value)
    session.revision += 1


def _set_label(world: World, step: Step, call: dict[str, Any], _: Made) -> None:
    session = _session(world, step)
    session.point(call["checkpoint_id"]).label = call["label"]
    session.revision += 1


def _attach(world: World, step: Step, call: dict[str, Any], _: Made) -> None:
    session = _session(world, step)
    point = session.point(call["checkpoint_id"])
    point.attachments = dict(sorted({**point.attachments, **call["items"]}.items()))
    session.revision += 1


def _delete_checkpoints(world: World, step: Step, call: dict[str, Any], _: Made) -> None:
    session = _session(world, step)
    stay = {
        point.id: next((id for id in session.line(point.id) if id not in call["ids"]), None) for point in session.points
    }
    above = {point.id: None if point.parent is None else stay[point.parent] for point in session.points}
    session.active = stay[session.point(None).id]
    session.points = [point for point in session.points if point.id not in call["ids"]]
    for point in session.points:
        point.parent = above[point.id]
    session.active = session.active or session.points[-1].id
    session.revision += 1


def _purge(world: World, step: Step, _: dict[str, Any], __: Made) -> None:
    del world[_session(world, step).id]


def _add(session: Kept, point: Point) -> None:
    session.points.append(point)
    session.active = point.id
    session.revision += 1


def _session(world: World, step: Step) -> Kept:
    assert step.session is not None
    return world[step.session]


_EFFECTS = {
    "create_session": _create,
    "fork_session": _fork,
    "append": _append,
    "create_checkpoint": _create_checkpoint,
    "set_active_checkpoint": _set_active,
    "update_session": _update,
    "set_label": _set_label,
    "attach": _attach,
    "delete_checkpoints": _delete_checkpoints,
    "copy_session": _copy,
    "compact": lambda *_: None,
    "delete_session": lambda world, step, _, made: _update(world, step, {"status": "DELETED"}, made),
    "restore_session": lambda world, step, _, made: _update(world, step, {"status": "ACTIVE"}, made),
    "purge_session": _purge,
}
