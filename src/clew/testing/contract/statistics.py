"""What a store tells in numbers."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from clew import limits
from clew.errors import InvalidRequestError, NotFoundError
from clew.messages import encode_message
from clew.model import Label, Message
from clew.reports import StoreStats
from clew.store import Store
from clew.testing.contract.base import (
    EVERYTHING,
    Contract,
    active,
    emptied,
    filled,
    missing,
    nothing_changes,
    user,
    users,
)

_START = datetime(2026, 3, 1, 23, 50, tzinfo=UTC)


def call(*ids: str, name: str = "run", **more: Any) -> Message:
    """An assistant's message that calls a tool."""
    calls = [{"id": id, "type": "function", "function": {"name": name, "arguments": "{}"}} for id in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls, **more}


def answer(id: str, content: Any = "done", **more: Any) -> Message:
    """The result of a call."""
    return {"role": "tool", "tool_call_id": id, "content": content, **more}


def _by_hand(store: Store, owner: str | None = None) -> tuple[int, int, int, dict[UUID, int]]:
    """Messages and bytes stored, bytes copied, and bytes by session: from reading every checkpoint."""
    kept: dict[tuple[Any, bytes], int] = {}
    copied, sizes = 0, {}
    for session in store.list_sessions(limit=EVERYTHING, owner=owner):
        own: dict[bytes, int] = {}
        for checkpoint in store.list_checkpoints(session.id, limit=EVERYTHING):
            bodies = [encode_message(message, 0) for message in store.get_messages(checkpoint.id)]
            copied += sum(map(len, bodies))
            own |= {body: len(body) for body in bodies}
        family = _family(store, session.id)
        kept |= {(family, body): length for body, length in own.items()}
        if own:
            sizes[session.id] = sum(own.values())
    return len(kept), sum(kept.values()), copied, sizes


def _family(store: Store, session: UUID) -> UUID:
    """The session that began the family: forks and copies name the one they were made of."""
    parent = store.get_session_summary(session).parent_session_id
    return session if parent is None else _family(store, parent)


