"""What the sessions, labels and attachments of LangGraph's threads are called."""

import re
from typing import Any, NamedTuple

SOURCE = "langgraph"
ENVELOPE = "checkpoint"
METADATA = "metadata"
CHANNEL = "channel/"
WRITE = "write/"

_ESCAPED = re.compile(r"[%#/\x00\ud800-\udfff]")
_ESCAPE = re.compile("%([0-9A-F]{4})")


class Place(NamedTuple):
    """A namespace of a thread, which is a session, and a checkpoint of it where one is named."""

    thread: str
    namespace: str
    checkpoint: str | None

    @property
    def source_id(self) -> str:
        """The name of its session."""
        return escaped(self.thread) + (f"#{escaped(self.namespace)}" if self.namespace else "")

    def config(self, checkpoint: str) -> dict[str, Any]:
        """LangGraph's way to say which checkpoint."""
        return {
            "configurable": {
                "thread_id": self.thread,
                "checkpoint_ns": self.namespace,
                "checkpoint_id": checkpoint,
            }
        }


def place_of(config: Any) -> Place:
    """What a RunnableConfig names. A namespace that is not said is the root's."""
    said = config["configurable"]
    return Place(str(said["thread_id"]), str(said.get("checkpoint_ns") or ""), checkpoint_of(config))


def checkpoint_of(config: Any) -> str | None:
    """The id of the checkpoint that a RunnableConfig names, which need not name a thread; None where it names none."""
    checkpoint = config["configurable"].get("checkpoint_id")
    return str(checkpoint) if checkpoint else None


def place_of_source(source_id: str) -> Place:
    """The place whose session has this name."""
    thread, _, namespace = source_id.partition("#")
    return Place(unescaped(thread), unescaped(namespace), None)


def escaped(text: str) -> str:
    """Any text, without what separates names and what no store takes in one."""
    return _ESCAPED.sub(lambda found: f"%{ord(found[0]):04X}", text)


def unescaped(text: str) -> str:
    """The text that was escaped."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)


def name_of(channel: str) -> str:
    """The attachment of a channel."""
    return CHANNEL + escaped(channel)


def write_name(task_id: str, index: int) -> str:
    """The name of a pending write."""
    return f"{WRITE}{escaped(task_id)}/{index}"
