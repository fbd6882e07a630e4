"""A full list is compared in memory with what was written: never mistaken, whatever it holds."""

from typing import Any
from uuid import UUID, uuid4

import pytest

import clew
from clew.prefix_cache import Conversation, PrefixCache, pack_messages

BEGINNING = [{"a": 1, "b": [True, None, 0.0, "text"]}, {"role": "user"}]


def remembered(messages: list[Any], max_bytes: int = 10_000_000) -> tuple[PrefixCache, UUID]:
    cache = PrefixCache(max_bytes)
    packed = pack_messages(messages)
    assert packed is not None
    id = uuid4()
    cache.remember(id, Conversation(packed, messages, bytes(16)), None)
    return cache, id


@pytest.mark.parametrize("length", [1, 15, 16, 17, 65_535, 65_536])
def test_an_extension_is_found_whatever_the_length(length: int) -> None:
    messages = [{"n": n} for n in range(length)]
    cache, id = remembered(messages)
    for extension in (messages, [*messages, {"more": 1}], [*messages, *messages]):
        known = cache.beginning(id, extension, pack_messages(extension))
        assert known is not None
        assert len(known.messages) == length


@pytest.mark.parametrize(
    "changed",
    [
        {"a": True, "b": [True, None, 0.0, "text"]},
        {"a": 1.0, "b": [True, None, 0.0, "text"]},
        {"a": 1, "b": [1, None, 0.0, "text"]},
        {"a": 1, "b": [True, None, -0.0, "text"]},
        {"a": 1, "b": [True, None, 0, "text"]},
        {"a": 1, "b": [True, float("nan"), 0.0, "text"]},
        {"a": 1, "b": [True, None, 0.0, b"text"]},
        {"a": 1, "b": (True, None, 0.0, "text")},
        {"a": 1, "b": {True, None, 0.0, "text"}},
        {"b": [True, None, 0.0, "text"], "a": 1},
        {"a": 1, "b": [True, None, 0.0, "text"], "c": 1},
        {"a": 1},
    ],
)
def test_what_json_or_python_would_confuse_is_told_apart(changed: object) -> None:
    cache, id = remembered(BEGINNING)
    other = [changed, *BEGINNING[1:], {"more": 1}]
    assert cache.beginning(id, other, pack_messages(other)) is None


def test_an_object_is_not_taken_for_the_text_it_is_written_as() -> None:
    id = uuid4()
    cache, checkpoint = remembered([{"id": str(id)}])
    other = [{"id": id}]
    assert cache.beginning(checkpoint, other, pack_messages(other)) is None


def test_a_shorter_list_or_another_checkpoint_is_not_an_extension() -> None:
    cache, id = remembered(BEGINNING)
    assert cache.beginning(id, BEGINNING[:1], pack_messages(BEGINNING[:1])) is None
    assert cache.beginning(uuid4(), BEGINNING, pack_messages(BEGINNING)) is None
    assert cache.beginning(None, BEGINNING, pack_messages(BEGINNING)) is None


def test_it_holds_no_more_bytes_than_it_may() -> None:
    packed = pack_messages([{"text": "x" * 1000}])
    assert packed is not None
    conversation = Conversation(packed, [{"text": "x" * 1000}], bytes(16))
    cache = PrefixCache(conversation.size * 2)
    ids = [uuid4() for _ in range(3)]
    for id in ids:
        cache.remember(id, conversation, None)
    found = [cache.beginning(id, conversation.messages, packed) is not None for id in ids]
    assert found == [False, True, True]


def test_the_parent_goes_first() -> None:
    packed = pack_messages([{"text": "x" * 1000}])
    assert packed is not None
    conversation = Conversation(packed, [{"text": "x" * 1000}], bytes(16))
    cache = PrefixCache(conversation.size * 2)
    old, parent, child = uuid4(), uuid4(), uuid4()
    cache.remember(old, conversation, None)
    cache.remember(parent, conversation, None)
    cache.remember(child, conversation, parent)
    assert cache.beginning(old, conversation.messages, packed) is not None
    assert cache.beginning(parent, conversation.messages, packed) is None


class TestThroughTheStore:
    def steps(self, store: clew.Store, *lists: list[Any]) -> list[Any]:
        """Write each list as a child of the one before and read them all back."""
        session = store.create_session("one")
        parent: Any = None
        written = []
        for messages in lists:
            parent = store.create_checkpoint(session.id, messages, parent_id=parent and parent.id)
            written.append(parent.id)
        return [store.get_checkpoint(id).state.messages for id in written]

    @pytest.mark.parametrize("value", [True, 1.0, -0.0, "1", None, [1], {"1": 1}])
    def test_a_value_changed_in_the_beginning_is_stored_as_given(self, value: object) -> None:
        lists: list[list[Any]] = [
            [{"v": 1}, {"n": 1}],
            [{"v": value}, {"n": 1}, {"n": 2}],
            [{"v": 1}, {"n": 1}, {"n": 2}, {"n": 3}],
        ]
        with clew.open(":memory:") as store:
            found = self.steps(store, *lists)
        assert repr(found) == repr(lists)

    @pytest.mark.parametrize("value", [float("nan"), b"1", {1}, uuid4(), object()])
    def test_what_json_cannot_hold_is_refused_in_the_beginning_too(self, value: object) -> None:
        with clew.open(":memory:") as store:
            session = store.create_session("one")
            parent = store.create_checkpoint(session.id, [{"v": None}, {"v": [1]}])
            with pytest.raises(clew.InvalidRequestError, match=r"messages\[1\]\.v"):
                store.create_checkpoint(session.id, [{"v": None}, {"v": value}, {"n": 2}], parent_id=parent.id)
            assert store.list_checkpoints(session.id).total == 2

    def test_a_message_changed_in_place_between_two_calls_is_stored_as_it_is_then(self) -> None:
        with clew.open(":memory:") as store:
            session = store.create_session("one")
            messages = [{"content": ["a"]}, {"content": ["b"]}]
            first = store.create_checkpoint(session.id, messages)
            messages[0]["content"].append("changed")
            second = store.create_checkpoint(session.id, [*messages, {"content": ["c"]}], parent_id=first.id)
            assert store.get_checkpoint(first.id).state.messages == [{"content": ["a"]}, {"content": ["b"]}]
            assert store.get_checkpoint(second.id).state.messages[0] == {"content": ["a", "changed"]}

    def test_the_same_call_with_an_id_is_the_same_call_whether_remembered_or_not(self) -> None:
        with clew.open(":memory:") as store:
            session = store.create_session("one")
            messages = [{"n": n} for n in range(20)]
            parent = store.create_checkpoint(session.id, messages[:10])
            id = uuid4()
            first = store.create_checkpoint(session.id, messages, parent_id=parent.id, id=id)
            forgetful = clew.Store(store._backend)
            assert forgetful.create_checkpoint(session.id, messages, parent_id=parent.id, id=id).id == first.id
            assert store.list_checkpoints(session.id).total == 3
            with pytest.raises(clew.ConflictError):
                forgetful.create_checkpoint(session.id, messages[:19], parent_id=parent.id, id=id)
