"""Copies of threads that broke off."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from tests.adapters.langgraph.support import Thread, said

from clew import ConflictError, Store
from clew.adapters.langgraph import ClewSaver


def test_a_copy_that_broke_off_is_no_part_of_the_thread_it_came_from(
    file_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    saver = ClewSaver(file_store)
    Thread(saver, "source").put({"messages": [HumanMessage("kept")]})

    def killed(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(file_store, "update_session", killed)
        with pytest.raises(KeyboardInterrupt):
            saver.copy_thread("source", "target")
    assert len([*saver.list({"configurable": {"thread_id": "source"}})]) == 1
    saver.delete_thread("source")
    assert Thread(saver, "target").values() == {"messages": [HumanMessage("kept")]}


@pytest.mark.parametrize("name", ["copy_session", "update_session"])
@pytest.mark.parametrize("times", range(3))
def test_a_copy_that_broke_off_is_completed_by_the_same_call(
    file_store: Store, monkeypatch: pytest.MonkeyPatch, name: str, times: int
) -> None:
    saver = ClewSaver(file_store)
    for namespace in ("", "below", "below|deeper"):
        Thread(saver, "source", namespace).put({"messages": [HumanMessage(namespace)]})
    Thread(saver, "another").put({"a": 1})
    call, calls = getattr(file_store, name), []

    def breaks(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        if len(calls) > times:
            raise KeyboardInterrupt
        return call(*args, **kwargs)

    with monkeypatch.context() as broken:
        broken.setattr(file_store, name, breaks)
        with pytest.raises(KeyboardInterrupt):
            saver.copy_thread("source", "target")
    fresh = ClewSaver(file_store)
    if calls[1:] or name == "update_session":
        with pytest.raises(ConflictError):
            fresh.copy_thread("another", "target")
    fresh.copy_thread("source", "target")
    with pytest.raises(ConflictError):
        fresh.copy_thread("source", "target")
    for target in ("source", "target"):
        found = [item.config["configurable"] for item in fresh.list({"configurable": {"thread_id": target}})]
        assert sorted(place["checkpoint_ns"] for place in found) == ["", "below", "below|deeper"]
        assert said(Thread(fresh, target, "below").values()) == ["below"]
    sessions = file_store.list_sessions(source="langgraph", metadata={"thread_id": "target"}).items
    assert len(sessions) == 3
    Thread(fresh, "target").put({"messages": [HumanMessage(""), AIMessage("more")]})
    fresh.delete_thread("target")
    assert len(file_store.list_sessions(source="langgraph").items) == 4


def test_a_copy_that_broke_off_can_be_deleted(file_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    saver = ClewSaver(file_store)
    for namespace in ("", "below"):
        Thread(saver, "source", namespace).put({"a": 1})

    def killed(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(file_store, "update_session", killed)
        with pytest.raises(KeyboardInterrupt):
            saver.copy_thread("source", "target")
    ClewSaver(file_store).delete_thread("target")
    assert {session.source_id for session in file_store.list_sessions(source="langgraph")} == {"source", "source#below"}
