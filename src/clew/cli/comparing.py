"""`clew diff`."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import click

import clew
from clew import wire
from clew.cli.options import App, json_option, pass_app
from clew.cli.output import Line, Styled, backend_line, write_json, write_lines
from clew.cli.points import Point, PointType, find_point
from clew.cli.rendering import message_lines
from clew.cli.text import counted, one_line, shorten
from clew.model import CheckpointSummary, Diff, Message

_POINT = PointType()
_MISSING = object()


class Compared(NamedTuple):
    """Two checkpoints and how they differ."""

    a: CheckpointSummary
    b: CheckpointSummary
    diff: Diff
    backend: clew.BackendInfo


@click.command("diff")
@click.argument("a", metavar="A", type=_POINT)
@click.argument("b", metavar="B", type=_POINT)
@json_option
@pass_app
def diff_command(app: App, a: Point, b: Point) -> None:
    """Show how two checkpoints differ, of one session or of two.

    A and B are ids of checkpoints; or ids of sessions, for their active checkpoints; or SESSION:LABEL. An id may be
    cut to 4 digits of its beginning.
    """
    with app.open() as store:
        one, other = find_point(store, a), find_point(store, b)
        compared = Compared(one, other, store.diff(one.id, other.id), store.backend_info())
    if app.json:
        write_json({**wire.diff(compared.diff), "backend": wire.backend_info(compared.backend)})
    else:
        write_lines(_lines(compared))


def _lines(compared: Compared) -> Iterator[Line]:
    diff = compared.diff
    yield backend_line(compared.backend)
    yield f"A:         {_told(compared.a)}"
    yield f"B:         {_told(compared.b)}"
    yield f"Ancestor:  {'(none)' if diff.ancestor_id is None else diff.ancestor_id}"
    yield f"Common:    {counted(diff.common, 'message')}"
    yield f"Only in A: {counted(len(diff.only_a), 'message')}"
    yield f"Only in B: {counted(len(diff.only_b), 'message')}"
    yield f"Metadata:  {'differs' if diff.metadata_changed else 'is the same'}"
    if diff.metadata_changed:
        yield from _metadata(diff.metadata_a, diff.metadata_b)
    yield from _side("-", "red", diff.common, diff.only_a)
    yield from _side("+", "green", diff.common, diff.only_b)


def _told(checkpoint: CheckpointSummary) -> str:
    label = "" if checkpoint.label is None else f" [{shorten(checkpoint.label)}]"
    return f"{checkpoint.id}{label} of session {checkpoint.session_id}"


def _side(mark: str, style: str, common: int, messages: list[Message]) -> Iterator[Line]:
    for number, message in enumerate(messages, common + 1):
        for line in message_lines(message, number):
            text = line.text if isinstance(line, Styled) else line
            yield Styled(f"{mark} {text}", style) if text else ""


def _metadata(a: Any, b: Any) -> Iterator[Line]:
    """What differs, by key where both are objects."""
    if not isinstance(a, dict) or not isinstance(b, dict):
        yield Styled(f"  - {_shown(a)}", "red")
        yield Styled(f"  + {_shown(b)}", "green")
        return
    for key in dict.fromkeys([*a, *b]):
        old, new = a.get(key, _MISSING), b.get(key, _MISSING)
        if _differ(old, new):
            yield from _pair(one_line(key), old, new)


def _pair(key: str, old: Any, new: Any) -> Iterator[Line]:
    if old is not _MISSING:
        yield Styled(f"  - {key}: {_shown(old)}", "red")
    if new is not _MISSING:
        yield Styled(f"  + {key}: {_shown(new)}", "green")


def _differ(old: Any, new: Any) -> bool:
    # As text: what Python holds equal may be different JSON, such as 1, 1.0 and true.
    return old is _MISSING or new is _MISSING or json.dumps(old) != json.dumps(new)


def _shown(value: Any) -> str:
    return one_line(json.dumps(value, ensure_ascii=False))
