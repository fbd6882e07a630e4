"""Two steps side by side."""

import json
from typing import Any, NamedTuple
from uuid import UUID

from litestar import Controller
from litestar.params import FromPath, FromQuery

from clew.display.conversation import Shown, converse
from clew.display.visible import one_line, visible
from clew.errors import CorruptStateError, InvalidRequestError, NotFoundError
from clew.model import CheckpointSummary, Message
from clew.server.served import Served, Serving, get
from clew.server.web.addresses import StepAddress
from clew.server.web.pages import page
from clew.server.web.session import find
from clew.server.web.tree import Tree, read_tree
from clew.server.web.windows import WINDOW

_MAX_VALUE_CHARS = 2_000


class Side(NamedTuple):
    """One of two steps: the messages that only it has, as many as are shown, and how many more there are."""

    name: str
    step: CheckpointSummary
    address: StepAddress
    label: str
    messages: list[Shown]
    total: int

    @property
    def more(self) -> int:
        """How many are not shown."""
        return max(0, self.total - WINDOW)


class Change(NamedTuple):
    """A key of the metadata that differs; a value is None where the step has not the key."""

    key: str
    a: str | None
    b: str | None


class ComparePages(Controller):
    """The page that compares, and the one that asks what to compare."""

    path = "/sessions/{session_id:uuid}/compare"

    @get()
    def compare(
        self,
        served: Served,
        session_id: FromPath[UUID],
        a: FromQuery[UUID | None] = None,
        b: FromQuery[UUID | None] = None,
        row: FromQuery[int | None] = None,
        run: FromQuery[UUID | None] = None,
    ) -> Any:
        """What is common to two steps, and what only one of them has; with `row` or `run` other rows to choose from."""
        if row is not None and row < 0:
            raise InvalidRequestError("row must not be negative")
        found = find(served, session_id, b)
        if a is None or b is None or row is not None or run is not None:
            tree = read_tree(served, found.address, found.active, row=row, run=run)
            return page(
                served,
                "compare_choice.html",
                found=found,
                address=found.address,
                tree=tree,
                a=a,
                b=b,
                elsewhere=_elsewhere(tree, a, b),
            )
        try:
            context = _compared(served, session_id, a, b)
        except CorruptStateError as error:
            context = {"diff": None, "reason": one_line(error.message, 500)}
        return page(served, "compare.html", found=found, address=found.address, a=a, b=b, **context)


def _elsewhere(tree: Tree, *chosen: UUID | None) -> list[UUID]:
    """The steps that are chosen and not among the rows that are shown."""
    shown = {node.row.id for node in tree.nodes if not node.is_run}
    return [id for id in dict.fromkeys(chosen) if id is not None and id not in shown]


def _compared(served: Serving, session_id: UUID, a: UUID, b: UUID) -> dict[str, Any]:
    steps = [served.store.get_checkpoint_summary(id) for id in (a, b)]
    for step in steps:
        if step.session_id != session_id:
            raise NotFoundError(f"session {session_id} has no step {step.id}")
    diff = served.store.diff(a, b)
    sides = [
        _side(name, step, only, diff.common)
        for name, step, only in zip("AB", steps, (diff.only_a, diff.only_b), strict=True)
    ]
    changes = _changes(diff.metadata_a, diff.metadata_b) if diff.metadata_changed else []
    return {"diff": diff, "sides": sides, "changes": changes}


def _side(name: str, step: CheckpointSummary, only: list[Message], common: int) -> Side:
    messages = converse(only[:WINDOW], common + 1)
    address = StepAddress(step.session_id, step.id, is_here=False)
    return Side(name, step, address, one_line(step.label or ""), messages, len(only))


def _changes(a: Any, b: Any) -> list[Change]:
    """What differs, by key where both are objects."""
    if not isinstance(a, dict) or not isinstance(b, dict):
        return [Change("", _cut(_text(a)), _cut(_text(b)))]
    found = []
    for key in dict.fromkeys([*a, *b]):
        one, other = (_text(side[key]) if key in side else None for side in (a, b))
        if one != other:
            found.append(Change(one_line(key), _cut(one), _cut(other)))
    return found


def _text(value: Any) -> str:
    # As text: what Python holds equal may be different JSON, such as 1, 1.0 and true.
    return json.dumps(value, ensure_ascii=False)


def _cut(text: str | None) -> str | None:
    if text is None or len(text) <= _MAX_VALUE_CHARS:
        return None if text is None else visible(text)
    return visible(text[:_MAX_VALUE_CHARS]) + "…"
