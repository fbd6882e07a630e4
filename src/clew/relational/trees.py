"""The tree of a session: lists of checkpoints, labels, and deleting, inside a transaction that the caller holds."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from clew.backend import (
    CheckpointQuery,
    CheckpointSearch,
    Children,
    bad_cursor,
    checkpoint_not_found,
    has_children,
    session_not_found,
)
from clew.cursors import decode_cursor, encode_cursor
from clew.model import CheckpointSummary, Page, Session
from clew.relational import rows
from clew.relational.active_lists import DAMAGE, active_page, active_places, check_all_there
from clew.relational.attachments import load_readable, take_waiting, touch
from clew.relational.checkpoints import Deferred, free_label, read_row
from clew.relational.heads import Head, check_revision, move_tip, read_head
from clew.relational.purge import collect_family
from clew.relational.rows import CheckpointRow, SessionRow, shown_id
from clew.relational.sessions import load_session, read_stored
from clew.relational.transaction import MAX_ROWS, Row, Transaction

_PAGES = {
    "created": ("page_created", "pages_created"),
    "-created": ("page_created_desc", "pages_created_desc"),
    "label": ("page_label", "pages_label"),
    "-label": ("page_label_desc", "pages_label_desc"),
}
"""The queries for a page of one session, and of several, by its order."""


# -- lists


def load_summary(db: Transaction, checkpoint_id: UUID) -> CheckpointSummary:
    """See `Backend.get_checkpoint_summary`."""
    return rows.checkpoint_summary(CheckpointRow(*read_row(db, checkpoint_id)).check())


def list_checkpoints(db: Transaction, query: CheckpointQuery) -> Page[CheckpointSummary]:
    """See `Backend.list_checkpoints`."""
    sessions = _sessions(db, query.session_ids)
    found = (_page_of_active if query.active else _page)(db, sessions, query) if sessions else []
    shown = found[: query.limit]
    damaged = {shown_id(session.id) for session in sessions if not session.is_sealed()}
    items = _items(
        db,
        [(session, seq) for session, seq, _ in shown],
        with_metadata=query.with_metadata,
        check_metadata=query.metadata is not None,
        with_attachments=query.with_attachments,
    )
    if query.active:
        items = [rows.with_damage(item, DAMAGE) if item.session_id in damaged else item for item in items]
    return Page(
        items=items,
        total=None if damaged or _is_filtered(query) else sum(session.checkpoint_count for session in sessions),
        next_cursor=_cursor_after(query, shown[-1]) if shown and len(found) > len(shown) else None,
    )


def _is_filtered(query: CheckpointQuery) -> bool:
    by_label = query.before_label is not None or query.order.endswith("label")
    return query.active or by_label or query.metadata is not None


def find_checkpoints(db: Transaction, search: CheckpointSearch) -> Page[CheckpointSummary]:
    """See `Backend.find_checkpoints`."""
    session, seq = (0, 0) if search.cursor is None else decode_cursor("found", search.cursor, (int, int))
    parameters = {
        "source": search.source,
        "owner": search.owner,
        "metadata": None if search.metadata is None else search.metadata.decode(),
        "after_session": session,
        "after_seq": seq,
        "limit": min(search.limit + 1, MAX_ROWS),
    }
    found = db.fetch_all("find_checkpoints", parameters)
    shown = found[: search.limit]
    return Page(
        items=_items(db, shown, with_metadata=True, with_attachments=search.with_attachments),
        next_cursor=encode_cursor("found", *shown[-1]) if shown and len(found) > len(shown) else None,
    )


def list_children(db: Transaction, checkpoint_id: UUID) -> list[CheckpointSummary]:
    """See `Backend.list_children`."""
    read_row(db, checkpoint_id)
    return _summaries(db, db.fetch_all("page_children", {"id": checkpoint_id.bytes}))


def list_ancestry(db: Transaction, checkpoint_id: UUID) -> list[CheckpointSummary]:
    """See `Backend.list_ancestry`."""
    found = db.fetch_all("page_ancestry", {"id": checkpoint_id.bytes})
    if not found:
        raise checkpoint_not_found(checkpoint_id)
    return _summaries(db, found)


def list_branches(db: Transaction, session_id: UUID) -> list[CheckpointSummary]:
    """See `Backend.list_branches`."""
    (session,) = _sessions(db, [session_id])
    return _summaries(db, db.fetch_all("page_branches", {"family": session.family, "session": session.key}))


def list_descent(db: Transaction, checkpoint_id: UUID) -> list[UUID]:
    """See `Backend.get_descent`; CorruptStateError where the line leads over a damaged row."""
    keys = db.fetch_all("page_descent", {"id": checkpoint_id.bytes})
    if not keys:
        raise checkpoint_not_found(checkpoint_id)
    rows = [row.check() for _, row, _ in _read_page(db, keys)]
    for session_id in dict.fromkeys(row.session_id for row in rows):
        read_stored(db, UUID(bytes=session_id))
    return [UUID(bytes=row.id) for row in rows]


def _sessions(db: Transaction, ids: Sequence[UUID]) -> list[SessionRow]:
    """Sessions in the order of their ids."""
    wanted = msgspec.json.encode([id.hex for id in ids]).decode()
    found: list[SessionRow] = []
    for id, *columns in db.fetch_all("sessions_by_id", {"ids": wanted}):
        if columns[0] is None:
            raise session_not_found(UUID(bytes=id))
        found.append(SessionRow(*columns))
    return found


def _page(db: Transaction, sessions: list[SessionRow], query: CheckpointQuery) -> list[Row]:
    """The key of each checkpoint on the page and one more, with what it is ordered by."""
    is_one = len(sessions) == 1
    after_key, after_session, after_seq = _position(query, is_one)
    parameters = {
        "family": sessions[0].family,
        "session": sessions[0].key,
        "sessions": msgspec.json.encode([session.key for session in sessions]).decode(),
        "after_key": after_key,
        "after_session": after_session,
        "after_seq": after_seq,
        "before_label": query.before_label,
        "metadata": None if query.metadata is None else query.metadata.decode(),
        "limit": min(query.limit + 1, MAX_ROWS),
        "offset": query.offset,
        **_bounds(query, after_key, after_seq),
    }
    of_one, of_several = _PAGES[query.order]
    return db.fetch_all(of_one if is_one else of_several, parameters)


def _page_of_active(db: Transaction, sessions: list[SessionRow], query: CheckpointQuery) -> list[Row]:
    """The same of the active checkpoints alone."""
    read = _read_page(db, active_places(sessions), with_metadata=query.metadata is not None)
    check_all_there(sessions, read)
    key, session, seq = _position(query, is_one=False)
    after = None if key is None else (key.encode() if isinstance(key, str) else key, session, seq)
    return active_page(sessions, read, query, after)


def _bounds(query: CheckpointQuery, after_key: Any, after_seq: Any) -> dict[str, Any]:
    """What a page of one session lies between, so that its query walks no more of the index than the page."""
    by_label, descending = query.order.endswith("label"), query.order.startswith("-")
    if not by_label:
        upper = after_seq if descending and after_seq is not None else MAX_ROWS
        return {"lower": 0 if descending or after_seq is None else after_seq, "upper": upper}
    ends = [label for label in (after_key if descending else None, query.before_label) if label is not None]
    lower = "" if descending or after_key is None else after_key
    return {"lower": lower, "upper": min(ends, key=str.encode, default=None)}


def _position(query: CheckpointQuery, is_one: bool) -> tuple[Any, Any, Any]:
    """Where a page begins: what is ordered by, session and seq of the last one before it."""
    if query.cursor is None:
        return None, None, None
    by_label = query.order.endswith("label")
    types = (bytes if by_label else int, int, int)
    key, session, seq = decode_cursor(_cursor_kind(query, is_one), query.cursor, types)
    try:
        return key.decode() if by_label else key, session, seq
    except UnicodeDecodeError:
        raise bad_cursor() from None


def _cursor_after(query: CheckpointQuery, last: Row) -> str:
    session, seq, key = last
    return encode_cursor(_cursor_kind(query, len(query.session_ids) == 1), key, session, seq)


def _cursor_kind(query: CheckpointQuery, is_one: bool) -> str:
    if query.active:
        return f"active checkpoints {query.order}"
    return f"checkpoints {query.order} of {query.session_ids[0] if is_one else 'several'}"


def _items(
    db: Transaction,
    keys: Sequence[Row],
    *,
    with_metadata: bool,
    with_attachments: str | None,
    check_metadata: bool = False,
) -> list[CheckpointSummary]:
    """The checkpoints of a page with what is asked for of each."""
    # Where metadata decides what is listed, it is read to see whether it can be trusted.
    read = _read_page(db, keys, with_metadata=with_metadata or check_metadata)
    items = [rows.checkpoint_summary(row, body) for _, row, body in read]
    if not with_metadata:
        items = [msgspec.structs.replace(item, metadata=None) for item in items]
    if with_attachments is None:
        return items
    found = load_readable(db, [(session, row) for session, row, _ in read], with_attachments)
    return [
        rows.with_attachments(item, readable, None if damage is None else damage.message)
        for item, (readable, damage) in zip(items, found, strict=True)
    ]


def _summaries(db: Transaction, keys: Sequence[Row]) -> list[CheckpointSummary]:
    """The checkpoints of a page in its order."""
    return [rows.checkpoint_summary(row) for _, row, _ in _read_page(db, keys)]


def _read_page(
    db: Transaction, keys: Sequence[Row], *, with_metadata: bool = False
) -> list[tuple[int, CheckpointRow, bytes | None]]:
    """For each pair of session and seq the session, the row, and the metadata where asked for, in one query."""
    if not keys:
        return []
    page = msgspec.json.encode(keys).decode()
    found = db.fetch_all("checkpoints_on_page", {"page": page, "with_metadata": with_metadata})
    return [(row[0], CheckpointRow(*row[1:-1]), row[-1]) for row in found]


# -- labels


def set_label(db: Transaction, checkpoint_id: UUID, label: str | None, now: int, *, move: bool) -> CheckpointSummary:
    """See `Backend.set_label`."""
    row = CheckpointRow(*read_row(db, checkpoint_id)).check()
    wanted = None if label is None else label.encode()
    if row.label != wanted:
        head = read_head(db, UUID(bytes=row.session_id))
        row = CheckpointRow(*read_row(db, checkpoint_id)).check()  # as it is now that nobody else changes it
        if label is not None:
            free_label(db, head, label, now, move=move)
        attached = 0 if label is None else take_waiting(db, head, row, label)
        row = touch(db, head, row._replace(label=wanted), now, attached=attached)
        move_tip(db, head, head.tip, now)
    return rows.checkpoint_summary(row)


# -- deleting


class _Node(msgspec.Struct):
    row: CheckpointRow
    parent: int | None


def delete_checkpoints(
    db: Transaction,
    session_id: UUID,
    ids: Sequence[UUID],
    children: Children,
    now: int,
    if_revision: int | None,
    deferred: Deferred,
) -> Session:
    """See `Backend.delete_checkpoints`."""
    head = read_head(db, session_id, collecting=True)
    check_revision(head, if_revision)
    if ids:
        tree = _tree(db, head)
        doomed = _doomed(tree, ids, children)
        _reparent(db, head, tree, doomed)
        for seq in doomed:
            place = {**head.owner.key, "seq": seq}
            db.execute("delete_attachments_of_checkpoint", place)
            db.execute("delete_checkpoint", place)
        count = head.tip.checkpoint_count - len(doomed)
        active = _active_after(head, tree, doomed)
        move_tip(db, head, msgspec.structs.replace(head.tip, active=active, checkpoint_count=count), now)
        collect_family(db, head.owner.family)
    return load_session(db, session_id, deferred)


def _tree(db: Transaction, head: Head) -> dict[int, _Node]:
    """Every checkpoint of a session by seq, oldest first."""
    found = db.fetch_all("checkpoints_of_session", head.owner.key)
    nodes = [_Node(CheckpointRow(*columns), parent) for parent, *columns in found]
    return {node.row.seq: node for node in nodes}


def _doomed(tree: dict[int, _Node], ids: Sequence[UUID], children: Children) -> set[int]:
    """The checkpoints that go."""
    by_id = {node.row.id: seq for seq, node in tree.items()}
    for id in ids:
        if id.bytes not in by_id:
            raise checkpoint_not_found(id)
    doomed = {by_id[id.bytes] for id in ids}
    for seq, node in tree.items():  # a parent comes before its children
        if node.parent in doomed and seq not in doomed:
            if children == "refuse":
                raise has_children(UUID(bytes=tree[node.parent].row.id))
            if children == "delete":
                doomed.add(seq)
    return doomed


def _nearest(tree: dict[int, _Node], doomed: set[int], seq: int | None) -> int | None:
    """The checkpoint itself where it stays, else its nearest ancestor that does."""
    while seq is not None and seq in doomed:
        parent = tree[seq].parent
        seq = parent if parent is not None and parent < seq else None  # a damaged one could lead in circles
    return seq


def _reparent(db: Transaction, head: Head, tree: dict[int, _Node], doomed: set[int]) -> None:
    for seq, node in tree.items():
        if seq in doomed or node.parent not in doomed:
            continue
        parent = _nearest(tree, doomed, node.parent)
        row = node.row.check()._replace(parent_id=None if parent is None else tree[parent].row.id).sealed()
        db.execute(
            "reparent_checkpoint",
            {**head.owner.key, "seq": seq, "parent": parent, "seal": row.seal},
        )


def _active_after(head: Head, tree: dict[int, _Node], doomed: set[int]) -> int | None:
    active = _nearest(tree, doomed, head.tip.active)
    if active is None and head.tip.active is not None:
        return max((seq for seq in tree if seq not in doomed), default=None)
    return active
