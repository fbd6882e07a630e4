"""Taking attachments away, and what waits for labels that nothing has."""

import pytest

from clew.errors import InvalidRequestError, NotFoundError
from clew.model import SAME, Attachment, AttachmentInfo, Session
from clew.store import Store
from clew.testing.clock import Clock
from clew.testing.contract.attachments import TalkContract
from clew.testing.contract.base import active, attached, missing, nothing_changes, revision, users


class DetachContract(TalkContract):
    """Nothing is taken away but what is named, and all of that or none."""

    def test_an_attachment_is_taken_from_its_checkpoint_and_from_no_other(
        self, store: Store, talk: Session, clock: Clock
    ) -> None:
        first = store.append(talk.id, users("c"), attachments={"a": b"1", "b": b"2", "c": b"3"})
        second = store.append(talk.id, users("d"), attachments={"a": SAME})
        before = revision(store, talk.id)
        store.detach(talk.id, ["a", "c"], checkpoint_id=first.id)
        assert attached(store, first.id) == {"b": b"2"}
        assert attached(store, second.id) == {"a": b"1"}
        assert revision(store, talk.id) == before + 1
        assert store.get_checkpoint(first.id).updated_at > first.updated_at

    def test_attachments_are_taken_from_the_active_checkpoint_unless_told_otherwise(
        self, store: Store, talk: Session
    ) -> None:
        step = store.append(talk.id, users("c"), label="here", attachments={"a": b"1", "b": b"2"})
        store.detach(talk.id, "a")
        assert attached(store, step.id) == {"b": b"2"}
        store.append(talk.id, users("d"))
        store.detach(talk.id, "b", label="here")
        assert attached(store, step.id) == {}
        store.attach(talk.id, {"a": b"3"}, label="here")
        assert attached(store, step.id) == {"a": b"3"}

    def test_all_names_are_there_or_nothing_is_taken_away(self, store: Store, talk: Session) -> None:
        step = store.append(talk.id, [], attachments={"a": b"1"})
        store.attach(talk.id, {"w": b"1"}, label="later")
        with nothing_changes(store):
            for names in (["a", "b"], ["b", "a"], "b"):
                with pytest.raises(NotFoundError, match="'b'"):
                    store.detach(talk.id, names, checkpoint_id=step.id)
            for label in ("later", "never"):
                with pytest.raises(NotFoundError):
                    store.detach(talk.id, ["w", "x"], label=label)
            with pytest.raises(NotFoundError):
                store.detach(talk.id, "a", checkpoint_id=missing())
            store.detach(talk.id, [])

    def test_what_names_nothing_to_take_away_is_refused(self, store: Store, talk: Session) -> None:
        with nothing_changes(store):
            for names in (None, 1, [1], "", [""]):
                with pytest.raises(InvalidRequestError, match="names"):
                    store.detach(talk.id, names)  # type: ignore[arg-type]
            with pytest.raises(InvalidRequestError, match="not both"):
                store.detach(talk.id, "a", checkpoint_id=active(talk).id, label="l")

    def test_what_waits_for_labels_is_listed_by_label(self, store: Store, talk: Session) -> None:
        assert store.list_waiting(talk.id) == {}
        store.attach(talk.id, {"b": Attachment(b"12", "x/y"), "a": b""}, label="z")
        store.attach(talk.id, {"c": b"3"}, label="y")
        store.attach(store.create_session("other").id, {"d": b"4"}, label="y")
        assert store.list_waiting(talk.id) == {
            "y": [AttachmentInfo(name="c", size=1)],
            "z": [AttachmentInfo(name="a", size=0), AttachmentInfo(name="b", size=2, content_type="x/y")],
        }
        store.append(talk.id, [], label="y")
        assert list(store.list_waiting(talk.id)) == ["z"]

    def test_what_waits_for_a_label_can_be_taken_away(self, store: Store, talk: Session) -> None:
        store.attach(talk.id, {"a": b"1", "b": b"2"}, label="later")
        store.detach(talk.id, "a", label="later")
        assert attached(store, store.append(talk.id, [], label="later").id) == {"b": b"2"}

    def test_what_was_taken_away_can_be_attached_again(self, store: Store, talk: Session) -> None:
        store.attach(talk.id, {"a": b"1"})
        store.detach(talk.id, "a")
        store.compact()
        store.attach(talk.id, {"a": b"2"})
        assert attached(store, active(talk).id) == {"a": b"2"}
