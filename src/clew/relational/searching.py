"""Finding messages: what the index finds, resolved to where it stands, as far as a search may see it.

The index knows messages by family. Which sessions have one, and in which checkpoint first, is looked up for each match
until there are enough hits. So a change of a session, of its owner for one, needs nothing to be indexed.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from clew import limits
from clew.backend import MessageSearch, session_not_found
from clew.cursors import decode_cursor, encode_cursor
from clew.errors import CorruptStateError
from clew.hashing import content_hash
from clew.messages import decode_value
from clew.model import Page, SearchHit, SessionStatus
from clew.relational.rows import SESSION_COLUMNS, CheckpointRow, SessionRow, in_range, shown_id
from clew.relational.transaction import MAX_ROWS, Match, Transaction, Wanted
from clew.search.query import Node, Term, parse, terms
from clew.search.snippets import snippet_of
from clew.search.texts import family_fact, role_fact, text_of, tool_fact
from clew.times import from_micros

_CURSOR = "search"
_MAX_RESOLVED = 256  # at once


class _Place(NamedTuple):
    """Where a message stands: a position on a timeline, and which checkpoint wrote it there (0: unknown)."""

    timeline: int
    position: int
    seq: int
    family: int
    session: int | None


class _Found(NamedTuple):
    """A match with the session and checkpoint that it is shown in."""

    match: Match
    session: SessionRow
    checkpoint: CheckpointRow
    position: int


def find(db: Transaction, search: MessageSearch) -> Page[SearchHit]:
    """See `Backend.search`; the index knows all there is."""
    after = None if search.cursor is None else decode_cursor(_CURSOR, search.cursor, (int, int, int, bytes))
    query = parse(search.text)
    families = _families(db, search)
    if query is None or families == [] or search.limit == 0:
        return Page([])
    resolver = _Resolver(db, search)
    matches = db.matches(_wanted(search, query, families), after)
    found = list(islice(resolver.resolve(matches), search.limit + 1))
    shown = found[: search.limit]
    return Page(
        items=_hits(db, shown, query),
        next_cursor=encode_cursor(_CURSOR, *shown[-1].match.position) if len(found) > len(shown) else None,
    )


def _wanted(search: MessageSearch, query: Node, families: list[int] | None) -> Wanted:
    facts = []
    if families is not None:
        facts.append([family_fact(family) for family in families])
    if search.role is not None:
        facts.append([role_fact(search.role)])
    if search.tool is not None:
        facts.append([tool_fact(search.tool)])
    return Wanted(query, facts)


def _families(db: Transaction, search: MessageSearch) -> list[int] | None:
    """The families to look in, None for all: where very many are meant, what is found is looked at instead."""
    if search.session_id is not None:
        row = db.fetch_one("session_row", {"id": search.session_id.bytes})
        if row is None:
            raise session_not_found(search.session_id)
        return [SessionRow(*row).family]
    is_of_all = search.status is not SessionStatus.DELETED  # of which there are few
    if is_of_all and search.cwd is None and search.source is None and search.owner is None:
        return None
    parameters = {
        "active": search.status in (None, SessionStatus.ACTIVE),
        "deleted": search.status in (None, SessionStatus.DELETED),
        "cwd": search.cwd,
        "source": search.source,
        "owner": search.owner,
        "limit": limits.MAX_FAMILIES_ASKED + 1,
    }
    name = "families_searched" if search.owner is None else "families_searched_of_owner"
    found = [family for (family,) in db.fetch_all(name, parameters)]
    return found if len(found) <= limits.MAX_FAMILIES_ASKED else None


class _Resolver:
    """Finds out for matches where they are shown; None of them where nobody may see them."""

    def __init__(self, db: Transaction, search: MessageSearch) -> None:
        self._db = db
        self._search = search
        self._sessions: dict[int, SessionRow] = {}
        self._of_family: dict[int, list[SessionRow]] = {}
        self._timelines: dict[int, list[tuple[int, int | None, int]]] = {}

    def resolve(self, matches: Iterator[Match]) -> Iterator[_Found]:
        """The matches that are shown, in their order. More are looked up at once the more are in vain."""
        size = min(self._search.limit + 1, _MAX_RESOLVED)
        while block := list(islice(matches, size)):
            places = self._places(block)
            for number, match in enumerate(block):
                found = self._shown(match, places.get(number, []))
                if found is not None:
                    yield found
            size = min(2 * size, _MAX_RESOLVED)

    def _places(self, block: Sequence[Match]) -> dict[int, list[_Place]]:
        found: dict[int, list[_Place]] = {}
        for number, *place in self._db.places_of([(match.family, match.key) for match in block]):
            found.setdefault(number, []).append(_Place(*place))
        owners = {place.session for places in found.values() for place in places if place.session is not None}
        self._read_sessions(owners - self._sessions.keys())
        return found

    def _read_sessions(self, keys: set[int]) -> None:
        if keys:
            for row in self._db.fetch_all("sessions_by_key", {"keys": _json(sorted(keys))}):
                session = SessionRow(*row[:SESSION_COLUMNS])
                self._sessions[session.key] = session

    def _shown(self, match: Match, places: list[_Place]) -> _Found | None:
        """In the session that wrote it, else in the oldest that has it, of those that are searched."""
        for place in places:
            session = None if place.session is None else self._sessions.get(place.session)
            if session is not None and self._is_searched(session):
                found = self._first(match, session, [place])
                if found is not None:
                    return found
        for session in self._others(places):
            found = self._first(match, session, places)
            if found is not None:
                return found
        return None

    def _others(self, places: list[_Place]) -> Iterator[SessionRow]:
        if not places:
            return
        family = places[0].family
        if family not in self._of_family:
            found = self._db.fetch_all("sessions_of_family", {"family": family})
            self._of_family[family] = [SessionRow(*row[:SESSION_COLUMNS]) for row in found]
        for session in self._of_family[family]:
            if self._is_searched(session):
                yield session

    def _is_searched(self, session: SessionRow) -> bool:
        search = self._search
        return (
            (search.session_id is None or session.id == search.session_id.bytes)
            and (search.status is None or session.status == search.status.value.encode())
            and _equals(session.owner, search.owner)
            and _equals(session.source, search.source)
            and (_equals(session.cwd, search.cwd) or self._was_in(session, search.cwd))
        )

    def _was_in(self, session: SessionRow, cwd: str | None) -> bool:
        former = self._db.fetch_all("former_directories", {"session": session.key, "family": session.family})
        return any(_equals(directory, cwd) for directory, _ in former)

    def _first(self, match: Match, session: SessionRow, places: list[_Place]) -> _Found | None:
        """The first checkpoint of a session that has the message, where it is of the time that is searched."""
        found: list[tuple[CheckpointRow, int]] = []
        for place in places:
            hint = place.seq if place.session == session.key else 0
            row = self._holder(session, place, hint)
            if row is not None:
                found.append((row, place.position))
        if not found:
            return None
        checkpoint, position = min(found, key=lambda item: (item[0].seq, item[1]))
        search = self._search
        if search.since is not None and checkpoint.created_at < search.since:
            return None
        if search.until is not None and checkpoint.created_at >= search.until:
            return None
        return _Found(match, session, checkpoint, position)

    def _holder(self, session: SessionRow, place: _Place, hint: int) -> CheckpointRow | None:
        parameters = {
            "family": place.family, "session": session.key, "seq": hint, "timeline": place.timeline,
            "position": place.position, "timelines": "[]",
        }  # fmt: skip
        if hint:  # nearly always it is the one that wrote the message
            row = self._db.fetch_one("first_holder", {**parameters, "until": hint})
            if row is not None:
                return CheckpointRow(*row)
        going_on = _json(self._continued(place))
        row = self._db.fetch_one("first_holder", {**parameters, "timelines": going_on, "until": MAX_ROWS})
        return None if row is None else CheckpointRow(*row)

    def _continued(self, place: _Place) -> list[int]:
        """The timelines that continue a conversation behind the message at a place."""
        if place.family not in self._timelines:
            found = self._db.fetch_all("family_timelines", {"family": place.family})
            self._timelines[place.family] = [(key, ancestor, length) for key, ancestor, length in reversed(found)]
        holding = {place.timeline}
        for key, ancestor, length in self._timelines[place.family]:
            if ancestor in holding and length > place.position:
                holding.add(key)
        return sorted(holding - {place.timeline})


def _json(keys: Sequence[int]) -> str:
    return msgspec.json.encode(keys).decode()


def _equals(stored: bytes | None, wanted: str | None) -> bool:
    return wanted is None or stored == wanted.encode()


def _hits(db: Transaction, found: Sequence[_Found], query: Node) -> list[SearchHit]:
    marked = list(dict.fromkeys(terms(query)))
    return [_hit(db, item, marked) for item in found]


def _hit(db: Transaction, item: _Found, marked: Sequence[Term]) -> SearchHit:
    session, checkpoint = item.session, item.checkpoint
    message, damage = _message(db, item)
    if not session.is_sealed():
        damage = "the row of the session does not match its seal"
    elif not checkpoint.is_sealed():
        damage = "the row of the checkpoint does not match its seal"
    shown = text_of(message)
    snippet = snippet_of(shown.text, marked)
    return SearchHit(
        session_id=shown_id(session.id),
        title=_text(session.title) or "",
        cwd=_text(session.cwd),
        source=_text(session.source),
        checkpoint_id=shown_id(checkpoint.id),
        created_at=from_micros(in_range(checkpoint.created_at)),
        position=item.position,
        role=shown.role,
        tool=shown.tool,
        snippet=snippet.text,
        marks=snippet.marks,
        score=item.match.score,
        damage=damage,
    )


def _message(db: Transaction, item: _Found) -> tuple[Any, str | None]:
    """The message that was found, or what is wrong with it."""
    row = db.fetch_one("read_content", {"family": item.session.family, "key": item.match.key})
    if row is None or content_hash(row[1]) != row[0]:
        return None, "the message does not match its hash"
    try:
        return decode_value(row[1]), None
    except CorruptStateError as error:
        return None, error.message


def _text(stored: Any) -> str | None:
    return stored.decode(errors="replace") if isinstance(stored, bytes) else None
