"""What a purge leaves of the bytes of a session: nothing that no other session needs."""

import pytest

from clew.model import SAME, Attachment
from clew.store import Store
from clew.testing.contract.base import Contract, active, attached, user, users
from clew.testing.tamper import Tamper


class ErasureContract(Contract):
    """What was purged, pruned, or deleted and compacted is in no file any more. A part of `DamageContract`."""

    @pytest.fixture
    def tamper(self) -> Tamper:
        raise NotImplementedError("a subclass of the contract gives the fixture `tamper`")

    # -- what a purge leaves

    def test_a_purge_leaves_no_byte_of_a_session(self, store: Store, tamper: Tamper) -> None:
        secret, kept = "Needle-in-a-session", "Needle-of-another"
        store.create_session(kept, messages=[user(kept)], metadata=[kept], session_metadata={kept: 1}, cwd=kept)
        session = store.create_session(
            f"{secret}1", messages=[user(f"{secret}2")], metadata={f"{secret}3": 1}, cwd=f"{secret}4",
            source=f"{secret}5", source_id=f"{secret}6", session_metadata={f"{secret}7": 1}, owner=f"{secret}20",
        )  # fmt: skip
        store.append(session.id, [user(f"{secret}8" * 2_000)], label=f"{secret}9", metadata=f"{secret}10")
        long = f"{secret}13".encode() * 40_000
        items = {f"{secret}14": f"{secret}15".encode(), "long": Attachment(long, f"{secret}16")}
        for label in (f"{secret}9", f"{secret}17"):
            store.attach(session.id, items, label=label)
        store.attach(session.id, {"long": b"short"}, label=f"{secret}9", on_conflict="replace")
        store.append(session.id, [], attachments=items, label=f"{secret}18")
        store.set_label(active(session).id, f"{secret}19")
        store.set_label(active(session).id, None)
        store.create_checkpoint(session.id, [{f"{secret}11": []}])
        store.update_session(session.id, title="short", cwd=None, metadata={"": f"{secret}12"}, owner=f"{secret}21")
        store.update_session(session.id, cwd=f"/{secret}22")
        store.move_directory(f"/{secret}22", f"/{secret}23")
        store.move_directory(f"/{secret}23", "/short")
        assert tamper.holds(f"{secret}22".encode())
        assert tamper.holds(f"{secret}2".encode())
        store.purge_session(session.id)
        assert not tamper.holds(secret.encode())
        assert not tamper.holds(secret.casefold().encode())
        assert tamper.holds(kept.encode())

    def test_a_purge_leaves_no_word_in_the_search_index(self, store: Store, tamper: Tamper) -> None:
        store.create_session("", messages=[user("Qvkeptword boiler")])
        session = store.create_session("", messages=[user("Zyxneedle boiler")])
        left = store.append(session.id, [user("Jkqneedle boiler")])
        assert len(store.search("boiler")) == 3
        assert tamper.holds(b"zyxneedle")  # in small letters only the index has it
        assert tamper.holds(b"jkqneedle")
        store.delete_checkpoints(session.id, left.id)
        store.compact()
        assert not tamper.holds(b"jkqneedle")
        store.purge_session(session.id)
        assert not tamper.holds(b"zyxneedle")
        assert tamper.holds(b"qvkeptword")

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

    def test_what_was_deleted_or_replaced_leaves_no_byte_once_the_store_is_compact(
        self, store: Store, tamper: Tamper
    ) -> None:
        secret = "Needle-deleted"  # noqa: S105 - a word to look for
        session = store.create_session("", messages=users("a"))
        step = store.append(
            session.id, [user(f"{secret}1")], metadata=f"{secret}2", label=f"{secret}3",
            attachments={f"{secret}4": f"{secret}5".encode() * 40_000},
        )  # fmt: skip
        store.attach(session.id, {"f": f"{secret}6".encode()}, checkpoint_id=active(session).id)
        assert tamper.holds(secret.encode())
        store.delete_checkpoints(session.id, step.id)
        store.attach(session.id, {"f": b"new"}, on_conflict="replace")
        store.compact()
        assert not tamper.holds(secret.encode())

    def test_a_purge_leaves_the_attachments_that_a_fork_or_a_copy_needs(self, store: Store, tamper: Tamper) -> None:
        origin = store.create_session("")
        store.append(origin.id, [], attachments={"f": b"needle-shared", "long": b"needle-noted" * 40_000})
        fork, copy = store.fork_session(origin.id), store.copy_session(origin.id)
        step = store.append(fork.id, [], attachments={"long": SAME})
        store.append(origin.id, [], attachments={"f": b"needle-origin"})
        store.purge_session(origin.id)
        assert self._held(tamper) == {"shared", "noted"}
        store.purge_session(copy.id)
        store.delete_checkpoints(fork.id, active(fork).id)
        store.compact()
        assert self._held(tamper) == {"noted"}
        assert attached(store, step.id) == {"long": b"needle-noted" * 40_000}

    def test_pruning_leaves_no_byte_of_a_session(self, store: Store, tamper: Tamper) -> None:
        session = store.create_session("", messages=[user("needle")])
        store.append(session.id, [], attachments={"f": b"needle"}, label="needle")
        store.apply_prune(store.plan_prune(keep_last=0))
        assert not tamper.holds(b"needle")

    def test_no_byte_of_a_token_is_kept(self, store: Store, tamper: Tamper) -> None:
        made = store.create_key("Needle-of-a-key", "read")
        store.authenticate(made.token)
        assert tamper.holds(b"Needle-of-a-key")
        assert not tamper.holds(made.token.removeprefix("clew_").encode())

    def test_deleting_a_session_keeps_its_bytes(self, store: Store, tamper: Tamper) -> None:
        session = store.create_session("", messages=[user("needle")])
        store.delete_session(session.id)
        assert tamper.holds(b"needle")

    def _held(self, tamper: Tamper) -> set[str]:
        names = ("shared", "noted", "origin", "gone", "last", "early")
        return {name for name in names if tamper.holds(f"needle-{name}".encode())}
