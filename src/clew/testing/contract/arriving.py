"""What the seam takes for a copy from another store, and what it hands out for one."""

from uuid import uuid4

from clew.backend import NewCheckpoint, NewFork, NewSession
from clew.model import Attachment, Session, Visibility
from clew.store import Store
from clew.testing.contract.attachments import TalkContract
from clew.testing.contract.base import active, backend_of, users


def _arriving(**changes: object) -> NewCheckpoint:
    given: dict[str, object] = {
        "id": uuid4(), "bodies": [], "full": False, "prefix": None, "parent": None, "metadata": None, "label": None,
        "if_active": None, "created_at": 5, "now": 5, "fingerprint": None,
    }  # fmt: skip
    return NewCheckpoint(**{**given, **changes})  # type: ignore[arg-type]


class ArrivalContract(TalkContract):
    """A session of another store can be made here as it is there."""

    def test_a_session_can_come_without_checkpoints_and_with_a_parent_that_is_gone(self, store: Store) -> None:
        parent = uuid4()
        new = NewSession(
            id=uuid4(), checkpoint_id=None, title="talk", bodies=[], metadata=None, session_metadata=None,
            visibility=Visibility.PRIVATE, cwd=None, source=None, source_id=None, parent_session_id=parent,
            parent_may_be_missing=True, created_at=3, now=3, fingerprint=None,
        )  # fmt: skip
        made = backend_of(store).create_session(new)
        assert (made.active_checkpoint, made.parent_session_id, made.revision) == (None, parent, 1)
        assert list(store.verify()) == []
        assert store.append(made.id, users("a")).parent_id is None

    def test_a_fork_can_come_without_checkpoints(self, store: Store, talk: Session) -> None:
        new = NewFork(id=uuid4(), checkpoint_id=None, source_checkpoint=active(talk).id, title=None, now=3)
        made = backend_of(store).fork_session(talk.id, new)
        assert (made.active_checkpoint, made.forked_from, made.revision) == (None, active(talk).id, 1)
        assert list(store.verify()) == []

    def test_a_checkpoint_can_come_with_the_time_of_its_last_change(self, store: Store, talk: Session) -> None:
        new = _arriving(parent=active(talk).id, updated_at=9)
        made = backend_of(store).write_checkpoint(talk.id, new)
        found = store.get_checkpoint(new.id)
        assert (made.created_at, made.updated_at) == (found.created_at, found.updated_at)
        assert (found.updated_at - found.created_at).microseconds == 4
        assert list(store.verify()) == []

    def test_a_checkpoint_can_come_without_becoming_active(self, store: Store, talk: Session) -> None:
        new = _arriving(parent=active(talk).id, activate=False)
        backend_of(store).write_checkpoint(talk.id, new)
        assert store.get_active_checkpoint(talk.id).id == active(talk).id
        assert [item.id for item in store.list_checkpoints(talk.id)][-1] == new.id
        assert list(store.verify()) == []

    def test_what_waits_for_a_label_is_handed_out(self, store: Store, talk: Session) -> None:
        store.attach(talk.id, {"b": Attachment(b"12", "x/y"), "a": bytes(300_000)}, label="later")
        found = backend_of(store).get_waiting(talk.id, "later")
        assert {name: (bytes(item), item.content_type) for name, item in found.items()} == {
            "a": (bytes(300_000), None),
            "b": (b"12", "x/y"),
        }
        assert backend_of(store).get_waiting(talk.id, "never") == {}

    def test_a_session_that_was_purged_can_come_back_and_be_purged_again(self, store: Store) -> None:
        id = uuid4()
        for _ in range(2):
            store.create_session("talk", id=id)
            store.purge_session(id)
        assert store.list_sessions().items == []
