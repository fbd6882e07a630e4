"""What a store has to do, said a second time in dicts and lists.

The model shares no code with clew, so that a mistake has to be made twice to go unseen. It keeps every conversation as
a whole list and recognises a repeated call by the call itself. Ids that the store makes are told to the model after the
fact; times are microseconds.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any
from uuid import UUID

Row = dict[str, Any]

ACTIVE = "the active checkpoint"
KEEP = "what the parent has"


class Refused(Exception):  # noqa: N818 - an outcome that is expected
    """The call must fail, with one of these codes."""

    def __init__(self, *codes: str) -> None:
        super().__init__(*codes)
        self.codes = codes


class Model:
    """Sessions and checkpoints by id, each a dict; `session["checkpoints"]` is the order of creation."""

    def __init__(self) -> None:
        self.sessions: dict[UUID, Row] = {}
        self.checkpoints: dict[UUID, Row] = {}

    # -- sessions

    def create_session(self, call: Row, now: int, *, ensure: bool, given: UUID | None, made: tuple[UUID, UUID]) -> UUID:
        """`call` are the arguments, `given` the id among them, `made` the ids of session and root that came back."""
        name = (call["source"], call["source_id"])
        named = self._named(name)
        if ensure and named is not None:
            return named
        if given in self.sessions:
            return self._repeated(self.sessions, given, call)
        codes = []
        if named is not None:
            codes.append("conflict")
        if call["parent_session_id"] is not None and call["parent_session_id"] not in self.sessions:
            codes.append("not_found")
        if codes:
            raise Refused(*codes)
        created_at = now if call["created_at"] is None else call["created_at"]
        id, root = made
        self._begin(id, call, created_at, forked_from=None, signature=None if given is None else _signature(call))
        self._add(root, self.sessions[id], None, call["messages"], call["metadata"], None, created_at, None)
        return id

    def fork_session(
        self, session_id: UUID, checkpoint_id: Any, title: str | None, now: int, made: tuple[UUID, UUID]
    ) -> UUID:
        """A new session at a checkpoint of another."""
        origin = self._session(session_id)
        at = self._own(origin, origin["active"] if checkpoint_id == ACTIVE else checkpoint_id)
        call = {name: origin[name] for name in ("title", "visibility", "cwd")}
        call |= {
            "source": None,
            "source_id": None,
            "parent_session_id": session_id,
            "session_metadata": origin["metadata"],
        }
        if title is not None:
            call["title"] = title
        id, root = made
        self._begin(id, call, now, forked_from=at["id"], signature=None)
        self._add(root, self.sessions[id], None, at["messages"], at["metadata"], None, now, None)
        return id

    def update_session(self, session_id: UUID, changes: Row, if_revision: int | None, now: int) -> None:
        """Set the fields in `changes`."""
        session = self._session(session_id)
        if if_revision is not None and if_revision != session["revision"]:
            raise Refused("conflict")
        if any(repr(session[name]) != repr(value) for name, value in changes.items()):
            session.update(deepcopy(changes))
            _touch(session, now)

    def purge_session(self, session_id: UUID) -> None:
        """Forget a session and its tree."""
        for checkpoint_id in self._session(session_id)["checkpoints"]:
            del self.checkpoints[checkpoint_id]
        del self.sessions[session_id]

    def set_active(self, session_id: UUID, checkpoint_id: UUID, now: int) -> None:
        """Move a session to another of its checkpoints."""
        session = self._session(session_id)
        self._own(session, checkpoint_id)
        if session["active"] != checkpoint_id:
            session["active"] = checkpoint_id
            _touch(session, now)

    # -- checkpoints

    def write(self, session_id: UUID, call: Row, now: int, *, given: UUID | None, made: UUID) -> UUID:
        """An append, or a full list where ``call["full"]``."""
        session = self._session(session_id)
        call = {"session_id": session_id, **call}
        if given in self.checkpoints:
            return self._repeated(self.checkpoints, given, call)
        if call["if_active"] is not None and call["if_active"] != session["active"]:
            raise Refused("conflict")
        parent = None if call["parent_id"] is None else self._own(session, self._parent(session, call))
        if call["label"] is not None and call["label"] in self._labels(session):
            raise Refused("conflict")
        begun = [] if call["full"] or parent is None else parent["messages"]
        metadata = (None if parent is None else parent["metadata"]) if call["metadata"] == KEEP else call["metadata"]
        created_at = max(now, session["updated_at"]) if call["created_at"] is None else call["created_at"]
        self._add(
            made, session, parent, begun + call["messages"], metadata, call["label"], created_at,
            None if given is None else _signature(call),
        )  # fmt: skip
        _touch(session, created_at)
        return made

    # -- reading

    def listed(self, matches: Callable[[Row], bool]) -> list[UUID]:
        """Sessions in the order of lists."""
        found = [session for session in self.sessions.values() if matches(session)]
        found.sort(key=lambda session: (session["updated_at"], session["id"].bytes), reverse=True)
        return [session["id"] for session in found]

    def diff(self, a: UUID, b: UUID) -> tuple[int, UUID | None]:
        """How many messages two checkpoints begin with in common, and their nearest common ancestor."""
        left, right = self._checkpoint(a), self._checkpoint(b)
        common = common_prefix(left["messages"], right["messages"])
        descent = self._descent(b)
        return common, next((id for id in self._descent(a) if id in descent), None)

    def slice(self, checkpoint_id: UUID, start: int | None, stop: int | None) -> list[Any]:
        """Some messages of a checkpoint."""
        messages: list[Any] = self._checkpoint(checkpoint_id)["messages"][start:stop]
        return messages

    # -- inside

    def _session(self, session_id: UUID) -> Row:
        if session_id not in self.sessions:
            raise Refused("not_found")
        return self.sessions[session_id]

    def _checkpoint(self, checkpoint_id: UUID) -> Row:
        if checkpoint_id not in self.checkpoints:
            raise Refused("not_found")
        return self.checkpoints[checkpoint_id]

    def _own(self, session: Row, checkpoint_id: UUID) -> Row:
        if checkpoint_id not in session["checkpoints"]:
            raise Refused("not_found")
        return self.checkpoints[checkpoint_id]

    def _parent(self, session: Row, call: Row) -> UUID:
        parent: UUID = session["active"] if call["parent_id"] == ACTIVE else call["parent_id"]
        return parent

    def _named(self, name: tuple[str | None, str | None]) -> UUID | None:
        if name == (None, None):
            return None
        return next(
            (id for id, session in self.sessions.items() if (session["source"], session["source_id"]) == name), None
        )

    def _labels(self, session: Row) -> list[str | None]:
        return [self.checkpoints[id]["label"] for id in session["checkpoints"]]

    def _repeated(self, rows: dict[UUID, Row], id: UUID | None, call: Row) -> UUID:
        assert id is not None
        if rows[id]["signature"] != _signature(call):
            raise Refused("conflict")
        return id

    def _descent(self, checkpoint_id: UUID) -> list[UUID]:
        line = [checkpoint_id]
        while (parent := self.checkpoints[line[-1]]["parent_id"]) is not None:
            line.append(parent)
        return line

    def _begin(self, id: UUID, call: Row, created_at: int, *, forked_from: UUID | None, signature: str | None) -> None:
        fields = ("title", "visibility", "cwd", "source", "source_id", "parent_session_id")
        self.sessions[id] = {
            "id": id,
            **{name: call[name] for name in fields},
            "metadata": deepcopy(call["session_metadata"]),
            "status": "ACTIVE",
            "forked_from": forked_from,
            "revision": 1,
            "created_at": created_at,
            "updated_at": created_at,
            "last_message_at": None,
            "checkpoints": [],
            "active": None,
            "signature": signature,
        }

    def _add(
        self, id: UUID, session: Row, parent: Row | None, messages: list[Any], metadata: Any, label: str | None,
        created_at: int, signature: str | None,
    ) -> None:  # fmt: skip
        brought = len(messages) - common_prefix([] if parent is None else parent["messages"], messages)
        self.checkpoints[id] = {
            "id": id,
            "session_id": session["id"],
            "parent_id": None if parent is None else parent["id"],
            "messages": deepcopy(messages),
            "metadata": deepcopy(metadata),
            "label": label,
            "created_at": created_at,
            "signature": signature,
        }
        session["checkpoints"].append(id)
        session["active"] = id
        if brought:
            session["last_message_at"] = created_at


def common_prefix(a: list[Any], b: list[Any]) -> int:
    """How many messages two lists begin with in common."""
    for index, (left, right) in enumerate(zip(a, b, strict=False)):
        if repr(left) != repr(right):
            return index
    return min(len(a), len(b))


def _touch(session: Row, now: int) -> None:
    session["revision"] += 1
    session["updated_at"] = max(session["updated_at"], now)


def _signature(call: Row) -> str:
    """What makes a call the same call: everything but `if_active` and the time."""
    return repr(sorted((name, value) for name, value in call.items() if name not in ("if_active", "created_at")))
