"""Steps of a walk that are about the tree of a session: labels, attachments, deletes, and lists in every order."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from clew import limits
from clew.model import ACTIVE, SAME, Attachment, CheckpointSummary, Label, Page
from clew.testing import model as expected
from clew.testing.beside import LABELS, Dice, SideBySide, compare_checkpoint, ids_in
from clew.testing.clock import SECOND
from clew.testing.model import Items, Row

NAMES = ["a", "a/1", "a%", "b", "\U0001f9f6"]
PREFIXES = ["", "a", "a/", "a%", "\U0001f9f6", "z"]
CONTENT_TYPES = [None, None, "x/y"]
WANTED: list[dict[str, Any]] = [{"k": 1}, {"k": True}, {"l": [None]}, {"k": 1.0, "l": [None]}]

seeds = st.integers(0, 2**32 - 1)


def some_bytes(dice: Dice) -> bytes:
    """Few contents, so that they are shared; now and then one of several pieces."""
    small = [b"", b"1", b"2", b'{"role":"user","content":"a"}', b'{"k":1}', b"\xff\0"]
    if dice.percent(85):
        return dice.choice(small)
    size = limits.ATTACHMENT_CHUNK_BYTES
    return dice.choice([bytes(size), bytes(size + 1), bytes(size) + b"1" * size, b"1" * (2 * size), b"2" * (size - 1)])


def some_items(dice: Dice, same: int = 0) -> dict[str, Any]:
    """A few attachments as the model has them; of `same` in a hundred the parent's."""
    names = dice.sample(NAMES, dice.randrange(4))
    return {
        name: expected.SAME if dice.percent(same) else (some_bytes(dice), dice.choice(CONTENT_TYPES)) for name in names
    }


def sent(items: dict[str, Any]) -> dict[str, Any]:
    """The same as a caller gives it."""
    return {name: SAME if item == expected.SAME else Attachment(*item) for name, item in items.items()}


def place_of(place: Any) -> Any:
    """A checkpoint as a caller spells it."""
    if isinstance(place, tuple):
        return Label(place[1])
    return ACTIVE if place == expected.ACTIVE else place


