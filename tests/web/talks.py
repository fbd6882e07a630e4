"""Conversations for the tests of a session's pages."""

import base64
import json
import struct
import zlib
from uuid import UUID

from playwright.sync_api import Locator, Page

from clew import Message, Session, Store
from clew.testing.contract.base import user

CODE = "# Cause\n\nIt is **read twice**:\n\n```python\ndef is_valid(token):\n    return token.issued < now()\n```\n"
OUTPUT = "\n".join(f"line {number}" for number in range(1, 101))


def png(width: int = 8, height: int = 8) -> bytes:
    """A picture of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x30\x60\xc0" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def call(id: str, command: str) -> Message:
    function = {"name": "run_command", "arguments": json.dumps({"command": command})}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": id, "type": "function", "function": function}]}


def result(id: str, text: str) -> Message:
    return {"role": "tool", "tool_call_id": id, "content": text}


def make_talk(store: Store) -> Session:
    """A conversation with code, a call, a picture, a label, a branch, a fork and attachments."""
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(png()).decode()}}
    said = [{"type": "text", "text": "Why does it fail?"}, picture]
    made = store.create_session("Fix the flaky test", messages=[{"role": "user", "content": said}], cwd="/home/ada")
    store.append(made.id, [call("c1", "pytest -k login"), result("c1", OUTPUT)])
    point = store.append(made.id, [{"role": "assistant", "content": CODE}], label="cause", metadata={"tokens": 1})
    store.append(made.id, [user("Retry instead")], metadata={"tokens": 2})
    store.append(made.id, [user("Read it once")], parent_id=point.id)
    store.attach(made.id, {"plan.png": png(40, 20), "a/log ö.txt": b"log"})
    store.fork_session(made.id, checkpoint_id=point.id, title="Another way")
    return store.get_session(made.id)


def step(store: Store, session: Session, label: str) -> UUID:
    return store.find_checkpoint(session.id, label).id


def numbered(count: int) -> list[Message]:
    return [user(f"message {number}") for number in range(1, count + 1)]


def messages(page: Page) -> Locator:
    return page.locator("article.message")