class StatisticsContract(Contract):
    """What is counted is what is there, and each thing once."""

    # -- of a session

    def test_tool_calls_are_counted_by_tool_and_by_how_they_ended(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        store.append(session.id, [call("1", "2"), answer("1"), answer("2", "no such file", is_error=True)])
        store.append(session.id, [call("3", name="read"), answer("3", "TOOL_CALL_CANCELLED"), call("4")])
        stats = store.session_stats(session.id)
        told = (stats.total_tool_calls, stats.successful_tool_calls, stats.failed_tool_calls, stats.aborted_tool_calls)
        assert told == (4, 1, 1, 2)
        assert (stats.total_sessions, stats.sessions_with_activity) == (1, 1)
        by_tool = [
            (tool.tool_name, tool.usage_counts.total, tool.usage_counts.failed, tool.usage_counts.aborted)
            for tool in stats.tools_usage
        ]
        assert by_tool == [("run", 3, 1, 1), ("read", 1, 0, 1)]

    def test_tool_calls_of_every_vendor_are_counted(self, store: Store) -> None:
        blocks = [
            {"role": "assistant", "content": [{"type": "tool_use", "id": "b", "name": "run", "input": {}}]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "b", "content": "no", "is_error": True}],
            },
        ]
        items = [
            {"type": "function_call", "call_id": "i", "name": "run", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "i", "output": "done"},
        ]
        session = store.create_session("", messages=[call("c"), answer("c"), *blocks, *items])
        stats = store.session_stats(session.id)
        assert (stats.successful_tool_calls, stats.failed_tool_calls, len(stats.tools_usage)) == (2, 1, 1)
        assert stats.messages_by_role == {
            "assistant": 2, "tool": 1, "user": 1, "function_call": 1, "function_call_output": 1,
        }  # fmt: skip

    def test_tokens_and_cost_are_added_up_in_either_spelling(self, store: Store) -> None:
        said = {"role": "assistant", "content": "a"}
        openai = {"prompt_tokens": 10, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}
        anthropic = {"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 7}
        written = {"input_tokens": 1, "cache_creation_input_tokens": 9, "cost": 0.25}
        session = store.create_session(
            "",
            messages=[
                {**said, "usage": openai, "model": "m", "cost": 0.5},
                {**said, "usage": anthropic, "model": {"provider": "p", "id": "n"}},
                {**said, "usage": written, "model": "m"},
                {**said, "usage": {"input_tokens": "many", "output_tokens": True, "cost": None}},
            ],
        )
        stats = store.session_stats(session.id)
        assert (stats.input_tokens, stats.output_tokens) == (16, 5)
        assert (stats.cache_read_tokens, stats.cache_write_tokens) == (11, 9)
        assert (stats.cost, stats.models, stats.usage_messages) == (0.75, {"m": 2, "n": 1}, 4)

    def test_the_usage_of_an_answer_told_in_several_messages_counts_once(self, store: Store) -> None:
        part = {"role": "assistant", "content": "a", "id": "msg_1", "usage": {"input_tokens": 5, "output_tokens": 1}}
        session = store.create_session("", messages=[part, {**part, "content": "b"}, {**part, "id": "msg_2"}])
        assert store.session_stats(session.id).input_tokens == 10

    def test_pauses_do_not_count_as_time_of_activity(self, store: Store) -> None:
        pause = limits.MAX_STEP_SECONDS
        session = store.create_session("", messages=users("a"), created_at=_START)
        for seconds in (10, 10 + pause, 11 + 2 * pause, 12 + 2 * pause):
            store.append(session.id, users("a"), created_at=_START + timedelta(seconds=seconds))
        stats = store.session_stats(session.id)
        assert stats.active_seconds == 10 + pause + 1
        assert (stats.first_at, stats.last_at) == (_START, _START + timedelta(seconds=12 + 2 * pause))

    def test_the_times_of_messages_are_steps_too(self, store: Store) -> None:
        messages = [{**users("a")[0], "timestamp": f"2026-03-01T23:4{minute}:00Z"} for minute in (6, 8)]
        session = store.create_session("", messages=messages, created_at=_START)
        assert store.session_stats(session.id).active_seconds == 240

    def test_the_branch_that_is_asked_for_is_counted_and_no_other(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        step = store.append(session.id, [call("1"), answer("1")], label="one")
        store.append(session.id, [call("2"), answer("2"), call("3"), answer("3")], parent_id=active(session).id)
        assert store.session_stats(session.id).total_tool_calls == 2
        for place in (step.id, Label("one")):
            stats = store.session_stats(session.id, checkpoint_id=place)
            assert (stats.total_tool_calls, stats.checkpoint_id, stats.checkpoint_count) == (1, step.id, 2)

    def test_a_long_conversation_is_counted_whole(self, store: Store) -> None:
        count = limits.STATS_BATCH + 1
        messages = [message for number in range(count) for message in (call(str(number)), answer(str(number)))]
        stats = store.session_stats(store.create_session("", messages=messages).id)
        assert (stats.message_count, stats.successful_tool_calls) == (2 * count, count)

    def test_a_session_without_checkpoint_has_nothing_to_count(self, store: Store) -> None:
        stats = store.session_stats(emptied(store).id)
        assert (stats.checkpoint_id, stats.message_count, stats.first_at) == (None, 0, None)

    def test_the_statistics_of_what_is_not_there_are_not_found(self, store: Store) -> None:
        session = store.create_session("")
        other = store.create_session("")
        with pytest.raises(NotFoundError):
            store.session_stats(missing())
        for place in (missing(), active(other).id):
            with pytest.raises(NotFoundError):
                store.session_stats(session.id, checkpoint_id=place)

    # -- of the store

    def test_an_empty_store_has_nothing(self, store: Store) -> None:
        assert store.store_stats() == StoreStats(
            sessions=0, active_sessions=0, deleted_sessions=0, sources=[], checkpoint_count=0, message_count=0,
            message_bytes=0, copied_bytes=0, biggest=[], days=[],
        )  # fmt: skip

    def test_what_is_stored_and_what_copies_would_take_are_as_counted_by_hand(self, store: Store) -> None:
        sessions = filled(store)
        deep = sessions[1].id
        for text in "xyz":  # each branches off the one before
            step = store.append(deep, users(f"{text}{text}"))
            store.append(deep, users(text), parent_id=step.id, after=-1)
        store.create_checkpoint(deep, users("aXcxyz"))
        with nothing_changes(store):
            stats = store.store_stats()
        messages, stored, copied, sizes = _by_hand(store)
        assert (stats.message_count, stats.message_bytes, stats.copied_bytes) == (messages, stored, copied)
        assert stats.saved_bytes == copied - stored > 0
        assert {size.session_id: size.bytes for size in stats.biggest} == sizes
        assert [size.bytes for size in stats.biggest] == sorted(sizes.values(), reverse=True)

    def test_sessions_are_counted_by_status_and_source(self, store: Store) -> None:
        sessions = filled(store)
        stats = store.store_stats()
        assert (stats.sessions, stats.active_sessions, stats.deleted_sessions) == (len(sessions), 3, 1)
        assert [(item.source, item.sessions) for item in stats.sources] == [(None, 2), ("tool", 2)]
        assert stats.checkpoint_count == sum(
            store.get_session_summary(session.id).checkpoint_count for session in sessions
        )

    def test_activity_is_told_by_the_day_in_utc(self, store: Store) -> None:
        early = datetime(1969, 12, 31, 23, 59, tzinfo=UTC)
        store.create_session("", created_at=early)
        session = store.create_session("", messages=users("a"), created_at=_START)
        store.append(session.id, users("b"), created_at=_START + timedelta(minutes=9))
        store.append(session.id, users("c"), created_at=_START + timedelta(minutes=10))
        days = store.store_stats().days
        told = [(day.day.isoformat(), day.checkpoints, day.sessions) for day in days]
        assert told == [("1969-12-31", 1, 1), ("2026-03-01", 2, 1), ("2026-03-02", 1, 1)]

    def test_only_the_biggest_sessions_are_told(self, store: Store) -> None:
        texts = ["a" * number for number in range(1, limits.BIGGEST_SESSIONS + 3)]
        for text in texts:
            store.create_session(text, messages=[user(text)])
        told = [size.title for size in store.store_stats().biggest]
        assert told == texts[::-1][: limits.BIGGEST_SESSIONS]

    def test_the_statistics_of_an_owner_are_of_what_their_sessions_have(self, store: Store) -> None:
        hers = store.create_session("hers", messages=users("ab"), owner="Ada", source="tool", source_id="1")
        store.append(hers.id, users("c"))
        his = store.fork_session(hers.id, owner="Bob")
        store.append(his.id, users("de"))
        store.create_session("nobody's", messages=users("f"))
        for owner, sessions, checkpoints in (("Ada", 1, 2), ("Bob", 1, 2), ("Cy", 0, 0)):
            stats = store.store_stats(owner=owner)
            messages, stored, copied, sizes = _by_hand(store, owner)
            assert (stats.sessions, stats.checkpoint_count) == (sessions, checkpoints)
            assert (stats.message_count, stats.message_bytes, stats.copied_bytes) == (messages, stored, copied)
            assert {size.session_id: size.bytes for size in stats.biggest} == sizes
            assert sum(source.sessions for source in stats.sources) == sessions
        with pytest.raises(InvalidRequestError, match="owner must not be empty"):
            store.store_stats(owner="")
