"""What a store does about damage to its bytes, and what a purge leaves of them.

A contract of its own, because it needs to reach below the store: a backend's tests give a second fixture, `tamper`.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from clew import limits
from clew.errors import CorruptStateError, UnauthorizedError
from clew.model import Checkpoint, CheckpointSummary, Session
from clew.reports import Finding
from clew.store import Store
from clew.testing.clock import SECOND, moment
from clew.testing.contract.base import Contract, OpenBackup, active, attached, by_ids, ids, said, titles, users
from clew.testing.erasure import ErasureContract
from clew.testing.tamper import BODIES, CHECKPOINT_FIELDS, KEY_FIELDS, LONG, SESSION_FIELDS, Tamper

Read = Callable[[Store, Checkpoint], Any]

READS: dict[str, Read] = {
    "get_checkpoint": lambda store, step: store.get_checkpoint(step.id),
    "get_session": lambda store, step: store.get_session(step.session_id),
    "get_active_checkpoint": lambda store, step: store.get_active_checkpoint(step.session_id),
    "get_messages": lambda store, step: store.get_messages(step.id),
    "diff": lambda store, step: store.diff(step.id, step.id),
}
"""Every way to the messages of a checkpoint that is active."""


class DamageContract(ErasureContract):
    """Damage is an error that names its checkpoint, never content, and hides nothing else. A purge leaves no byte."""

    @pytest.fixture
    def whole(self, store: Store) -> Checkpoint:
        """The checkpoint a that stays whole, of the session of the one that is damaged."""
        return active(store.create_session("damaged", messages=users("a"), metadata={"k": 1}))

    @pytest.fixture
    def step(self, store: Store, whole: Checkpoint) -> Checkpoint:
        """The checkpoint abcd that is damaged."""
        return store.append(whole.session_id, users("bcd"))

    @pytest.fixture
    def other(self, store: Store) -> Session:
        """A session of the same content that stays whole."""
        session = store.create_session("other", messages=users("abcd"), metadata={"k": 1})
        store.attach(session.id, {"f": b"file", "long": LONG}, label="later")
        store.append(session.id, [], label="point", attachments={"f": b"file", "long": LONG})
        return store.get_session(session.id)

    @pytest.fixture
    def damaged(self, store: Store) -> Session:
        """A session ab, abc, in which abc is active and has a label and attachments; something waits for a label."""
        named = store.create_session(
            "named", messages=users("ab"), source="tool", source_id="1", cwd="/repo", owner="Ada"
        )
        store.append(named.id, users("c"), label="point", attachments={"f": b"file", "g": b"other", "long": LONG})
        store.attach(named.id, {"f": b"waits"}, label="later")
        return store.get_session(named.id)

    @pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
    def test_a_changed_message_is_an_error_that_names_its_checkpoint(
        self, store: Store, tamper: Tamper, step: Checkpoint, body: bytes
    ) -> None:
        tamper.replace_message(step.id, 1, body)
        every_read_names(store, step)

    def test_a_lost_message_is_an_error_that_names_its_checkpoint(
        self, store: Store, tamper: Tamper, step: Checkpoint
    ) -> None:
        for position in (3, 1):
            tamper.lose_message(step.id, position)
            every_read_names(store, step)

    def test_changed_metadata_is_an_error_that_names_its_checkpoint(
        self, store: Store, tamper: Tamper, step: Checkpoint
    ) -> None:
        for body in (b'{"k":2}', b"{", b"\xff"):
            tamper.replace_metadata(step.id, body)
            for name in ("get_checkpoint", "get_session", "get_active_checkpoint", "diff"):
                with pytest.raises(CorruptStateError) as caught:
                    READS[name](store, step)
                assert caught.value.checkpoint_id == step.id

    def test_a_state_read_late_is_checked_too(self, store: Store, tamper: Tamper, step: Checkpoint) -> None:
        tamper.replace_message(step.id, 2, b"{}")
        with pytest.raises(CorruptStateError, match=str(step.id)):
            _ = step.state.messages

    def test_damage_hides_nothing_else(self, store: Store, tamper: Tamper, whole: Checkpoint, step: Checkpoint) -> None:
        other = store.create_session("other", messages=users("abcd"))
        tamper.replace_message(step.id, 2, b'{"role":"us')
        tamper.replace_metadata(step.id, b"{")
        assert titles(store.list_sessions()) == ["other", "damaged"]
        assert store.list_sessions().total == 2
        assert [item.message_count for item in store.list_sessions()] == [4, 4]
        assert ids(store.list_checkpoints(step.session_id)) == [whole.id, step.id]
        assert said(store, active(other).id) == "abcd"
        assert store.get_messages(whole.id) == users("a")
        assert store.get_messages(step.id, stop=2) == users("ab")
        assert store.get_messages(step.id, start=-1) == users("d")

    def test_a_damaged_session_can_be_renamed_rewound_and_deleted(
        self, store: Store, tamper: Tamper, whole: Checkpoint, step: Checkpoint
    ) -> None:
        tamper.replace_message(step.id, 1, b"{}")
        store.update_session(step.session_id, title="renamed")
        store.delete_session(step.session_id)
        store.restore_session(step.session_id)
        store.set_active_checkpoint(step.session_id, whole.id)
        assert store.get_session(step.session_id).title == "renamed"
        assert said(store, store.append(step.session_id, users("x")).id) == "ax"

    def test_a_damaged_message_written_again_is_whole_where_it_is_new(
        self, store: Store, tamper: Tamper, whole: Checkpoint, step: Checkpoint
    ) -> None:
        """Content is shared by what it is, and damaged content is not that any more."""
        tamper.replace_message(step.id, 1, b'{"role":"user","content":"z"}')
        again = store.append(step.session_id, users("b"), parent_id=whole.id)
        full = store.create_checkpoint(step.session_id, users("abcd"), parent_id=step.id)
        assert said(store, again.id) == "ab"
        assert said(store, full.id) == "abcd"

    @pytest.mark.parametrize("after", [2, 3])
    @pytest.mark.parametrize("loses", [False, True], ids=["changed", "lost"])
    def test_nothing_damaged_is_content_of_what_goes_on_from_a_beginning(
        self, store: Store, tamper: Tamper, step: Checkpoint, after: int, loses: bool
    ) -> None:
        """It is found when it is written, which then changes nothing, or when it is read."""
        if loses:
            tamper.lose_message(step.id, 1)
        else:
            tamper.replace_message(step.id, 1, b"{}")
        before = ids(store.list_checkpoints(step.session_id))
        with suppress(CorruptStateError):
            store.append(step.session_id, users("x"), after=after)
        listed = ids(store.list_checkpoints(step.session_id))
        assert listed[: len(before)] == before
        tip = listed[-1]
        with pytest.raises(CorruptStateError) as caught:
            store.get_checkpoint(tip)
        assert caught.value.checkpoint_id == tip

    def test_what_goes_on_from_before_the_damage_is_whole(
        self, store: Store, tamper: Tamper, whole: Checkpoint, step: Checkpoint
    ) -> None:
        tip = store.append(step.session_id, users("ef"))
        tamper.replace_message(tip.id, 2, b"{}")
        tamper.lose_message(tip.id, 5)
        assert said(store, store.append(step.session_id, users("x"), parent_id=tip.id, after=1).id) == "ax"
        assert said(store, store.append(step.session_id, users("y"), parent_id=tip.id, after=2).id) == "aby"
        assert said(store, store.append(step.session_id, users("z"), parent_id=tip.id, after=0).id) == "z"

    @pytest.mark.parametrize("field", CHECKPOINT_FIELDS)
    @pytest.mark.parametrize("after", [1, 2, 3])
    def test_a_damaged_checkpoint_on_the_way_does_not_change_a_beginning(
        self, store: Store, tamper: Tamper, whole: Checkpoint, field: str, after: int
    ) -> None:
        """The chains around it do not agree then, and the messages themselves are asked."""
        middle = store.append(whole.session_id, users("bc"), label="point")
        tip = store.append(whole.session_id, users("de"))
        tamper.change_checkpoint(middle.id, field.removeprefix("no "), CHECKPOINT_FIELDS[field](middle))
        assert said(store, store.append(whole.session_id, users("x"), parent_id=tip.id, after=after).id) == (
            "abcde"[:after] + "x"
        )

    def test_reading_damage_changes_nothing_and_a_purge_ends_it(
        self, store: Store, tamper: Tamper, step: Checkpoint
    ) -> None:
        store.create_session("other", messages=users("abcd"))
        tamper.replace_message(step.id, 1, b"{}")
        every_read_names(store, step)
        store.purge_session(step.session_id)
        assert titles(store.list_sessions()) == ["other"]

    # -- attachments

    @pytest.mark.parametrize("body", [b"eilf", b"", b"file\0", b"fil", b'"file"'])
    def test_a_changed_attachment_is_an_error_that_names_its_checkpoint(
        self, store: Store, tamper: Tamper, damaged: Session, body: bytes
    ) -> None:
        step = active(damaged)
        tamper.replace_attachment(step.id, "f", body)
        self._attachment_is_damaged(store, step, "f")

    @pytest.mark.parametrize("name", ["f", "long"])
    def test_a_lost_attachment_is_an_error_that_names_its_checkpoint(
        self, store: Store, tamper: Tamper, damaged: Session, name: str
    ) -> None:
        tamper.lose_attachment(active(damaged).id, name)
        self._attachment_is_damaged(store, active(damaged), name)

    def test_a_damaged_piece_of_an_attachment_is_an_error_where_it_is_read(
        self, store: Store, tamper: Tamper, damaged: Session
    ) -> None:
        step, size = active(damaged), limits.ATTACHMENT_CHUNK_BYTES
        tamper.replace_attachment(step.id, "long", b"x" * size, piece=1)
        for start, stop in ((size, size + 1), (0, None), (-size, None), (size - 1, 2 * size), (2 * size - 1, None)):
            with pytest.raises(CorruptStateError, match=str(step.id)):
                store.get_attachment(step.id, "long", start=start, stop=stop)
        self._attachment_is_damaged(store, step, "long")

    def _attachment_is_damaged(self, store: Store, step: Checkpoint, name: str) -> None:
        """It cannot be read, `verify` names it, and it hides nothing else."""
        for read in (lambda: store.get_attachment(step.id, name), lambda: store.get_attachments(step.id)):
            with pytest.raises(CorruptStateError) as caught:
                read()
            assert caught.value.checkpoint_id == step.id
        rest = {"f": b"file", "g": b"other", "long": LONG}
        del rest[name]
        assert {other: store.get_attachment(step.id, other) for other in rest} == rest
        page = store.list_checkpoints(step.session_id, with_attachments="")
        shown = next(item for item in page if item.id == step.id)
        assert shown.damage is not None
        assert shown.attachments == rest
        assert store.get_attachments(step.id, prefix="g")[step.id] == {"g": b"other"}
        assert said(store, step.id) == "abc"
        (found,) = store.verify()
        assert (found.session_id, found.checkpoint_id, found.attachment) == (step.session_id, step.id, name)

    def test_a_damaged_attachment_hides_none_of_other_checkpoints(
        self, store: Store, tamper: Tamper, damaged: Session, other: Session
    ) -> None:
        root, step = ids(store.list_checkpoints(damaged.id))
        tamper.replace_attachment(step, "f", b"changed")
        listed = store.list_checkpoints([damaged.id, other.id], with_attachments="")
        assert {item.id: item.damage is None for item in listed} == {
            root: True, step: False, **dict.fromkeys(ids(store.list_checkpoints(other.id)), True),
        }  # fmt: skip
        assert attached(store, active(other).id) == {"f": b"file", "long": LONG}
        assert len(store.find_checkpoints(metadata=None)) >= 4

    def test_the_same_bytes_attached_again_are_whole_where_they_are_new(
        self, store: Store, tamper: Tamper, damaged: Session
    ) -> None:
        step = active(damaged)
        tamper.replace_attachment(step.id, "f", b"changed")
        tamper.replace_attachment(step.id, "long", b"changed")
        again = store.append(damaged.id, [], attachments={"f": b"file", "long": LONG})
        assert attached(store, again.id) == {"f": b"file", "long": LONG}

    def test_a_damaged_attachment_can_be_replaced(self, store: Store, tamper: Tamper, damaged: Session) -> None:
        step = active(damaged)
        tamper.replace_attachment(step.id, "f", b"changed")
        store.attach(damaged.id, {"f": b"mended"}, on_conflict="replace")
        assert store.get_attachment(step.id, "f") == b"mended"

    def test_damage_to_what_waits_for_a_label_is_found(self, store: Store, tamper: Tamper, damaged: Session) -> None:
        tamper.replace_waiting_attachment(damaged.id, "later", "f", b"changed")
        (found,) = store.verify()
        assert (found.session_id, found.checkpoint_id, found.attachment) == (damaged.id, None, "f")
        assert said(store, active(damaged).id) == "abc"
        with pytest.raises(CorruptStateError):
            store.get_attachments(store.append(damaged.id, [], label="later").id)

    # -- rows

    @pytest.mark.parametrize("field", SESSION_FIELDS)
    def test_a_changed_field_of_a_session_is_an_error_and_shown_as_damage_in_lists(
        self, store: Store, tamper: Tamper, damaged: Session, other: Session, field: str
    ) -> None:
        tamper.change_session(damaged.id, field.removeprefix("no "), SESSION_FIELDS[field](damaged))
        for read in (
            lambda: store.get_session(damaged.id),
            lambda: store.get_session_summary(damaged.id),
            lambda: store.get_active_checkpoint(damaged.id),
        ):
            with pytest.raises(CorruptStateError, match=str(damaged.id)):
                read()
        shown = {item.id: item.damage for item in store.list_sessions()}
        assert shown.pop(damaged.id) is not None
        assert set(shown.values()) == {None}
        assert store.get_session(other.id) == other
        assert said(store, active(damaged).id) == "abc"
        assert [item.damage for item in store.list_checkpoints(damaged.id)] == [None, None]
        of_active = {
            item.session_id: item.damage for item in store.list_checkpoints([damaged.id, other.id], active=True)
        }
        assert {id: damage is None for id, damage in of_active.items()} == {damaged.id: False, other.id: True}
        (item,) = store.list_checkpoints([damaged.id, other.id], active=True, metadata={"no": "such"})
        assert (item.session_id, item.damage is None) == (damaged.id, False)
        found = list(store.verify())
        assert {finding.session_id for finding in found} == {damaged.id}
        assert {finding.checkpoint_id for finding in found} == {None}

    @pytest.mark.parametrize("field", CHECKPOINT_FIELDS)
    def test_a_changed_field_of_a_checkpoint_is_an_error_and_shown_as_damage_in_lists(
        self, store: Store, tamper: Tamper, damaged: Session, other: Session, field: str
    ) -> None:
        step = active(damaged)
        root = ids(store.list_checkpoints(damaged.id))[0]
        tamper.change_checkpoint(step.id, field.removeprefix("no "), CHECKPOINT_FIELDS[field](step))
        reads: list[Callable[[], Any]] = [
            lambda: store.get_checkpoint(step.id), lambda: store.get_active_checkpoint(damaged.id),
            lambda: store.get_session(damaged.id), lambda: store.diff(step.id, root),
            lambda: store.get_checkpoint_summary(step.id),
        ]  # fmt: skip
        for read in reads:
            with pytest.raises(CorruptStateError) as caught:
                read()
            assert caught.value.checkpoint_id == step.id
        assert store.get_session_summary(damaged.id).damage is not None
        of_active = store.list_checkpoints([damaged.id, other.id], active=True)
        assert [item.id for item in of_active if item.damage is not None] == [step.id]
        assert len(of_active) == 2
        page = store.list_checkpoints([damaged.id, other.id])
        assert {item.id for item in page if item.damage is not None} == {step.id}
        assert len(page) == 4
        assert [(item.id, item.damage is None) for item in store.children(root)] in ([(step.id, False)], [])
        assert said(store, root) == "ab"
        found = list(store.verify())
        assert {finding.session_id for finding in found} == {damaged.id}
        assert {finding.checkpoint_id for finding in found} == {step.id}

    def test_a_damaged_checkpoint_is_shown_wherever_it_is_listed(
        self, store: Store, tamper: Tamper, damaged: Session
    ) -> None:
        root, step = ids(store.list_checkpoints(damaged.id))
        tip = store.append(damaged.id, users("d")).id
        tamper.change_checkpoint(step, "updated_at", moment(7 * SECOND))
        lists: list[Iterable[CheckpointSummary]] = [
            store.children(root), store.ancestry(tip), store.list_checkpoints(damaged.id, order="-created"),
            store.list_checkpoints(damaged.id, order="label"), store.find_checkpoints(metadata=None, source="tool"),
        ]  # fmt: skip
        for items in lists:
            assert [item.id for item in items if item.damage is not None] == [step]
        assert by_ids(store.ancestry(tip)) == [tip, step, root]
        assert said(store, tip) == "abcd"

    def test_a_lost_checkpoint_is_missed_by_its_session_and_its_children(
        self, store: Store, tamper: Tamper, damaged: Session, other: Session
    ) -> None:
        root, step = ids(store.list_checkpoints(damaged.id))
        tip = store.append(damaged.id, users("d"))
        tamper.lose_checkpoint(root)
        assert step in {finding.checkpoint_id for finding in store.verify()}
        with pytest.raises(CorruptStateError):
            store.get_checkpoint(step)
        assert said(store, tip.id) == "abcd"
        tamper.lose_checkpoint(tip.id)
        with pytest.raises(CorruptStateError, match=str(damaged.id)):
            store.get_session(damaged.id)
        with pytest.raises(CorruptStateError, match=str(damaged.id)):
            store.list_checkpoints([other.id, damaged.id], active=True, metadata={"no": "such"})
        found = {finding.session_id for finding in store.verify()}
        assert damaged.id in found <= {damaged.id, None}
        assert store.get_session(other.id) == other
        assert {item.id for item in store.list_sessions()} >= {damaged.id, other.id}

    def test_damaged_metadata_is_shown_as_damage_in_lists(
        self, store: Store, tamper: Tamper, whole: Checkpoint, step: Checkpoint
    ) -> None:
        tip = store.append(step.session_id, [], metadata={"k": 2})
        tamper.replace_metadata(tip.id, b'{"k":1}')
        page = store.list_checkpoints(step.session_id, with_metadata=True)
        assert [item.damage is None for item in page] == [True, True, False]
        assert [item.metadata for item in page][:2] == [{"k": 1}, {"k": 1}]
        assert {item.id for item in store.find_checkpoints(metadata=None) if item.damage is not None} == {tip.id}
        (item,) = store.list_checkpoints(step.session_id, active=True, with_metadata=True)
        assert (item.id, item.damage is None, item.metadata) == (tip.id, False, None)

    # -- API keys

    @pytest.mark.parametrize("field", KEY_FIELDS)
    def test_a_changed_field_of_a_key_lets_nobody_in_and_hides_no_other(
        self, store: Store, tamper: Tamper, other: Session, field: str
    ) -> None:
        made, whole = store.create_key("Ada", "read"), store.create_key("Ada", "read")
        if field == "revoked_at":
            store.revoke_key(made.key.id)
        used = store.authenticate(whole.token)
        tamper.change_key(made.key.id, field, KEY_FIELDS[field](made.key))
        with pytest.raises(CorruptStateError, match=str(made.key.id)):
            store.authenticate(made.token)
        shown = {key.id: key.damage for key in store.list_keys()}
        assert shown.pop(made.key.id) is not None
        assert set(shown.values()) == {None}
        assert store.authenticate(whole.token) == used
        (found,) = store.verify()
        assert found.kind == "key"
        assert str(made.key.id) in found.message
        assert store.get_session(other.id) == other
        store.revoke_key(made.key.id)
        assert list(store.verify()) == []
        with pytest.raises(UnauthorizedError):
            store.authenticate(made.token)

    # -- verify

    def test_verifying_names_the_place_of_every_damaged_message(
        self, store: Store, tamper: Tamper, whole: Checkpoint, step: Checkpoint, other: Session
    ) -> None:
        branch = store.append(step.session_id, users("xy"))
        for checkpoint, position in ((step, 2), (whole, 0), (branch, 5)):
            tamper.replace_message(checkpoint.id, position, b"{}")
        assert self._places(store) == {
            (step.session_id, whole.id, 0), (step.session_id, step.id, 2), (step.session_id, branch.id, 5),
        }  # fmt: skip

    def test_verifying_names_the_place_of_a_lost_message(
        self, store: Store, tamper: Tamper, whole: Checkpoint, step: Checkpoint, other: Session
    ) -> None:
        tamper.lose_message(step.id, 2)
        found = list(store.verify())
        assert (step.session_id, step.id, 2) in {
            (finding.session_id, finding.checkpoint_id, finding.position) for finding in found
        }
        assert {finding.checkpoint_id for finding in found} == {step.id}

    def test_verifying_names_the_checkpoint_of_damaged_metadata(
        self, store: Store, tamper: Tamper, whole: Checkpoint, other: Session
    ) -> None:
        tip = store.append(whole.session_id, [], metadata={"k": 2})
        tamper.replace_metadata(tip.id, b'{"k":3}')
        assert self._places(store) == {(tip.session_id, tip.id, None)}

    def test_verifying_goes_on_after_damage_and_finds_all_of_it(
        self, store: Store, tamper: Tamper, damaged: Session, step: Checkpoint, other: Session
    ) -> None:
        tamper.replace_message(step.id, 1, b"{}")
        tamper.change_session(other.id, "title", "dbmaged")
        tamper.replace_attachment(active(damaged).id, "f", b"changed")
        found: list[Finding] = list(store.verify())
        assert {finding.session_id for finding in found} == {damaged.id, step.session_id, other.id}
        assert all(finding.kind and finding.message for finding in found)
        assert len({finding.kind for finding in found}) == 3

    def test_verifying_repairs_nothing(self, store: Store, tamper: Tamper, step: Checkpoint) -> None:
        tamper.replace_message(step.id, 1, b"{}")
        assert list(store.verify()) == list(store.verify()) != []
        every_read_names(store, step)

    def test_a_whole_store_after_a_purge_of_what_was_damaged(
        self, store: Store, tamper: Tamper, damaged: Session, other: Session
    ) -> None:
        tamper.change_session(damaged.id, "title", "dbmaged")
        tamper.change_checkpoint(active(damaged).id, "label", "poins")
        tamper.replace_attachment(active(damaged).id, "f", b"changed")
        store.purge_session(damaged.id)
        assert list(store.verify()) == []
        assert store.get_session(other.id) == other

    def test_what_cannot_be_trusted_is_not_planned_to_go(
        self, store: Store, tamper: Tamper, damaged: Session, other: Session
    ) -> None:
        tamper.change_session(damaged.id, "status", "DELETED")
        plan = store.plan_prune(deleted_longer_than=timedelta(), keep_checkpoints=0)
        assert damaged.id not in {item.id for item in plan.sessions}
        assert damaged.id not in {item.session_id for item in plan.thinned}

    def test_compacting_a_damaged_store_keeps_what_is_whole(
        self, store: Store, tamper: Tamper, damaged: Session, step: Checkpoint, other: Session
    ) -> None:
        tamper.replace_message(step.id, 1, b"{}")
        tamper.replace_attachment(active(damaged).id, "long", b"changed")
        before = list(store.verify())
        store.compact()
        assert list(store.verify()) == before
        assert store.get_session(other.id) == other
        assert attached(store, active(other).id) == {"f": b"file", "long": LONG}

    # -- helpers

    def _places(self, store: Store) -> set[tuple[UUID | None, UUID | None, int | None]]:
        """Where `verify` finds something."""
        return {(finding.session_id, finding.checkpoint_id, finding.position) for finding in store.verify()}


class DamagedBackupContract(Contract):
    """No backup keeps damage unless told to. For backends that make them: a subclass of it and of `DamageContract`."""

    def test_a_backup_of_a_damaged_store_is_refused_unless_told_not_to_look(
        self, store: Store, tamper: Tamper, backups: OpenBackup, tmp_path: Path
    ) -> None:
        session = store.create_session("damaged", messages=users("a"), metadata={"k": 1})
        step = store.append(session.id, users("bcd"))
        tamper.replace_message(step.id, 1, b"{}")
        before = sorted(tmp_path.iterdir())
        with pytest.raises(CorruptStateError):
            store.backup(tmp_path / "copy")
        assert sorted(tmp_path.iterdir()) == before
        assert store.backup(tmp_path / "copy", verify=False).verified is False
        with backups(tmp_path / "copy") as copy:
            every_read_names(copy, step)


def every_read_names(store: Store, step: Checkpoint) -> None:
    """No way to the messages of the checkpoint is open, and each refusal says of which one it is."""
    for read in READS.values():
        with pytest.raises(CorruptStateError) as caught:
            read(store, step)
        assert caught.value.checkpoint_id == step.id
        assert caught.value.code == "corrupt_state"
