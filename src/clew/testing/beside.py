"""A store and its model side by side: the same calls to both, and all that is stored compared after each."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from random import Random
from typing import Any
from uuid import UUID

from hypothesis import note
from hypothesis.stateful import RuleBasedStateMachine, invariant

from clew.errors import StorageError
from clew.model import Attachment, Checkpoint, CheckpointSummary, Session, SessionSummary
from clew.store import Store
from clew.testing import model as expected
from clew.testing.clock import Clock, moment
from clew.testing.model import Model, Refused, Row

SESSION_FIELDS = (
    "title", "visibility", "status", "cwd", "source", "source_id", "parent_session_id", "forked_from", "revision",
    "owner",
)  # fmt: skip

LABELS = ["x", "y", "z"]
"""Few, so that they meet."""


class Dice(Random):
    """The details of one step. Hypothesis gives the seed, and shortens a failing walk by its steps."""

    def one(self, *choices: Any) -> Any:
        """One of them; repeat a choice to make it likelier."""
        return self.choice(choices)

    def percent(self, likely: int) -> bool:
        """Whether it happens."""
        return self.randrange(100) < likely


class SideBySide(RuleBasedStateMachine):
    """Stores over the same data, the model, and what a walk remembers of its calls."""

    def open_store(self, clock: Clock) -> Store:
        """An empty store that takes its time from `clock`."""
        raise NotImplementedError

    def open_another(self, clock: Clock) -> Store:
        """A second store over the same data, which remembers nothing. Without one the first goes on alone."""
        return self.stores[0]

    def look_underneath(self) -> None:
        """Compare the model with what the backend keeps, read in another way than through the store."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock(tick=0)
        self.model = Model()
        self.stores = [self.open_store(self.clock)]
        self.stores.append(self.open_another(self.clock))
        self.gone: list[UUID] = [UUID(int=0)]
        self.given: list[UUID] = []
        self.calls: list[tuple[str, Row, UUID]] = []
        self.held: list[tuple[Checkpoint, Row]] = []
        self.steps = 0

    def teardown(self) -> None:
        try:
            assert list(self.store.verify()) == []
        finally:
            for store in self.stores:
                store.close()

    @property
    def store(self) -> Store:
        """The store that the next call goes to."""
        return self.stores[0]

    def both(self, what: str, act: Callable[[Store], Any], reflect: Callable[[Any], Any]) -> Any:
        """Do `act`, and let the model `reflect` its result, None where it failed. None where both refuse."""
        note(what)
        self.clock.now += self.steps % 2  # times differ about as often as they tie
        result, code = None, None
        try:
            result = act(self.store)
        except StorageError as error:
            code = error.code
        codes = self._refusal(lambda: reflect(result))
        assert (code in codes) if codes else (code is None), f"{code or 'success'}, the model says {codes or 'success'}"
        return result

    def _refusal(self, reflect: Callable[[], Any]) -> tuple[str, ...]:
        try:
            reflect()
        except Refused as refused:
            return refused.codes
        return ()

    # -- what a call is about

    def a_session(self, dice: Dice) -> UUID:
        """A session, or now and then what is none."""
        living = list(self.model.sessions)
        return dice.choice(self.gone) if dice.percent(6) or not living else dice.choice(living)

    def a_checkpoint(self, dice: Dice, session_id: UUID) -> UUID:
        """A checkpoint of the session, now and then one of another, or none."""
        if dice.percent(8):
            return dice.choice([*self.gone, *self.model.checkpoints])
        return dice.choice(self.tree(session_id) or self.gone)

    def a_place(self, dice: Dice, session_id: UUID) -> Any:
        """A checkpoint of the session as the model spells it: the active one, by its id, or by a label."""
        by_id = self.a_checkpoint(dice, session_id)
        return dice.one(expected.ACTIVE, by_id, by_id, ("label", dice.choice(LABELS)))

    def tree(self, session_id: UUID) -> list[UUID]:
        """The checkpoints of a session, none where there is no session."""
        return list(self.model.sessions.get(session_id, {"checkpoints": []})["checkpoints"])

    def chosen_id(self, dice: Dice) -> UUID | None:
        """An id for a new row: None to have it made, else one never used, or one given before."""
        if dice.percent(50):
            return None
        if dice.percent(70) or not self.given:
            self.given.append(UUID(int=len(self.given) + 1))
            return self.given[-1]
        return dice.choice(self.given)

    # -- after every step

    @invariant()
    def everything_reads_back(self) -> None:
        """Lists, sessions and checkpoints are what the model has."""
        listed = self.store.list_sessions(limit=1_000)
        assert listed.total == len(self.model.sessions)
        assert [item.id for item in listed] == self.model.listed(lambda session: True)
        for item in listed:
            self._compare_session(item, self.model.sessions[item.id])
            self._compare_tree(self.model.sessions[item.id])

    def _compare_session(self, item: SessionSummary, row: Row) -> None:
        session = self.store.get_session(row["id"])
        assert self.store.get_session_summary(row["id"]) == item
        for name in SESSION_FIELDS:
            assert getattr(session, name) == getattr(item, name) == row[name], name
        assert repr(session.metadata) == repr(item.metadata) == repr(row["metadata"])
        assert session.created_at == item.created_at == moment(row["created_at"])
        assert session.updated_at == item.updated_at == moment(row["updated_at"])
        assert item.last_message_at == optional_moment(row["last_message_at"])
        assert (item.active_checkpoint_id, item.checkpoint_count) == (row["active"], len(row["checkpoints"]))
        if row["active"] is None:
            assert (session.active_checkpoint, item.message_count) == (None, 0)
            return
        active = self.model.checkpoints[row["active"]]
        assert item.message_count == len(active["messages"])
        assert session.active_checkpoint is not None
        compare_checkpoint(session.active_checkpoint, active)
        assert repr(self.store.get_messages(row["active"], start=1, stop=-1)) == repr(active["messages"][1:-1])
        assert ids_in(self.store.ancestry(row["active"])) == self.model.ancestry(row["active"])

    def _compare_tree(self, row: Row) -> None:
        page = self.store.list_checkpoints(row["id"], limit=1_000, with_metadata=True, with_attachments="")
        assert page.total == len(row["checkpoints"])
        assert ids_in(page) == row["checkpoints"]
        for item in page:
            known = self.model.checkpoints[item.id]
            assert (item.parent_id, item.label) == (known["parent_id"], known["label"])
            assert (item.message_count, item.created_at) == (len(known["messages"]), moment(known["created_at"]))
            assert (item.updated_at, item.damage) == (moment(known["updated_at"]), None)
            assert repr(item.metadata) == repr(known["metadata"])
            compare_attachments(item.attachments, known)
            compare_checkpoint(self.store.get_checkpoint(item.id), known)
        assert ids_in(self.store.branches(row["id"])) == self.model.branches(row["id"])

    @invariant()
    def verify_finds_nothing(self) -> None:
        """Now and then, and at the end of the walk."""
        self.steps += 1
        if self.steps % 7 == 0:
            assert list(self.store.verify()) == []

    @invariant()
    def what_is_gone_is_not_found(self) -> None:
        """Nothing of a purged session comes back."""
        for id in self.gone[-4:]:
            if id not in self.model.sessions:
                assert code_of(lambda: self.store.get_session(id)) == "not_found"  # noqa: B023 - called at once
            if id not in self.model.checkpoints:
                assert code_of(lambda: self.store.get_checkpoint(id)) == "not_found"  # noqa: B023 - called at once

    @invariant()
    def states_returned_by_writes_stay(self) -> None:
        """The state of a written checkpoint is read when first touched, however much later."""
        if len(self.held) > 3:
            checkpoint, known = self.held.pop(0)
            if self.model.checkpoints.get(checkpoint.id) is known:
                compare_state(checkpoint, known)

    @invariant()
    def what_lies_underneath_agrees(self) -> None:
        """Seen in another way than through the store."""
        self.look_underneath()


