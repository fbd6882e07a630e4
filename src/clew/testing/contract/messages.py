"""Messages and metadata: kept whole or refused with the place named, and the caller's own when they come back."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew import limits
from clew.errors import InvalidRequestError
from clew.model import Message
from clew.store import Store
from clew.testing.contract.base import Contract, active, nothing_changes, said, user, users
from clew.testing.profiles import examples
from clew.testing.values import EDGES, NO_OBJECTS, REFUSED, exact, json_values, messages, nested


class MessageContract(Contract):
    """A message is any JSON object. A store keeps it as it is or refuses it; it never stores something like it."""

    # -- kept whole

    @examples(40)
    @given(conversation=st.lists(messages(), max_size=4), metadata=json_values())
    def test_any_json_is_kept_whole(self, store: Store, conversation: list[Message], metadata: Any) -> None:
        session = store.create_session("", messages=conversation, metadata=metadata)
        grown = store.append(session.id, conversation, metadata={"": metadata})
        full = store.create_checkpoint(session.id, conversation[::-1], parent_id=grown.id)
        expected = [
            (active(session).id, conversation, metadata),
            (grown.id, conversation * 2, {"": metadata}),
            (full.id, conversation[::-1], None),
        ]
        for checkpoint_id, said_then, noted_then in expected:
            state = store.get_checkpoint(checkpoint_id).state
            assert exact(state.messages) == exact(said_then)
            assert exact(state.metadata) == exact(noted_then)
            assert exact(json.loads(state.messages_json)) == exact(said_then)
            assert exact(store.get_messages(checkpoint_id)) == exact(said_then)

    @examples(15)
    @given(metadata=messages())
    def test_any_json_object_is_kept_whole_as_metadata_of_a_session(self, store: Store, metadata: Any) -> None:
        session = store.create_session("", session_metadata=metadata)
        assert exact(store.get_session(session.id).metadata) == exact(metadata)
        updated = store.update_session(session.id, metadata={"": metadata})
        assert exact(updated.metadata) == exact({"": metadata})
        assert exact(store.get_session(session.id).metadata) == exact({"": metadata})

    def test_values_that_a_careless_encoding_changes_are_kept(self, store: Store) -> None:
        for value in EDGES:
            messages = [{"v": value, str(value)[:9]: [value]}]
            state = store.get_checkpoint(active(store.create_session("", messages=messages, metadata=value)).id).state
            assert exact(state.messages) == exact(messages)
            assert exact(state.metadata) == exact(value)

    def test_the_order_of_keys_is_kept(self, store: Store) -> None:
        there = {"b": 1, "a": {"z": 1, "y": 2}, "": 0}
        back = {"": 0, "a": {"y": 2, "z": 1}, "b": 1}
        session = store.create_session("", messages=[there, back, there], metadata=back)
        state = store.get_checkpoint(active(session).id).state
        assert exact(state.messages) == exact([there, back, there])
        assert exact(state.metadata) == exact(back)

    def test_tuples_are_stored_as_arrays(self, store: Store) -> None:
        session = store.create_session("", messages=({"a": (1, ("b", ()), {"c": (None,)})},), metadata=((1, 2), 3))
        state = store.get_checkpoint(active(session).id).state
        assert exact(state.messages) == exact([{"a": [1, ["b", []], {"c": [None]}]}])
        assert exact(state.metadata) == exact([[1, 2], 3])

    def test_messages_may_come_from_any_iterable(self, store: Store) -> None:
        session = store.create_session("", messages=(user(text) for text in "ab"))
        store.append(session.id, iter(users("c")))
        step = store.create_checkpoint(session.id, tuple(users("xyz")))
        assert said(store, active(session).id) == "ab"
        assert said(store, step.id) == "xyz"

    @pytest.mark.parametrize(
        "pair", [{"v": "\ud83d\ude00"}, {"\ud83d\ude00": 1, "\U0001f600": 2}], ids=["value", "key"]
    )
    def test_a_pair_of_surrogates_is_kept_or_refused_but_not_changed(self, store: Store, pair: Message) -> None:
        """JSON text has one spelling for such a pair and for the character that it encodes, so it cannot hold both."""
        try:
            session = store.create_session("", messages=[pair])
        except InvalidRequestError:
            assert store.list_sessions().total == 0
        else:
            assert exact(store.get_messages(active(session).id)) == exact([pair])

    def test_values_may_nest_as_deep_as_the_limit_and_no_deeper(self, store: Store) -> None:
        assert limits.MAX_NESTING >= 200
        deep = nested(limits.MAX_NESTING)
        session = store.create_session("", messages=[deep], metadata=deep, session_metadata=deep)
        assert exact(store.get_checkpoint(active(session).id).state.messages) == exact([deep])
        assert exact(store.get_session(session.id).metadata) == exact(deep)
        for arguments in ({"messages": [nested(limits.MAX_NESTING + 1)]}, {"metadata": nested(limits.MAX_NESTING + 1)}):
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="MAX_NESTING"):
                store.create_session("", **arguments)

    def test_a_wide_value_is_not_taken_for_a_deep_one(self, store: Store) -> None:
        wide = {"items": [{"n": [number]} for number in range(limits.MAX_NESTING * 2)], "text": "[{" * 1_000}
        session = store.create_session("", messages=[wide])
        assert store.get_messages(active(session).id) == [wide]

    def test_a_message_of_a_megabyte_is_kept(self, store: Store) -> None:
        large = user("\U0001f9f6é\n" * 100_000)
        session = store.create_session("", messages=[large, user("small"), large])
        assert store.get_messages(active(session).id) == [large, user("small"), large]

    # -- refused

    def test_what_no_json_holds_is_refused_with_its_place(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        for name, (make, path) in REFUSED.items():
            for write in (store.append, store.create_checkpoint):
                with nothing_changes(store), pytest.raises(InvalidRequestError) as caught:
                    write(session.id, [user("fine"), make(), user("also fine")])
                assert f"messages[1]{path}" in str(caught.value), name
            with nothing_changes(store), pytest.raises(InvalidRequestError) as caught:
                store.create_session("", messages=[make()])
            assert f"messages[0]{path}" in str(caught.value), name

    def test_metadata_that_no_json_holds_is_refused_with_its_place(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        calls: list[tuple[str, Callable[[Any], Any]]] = [
            ("metadata", lambda value: store.create_session("", metadata=value)),
            ("session_metadata", lambda value: store.create_session("", session_metadata=value)),
            ("metadata", lambda value: store.update_session(session.id, metadata=value)),
            ("metadata", lambda value: store.append(session.id, users("b"), metadata=value)),
            ("metadata", lambda value: store.create_checkpoint(session.id, users("b"), metadata=value)),
        ]
        for name, (make, path) in REFUSED.items():
            for argument, call in calls:
                with nothing_changes(store), pytest.raises(InvalidRequestError) as caught:
                    call(make())
                assert f"{argument}{path}" in str(caught.value), name

    def test_the_place_is_counted_in_the_list_that_the_caller_gave(self, store: Store) -> None:
        """Also where the beginning of the list is known from the parent, and not looked at again."""
        session = store.create_session("")
        parent = store.create_checkpoint(session.id, users("abc")).id
        with nothing_changes(store), pytest.raises(InvalidRequestError, match=r"messages\[4\]\.v"):
            store.create_checkpoint(session.id, [*users("abcd"), {"v": {1}}], parent_id=parent)

    def test_a_message_that_is_no_object_is_refused(self, store: Store) -> None:
        session = store.create_session("")
        for wrong in NO_OBJECTS:
            for write in (store.append, store.create_checkpoint):
                with nothing_changes(store), pytest.raises(InvalidRequestError, match=r"messages\[1\]"):
                    write(session.id, [{}, wrong])

    def test_messages_that_are_no_list_are_refused(self, store: Store) -> None:
        session = store.create_session("")
        no_lists: list[Any] = [None, 1, "text", b"bytes", {"role": "user"}, object()]
        for wrong in no_lists:
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="messages"):
                store.create_session("", messages=wrong)
            for write in (store.append, store.create_checkpoint):
                with nothing_changes(store), pytest.raises(InvalidRequestError, match="messages"):
                    write(session.id, wrong)

    def test_metadata_of_a_session_is_an_object_or_nothing(self, store: Store) -> None:
        no_objects: list[Any] = [[], "text", 1, True, [("k", 1)]]
        for wrong in no_objects:
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="session_metadata"):
                store.create_session("", session_metadata=wrong)

    def test_a_message_has_a_limit_in_bytes(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        session = store.create_session("")
        monkeypatch.setattr(limits, "MAX_MESSAGE_BYTES", 100)
        store.append(session.id, [{"c": "x" * 92}])
        for content in ("x" * 93, "é" * 47, "\ud800" * 20):
            with nothing_changes(store), pytest.raises(InvalidRequestError, match=r"messages\[1\].*MAX_MESSAGE_BYTES"):
                store.append(session.id, [{}, {"c": content}])

    def test_metadata_has_a_limit_in_bytes(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        session = store.create_session("")
        monkeypatch.setattr(limits, "MAX_METADATA_BYTES", 100)
        store.append(session.id, [], metadata="x" * 98)
        with nothing_changes(store), pytest.raises(InvalidRequestError, match=r"metadata.*MAX_METADATA_BYTES"):
            store.append(session.id, [], metadata="x" * 99)

    def test_a_write_has_a_limit_in_messages(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        session = store.create_session("")
        monkeypatch.setattr(limits, "MAX_MESSAGES_PER_WRITE", 3)
        store.append(session.id, users("abc"))
        for write in (store.append, store.create_checkpoint):
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="MAX_MESSAGES_PER_WRITE"):
                write(session.id, iter(users("abcd")))

    # -- the caller's own

    def test_what_a_store_returns_is_the_callers_own(self, store: Store) -> None:
        session = store.create_session(
            "", messages=[{"list": [1], "deep": {"k": 1}}], metadata={"k": [1]}, session_metadata={"k": [1]}
        )
        id = active(session).id
        for _ in range(2):
            read = store.get_session(session.id)
            state = active(read).state
            assert state == store.get_checkpoint(id).state
            assert state.messages == store.get_messages(id) == [{"list": [1], "deep": {"k": 1}}]
            assert (state.metadata, read.metadata) == ({"k": [1]}, {"k": [1]})
            for messages_read in (state.messages, active(session).state.messages, store.get_messages(id)):
                messages_read[0]["list"].append(2)
                messages_read[0]["deep"].clear()
                messages_read.append({"more": True})
            for noted in (state.metadata, read.metadata, next(iter(store.list_sessions())).metadata):
                noted["k"].append(2)  # type: ignore[index]
            store.list_sessions().items.clear()
            store.list_checkpoints(session.id).items.clear()
        assert len(store.list_sessions()) == len(store.list_checkpoints(session.id)) == 1

    def test_what_a_caller_gave_may_be_changed_afterwards(self, store: Store) -> None:
        given_messages, metadata = [{"list": [1]}], {"k": [1]}
        session = store.create_session("", messages=given_messages, metadata=metadata, session_metadata=metadata)
        full = store.create_checkpoint(session.id, given_messages, metadata=metadata)
        given_messages[0]["list"].append(2)
        given_messages.append({"list": []})
        metadata["k"].append(2)
        for state in (active(session).state, full.state, store.get_checkpoint(full.id).state):
            assert (state.messages, state.metadata) == ([{"list": [1]}], {"k": [1]})
        assert store.get_session(session.id).metadata == {"k": [1]}
        changed = store.create_checkpoint(session.id, given_messages, parent_id=full.id)
        assert store.get_checkpoint(changed.id).state.messages == [{"list": [1, 2]}, {"list": []}]

    def test_a_state_that_was_changed_can_be_written_as_the_next_one(self, store: Store) -> None:
        session = store.create_session("", messages=users("ab"))
        state = active(store.get_session(session.id)).state
        state.messages[0]["content"] = "x"
        state.messages.append(user("c"))
        step = store.create_checkpoint(session.id, state.messages, parent_id=active(session).id)
        assert (said(store, step.id), said(store, active(session).id)) == ("xbc", "ab")

    def test_values_are_frozen(self, store: Store) -> None:
        session = store.create_session("")
        values: list[msgspec.Struct] = [
            session, active(session), active(session).state, store.list_sessions(), next(iter(store.list_sessions())),
            next(iter(store.list_checkpoints(session.id))), store.diff(active(session).id, active(session).id),
            store.backend_info(),
        ]  # fmt: skip
        for value in values:
            field = type(value).__struct_fields__[0]
            with pytest.raises(AttributeError):
                setattr(value, field, None)