class TreeSteps(SideBySide):
    """The rules about trees, which `StoreMachine` has too."""

    def a_revision(self, dice: Dice, session_id: UUID) -> int | None:
        """What a call expects the revision to be: mostly nothing, or what it is."""
        revision: int = self.model.sessions.get(session_id, {"revision": 1})["revision"]
        return dice.one(None, None, revision, revision, revision - 1, revision + 1)  # type: ignore[no-any-return]

    def _listed(self, session_id: UUID) -> Page[CheckpointSummary]:
        return self.store.list_checkpoints(session_id, limit=1_000)

    # -- labels

    @rule(seed=seeds)
    def set_label(self, seed: int) -> None:
        dice = Dice(seed)
        id = self.a_checkpoint(dice, self.a_session(dice))
        label, move = dice.one(None, *LABELS), dice.percent(50)

        def reflect(result: CheckpointSummary | None) -> None:
            self.model.set_label(id, label, self.clock.now, move=move)
            assert result is None or (result.id, result.label) == (id, label)

        self.both(f"label {id} {label} move={move}", lambda store: store.set_label(id, label, move=move), reflect)

    def find_checkpoint(self, dice: Dice) -> None:
        """By a label."""
        id, label = self.a_session(dice), dice.choice(LABELS)

        def reflect(result: Any) -> None:
            found = self.model.find(id, label)
            assert result is None or result.id == found
            if result is not None:
                compare_checkpoint(result, self.model.checkpoints[found])

        self.both(f"find {label} in {id}", lambda store: store.find_checkpoint(id, label), reflect)

    # -- attachments

    @rule(seed=seeds)
    def attach(self, seed: int) -> None:
        self.attach_with(Dice(seed))

    attach_again = attach

    def attach_with(self, dice: Dice) -> None:
        """An attach."""
        id, items = self.a_session(dice), some_items(dice)
        place = dice.one(self.a_place(dice, id), ("label", dice.choice(LABELS)), ("label", dice.choice(LABELS)))
        on_conflict = dice.one("error", "keep", "replace")
        where: Row = {"label": place[1]} if isinstance(place, tuple) else {"checkpoint_id": place}
        self.both(
            f"attach {items} to {place} of {id}, {on_conflict}",
            lambda store: store.attach(
                id, sent(items), on_conflict=on_conflict, **({} if place == expected.ACTIVE else where)
            ),
            lambda _: self.model.attach(id, items, place, on_conflict, self.clock.now),
        )

    def get_attachments(self, dice: Dice) -> None:
        """Those of some checkpoints, and a slice of one."""
        ids = [self.a_checkpoint(dice, self.a_session(dice)) for _ in range(dice.randrange(1, 4))]
        prefix, name = dice.choice(PREFIXES), dice.choice(NAMES)
        size = limits.ATTACHMENT_CHUNK_BYTES
        start, stop = (dice.one(None, *range(-3, 4), size, -size, size + 1) for _ in range(2))

        def held(id: UUID) -> Items:
            if id not in self.model.checkpoints:
                raise expected.Refused("not_found")
            items: Items = self.model.checkpoints[id]["attachments"]
            return {name: items[name] for name in sorted(items) if name.startswith(prefix)}

        def reflect(result: Any) -> None:
            wanted = {id: held(id) for id in ids}
            assert result is None or {id: list(items) for id, items in result.items()} == {
                id: list(items) for id, items in wanted.items()
            }
            infos = [
                (item.name, item.size, item.content_type) for item in self.store.list_attachments(ids[0], prefix=prefix)
            ]
            assert infos == [(name, len(data), kind) for name, (data, kind) in wanted[ids[0]].items()]

        self.both(f"attachments of {ids}", lambda store: store.get_attachments(ids, prefix=prefix), reflect)

        def reflect_slice(result: bytes | None) -> None:
            items: Items = self.model.checkpoints.get(ids[0], {"attachments": {}})["attachments"]
            if name not in items:
                raise expected.Refused("not_found")
            assert result is None or result == items[name][0][start:stop]

        self.both(
            f"{name} of {ids[0]} [{start}:{stop}]",
            lambda store: store.get_attachment(ids[0], name, start=start, stop=stop),
            reflect_slice,
        )

    # -- deleting

    @rule(seed=seeds)
    def delete_checkpoints(self, seed: int) -> None:
        dice = Dice(seed)
        id, children = self.a_session(dice), dice.one("reparent", "reparent", "delete", "refuse")
        before = self.tree(id)
        chosen = [self.a_checkpoint(dice, id) for _ in range(dice.randrange(3))]
        if dice.percent(60):  # none of it refused
            chosen = dice.sample(before, min(dice.randrange(1, 6), len(before)))
            chosen += [self.model.sessions[id]["active"]] if chosen and dice.percent(50) else []
        wanted = self.a_revision(dice, id) if dice.percent(20) else None
        self.both(
            f"delete {chosen} of {id}, {children} if {wanted}",
            lambda store: store.delete_checkpoints(id, chosen, children=children, if_revision=wanted),
            lambda _: self.model.delete_checkpoints(id, chosen, children, wanted, self.clock.now),
        )
        left = self.tree(id)
        self.gone += [id for id in before if id not in left and id not in self.gone]

    delete_again = delete_checkpoints

    @precondition(lambda self: len(self.model.checkpoints) > 12)
    @rule(seed=seeds)
    def prune(self, seed: int) -> None:
        """Plan and apply, with nothing in between."""
        dice = Dice(seed)
        deleted_for = dice.one(None, SECOND, 3_600 * SECOND)
        unchanged_for = dice.one(None, None, 3_600 * SECOND)
        keep_last, keep = dice.one(None, 2, 5), dice.one(1, 4, 9)
        before = {*self.model.sessions, *self.model.checkpoints}
        plan = self.store.plan_prune(
            deleted_longer_than=_age(deleted_for), inactive_longer_than=_age(unchanged_for), keep_last=keep_last,
            keep_checkpoints=keep,
        )  # fmt: skip
        gone, thinned = self.model.prunable(self.clock.now, deleted_for, unchanged_for, keep_last, keep)
        assert {item.id for item in plan.sessions} == set(gone)
        assert {item.session_id: set(item.checkpoint_ids) for item in plan.thinned} == {
            id: set(surplus) for id, surplus in thinned.items()
        }
        for id in gone:
            self.model.purge_session(id)
        for id, surplus in thinned.items():
            self.model.delete_checkpoints(id, surplus, "reparent", None, self.clock.now)
        done = self.store.apply_prune(plan)
        assert (set(done.sessions), done.checkpoints, done.skipped) == (set(gone), sum(map(len, thinned.values())), [])
        self.gone += [id for id in before if id not in self.model.sessions and id not in self.model.checkpoints]

    # -- reading

    def list_checkpoints(self, dice: Dice) -> None:
        """Any list, whole and by its pages."""
        order = dice.one("created", "-created", "label", "-label")
        ids = list(dict.fromkeys(self.a_session(dice) for _ in range(dice.one(1, 1, 2, 3))))
        before = dice.one(None, None, "y", "zz")
        wanted = dice.one(None, None, *WANTED)
        alone = dice.percent(35)
        filters: Row = {
            name: value for name, value in (("before_label", before), ("metadata", wanted), ("active", alone)) if value
        }

        def matches(row: Row) -> bool:
            if alone and self.model.sessions[row["session_id"]]["active"] != row["id"]:
                return False
            has_label = before is None or (row["label"] is not None and row["label"] < before)
            return has_label and (wanted is None or has(row["metadata"], wanted))

        def reflect(result: Page[CheckpointSummary] | None) -> None:
            found = self.model.in_order(ids, order, matches)
            if result is not None:
                self._compare_list(result, found, ids, order, filters)

        self.both(
            f"list {ids} {order} {filters}",
            lambda store: store.list_checkpoints(ids, order=order, limit=1_000, **filters),
            reflect,
        )

    def _compare_list(
        self, page: Page[CheckpointSummary], found: list[UUID], ids: list[UUID], order: Any, filters: Row
    ) -> None:
        """A list against the model: its items, their order, and that pages make up the whole."""
        whole = ids_in(page)
        assert sorted(whole) == sorted(found)
        key = "label" if order.endswith("label") else "created_at"
        if len(ids) > 1:
            keys = [self.model.checkpoints[id][key] for id in whole]
            assert keys == sorted(keys, reverse=order.startswith("-"))
            for session in ids:
                own = [id for id in whole if self.model.checkpoints[id]["session_id"] == session]
                mine = [id for id in found if self.model.checkpoints[id]["session_id"] == session]
                assert own == mine
        else:
            assert whole == found
        if not filters and key == "created_at":
            assert page.total == len(found)
        seen: list[UUID] = []
        cursor = None
        while True:
            part = self.store.list_checkpoints(ids, order=order, limit=3, cursor=cursor, **filters)
            seen += ids_in(part)
            cursor = part.next_cursor
            if cursor is None:
                break
        assert seen == whole

    @rule(seed=seeds)
    def look_at_the_trees(self, seed: int) -> None:
        """Every way to read them, a few times each."""
        dice = Dice(seed)
        for look in (
            self.find_checkpoint, self.get_attachments, self.list_checkpoints, self.go_along_the_tree,
            self.find_checkpoints,
        ):  # fmt: skip
            for _ in range(3):
                look(dice)

    def go_along_the_tree(self, dice: Dice) -> None:
        """Down and up from a checkpoint."""
        id = self.a_checkpoint(dice, self.a_session(dice))

        def reflect_children(result: list[CheckpointSummary] | None) -> None:
            found = self.model.children(id)
            assert result is None or ids_in(result) == found

        def reflect_ancestry(result: list[CheckpointSummary] | None) -> None:
            found = self.model.ancestry(id)
            assert result is None or ids_in(result) == found

        self.both(f"children of {id}", lambda store: store.children(id), reflect_children)
        self.both(f"ancestry of {id}", lambda store: store.ancestry(id), reflect_ancestry)

    def find_checkpoints(self, dice: Dice) -> None:
        """Across sessions."""
        wanted, source = dice.one(None, *WANTED), dice.one(None, "tool", "other")
        sessions = self.model.listed(lambda session: source is None or session["source"] == source)
        found = self.model.in_order(sessions, "created", lambda row: wanted is None or has(row["metadata"], wanted))
        page = self.store.find_checkpoints(metadata=wanted, source=source, limit=4)
        seen = ids_in(page)
        while page.next_cursor is not None:
            page = self.store.find_checkpoints(metadata=wanted, source=source, limit=4, cursor=page.next_cursor)
            seen += ids_in(page)
        assert len(seen) == len(set(seen))
        assert set(seen) == set(found)

    @rule(seed=seeds)
    def compact(self, seed: int) -> None:
        """Now and then: it writes everything anew."""
        if Dice(seed).percent(20):
            self.store.compact()


def has(metadata: Any, wanted: Row) -> bool:
    """Whether metadata of the pool has these keys with equal values; of its numbers only 1 and True look alike."""

    def spelled(value: Any) -> str:
        return repr(1 if isinstance(value, float) else value)

    return isinstance(metadata, dict) and all(
        key in metadata and spelled(metadata[key]) == spelled(wanted[key]) for key in wanted
    )


def _age(micros: int | None) -> timedelta | None:
    return None if micros is None else timedelta(microseconds=micros)
