"""The values a user holds: frozen, decoded when touched, the caller's own."""

import copy
import pickle
from uuid import uuid4

import msgspec
import pytest

import clew
from clew.model import StoredState


def stored(*bodies: bytes, metadata: bytes | None = None) -> clew.State:
    return clew.State.stored(StoredState(list(bodies), metadata))


class TestState:
    def test_an_empty_one(self) -> None:
        assert clew.State().messages == []
        assert clew.State().metadata is None
        assert clew.State().messages_json == b"[]"

    def test_json_there_and_back(self) -> None:
        state = clew.State([{"role": "user", "content": "hi"}], {"n": 1})
        assert msgspec.json.decode(msgspec.json.encode(state), type=clew.State) == state
        assert msgspec.json.decode(b"{}", type=clew.State) == clew.State()
        assert msgspec.json.decode(b'{"messages":[]}', type=clew.State).metadata is None

    def test_it_is_not_read_before_it_is_touched_and_then_once(self) -> None:
        reads: list[int] = []

        def load() -> StoredState:
            reads.append(1)
            return StoredState([b'{"n":1}'], b"[2]")

        state = clew.State.deferred(load)
        assert reads == []
        assert state.messages == [{"n": 1}]
        assert state.metadata == [2]
        assert state.messages_json == b'[{"n":1}]'
        assert reads == [1]

    def test_the_bytes_are_there_without_decoding(self) -> None:
        assert stored(b'{"n": 1}', b"broken").messages_json == b'[{"n": 1},broken]'

    def test_a_damaged_value_names_the_checkpoint(self) -> None:
        id = uuid4()
        state = clew.State.stored(StoredState([b"{"], b"{", id))
        for name in ("messages", "metadata"):
            with pytest.raises(clew.CorruptStateError, match=str(id)) as raised:
                getattr(state, name)
            assert raised.value.checkpoint_id == id

    def test_it_is_frozen_and_has_no_other_attributes(self) -> None:
        state = stored(b'{"n":1}')
        with pytest.raises(AttributeError):
            state.messages = []  # type: ignore[misc]
        with pytest.raises(AttributeError, match="no attribute 'massages'"):
            state.massages  # noqa: B018

    def test_equality_repr_copies_and_pickles_look_at_the_content(self) -> None:
        plain = clew.State([{"n": 1}], {"m": 2})
        for make in (copy.copy, copy.deepcopy, lambda state: pickle.loads(pickle.dumps(state))):
            lazy = stored(b'{"n":1}', metadata=b'{"m":2}')
            assert make(lazy) == plain
        assert repr(stored(b'{"n":1}')) == "State(messages=[{'n': 1}], metadata=None)"
        assert stored(b'{"n":1}') != clew.State([{"n": 2}])
        assert clew.State() != "state"


class TestPage:
    def test_it_iterates_and_counts_its_items(self) -> None:
        page = clew.Page([1, 2, 3], total=10)
        assert list(page) == [1, 2, 3]
        assert len(page) == 3


def test_enums_equal_their_text() -> None:
    assert clew.Visibility.PRIVATE == "PRIVATE"
    assert clew.SessionStatus.DELETED == "DELETED"
    assert f"{clew.Visibility.PUBLIC}" == "PUBLIC"


def test_backend_info_leaves_out_what_it_does_not_have() -> None:
    info = clew.BackendInfo(kind="local", store_path="/x.db")
    assert msgspec.json.encode(info) == b'{"kind":"local","store_path":"/x.db"}'


def test_what_a_store_returns_is_the_callers_own() -> None:
    with clew.open(":memory:") as store:
        given = [{"role": "user", "content": {"parts": ["a"]}}]
        session = store.create_session("one", messages=given, session_metadata={"tags": ["x"]})
        given[0]["content"]["parts"].append("changed after the call")  # type: ignore[index]
        first = store.get_session(session.id)
        assert first.active_checkpoint is not None
        first.active_checkpoint.state.messages[0]["content"]["parts"].append("changed by the reader")
        assert first.metadata is not None
        first.metadata["tags"].append("y")
        again = store.get_session(session.id)
        assert again.metadata == {"tags": ["x"]}
        assert again.active_checkpoint is not None
        assert again.active_checkpoint.state.messages == [{"role": "user", "content": {"parts": ["a"]}}]


class TestAttachment:
    def test_it_is_the_bytes_with_a_content_type_that_cannot_change(self) -> None:
        attachment = clew.Attachment(b"123", "image/png")
        assert attachment == b"123"
        assert (len(attachment), attachment.content_type) == (3, "image/png")
        assert clew.Attachment(memoryview(b"12")).content_type is None
        with pytest.raises(AttributeError):
            attachment.content_type = "text/plain"  # type: ignore[misc]

    def test_it_survives_copying_and_pickling(self) -> None:
        attachment = clew.Attachment(b"123", "image/png")
        for again in (copy.copy(attachment), copy.deepcopy(attachment), pickle.loads(pickle.dumps(attachment))):
            assert (again, again.content_type) == (b"123", "image/png")
        assert repr(attachment) == "Attachment(b'123', content_type='image/png')"
