"""A checkpoint of any session: what `clew diff` takes.

It is the id of a checkpoint, that of a session for its active checkpoint, or `SESSION:LABEL`. A session's id and the
id of its first checkpoint often begin alike, since both were made at once; `SESSION:` is the session's in any case.
"""

from typing import Any, NamedTuple
from uuid import UUID

import click

from clew.cli import lookup
from clew.cli.lookup import Wanted, parse_id
from clew.errors import NotFoundError
from clew.model import CheckpointSummary, Label, SessionSummary
from clew.store import Store


class Point(NamedTuple):
    """What an argument asks for: an id of either kind, or of a session, and then a label of it or its active one."""

    wanted: Wanted
    of_session: bool = False
    label: str = ""


class PointType(click.ParamType[Point]):
    """A checkpoint of any session."""

    name = "checkpoint"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Point:
        return value if isinstance(value, Point) else parse_point(str(value))


def parse_point(text: str) -> Point:
    """An argument as a point; InvalidArgumentError where it is none."""
    session, colon, label = text.partition(":")
    if not colon or session.strip().lower() == "urn":  # urn:uuid: is a spelling of a whole id
        return Point(parse_id(text, lookup.EITHER))
    return Point(parse_id(session, "session"), True, label)


def find_point(store: Store, point: Point) -> CheckpointSummary:
    """The checkpoint that a point asks for."""
    if point.of_session:
        session = lookup.find_damaged_session(store, point.wanted)
        if point.label:
            return lookup.find_place(store, session.session.id, Label(point.label))
        return _active(store, session.session.id, session.active_checkpoint_id)
    if point.wanted.id is not None:
        return _by_id(store, point.wanted, point.wanted.id)
    found = lookup.find_either(store, point.wanted)
    return _active(store, found.id, found.active_checkpoint_id) if isinstance(found, SessionSummary) else found


def _by_id(store: Store, wanted: Wanted, id: UUID) -> CheckpointSummary:
    try:
        return store.ancestry(id)[0]
    except NotFoundError:
        pass
    try:
        session = lookup.find_damaged_session(store, wanted)
    except NotFoundError:
        raise NotFoundError(f"no checkpoint and no session has the id {id}") from None
    return _active(store, id, session.active_checkpoint_id)


def _active(store: Store, session: UUID, active: UUID | None) -> CheckpointSummary:
    if active is None:
        raise NotFoundError(f"session {session} has no active checkpoint")
    return lookup.checkpoint_by_id(store, session, active)
