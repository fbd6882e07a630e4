"""What a store has to do, said a second time in dicts and lists.

The model shares no code with clew, so that a mistake has to be made twice to go unseen. It keeps every conversation as
a whole list and recognises a repeated call by the call itself. Ids that the store makes are told to the model after the
fact; times are microseconds. A label in the place of an id is a pair ("label", name), an attachment a pair of its bytes
and content type.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any
from uuid import UUID

Row = dict[str, Any]

ACTIVE = "the active checkpoint"
KEEP = "what the parent has"
SAME = "what the parent has under the name"

_MINUTE = 60_000_000

Items = dict[str, tuple[bytes, str | None]]
"""Attachments by name."""


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
        self.keys: dict[UUID, Row] = {}

    # -- sessions

    def create_session(self, call: Row, now: int, *, ensure: bool, given: UUID | None, made: tuple[UUID, UUID]) -> UUID:
        """`call` are the arguments, `given` the id among them, `made` the ids of session and root that came back."""
        named = self._named(call["owner"], (call["source"], call["source_id"]))
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
        self, session_id: UUID, place: Any, title: str | None, owner: str | None, now: int, made: tuple[UUID, UUID]
    ) -> UUID:
        """A new session at a checkpoint of another."""
        origin = self._session(session_id)
        at = self._at(origin, place)
        if at is None:
            raise Refused("not_found")
        id, root = made
        self._begin(id, _alike(origin, title, (None, None), owner), now, forked_from=at["id"], signature=None)
        self._add(root, self.sessions[id], None, at["messages"], at["metadata"], None, now, None)
        self.checkpoints[root] |= {"began_as": at["id"], "attachments": dict(at["attachments"])}
        return id

    def copy_session(
        self, session_id: UUID, title: str | None, name: tuple[str | None, str | None], owner: str | None, now: int,
        made: tuple[UUID, list[UUID]],
    ) -> UUID:  # fmt: skip
        """A new session with the whole tree of another; `made` are its id and those of its checkpoints, in order."""
        origin, (id, checkpoints) = self._session(session_id), made
        call = _alike(origin, title, name, owner)
        if self._named(call["owner"], name) is not None:
            raise Refused("conflict")
        self._begin(id, call, now, forked_from=None, signature=None)
        copy, ids = self.sessions[id], dict(zip(origin["checkpoints"], checkpoints, strict=True))
        for old, new in ids.items():
            row = deepcopy(self.checkpoints[old])
            row |= {"id": new, "session_id": id, "parent_id": ids.get(row["parent_id"])}
            self.checkpoints[new] = row | {"signature": None, "began_as": None}
        copy |= {
            "checkpoints": checkpoints,
            "active": ids.get(origin["active"]),
            "waiting": deepcopy(origin["waiting"]),
            "last_message_at": origin["last_message_at"],
            # Or the next time that is made would be before those of the copied checkpoints.
            "updated_at": max(now, origin["updated_at"]),
        }
        return id

    def update_session(self, session_id: UUID, changes: Row, if_revision: int | None, now: int) -> None:
        """Set the fields in `changes`."""
        session = self._session(session_id)
        _check_revision(session, if_revision)
        owner = changes.get("owner", session["owner"])
        if owner != session["owner"] and self._named(owner, (session["source"], session["source_id"])) is not None:
            raise Refused("conflict")
        if any(repr(session[name]) != repr(value) for name, value in changes.items()):
            session.update(deepcopy(changes))
            _touch(session, now)

    def purge_session(self, session_id: UUID, if_revision: int | None = None) -> None:
        """Forget a session and its tree."""
        _check_revision(self._session(session_id), if_revision)
        for checkpoint_id in self._session(session_id)["checkpoints"]:
            del self.checkpoints[checkpoint_id]
        del self.sessions[session_id]

    def set_active(self, session_id: UUID, place: Any, now: int) -> None:
        """Move a session to another of its checkpoints."""
        session = self._session(session_id)
        to = self._at(session, place)
        assert to is not None
        if session["active"] != to["id"]:
            session["active"] = to["id"]
            _touch(session, now)

    # -- checkpoints

    def write(self, session_id: UUID, call: Row, now: int, *, given: UUID | None, made: UUID) -> UUID:
        """An append, or a full list where ``call["full"]``."""
        after = call.get("after")
        if after is not None and call["parent_id"] is None:
            raise Refused("invalid_request")
        session = self._session(session_id)
        call = {"session_id": session_id, **call}
        if given in self.checkpoints:
            return self._repeated(self.checkpoints, given, call)
        if not self._is_expected(session, call["if_active"]):
            raise Refused("conflict")
        parent = None if call["parent_id"] is None else self._at(session, call["parent_id"])
        holder = None if call["label"] is None else self._labelled(session, call["label"])
        if holder is not None and not call["move"]:
            raise Refused("conflict")
        begun = [] if call["full"] or parent is None else parent["messages"]
        if after is not None and abs(after) > len(begun):
            raise Refused("invalid_request")
        attachments = self._brought(session, parent, call)
        metadata = (None if parent is None else parent["metadata"]) if call["metadata"] == KEEP else call["metadata"]
        created_at = max(now, session["updated_at"]) if call["created_at"] is None else call["created_at"]
        self._add(
            made, session, parent, begun[:after] + call["messages"], metadata, call["label"], created_at,
            None if given is None else _signature(call), brought=None if call["full"] else len(call["messages"]),
        )  # fmt: skip
        self.checkpoints[made]["attachments"] = attachments
        if holder is not None:
            holder |= {"label": None, "updated_at": max(now, holder["updated_at"])}
        session["waiting"].pop(call["label"], None)
        _touch(session, created_at)
        return made

    def set_label(self, checkpoint_id: UUID, label: str | None, now: int, *, move: bool) -> None:
        """Give a checkpoint another label, or none."""
        row = self._checkpoint(checkpoint_id)
        session = self.sessions[row["session_id"]]
        if row["label"] == label:
            return
        holder = None if label is None else self._labelled(session, label)
        if holder is not None and not move:
            raise Refused("conflict")
        attachments, waiting = _merged(row["attachments"], session["waiting"].get(label, {}), "error")
        if waiting:
            session["waiting"].pop(label)
        if holder is not None:
            holder |= {"label": None, "updated_at": max(now, holder["updated_at"])}
        row |= {"label": label, "attachments": attachments, "updated_at": max(now, row["updated_at"])}
        _touch(session, now)

    def delete_checkpoints(
        self, session_id: UUID, ids: list[UUID], children: str, if_revision: int | None, now: int
    ) -> None:
        """Delete checkpoints of a session."""
        session = self._session(session_id)
        codes = ["conflict"] if if_revision not in (None, session["revision"]) else []
        if any(id not in session["checkpoints"] for id in ids):
            raise Refused(*codes, "not_found")
        if codes:
            raise Refused(*codes)
        gone = set(ids)
        for row in (self.checkpoints[id] for id in session["checkpoints"]):
            if row["parent_id"] in gone and row["id"] not in gone:
                if children == "refuse":
                    raise Refused("conflict")
                if children == "delete":
                    gone.add(row["id"])
        if gone:
            self._remove(session, gone)
            _touch(session, now)

    def _remove(self, session: Row, gone: set[UUID]) -> None:
        """Take checkpoints out of the tree, and join what is left."""

        def nearest(id: UUID | None) -> UUID | None:
            while id in gone:
                id = self.checkpoints[id]["parent_id"]
            return id

        left = [id for id in session["checkpoints"] if id not in gone]
        moved = {id: nearest(self.checkpoints[id]["parent_id"]) for id in left}
        active = nearest(session["active"])
        session["active"] = (left[-1] if left else None) if active is None else active
        session["checkpoints"] = left
        for doomed in gone:
            del self.checkpoints[doomed]
        for staying, parent in moved.items():
            self.checkpoints[staying]["parent_id"] = parent

    # -- attachments

    def attach(self, session_id: UUID, items: Items, place: Any, on_conflict: str, now: int) -> None:
        """Attachments for a checkpoint, or for a label that none has yet."""
        session = self._session(session_id)
        row = self._labelled(session, place[1]) if isinstance(place, tuple) else self._at(session, place)
        if row is None and not isinstance(place, tuple):
            raise Refused("not_found")
        taken: Items = session["waiting"].get(place[1], {}) if row is None else row["attachments"]
        merged, changed = _merged(taken, items, on_conflict)
        if not changed:
            return
        if row is None:
            session["waiting"][place[1]] = merged
        else:
            row |= {"attachments": merged, "updated_at": max(now, row["updated_at"])}
        _touch(session, now)

    def _brought(self, session: Row, parent: Row | None, call: Row) -> Items:
        """The attachments of a new checkpoint."""
        held: Items = {} if parent is None else parent["attachments"]
        given = {name: held.get(name) if item == SAME else item for name, item in call["attachments"].items()}
        codes = ["not_found"] if None in given.values() else []
        waiting = session["waiting"].get(call["label"], {})
        if any(item is not None and waiting.get(name, item) != item for name, item in given.items()):
            codes.append("conflict")
        if codes:
            raise Refused(*codes)
        return {**waiting, **given}

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

    def children(self, checkpoint_id: UUID) -> list[UUID]:
        """The checkpoints whose parent it is, in order of creation."""
        session = self.sessions[self._checkpoint(checkpoint_id)["session_id"]]
        return [id for id in session["checkpoints"] if self.checkpoints[id]["parent_id"] == checkpoint_id]

    def ancestry(self, checkpoint_id: UUID) -> list[UUID]:
        """The checkpoint, its parent, and so on to the root."""
        line = [self._checkpoint(checkpoint_id)["id"]]
        while (parent := self.checkpoints[line[-1]]["parent_id"]) is not None:
            line.append(parent)
        return line

    def branches(self, session_id: UUID) -> list[UUID]:
        """The checkpoints without children, newest first."""
        return [id for id in reversed(self._session(session_id)["checkpoints"]) if not self.children(id)]

    def find(self, session_id: UUID, label: str) -> UUID:
        """The checkpoint that has a label."""
        row = self._labelled(self._session(session_id), label)
        if row is None:
            raise Refused("not_found")
        id: UUID = row["id"]
        return id

    def in_order(self, session_ids: list[UUID], order: str, matches: Callable[[Row], bool]) -> list[UUID]:
        """Checkpoints of some sessions as a list shows them; ties between sessions are as in `session_ids`."""
        rows = [self.checkpoints[id] for session in session_ids for id in self._session(session)["checkpoints"]]
        rows = [row for row in rows if matches(row)]
        if order.endswith("label"):
            rows = sorted((row for row in rows if row["label"] is not None), key=lambda row: row["label"])
        elif len(session_ids) > 1:
            rows = sorted(rows, key=lambda row: row["created_at"])
        return [row["id"] for row in (reversed(rows) if order.startswith("-") else rows)]

    def prunable(
        self, now: int, deleted_for: int | None, unchanged_for: int | None, keep_last: int | None,
        keep_checkpoints: int | None,
    ) -> tuple[list[UUID], dict[UUID, list[UUID]]]:  # fmt: skip
        """The sessions that a plan purges, and the checkpoints that it deletes of others; ages in microseconds."""
        gone: list[UUID] = []
        thinned: dict[UUID, list[UUID]] = {}
        live = 0
        for id in self.listed(lambda _: True):
            session = self.sessions[id]
            deleted = session["status"] == "DELETED"
            among_the_last = keep_last is not None and not deleted and live < keep_last
            live += not deleted
            age = now - session["updated_at"]
            old = (unchanged_for is not None and age > unchanged_for) or (
                deleted_for is not None and deleted and age > deleted_for
            )
            by_number = keep_last is not None and deleted_for is None and unchanged_for is None
            if (old or by_number) and not among_the_last:
                gone.append(id)
            elif keep_checkpoints is not None:
                older = session["checkpoints"][: max(len(session["checkpoints"]) - keep_checkpoints, 0)]
                surplus = [id for id in older if id != session["active"] and self.checkpoints[id]["label"] is None]
                thinned |= {id: surplus} if surplus else {}
        return gone, thinned

    def slice(self, checkpoint_id: UUID, start: int | None, stop: int | None) -> list[Any]:
        """Some messages of a checkpoint."""
        messages: list[Any] = self._checkpoint(checkpoint_id)["messages"][start:stop]
        return messages

    # -- API keys

    def create_key(self, id: UUID, name: str, role: str, now: int) -> None:
        """A key that the store has made."""
        self.keys[id] = {"name": name, "role": role, "created_at": now, "last_used_at": None, "revoked_at": None}

    def authenticate(self, id: UUID, now: int) -> None:
        """Use a key, by its token."""
        key = self.keys[id]
        if key["revoked_at"] is not None:
            raise Refused("unauthorized")
        if key["last_used_at"] is None or now - key["last_used_at"] >= _MINUTE:
            key["last_used_at"] = now

    def revoke_key(self, id: UUID, now: int) -> None:
        """End a key."""
        if id not in self.keys:
            raise Refused("not_found")
        if self.keys[id]["revoked_at"] is None:
            self.keys[id]["revoked_at"] = now

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

    def _at(self, session: Row, place: Any) -> Row | None:
        """A checkpoint of the session; None for the active one of a session that has none."""
        if place == ACTIVE:
            return None if session["active"] is None else self.checkpoints[session["active"]]
        if isinstance(place, tuple):
            return self.checkpoints[self.find(session["id"], place[1])]
        return self._own(session, place)

    def _named(self, owner: str | None, name: tuple[str | None, str | None]) -> UUID | None:
        if name == (None, None):
            return None
        own = {id: session for id, session in self.sessions.items() if session["owner"] == owner}
        return next((id for id, session in own.items() if (session["source"], session["source_id"]) == name), None)

    def _is_expected(self, session: Row, wanted: Any) -> bool:
        """Whether the active checkpoint is the one that a write wants it to be, or has the label."""
        if isinstance(wanted, tuple):
            row = self.checkpoints.get(session["active"])
            return row is not None and row["label"] == wanted[1]
        return wanted is None or wanted == session["active"]

    def _labelled(self, session: Row, label: str) -> Row | None:
        rows = (self.checkpoints[id] for id in session["checkpoints"])
        return next((row for row in rows if row["label"] == label), None)

    def _repeated(self, rows: dict[UUID, Row], id: UUID | None, call: Row) -> UUID:
        assert id is not None
        if rows[id]["signature"] != _signature(call):
            raise Refused("conflict")
        return id

    def _descent(self, checkpoint_id: UUID) -> list[UUID]:
        """The ancestry, and on from the checkpoint that a fork began as, while that is there."""
        line = self.ancestry(checkpoint_id)
        began_as = self.checkpoints[line[-1]]["began_as"]
        if began_as not in self.checkpoints:
            return line
        order = list(self.sessions)
        older, younger = (order.index(self.checkpoints[id]["session_id"]) for id in (began_as, checkpoint_id))
        return line + self._descent(began_as) if older < younger else line

    def _begin(self, id: UUID, call: Row, created_at: int, *, forked_from: UUID | None, signature: str | None) -> None:
        fields = ("title", "visibility", "cwd", "source", "source_id", "parent_session_id", "owner")
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
            "waiting": {},
            "signature": signature,
        }

    def _add(
        self, id: UUID, session: Row, parent: Row | None, messages: list[Any], metadata: Any, label: str | None,
        created_at: int, signature: str | None, brought: int | None = None,
    ) -> None:  # fmt: skip
        if brought is None:
            brought = len(messages) - common_prefix([] if parent is None else parent["messages"], messages)
        self.checkpoints[id] = {
            "id": id,
            "session_id": session["id"],
            "parent_id": None if parent is None else parent["id"],
            "messages": deepcopy(messages),
            "metadata": deepcopy(metadata),
            "label": label,
            "attachments": {},
            "created_at": created_at,
            "updated_at": created_at,
            "began_as": None,
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


def _alike(origin: Row, title: str | None, name: tuple[str | None, str | None], owner: str | None) -> Row:
    """The fields of a session that is made from another."""
    return {
        **{name: origin[name] for name in ("visibility", "cwd")},
        "title": origin["title"] if title is None else title,
        "owner": origin["owner"] if owner == KEEP else owner,
        "source": name[0],
        "source_id": name[1],
        "parent_session_id": origin["id"],
        "session_metadata": origin["metadata"],
    }


def _merged(taken: Items, new: Items, on_conflict: str) -> tuple[Items, bool]:
    """The attachments of both, in the way that settles a conflict, and whether that is any other than before."""
    differing = [name for name in new if name in taken and taken[name] != new[name]]
    if differing and on_conflict == "error":
        raise Refused("conflict")
    merged = {**new, **taken} if on_conflict == "keep" else {**taken, **new}
    return merged, merged != taken


def _check_revision(session: Row, expected: int | None) -> None:
    if expected is not None and expected != session["revision"]:
        raise Refused("conflict")


def _touch(session: Row, now: int) -> None:
    session["revision"] += 1
    session["updated_at"] = max(session["updated_at"], now)


def _signature(call: Row) -> str:
    """What makes a call the same call: everything but `if_active` and the time."""
    return repr(sorted((name, value) for name, value in call.items() if name not in ("if_active", "created_at")))
