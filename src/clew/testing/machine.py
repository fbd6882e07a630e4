"""Random walks through a store, each step taken beside the model.

A rule makes a call, legal or not, on the store and on the model, and both have to agree on whether it fails and how.
"""

import unittest
from functools import partial
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from clew.model import KEEP, Checkpoint, Diff, Session
from clew.store import Store
from clew.testing import model as expected
from clew.testing.beside import LABELS, Dice, copied, ids_in, ids_of, optional_moment
from clew.testing.clock import SECOND
from clew.testing.key_steps import KeySteps
from clew.testing.model import Row
from clew.testing.profiles import LONG, examples
from clew.testing.steps import TreeSteps, place_of, seeds, sent, some_items

MAX_SESSIONS = 8
MAX_CHECKPOINTS = 60

POOL: list[dict[str, Any]] = [
    {"role": "user", "content": "a"}, {"role": "user", "content": "b"}, {"content": "\ud800\0"}, {}, {"n": 1},
    {"n": True}, {"n": 1.0},
]  # fmt: skip
"""Few messages, so that conversations share beginnings, endings and content."""

TITLES = ["", "Élan", "élan vital", "100% x_y", "straße"]
OWNERS = [None, None, "Ada", "bob"]
SEARCHES = ["É", "%", "_", "STRASSE", "l", "zzz"]
METADATA: list[Any] = [None, {"k": 1}, {"k": True}, {"k": 1, "l": [None]}, {}]
ANY_METADATA: list[Any] = [*METADATA, 0, "", [], False]


def some_owner(dice: Dice) -> str | None:
    """An owner for a session that is made from another."""
    owner: str | None = dice.one(expected.KEEP, expected.KEEP, *OWNERS)
    return owner


def owner_of(owner: str | None) -> Any:
    """The same as a caller spells it."""
    return KEEP if owner == expected.KEEP else owner


def some(dice: Dice, most: int = 3) -> list[dict[str, Any]]:
    """A few messages."""
    return [dice.choice(POOL) for _ in range(dice.randrange(most + 1))]


