"""Writers whose steps come from a seed, so that whoever knows the seed knows what they wrote and would have written."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from uuid import UUID

from tests.faults.expected import Kept, Made, Message, Point, Step, World, apply

import clew
from clew import limits

MOST_SESSIONS = 6
MOST_POINTS = 25
_ODD: list[Any] = ["", "\0", "\ud800", "Größe 配置 \U0001f9f6", 2**63, -0.0, 1.0, 1, True, None, [], {}, 1e-7]
_KINDS = {
    "append": 40, "branch": 8, "full": 12, "fork": 4, "rewind": 5, "rename": 5, "delete": 3, "new": 7, "purge": 2,
    "label": 4, "attach": 10, "thin": 4, "copy": 2, "compact": 1,
}  # fmt: skip
_PIECE_BYTES = 3_000


def shared_id(seed: int) -> UUID:
    """The session of this seed that every actor may append to."""
    return UUID(int=Random(f"shared {seed}").getrandbits(128))


def make_shared(store: clew.Store, seed: int) -> None:
    """Create the shared session where it does not exist yet."""
    store.ensure_session("faults", str(shared_id(seed)), "shared", id=shared_id(seed), cwd="/shared")


class Actor:
    """Takes steps in sessions of its own, and now and then appends to a session that it shares with others.

    Its sessions are known by their `cwd`. `world` is what they hold once all its steps are done. Only one that
    `compacts` makes all others wait.
    """

    def __init__(self, name: str, seed: int, *, shared: bool = False, compacts: bool = True) -> None:
        self.cwd = f"/{name}"
        self.world: World = {}
        self._dice = Random(f"{name} {seed}")
        self._shared = shared_id(seed) if shared else None
        self._steps = 0
        self._kinds = {kind: weight for kind, weight in _KINDS.items() if compacts or kind != "compact"}

    def next(self) -> Step:
        """The step to take now."""
        self._steps += 1
        if self._shared is not None and self._dice.random() < 0.2:
            return self._append_to(self._shared)
        kind = self._dice.choices(list(self._kinds), list(self._kinds.values()))[0]
        session = self._dice.choice(list(self.world.values())) if self.world else None
        if session is None or (kind == "new" and len(self.world) < MOST_SESSIONS):
            return self._create()
        return self._step(kind, session)

    def done(self, step: Step, made: Made) -> None:
        """The step is done."""
        if step.session is None or step.session != self._shared:
            apply(self.world, step, made)

    def is_shared(self, step: Step) -> bool:
        """Whether the step is about the session that all share."""
        return self._shared is not None and step.session == self._shared

    def _step(self, kind: str, session: Kept) -> Step:
        if len(self.world) >= MOST_SESSIONS or len(session.points) >= MOST_POINTS or kind == "purge":
            return _about("purge_session", session)
        chosen = getattr(self, f"_{kind}", self._append)(session, self._dice.choice(session.points))
        assert isinstance(chosen, Step)
        return chosen

    def _append(self, session: Kept, _: Point) -> Step:
        return self._append_to(session.id)

    def _branch(self, session: Kept, point: Point) -> Step:
        return self._append_to(session.id, parent_id=point.id, label=f"label {self._steps}")

    def _fork(self, session: Kept, point: Point) -> Step:
        return _about("fork_session", session, checkpoint_id=point.id, title=f"fork {self._steps}")

    def _copy(self, session: Kept, _: Point) -> Step:
        return _about("copy_session", session, title=f"copy {self._steps}")

    def _rewind(self, session: Kept, point: Point) -> Step:
        if point.id == session.active:
            return self._append_to(session.id)
        return _about("set_active_checkpoint", session, checkpoint_id=point.id)

    def _rename(self, session: Kept, _: Point) -> Step:
        return _about("update_session", session, title=f"name {self._steps}", metadata={"n": self._steps})

    def _delete(self, session: Kept, _: Point) -> Step:
        return _about("delete_session" if session.status == "ACTIVE" else "restore_session", session)

    def _label(self, session: Kept, point: Point) -> Step:
        return Step("set_label", session.id, {"checkpoint_id": point.id, "label": f"label {self._steps}"})

    def _attach(self, session: Kept, point: Point) -> Step:
        names = self._dice.sample(["a", "b", "c/d"], self._dice.randint(1, 2))
        items = {name: self._bytes(name) for name in names}
        return _about("attach", session, items=items, checkpoint_id=point.id, on_conflict="replace")

    def _thin(self, session: Kept, _: Point) -> Step:
        ids = [point.id for point in self._dice.sample(session.points, self._dice.randint(0, 3) % len(session.points))]
        return _about("delete_checkpoints", session, ids=ids) if ids else self._append_to(session.id)

    def _compact(self, _: Kept, __: Point) -> Step:
        return Step("compact", None, {})

    def _create(self) -> Step:
        source = {"source": self.cwd, "source_id": str(self._steps)} if self._dice.random() < 0.5 else {}
        arguments = {
            "title": f"session {self._steps}",
            "messages": self._messages(),
            "metadata": self._dice.choice([None, {"step": self._steps}]),
            "session_metadata": self._dice.choice([None, {"of": self.cwd}]),
            "visibility": self._dice.choice(["PRIVATE", "PUBLIC"]),
            "cwd": self.cwd,
            "id": self._id(),
            "checkpoint_id": self._id(),
        }
        return Step("create_session", None, {**arguments, **source})

    def _append_to(self, session: UUID, **more: Any) -> Step:
        if self._dice.random() < 0.2:
            more["metadata"] = self._dice.choice([None, {"step": self._steps}, _ODD])
        if self._dice.random() < 0.1:
            more["attachments"] = {"new": self._bytes("new")}
        return Step("append", session, {"session_id": session, "messages": self._messages(), "id": self._id(), **more})

    def _full(self, session: Kept, _: Point) -> Step:
        parent = session.point(None)
        kept = parent.messages[: self._dice.randint(len(parent.messages) // 2, len(parent.messages))]
        messages = [*kept, *self._messages()]
        arguments = {"messages": messages, "metadata": parent.metadata, "parent_id": parent.id, "id": self._id()}
        return _about("create_checkpoint", session, **arguments)

    def _messages(self) -> list[Message]:
        return [self._message(number) for number in range(self._dice.choice([0, 1, 1, 2, 2, 3]))]

    def _message(self, number: int) -> Message:
        said = f"{self.cwd} {self._steps}.{number} "
        length = self._dice.choice([0, 40, 40, 100, 100, 1_000, 6_000])
        return {"role": "user", "content": (said * (length // len(said) + 1))[: length or None], "odd": self._odd()}

    def _bytes(self, name: str) -> bytes:
        """Bytes that no other step has; some take several pieces."""
        said = f"{self.cwd} {self._steps} {name} ".encode()
        return (said * _PIECE_BYTES)[: self._dice.choice([len(said), 500, 2 * _PIECE_BYTES + 7])]

    def _odd(self) -> Any:
        return self._dice.choice(_ODD)

    def _id(self) -> UUID:
        return UUID(int=self._dice.getrandbits(128))


def perform(store: clew.Store, step: Step) -> Made:
    """Make the call; the ids that came of it."""
    result = getattr(store, step.method)(**step.arguments)
    if isinstance(result, clew.Checkpoint):
        return [result.id, result.parent_id]
    if step.method in ("fork_session", "copy_session"):
        return [result.id, *(point.id for point in store.list_checkpoints(result.id, limit=MOST_POINTS))]
    return []


@contextmanager
def small_pieces() -> Iterator[None]:
    """Attachments are kept in pieces from a few thousand bytes on, so that those of actors are."""
    before = limits.ATTACHMENT_CHUNK_BYTES
    limits.ATTACHMENT_CHUNK_BYTES = _PIECE_BYTES
    try:
        yield
    finally:
        limits.ATTACHMENT_CHUNK_BYTES = before


def _about(method: str, session: Kept, **arguments: Any) -> Step:
    """A call about a session, which some methods call `id`."""
    (_, first, *_) = inspect.signature(getattr(clew.Store, method)).parameters
    return Step(method, session.id, {first: session.id, **arguments})
