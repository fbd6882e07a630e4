"""`clew tree`."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import click

import clew
from clew import wire
from clew.cli import graph, lookup
from clew.cli.lookup import Found, Wanted
from clew.cli.options import App, json_option, limit_option, pass_app, session_argument
from clew.cli.output import Line, Styled, backend_line, can_show, cell_width, terminal_width, write_json, write_lines
from clew.cli.rendering import preview
from clew.cli.text import counted, fit, moment, one_line, shorten
from clew.errors import CorruptStateError
from clew.model import CheckpointSummary

DEFAULT_LIMIT = 50
_MIN_DIGITS = 8
_MIN_PREVIEW = 10
_ROOMY = 100
"""A terminal of less columns needs them for the previews."""


class Node(NamedTuple):
    """A checkpoint as it is drawn.

    `added` is by how many messages it is longer than its parent. `preview` is the first message that it adds, or its
    last where it adds none; None where it has no messages or they cannot be read.
    """

    checkpoint: CheckpointSummary
    added: int
    preview: str | None
    damage: str | None


class Tree(NamedTuple):
    """The newest checkpoints of a session, the newest first, and how many it has."""

    found: Found
    nodes: list[Node]
    total: int
    digits: int
    backend: clew.BackendInfo


@click.command("tree")
@session_argument
@limit_option(DEFAULT_LIMIT, "How many checkpoints to draw, the newest ones; 0 for all.")
@json_option
@pass_app
def tree_command(app: App, session: Wanted, limit: int) -> None:
    """Draw the checkpoints of a session as a tree, the newest on top.

    ID is the session's UUID, or at least 4 digits of its beginning.
    """
    with app.open() as store:
        tree = _read(store, lookup.find_damaged_session(store, session), limit)
    if app.json:
        write_json(_envelope(tree))
    else:
        write_lines(_lines(tree))


def _read(store: clew.Store, found: Found, limit: int) -> Tree:
    """The rows of all checkpoints, and a message of each that is drawn: no conversation is read whole."""
    rows = list(lookup.checkpoints(store, found.session.id))
    counts = {row.id: row.message_count for row in rows}
    drawn = rows[::-1] if limit == 0 else rows[: -limit - 1 : -1]
    nodes = [_node(store, row, 0 if row.parent_id is None else counts.get(row.parent_id, 0)) for row in drawn]
    return Tree(found, nodes, len(rows), digits([found.session.id, *counts]), store.backend_info())


def _node(store: clew.Store, row: CheckpointSummary, parent_count: int) -> Node:
    added = row.message_count - parent_count
    try:
        first = _first_words(store, row, parent_count)
    except CorruptStateError as error:
        return Node(row, added, None, row.damage or error.message)
    return Node(row, added, first, row.damage)


def _first_words(store: clew.Store, row: CheckpointSummary, parent_count: int) -> str | None:
    """The beginning of what a checkpoint adds; of its last message where that is nothing."""
    place = parent_count if row.message_count > parent_count else row.message_count - 1
    messages = store.get_messages(row.id, start=place, stop=place + 1) if place >= 0 else []
    return preview(messages[0]) if messages else None


def digits(ids: Sequence[UUID]) -> int:
    """How many digits of these ids tell them apart."""
    ordered = sorted({id.hex for id in ids})
    return max([_MIN_DIGITS, *map(_first_difference, ordered, ordered[1:])])


def _first_difference(a: str, b: str) -> int:
    return next((place for place, (left, right) in enumerate(zip(a, b, strict=True), 1) if left != right), len(a))


def short_id(id: UUID, digits: int) -> str:
    """The first digits of an id, in its usual spelling."""
    text = str(id)
    return text[: digits + sum(digits > place for place in (8, 12, 16, 20))]


def _envelope(tree: Tree) -> dict[str, Any]:
    active = tree.found.active_checkpoint_id
    return {
        "backend": wire.backend_info(tree.backend),
        "session_id": str(tree.found.session.id),
        "active_checkpoint_id": None if active is None else str(active),
        "checkpoints": [
            wire.checkpoint_in_tree(
                node.checkpoint,
                active=node.checkpoint.id == active,
                added=node.added,
                preview=node.preview,
                damage=node.damage,
            )
            for node in tree.nodes
        ],
        "total": tree.total,
    }


def _lines(tree: Tree) -> Iterator[Line]:
    yield backend_line(tree.backend)
    session = tree.found.session
    yield Styled(f"{session.id}  {shorten(session.title)}", "bold")
    yield ""
    if not tree.total:
        yield "No checkpoints."
    yield from picture(tree, terminal_width())
    if len(tree.nodes) < tree.total:
        yield ""
        yield from _footer(tree)


def picture(tree: Tree, width: int | None) -> Iterator[Line]:
    """The drawing, no wider than `width` where there is one: previews are cut, then left out."""
    nodes = {node.checkpoint.id: node for node in tree.nodes}
    active = tree.found.active_checkpoint_id
    parents = {id: node.checkpoint.parent_id for id, node in nodes.items()}
    counts = {id: _count(node, brief=width is not None and width < _ROOMY) for id, node in nodes.items()}
    wide = max(map(len, counts.values()), default=0)
    for row in graph.draw(parents, active=active, letters=not can_show(graph.BOXES)):
        if row.key is None:
            yield row.graph
            continue
        node = nodes[row.key]
        told = _told(node, f"{counts[row.key]:<{wide}}", tree)
        line = _with_preview(f"{row.graph} {told}", node, width)
        yield Styled(line, "bold") if row.key == active else line


def _count(node: Node, *, brief: bool) -> str:
    count = node.checkpoint.message_count
    return f"{f'{count:,}' if brief else counted(count, 'message')} ({node.added:+,})"


def _told(node: Node, count: str, tree: Tree) -> str:
    row = node.checkpoint
    parts = [short_id(row.id, tree.digits), moment(row.created_at), count]
    if row.label is not None:
        parts.append(f"[{shorten(row.label)}]")
    if row.id == tree.found.active_checkpoint_id:
        parts.append("(active)")
    return "  ".join(parts)


def _with_preview(line: str, node: Node, width: int | None) -> str:
    text = _ending(node)
    if width is None or not text or node.damage is not None:
        return f"{line}  {text}".rstrip()
    measure = cell_width()
    room = width - measure(line) - 2
    return f"{line}  {fit(text, room, measure)}" if room >= _MIN_PREVIEW else line


def _ending(node: Node) -> str:
    if node.damage is not None:
        return f"damaged: {one_line(node.damage)}"
    if node.preview is None:
        return ""
    return node.preview if node.added > 0 else f"… {node.preview}"


def _footer(tree: Tree) -> Iterator[str]:
    yield f"showing the newest {len(tree.nodes):,} of {tree.total:,} checkpoints (use --limit 0 for all)"
    active = tree.found.active_checkpoint_id
    if active is not None and all(node.checkpoint.id != active for node in tree.nodes):
        yield f"the active one is older: {active}"