class StoreMachine(TreeSteps, KeySteps):
    """Subclasses say how a store is opened; `machine_test` makes a test of one."""

    @initialize(seed=seeds)
    def begin(self, seed: int) -> None:
        """Something to work on from the first step."""
        dice = Dice(seed)
        for title in ("first", "second"):
            call = self.session_call(dice) | {"title": title, "parent_session_id": None}
            self.make_session("ensure_session" if call["source"] else "create_session", call, None)
        for _ in range(dice.randrange(24)):
            dice.one(self.append_with, self.create_checkpoint_with, self.append_with, self.attach_with)(dice)

    # -- sessions

    def session_call(self, dice: Dice) -> Row:
        """The arguments of a new session."""
        source, source_id = dice.one((None, None), (None, None), ("tool", "1"), ("tool", "2"), ("other", "1"))
        return {
            "title": dice.choice(TITLES), "messages": some(dice), "metadata": dice.choice(ANY_METADATA),
            "session_metadata": dice.choice(METADATA), "visibility": dice.one("PRIVATE", "PUBLIC"),
            "cwd": dice.one(None, "/r"), "source": source, "source_id": source_id, "created_at": self.some_time(dice),
            "parent_session_id": self.a_session(dice) if dice.percent(40) else None, "owner": dice.choice(OWNERS),
        }  # fmt: skip

    def some_time(self, dice: Dice) -> int | None:
        """Mostly the clock's; else a time that an importer gives."""
        return self.clock.now + dice.one(-9 * SECOND, -1, 0, SECOND) if dice.percent(20) else None

    @precondition(lambda self: len(self.model.sessions) < MAX_SESSIONS)
    @rule(seed=seeds)
    def create_session(self, seed: int) -> None:
        dice = Dice(seed)
        call = self.session_call(dice)
        kind = dice.one("create_session", "ensure_session") if call["source"] else "create_session"
        self.make_session(kind, call, self.chosen_id(dice))

    def make_session(self, kind: str, call: Row, given: UUID | None) -> None:
        """Create or ensure a session."""

        def act(store: Store) -> Session:
            arguments = {**copied(call), "created_at": optional_moment(call["created_at"])}
            return getattr(store, kind)(id=given, **arguments)  # type: ignore[no-any-return]

        def reflect(result: Session | None) -> None:
            ensure = kind == "ensure_session"
            found = self.model.create_session(call, self.clock.now, ensure=ensure, given=given, made=ids_of(result))
            assert result is None or result.id == found

        if self.both(f"{kind} {given} {call}", act, reflect) is not None and given is not None:
            self.calls.append((kind, call, given))

    @precondition(lambda self: len(self.model.sessions) < MAX_SESSIONS)
    @rule(seed=seeds)
    def fork_session(self, seed: int) -> None:
        dice = Dice(seed)
        id = self.a_session(dice)
        point = self.a_place(dice, id)
        title, owner = dice.one(None, *TITLES), some_owner(dice)
        self.both(
            f"fork {id} at {point} for {owner}",
            lambda store: store.fork_session(id, checkpoint_id=place_of(point), title=title, owner=owner_of(owner)),
            lambda result: self.model.fork_session(id, point, title, owner, self.clock.now, ids_of(result)),
        )

    @precondition(lambda self: len(self.model.sessions) < MAX_SESSIONS)
    @rule(seed=seeds)
    def copy_session(self, seed: int) -> None:
        dice = Dice(seed)
        id, title, owner = self.a_session(dice), dice.one(None, *TITLES), some_owner(dice)
        name: tuple[Any, Any] = dice.one((None, None), (None, None), ("tool", "1"), ("copy", "1"))

        def reflect(result: Session | None) -> None:
            made = (UUID(int=0), []) if result is None else (result.id, ids_in(self._listed(result.id)))
            self.model.copy_session(id, title, name, owner, self.clock.now, made)

        if len(self.tree(id)) + len(self.model.checkpoints) <= MAX_CHECKPOINTS + 10:
            self.both(
                f"copy {id} as {name} of {owner}",
                lambda store: store.copy_session(
                    id, title=title, source=name[0], source_id=name[1], owner=owner_of(owner)
                ),
                reflect,
            )

    @rule(seed=seeds)
    def update_session(self, seed: int) -> None:
        dice = Dice(seed)
        id = self.a_session(dice)
        values: Row = {
            "title": dice.choice(TITLES), "visibility": dice.one("PRIVATE", "PUBLIC"),
            "status": dice.one("ACTIVE", "DELETED"), "cwd": dice.one(None, "/r"), "metadata": dice.choice(METADATA),
            "owner": dice.choice(OWNERS),
        }  # fmt: skip
        changes = {name: values[name] for name in values if dice.percent(40)}
        wanted = self.a_revision(dice, id)
        self.both(
            f"update {id} {changes} if {wanted}",
            lambda store: store.update_session(id, if_revision=wanted, **copied(changes)),
            lambda _: self.model.update_session(id, changes, wanted, self.clock.now),
        )

    @rule(seed=seeds)
    def delete_or_restore(self, seed: int) -> None:
        dice = Dice(seed)
        id, status = self.a_session(dice), dice.one("ACTIVE", "DELETED")
        self.both(
            f"{status} {id}",
            lambda store: (store.restore_session if status == "ACTIVE" else store.delete_session)(id),
            lambda _: self.model.update_session(id, {"status": status}, None, self.clock.now),
        )

    @precondition(lambda self: len(self.model.sessions) > 2)
    @rule(seed=seeds)
    def purge_session(self, seed: int) -> None:
        id = self.a_session(Dice(seed))
        gone = [id, *self.tree(id)]
        wanted = self.a_revision(Dice(seed), id)
        self.both(
            f"purge {id} if {wanted}",
            lambda store: store.purge_session(id, if_revision=wanted),
            lambda _: self.model.purge_session(id, wanted),
        )
        self.gone += [id for id in gone if id not in self.gone]

    @rule(seed=seeds)
    def set_active_checkpoint(self, seed: int) -> None:
        dice = Dice(seed)
        id = self.a_session(dice)
        to = dice.one(self.a_checkpoint(dice, id), ("label", dice.choice(LABELS)))
        self.both(
            f"set {to} in {id}",
            lambda store: store.set_active_checkpoint(id, place_of(to)),
            lambda _: self.model.set_active(id, to, self.clock.now),
        )

    # -- checkpoints

    def write_call(self, dice: Dice) -> Row:
        """The arguments that an append and a full list share."""
        id = self.a_session(dice)
        active = self.model.sessions.get(id, {"active": None})["active"]
        label = dice.choice(LABELS) if dice.percent(30) else None
        wanted = (active, active, self.a_checkpoint(dice, id), ("label", dice.choice(LABELS)))
        return {
            "session_id": id,
            "parent_id": dice.one(expected.ACTIVE, self.a_place(dice, id), self.a_place(dice, id), None),
            "label": label,
            "move": label is not None and dice.percent(40),
            "attachments": some_items(dice, same=40) if dice.percent(30) else {},
            "if_active": dice.one(*wanted) if dice.percent(25) else None,
            "created_at": self.some_time(dice),
        }  # fmt: skip

    @precondition(lambda self: len(self.model.checkpoints) < MAX_CHECKPOINTS)
    @rule(seed=seeds)
    def append(self, seed: int) -> None:
        self.append_with(Dice(seed))

    def append_with(self, dice: Dice) -> None:
        """An append."""
        metadata = dice.one(expected.KEEP, expected.KEEP, dice.choice(ANY_METADATA))
        call = self.write_call(dice) | {"full": False, "metadata": metadata, "messages": some(dice)}
        call["after"] = self.some_beginning(dice, call) if dice.percent(35) else None
        self.write(call, self.chosen_id(dice))

    def some_beginning(self, dice: Dice, call: Row) -> int:
        """How much of the parent to take over; now and then more than it has."""
        most = len(self.parents_messages(call)) + dice.percent(10)
        return dice.randrange(-most, most + 1)

    @precondition(lambda self: len(self.model.checkpoints) < MAX_CHECKPOINTS)
    @rule(seed=seeds)
    def create_checkpoint(self, seed: int) -> None:
        self.create_checkpoint_with(Dice(seed))

    def create_checkpoint_with(self, dice: Dice) -> None:
        """A full list."""
        call = self.write_call(dice) | {"full": True, "metadata": dice.choice(ANY_METADATA)}
        call["messages"] = edited(dice, self.conversation(dice, call))
        self.write(call, self.chosen_id(dice))

    # Listed twice more, so that a walk writes more often than anything else.
    append_again = append
    create_checkpoint_again = create_checkpoint

    def conversation(self, dice: Dice, call: Row) -> list[Any]:
        """What a full list is made from: the parent's messages, or those of any checkpoint."""
        if dice.percent(20) and self.model.checkpoints:
            return list(self.model.checkpoints[dice.choice(list(self.model.checkpoints))]["messages"])
        return self.parents_messages(call)

    def parents_messages(self, call: Row) -> list[Any]:
        """The messages of the parent; of the active checkpoint where the parent is named by a label."""
        parent = call["parent_id"]
        if parent == expected.ACTIVE or isinstance(parent, tuple):
            parent = self.model.sessions.get(call["session_id"], {"active": None})["active"]
        return list(self.model.checkpoints.get(parent, {"messages": []})["messages"])

    def write(self, call: Row, given: UUID | None) -> None:
        """Append, or hand over a full list."""
        id = call["session_id"]

        def act(store: Store) -> Checkpoint:
            write = store.create_checkpoint if call["full"] else partial(store.append, after=call["after"])
            return write(
                id, copied(call)["messages"],
                metadata=KEEP if call["metadata"] == expected.KEEP else copied(call)["metadata"],
                parent_id=place_of(call["parent_id"]), attachments=sent(call["attachments"]),
                label=call["label"], move=call["move"], id=given, if_active=place_of(call["if_active"]),
                created_at=optional_moment(call["created_at"]),
            )  # fmt: skip

        def reflect(result: Checkpoint | None) -> None:
            made = UUID(int=0) if result is None else result.id
            written = self.model.write(id, call, self.clock.now, given=given, made=made)
            assert result is None or result.id == written == (given or written)

        result = self.both(f"write {given} {call}", act, reflect)
        if result is not None:
            self.held.append((result, self.model.checkpoints[result.id]))
            if given is not None:
                self.calls.append(("write", call, given))

    @precondition(lambda self: self.calls and len(self.model.checkpoints) < MAX_CHECKPOINTS)
    @rule(seed=seeds)
    def repeat(self, seed: int) -> None:
        """Make a call with an id a second time, perhaps with another argument, perhaps through the other store."""
        dice = Dice(seed)
        kind, call, given = dice.choice(self.calls)
        if dice.percent(30):
            others = {
                "messages": [{"other": 1}], "metadata": {"other": 1}, "label": "other", "title": "other",
                "attachments": {"other": (b"", None)}, "owner": "other", "after": 0,
            }  # fmt: skip
            name = dice.choice([name for name in others if name in call])
            call = {**call, name: others[name]}
        if dice.percent(50):
            self.stores.reverse()
        if kind == "write":
            self.write(call, given)
        elif given in self.model.sessions or len(self.model.sessions) < MAX_SESSIONS:
            self.make_session(kind, call, given)

    # -- reading

    @rule(seed=seeds)
    def list_sessions(self, seed: int) -> None:
        dice = Dice(seed)
        possible: Row = {
            "search": dice.choice(SEARCHES), "metadata": dice.one({"k": 1}, {"k": True}, {}),
            "status": dice.one("ACTIVE", "DELETED"), "visibility": dice.one("PRIVATE", "PUBLIC"), "cwd": "/r",
            "source": dice.one("tool", "other"), "parent_session_id": self.a_session(dice),
            "owner": dice.one("Ada", "bob"),
        }  # fmt: skip
        filters = {name: possible[name] for name in possible if dice.percent(25)}
        if "source" in filters and dice.percent(50):
            filters["source_id"] = dice.one("1", "1", "2")
        count, limit, offset = dice.percent(50), dice.randint(1, 4), dice.randrange(4)
        found = self.model.listed(lambda session: matches(session, filters))
        page = self.store.list_sessions(limit=limit, offset=offset, count=count, **filters)
        assert [item.id for item in page] == found[offset : offset + limit]
        counted = count or not {name for name in filters if filters[name] and name != "status"}
        assert page.total == (len(found) if counted else None)
        seen = [item.id for item in page]
        while page.next_cursor is not None:
            page = self.store.list_sessions(limit=limit, cursor=page.next_cursor, **filters)
            seen += [item.id for item in page]
        assert seen == found[offset:]

    @rule(seed=seeds)
    def get_messages(self, seed: int) -> None:
        dice = Dice(seed)
        id = self.a_checkpoint(dice, self.a_session(dice))
        start, stop = (dice.one(None, *range(-7, 8)) for _ in range(2))

        def reflect(result: list[Any] | None) -> None:
            found = self.model.slice(id, start, stop)
            assert result is None or repr(result) == repr(found)

        self.both(f"{id} [{start}:{stop}]", lambda store: store.get_messages(id, start=start, stop=stop), reflect)

    @rule(seed=seeds)
    def diff(self, seed: int) -> None:
        dice = Dice(seed)
        for _ in range(3):
            self.diff_with(dice)

    def diff_with(self, dice: Dice) -> None:
        """A diff, of one session or of two."""
        session = self.a_session(dice)
        left = self.a_checkpoint(dice, session)
        right = self.a_checkpoint(dice, self.a_session(dice) if dice.percent(50) else session)

        def reflect(result: Diff | None) -> None:
            common, ancestor = self.model.diff(left, right)
            assert result is None or (result.common, result.ancestor_id) == (common, ancestor)
            assert result is None or repr(result.only_a) == repr(self.model.slice(left, common, None))
            assert result is None or repr(result.only_b) == repr(self.model.slice(right, common, None))

        self.both(f"diff {left} {right}", lambda store: store.diff(left, right), reflect)

    # -- the world around

    @rule(step=st.sampled_from([1, SECOND, 60 * SECOND, -1, -SECOND, -3_600 * SECOND]))
    def the_clock_moves(self, step: int) -> None:
        self.clock.now += step

    @rule()
    def another_store_goes_on(self) -> None:
        self.stores.reverse()


