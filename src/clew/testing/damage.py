"""What a store does about damage to its bytes, and what a purge leaves of them.

A contract of its own, because it needs to reach below the store: a backend's tests give a second fixture, `tamper`.
"""

from collections.abc import Callable
from typing import Any, Protocol
from uuid import UUID

import pytest

from clew.errors import CorruptStateError
from clew.model import Checkpoint
from clew.store import Store
from clew.testing.contract.base import Contract, active, ids, said, titles, user, users

Read = Callable[[Store, Checkpoint], Any]

READS: dict[str, Read] = {
    "get_checkpoint": lambda store, step: store.get_checkpoint(step.id),
    "get_session": lambda store, step: store.get_session(step.session_id),
    "get_active_checkpoint": lambda store, step: store.get_active_checkpoint(step.session_id),
    "get_messages": lambda store, step: store.get_messages(step.id),
    "diff": lambda store, step: store.diff(step.id, step.id),
}
"""Every way to the messages of a checkpoint that is active."""

BODIES = {
    "another message": b'{"role":"user","content":"z"}',
    "no message": b"{}",
    "null": b"null",
    "an array": b"[]",
    "half of a message": b'{"role":"us',
    "nothing": b"",
    "a NUL": b"\0",
    "a message with more after it": b'{"role":"user","content":"b"},{}',
    "the same message spelled differently": b'{"role": "user", "content": "b"}',
    "what is no UTF-8": b'{"role":"user","content":"\xff"}',
}
"""What the second of the messages abcd may have turned into."""


class Tamper(Protocol):
    """Changes and looks for stored bytes behind the store's back."""

    def replace_message(self, checkpoint_id: UUID, position: int, body: bytes) -> None:
        """Put other bytes in the place of one message, and leave everything that checks it as it was."""

    def lose_message(self, checkpoint_id: UUID, position: int) -> None:
        """Remove one message from its place."""

    def replace_metadata(self, checkpoint_id: UUID, body: bytes) -> None:
        """Put other bytes in the place of the metadata of a checkpoint."""

    def holds(self, needle: bytes) -> bool:
        """Whether these bytes are anywhere in what the backend keeps, in unused places and logs too."""


class DamageContract(Contract):
    """Damage is an error that names its checkpoint, never content, and hides nothing else. A purge leaves no byte."""

    @pytest.fixture
    def tamper(self) -> Tamper:
        raise NotImplementedError("a subclass of the contract gives the fixture `tamper`")

    @pytest.fixture
    def whole(self, store: Store) -> Checkpoint:
        """The checkpoint a that stays whole, of the session of the one that is damaged."""
        return active(store.create_session("damaged", messages=users("a"), metadata={"k": 1}))

    @pytest.fixture
    def step(self, store: Store, whole: Checkpoint) -> Checkpoint:
        """The checkpoint abcd that is damaged."""
        return store.append(whole.session_id, users("bcd"))

    @pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
    def test_a_changed_message_is_an_error_that_names_its_checkpoint(
        self, store: Store, tamper: Tamper, step: Checkpoint, body: bytes
    ) -> None:
        tamper.replace_message(step.id, 1, body)
        self._every_read_names(store, step)

    def test_a_lost_message_is_an_error_that_names_its_checkpoint(
        self, store: Store, tamper: Tamper, step: Checkpoint
    ) -> None:
        for position in (3, 1):
            tamper.lose_message(step.id, position)
            self._every_read_names(store, step)

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

    def test_reading_damage_changes_nothing_and_a_purge_ends_it(
        self, store: Store, tamper: Tamper, step: Checkpoint
    ) -> None:
        store.create_session("other", messages=users("abcd"))
        tamper.replace_message(step.id, 1, b"{}")
        self._every_read_names(store, step)
        store.purge_session(step.session_id)
        assert titles(store.list_sessions()) == ["other"]

    # -- what a purge leaves

    def test_a_purge_leaves_no_byte_of_a_session(self, store: Store, tamper: Tamper) -> None:
        secret, kept = "Needle-in-a-session", "Needle-of-another"
        store.create_session(kept, messages=[user(kept)], metadata=[kept], session_metadata={kept: 1}, cwd=kept)
        session = store.create_session(
            f"{secret}1", messages=[user(f"{secret}2")], metadata={f"{secret}3": 1}, cwd=f"{secret}4",
            source=f"{secret}5", source_id=f"{secret}6", session_metadata={f"{secret}7": 1},
        )  # fmt: skip
        store.append(session.id, [user(f"{secret}8" * 2_000)], label=f"{secret}9", metadata=f"{secret}10")
        store.create_checkpoint(session.id, [{f"{secret}11": []}])
        store.update_session(session.id, title="short", cwd=None, metadata={"": f"{secret}12"})
        assert tamper.holds(f"{secret}2".encode())
        store.purge_session(session.id)
        assert not tamper.holds(secret.encode())
        assert not tamper.holds(secret.casefold().encode())
        assert tamper.holds(kept.encode())

    def test_a_purge_leaves_what_a_fork_needs_and_no_byte_more(self, store: Store, tamper: Tamper) -> None:
        origin = store.create_session("origin", messages=[user("needle-shared")], metadata="needle-noted")
        early = store.fork_session(origin.id)
        store.append(origin.id, [user("needle-origin")], metadata="needle-gone")
        late = store.fork_session(origin.id)
        store.append(origin.id, [user("needle-last")])
        store.append(early.id, [user("needle-early")])
        store.purge_session(origin.id)
        assert self._held(tamper) == {"shared", "noted", "origin", "gone", "early"}
        store.purge_session(late.id)
        assert self._held(tamper) == {"shared", "noted", "early"}
        store.purge_session(early.id)
        assert self._held(tamper) == set()

    def test_deleting_a_session_keeps_its_bytes(self, store: Store, tamper: Tamper) -> None:
        session = store.create_session("", messages=[user("needle")])
        store.delete_session(session.id)
        assert tamper.holds(b"needle")

    # -- helpers

    def _every_read_names(self, store: Store, step: Checkpoint) -> None:
        for read in READS.values():
            with pytest.raises(CorruptStateError) as caught:
                read(store, step)
            assert caught.value.checkpoint_id == step.id
            assert caught.value.code == "corrupt_state"

    def _held(self, tamper: Tamper) -> set[str]:
        names = ("shared", "noted", "origin", "gone", "last", "early")
        return {name for name in names if tamper.holds(f"needle-{name}".encode())}