def compare_checkpoint(checkpoint: Checkpoint, row: Row) -> None:
    """A checkpoint as read against the one the model has."""
    for name in ("id", "session_id", "parent_id", "label"):
        assert getattr(checkpoint, name) == row[name], name
    compare_state(checkpoint, row)
    assert (checkpoint.created_at, checkpoint.updated_at) == (moment(row["created_at"]), moment(row["updated_at"]))


def compare_state(checkpoint: Checkpoint, row: Row) -> None:
    """The state alone, which never changes."""
    assert repr(checkpoint.state.messages) == repr(row["messages"])
    assert repr(checkpoint.state.metadata) == repr(row["metadata"])


def compare_attachments(found: dict[str, Attachment] | None, row: Row) -> None:
    """The attachments of a checkpoint as read, in the order of their names, against those the model has."""
    assert found is not None
    pairs = {name: (bytes(value), value.content_type) for name, value in found.items()}
    assert pairs == row["attachments"]
    assert list(pairs) == sorted(pairs)


def ids_in(summaries: Iterable[CheckpointSummary]) -> list[UUID]:
    """The ids of some checkpoints, in order."""
    return [item.id for item in summaries]


def ids_of(session: Session | None) -> tuple[UUID, UUID]:
    """The ids of a new session and its root, any where there is none."""
    if session is None:
        return UUID(int=0), UUID(int=0)
    active = session.active_checkpoint  # None where it is no new one, and all its checkpoints were deleted
    return session.id, UUID(int=0) if active is None else active.id


def code_of(call: Callable[[], Any]) -> str | None:
    """The code of the error that a call raises."""
    try:
        call()
    except StorageError as error:
        return error.code
    return None


def optional_moment(micros: int | None) -> Any:
    """A time of the model's as a datetime."""
    return None if micros is None else moment(micros)


def copied(call: Row) -> Row:
    """The arguments of a call, which the store may keep and the model keeps too."""
    return deepcopy(call)