def edited(dice: Dice, begun: list[Any]) -> list[Any]:
    """A full list made from another: longer, shorter, changed in the middle, or nothing like it."""
    cut, messages = dice.randrange(len(begun) + 1), some(dice)
    how = dice.one("extend", "extend", "extend", "same", "cut", "edit", "insert", "unrelated")
    return {
        "extend": begun + messages,
        "same": begun,
        "cut": begun[:cut],
        "edit": begun[:cut] + messages[:1] + begun[cut + 1 :],
        "insert": begun[:cut] + messages + begun[cut:],
        "unrelated": messages,
    }[str(how)]


def matches(session: Row, filters: Row) -> bool:
    """Whether a session of the model passes the filters of a list."""
    wanted: Row = filters.get("metadata", {})
    metadata: Row = session["metadata"] or {}
    return (
        all(session[name] == filters[name] for name in filters if name not in ("search", "metadata"))
        and filters.get("search", "").casefold() in session["title"].casefold()
        and all(name in metadata and repr(metadata[name]) == repr(wanted[name]) for name in wanted)
    )


def machine_test(machine: type[StoreMachine], walks: int = 50, steps: int = 40) -> type[unittest.TestCase]:
    """A test of `walks` random walks of up to `steps` calls."""
    case = machine.TestCase
    case.settings = examples(walks, stateful_step_count=steps * 2 if LONG else steps)
    return case
