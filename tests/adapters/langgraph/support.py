"""Checkpoints and graphs for the tests."""

from datetime import UTC, datetime
from operator import add
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage
from langgraph.checkpoint.base.id import uuid6
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages

from clew import Session, Store


class State(TypedDict, total=False):
    """A conversation, and what else a graph may have."""

    messages: Annotated[list[AnyMessage], add_messages]
    notes: Annotated[list[dict[str, Any]], add]
    asked: int
    log: Annotated[list[str], add]


def thread(name: str = "thread", **more: Any) -> Any:
    """The configuration of a thread."""
    return {"configurable": {"thread_id": name, **more}}


def checkpoint(values: dict[str, Any], version: int = 1, id: str | None = None) -> Any:
    """A checkpoint as a graph makes it, with all its channels of one version."""
    return {
        "v": 4,
        "id": id or str(uuid6(clock_seq=version)),
        "ts": datetime.now(UTC).isoformat(),
        "channel_values": values,
        "channel_versions": dict.fromkeys(values, version),
        "versions_seen": {},
        "updated_channels": list(values),
    }


class Thread:
    """A thread that is written to without a graph."""

    def __init__(self, saver: Any, name: str = "thread", namespace: str = "") -> None:
        self.saver = saver
        self.config: Any = thread(name, checkpoint_ns=namespace)
        self.newest: Any = self.config
        self.version = 0

    def put(self, values: dict[str, Any], *, parent: Any = None, changed: list[str] | None = None, **said: Any) -> Any:
        """The next checkpoint, and how to name it. All channels have changed, unless told otherwise."""
        self.version += 1
        made = checkpoint(values, self.version)
        if changed is not None:
            made["channel_versions"] = {name: self.version if name in changed else 1 for name in values}
        new = {name: version for name, version in made["channel_versions"].items() if version == self.version}
        metadata: Any = {"source": "loop", "step": self.version, "parents": {}, **said}
        self.newest = self.saver.put(parent or self.newest, made, metadata, new)
        return self.newest

    def values(self, config: Any = None) -> dict[str, Any]:
        """What the channels of a checkpoint hold."""
        found = self.saver.get_tuple(config or self.config)
        assert found is not None
        values: dict[str, Any] = found.checkpoint["channel_values"]
        return values


def model(*answers: BaseMessage | str) -> FakeMessagesListChatModel:
    """A model that gives these answers."""
    return FakeMessagesListChatModel(
        responses=[AIMessage(answer) if isinstance(answer, str) else answer for answer in answers]
    )


def chat(saver: Any, *answers: str, **compiling: Any) -> Any:
    """A graph of one node, which asks a model."""
    fake = model(*answers or ("an answer",))

    def answer(state: State) -> dict[str, Any]:
        return {"messages": [fake.invoke(state["messages"])], "asked": state.get("asked", 0) + 1}

    graph = StateGraph(State)
    graph.add_node("answer", answer)
    graph.add_edge(START, "answer")
    graph.add_edge("answer", END)
    return graph.compile(checkpointer=saver, **compiling)


def said(state: Any) -> list[str]:
    """The texts of the messages in a state."""
    return [message.content for message in state["messages"]]


def user(text: str) -> dict[str, Any]:
    """What a user says, for a graph."""
    return {"messages": [HumanMessage(text)]}


def session_of(store: Store, name: str = "thread") -> Session:
    """The session of a thread."""
    return store.find_session("langgraph", name)


class Counting:
    """A store that counts how often each of its methods is called, and how many messages were given to write."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self.given: list[int] = []
        for name in ("append", "create_checkpoint", "attach", "get_checkpoint", "find_checkpoint", "list_checkpoints",
                     "get_attachments", "get_checkpoint_summary", "get_messages", "find_session", "get_session_summary",
                     "update_session", "ensure_session"):  # fmt: skip
            monkeypatch.setattr(store, name, self._counted(name, getattr(store, name)), raising=False)

    def _counted(self, name: str, call: Any) -> Any:
        def counted(*args: Any, **said: Any) -> Any:
            self.calls.append(name)
            if name in ("append", "create_checkpoint"):
                self.given.append(len(list(args[1])))
            return call(*args, **said)

        return counted


class Reversing:
    """A cipher for tests."""

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        return "reversed", plaintext[::-1]

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        assert ciphername == "reversed"
        return ciphertext[::-1]
