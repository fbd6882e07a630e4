"""Finding what an id or a label on the command line means; an id is a whole UUID, or the beginning of one.

A whole UUID is looked up directly. For the beginning of one, every session (or every checkpoint of the session) is
listed, since only that tells whether it is the beginning of a second one.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import NamedTuple, TypeVar
from uuid import UUID

import msgspec

from clew.backend import Order, label_not_found
from clew.cli.errors import InvalidArgumentError
from clew.errors import CorruptStateError, NotFoundError
from clew.model import ApiKey, CheckpointSummary, Label, Session, SessionSummary
from clew.store import Store

MIN_DIGITS = 4
EITHER = "checkpoint or session"
_ALL_DIGITS = 32
_NAMED_CANDIDATES = 3
_PAGE = 1000
_RECENT = 100
_PASSES = 20

Listed = TypeVar("Listed", bound=SessionSummary | CheckpointSummary | ApiKey)

# Whole ids in every form that Python's UUID reads.
_SPELLING = re.compile(r"(?:urn:uuid:)?\{?([0-9a-f][0-9a-f-]*)\}?")


class Wanted(NamedTuple):
    """What an argument asks for: one id, or the ids that begin with `digits`."""

    text: str
    digits: str
    kind: str

    @property
    def id(self) -> UUID | None:
        """The id, where the argument gives it whole."""
        return UUID(hex=self.digits) if len(self.digits) == _ALL_DIGITS else None


Place = Wanted | Label
"""What asks for a checkpoint of a session: its id, or its label."""


class Found(NamedTuple):
    """A session without its state."""

    session: Session | SessionSummary
    active_checkpoint_id: UUID | None
    message_count: int


def parse_id(text: str, kind: str) -> Wanted:
    """An argument as an id of a `kind` of thing; InvalidArgumentError where it is none."""
    match = _SPELLING.fullmatch(text.strip().lower())
    digits = "" if match is None else match[1].replace("-", "")
    if not MIN_DIGITS <= len(digits) <= _ALL_DIGITS:
        raise InvalidArgumentError(
            f"invalid {kind} id '{text}': expected a full UUID, or at least {MIN_DIGITS} digits of its beginning"
        )
    return Wanted(text, digits, kind)


def find_session(store: Store, wanted: Wanted) -> Found:
    """The session with the number of messages of its active checkpoint."""
    if wanted.id is None:
        return _found_in_list(store, wanted)
    return found_from(store, store.get_session(wanted.id))


def find_damaged_session(store: Store, wanted: Wanted) -> Found:
    """The same, where the session or its active checkpoint may be damaged: what comes next needs neither whole."""
    try:
        return find_session(store, wanted)
    except CorruptStateError:
        return _found_in_list(store, wanted)


def found_from(store: Store, session: Session) -> Found:
    """The same, for a session that a method of the store has returned."""
    active = session.active_checkpoint
    session = msgspec.structs.replace(session, active_checkpoint=None)  # let go of the state
    if active is None:
        return Found(session, None, 0)
    return Found(session, active.id, checkpoint_by_id(store, session.id, active.id).message_count)


def session_id(store: Store, wanted: Wanted) -> UUID:
    """The id of the session; a whole one is taken as it is, whether there is such a session or not."""
    return wanted.id or _only(wanted, _sessions(store)).id


def key_id(store: Store, wanted: Wanted) -> UUID:
    """The id of an API key; a whole one is taken as it is."""
    return wanted.id or _only(wanted, store.list_keys()).id


def find_checkpoint(store: Store, session: UUID, wanted: Wanted) -> CheckpointSummary:
    """A checkpoint of the session."""
    if wanted.id is not None:
        return checkpoint_by_id(store, session, wanted.id)
    return _only(wanted, checkpoints(store, session))


def find_place(store: Store, session: UUID, place: Place) -> CheckpointSummary:
    """The checkpoint of the session that an id or a label asks for."""
    if isinstance(place, Wanted):
        return find_checkpoint(store, session, place)
    for checkpoint in checkpoints(store, session, order="label"):
        if checkpoint.label == place.name:
            return checkpoint
    raise label_not_found(place.name)


def checkpoint_id(store: Store, session: UUID, wanted: Wanted) -> UUID:
    """The id of a checkpoint of the session; a whole one is taken as it is."""
    return wanted.id or _only(wanted, checkpoints(store, session)).id


def checkpoint_by_id(store: Store, session: UUID, id: UUID) -> CheckpointSummary:
    """A checkpoint of the session, looked for from the newest on: it is most often the newest."""
    end = store.list_checkpoints(session, limit=0).total or 0
    page = _RECENT
    while end > 0:
        start = max(0, end - page)
        for checkpoint in store.list_checkpoints(session, offset=start, limit=end - start):
            if checkpoint.id == id:
                return checkpoint
        end, page = start, _PAGE
    raise NotFoundError(f"Checkpoint {id} not found")


def find_either(store: Store, wanted: Wanted) -> SessionSummary | CheckpointSummary:
    """The session or checkpoint, of the whole store, that has an id beginning so."""
    listed: Iterator[SessionSummary | CheckpointSummary] = chain(_sessions(store), _all_checkpoints(store))
    return _only(wanted, listed)


def checkpoints(store: Store, session: UUID, *, order: Order = "created") -> Iterator[CheckpointSummary]:
    """Every checkpoint of the session; in the order of labels, every one that has a label."""
    cursor = None
    while True:
        page = store.list_checkpoints(session, order=order, limit=_PAGE, cursor=cursor)
        yield from page
        cursor = page.next_cursor
        if cursor is None:
            return


def _all_checkpoints(store: Store) -> Iterator[CheckpointSummary]:
    cursor = None
    while True:
        page = store.find_checkpoints(metadata=None, limit=_PAGE, cursor=cursor)
        yield from page
        cursor = page.next_cursor
        if cursor is None:
            return


def _found_in_list(store: Store, wanted: Wanted) -> Found:
    summary = _only(wanted, _sessions(store))
    return Found(summary, summary.active_checkpoint_id, summary.message_count)


def _only(wanted: Wanted, listed: Iterable[Listed]) -> Listed:
    matches: dict[UUID, Listed] = {}
    for item in listed:
        if item.id.hex.startswith(wanted.digits):
            matches[item.id] = item
        if len(matches) > _NAMED_CANDIDATES:
            break
    if not matches:
        raise NotFoundError(f"no {wanted.kind} id begins with '{wanted.text}'")
    if len(matches) > 1:
        raise InvalidArgumentError(_ambiguous(wanted, list(matches.values())))
    return next(iter(matches.values()))


def _ambiguous(wanted: Wanted, found: Sequence[SessionSummary | CheckpointSummary | ApiKey]) -> str:
    named = ", ".join(_named(item, wanted.kind) for item in found[:_NAMED_CANDIDATES])
    more = " and more" if len(found) > _NAMED_CANDIDATES else ""
    return f"ambiguous {wanted.kind} id '{wanted.text}': it is the beginning of {named}{more}"


def _named(item: SessionSummary | CheckpointSummary | ApiKey, kind: str) -> str:
    if kind != EITHER:
        return str(item.id)
    return f"{'session' if isinstance(item, SessionSummary) else 'checkpoint'} {item.id}"


def _sessions(store: Store) -> Iterator[SessionSummary]:
    """Every session, some of them more than once.

    A session that changes while the pages are read moves to the front of the list, before the pages still to come. So
    the front is read again until it has stayed as it was.
    """
    seen: datetime | None = None
    for _ in range(_PASSES):
        newest = None
        for summary in _sessions_since(store, seen):
            newest = newest or summary.updated_at
            yield summary
        if newest is None or newest == seen:
            return
        seen = newest
    raise InvalidArgumentError("the sessions change while they are listed: give the full UUID")


def _sessions_since(store: Store, since: datetime | None) -> Iterator[SessionSummary]:
    cursor = None
    while True:
        page = store.list_sessions(limit=_PAGE if since is None else _RECENT, cursor=cursor)
        for summary in page:
            if since is not None and summary.updated_at < since:
                return
            yield summary
        cursor = page.next_cursor
        if cursor is None:
            return
