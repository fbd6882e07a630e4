"""A full list is compared in memory with what was written: never mistaken, whatever it holds."""

from typing import Any
from uuid import uuid4

import pytest

import clew
from clew.hashing import EMPTY_CHAIN, content_hash, extend_chain
from clew.messages import encode_messages
from clew.prefix_cache import Conversation, PrefixCache, pack_messages, shared_prefix

BEGINNING = [{"a": 1, "b": [True, None, 0.0, "text"]}, {"role": "user"}]


def conversation(messages: list[Any]) -> Conversation:
    packed = pack_messages(messages)
    assert packed is not None
    bodies = encode_messages(messages)
    return Conversation(packed, messages, [content_hash(body) for body in bodies], extend_chain(EMPTY_CHAIN, bodies))


def shared(known: list[Any], messages: list[Any]) -> int:
    """How many messages of `known` are found at the start of `messages`."""
    packed = pack_messages(messages)
    assert packed is not None
    prefix = shared_prefix(conversation(known), messages, packed)
    assert prefix.chain == extend_chain(EMPTY_CHAIN, encode_messages(known[: prefix.count]))
    return prefix.count


@pytest.mark.parametrize("length", [1, 15, 16, 17, 65_535, 65_536])
def test_an_extension_is_found_whatever_the_length(length: int) -> None:
    messages = [{"n": n} for n in range(length)]
    for extension in (messages, [*messages, {"more": 1}], [*messages, *messages]):
        assert shared(messages, extension) == length


@pytest.mark.parametrize("position", [0, 1, 7, 18, 19])
def test_the_beginning_before_a_change_is_found(position: int) -> None:
    messages = [{"n": n, "text": "x" * n} for n in range(20)]
    changed = [*messages[:position], {"n": position, "text": "changed"}, *messages[position + 1 :], {"more": 1}]
    assert shared(messages, changed) == position


@pytest.mark.parametrize("length", [0, 1, 15, 16, 19])
def test_a_shorter_list_shares_all_of_it(length: int) -> None:
    messages = [{"n": n} for n in range(20)]
    assert shared(messages, messages[:length]) == length


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
    assert shared(BEGINNING, [changed, *BEGINNING[1:], {"more": 1}]) == 0
    assert shared([{"first": 1}, *BEGINNING], [{"first": 1}, changed, *BEGINNING[1:]]) == 1


def test_an_object_is_not_taken_for_the_text_it_is_written_as() -> None:
    id = uuid4()
    assert shared([{"n": 0}, {"id": str(id)}], [{"n": 0}, {"id": id}]) == 1


def test_it_holds_no_more_bytes_than_it_may() -> None:
    kept = conversation([{"text": "x" * 1000}])
    cache = PrefixCache(kept.size * 2)
    ids = [uuid4() for _ in range(3)]
    for id in ids:
        cache.remember(id, kept, None)
    assert [cache.conversation(id) is not None for id in ids] == [False, True, True]
    assert cache.conversation(uuid4()) is None


def test_the_parent_goes_first() -> None:
    kept = conversation([{"text": "x" * 1000}])
    cache = PrefixCache(kept.size * 2)
    old, parent, child = uuid4(), uuid4(), uuid4()
    cache.remember(old, kept, None)
    cache.remember(parent, kept, None)
    cache.remember(child, kept, parent)
    assert cache.conversation(old) is not None
    assert cache.conversation(parent) is None


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

    def test_edits_anywhere_in_the_list_are_stored_as_given(self) -> None:
        first = [{"n": n} for n in range(30)]
        lists: list[list[Any]] = [
            first,
            [*first[:29], {"n": 29, "changed": 1}, {"n": 30}],
            [*first[:10], {"n": "ten"}, *first[11:]],
            first[:5],
            [],
            [{"start": 1}, *first],
            [*first, {"n": 30}],
        ]
        with clew.open(":memory:") as store:
            assert self.steps(store, *lists) == lists

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
