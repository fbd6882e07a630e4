"""LangGraph's saver for PostgreSQL, as a program with a conversation uses it: every put has the whole list of messages.

The messages are the same dicts, which costs it less than the objects that LangChain makes of them.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from bench.conversation import Message

_PACKAGE = "langgraph-checkpoint-postgres"
_CHANNEL = "messages"


class Put(NamedTuple):
    """The newest checkpoint of a thread: what the next one names as its parent, and how many there are."""

    config: dict[str, Any]
    number: int


class Thread:
    """One thread of the saver."""

    def __init__(self, saver: Any, name: str) -> None:
        self._saver = saver
        self._new_id = _module("base.id").uuid6
        self._config = {"configurable": {"thread_id": name, "checkpoint_ns": ""}}

    def put(self, messages: list[Message], parent: Put | None) -> Put:
        """A checkpoint, after the one before."""
        config, number = (self._config, 1) if parent is None else (parent.config, parent.number + 1)
        # As a graph makes them: numbers of versions with leading zeros, so that their text is in their order.
        versions = {_CHANNEL: f"{number:032}.{0.5:016}"}
        checkpoint = {
            "v": 4,
            "id": str(self._new_id(clock_seq=number)),
            "ts": datetime.now(UTC).isoformat(),
            "channel_values": {_CHANNEL: messages},
            "channel_versions": versions,
            "versions_seen": {},
            "updated_channels": [_CHANNEL],
        }
        metadata = {"source": "loop", "step": number, "parents": {}}
        return Put(self._saver.put(config, checkpoint, metadata, versions), number)

    def get(self) -> list[Message]:
        """The messages of the newest checkpoint."""
        messages: list[Message] = self._saver.get(self._config)["channel_values"][_CHANNEL]
        return messages


def name() -> str | None:
    """The package and its version, None where it is not installed."""
    try:
        return f"{_PACKAGE} {version(_PACKAGE)}"
    except PackageNotFoundError:
        return None


@contextmanager
def thread(url: str, name: str = "measured") -> Iterator[Thread]:
    """A thread in a database, by a saver on a connection of its own, as its documentation has it."""
    with _module("postgres").PostgresSaver.from_conn_string(url) as saver:
        saver.setup()
        yield Thread(saver, name)


def _module(name: str) -> Any:
    # By its name, because it is no part of the environment that types are checked in.
    return importlib.import_module(f"langgraph.checkpoint.{name}")
