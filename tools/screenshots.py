"""Writes the pictures of the web page that the README shows: a real browser before a server over a made-up store.

    python tools/screenshots.py [FOLDER]

Needs Chromium on the PATH.
"""

import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import uvicorn
from playwright.sync_api import Browser, sync_playwright

from clew import Message, Store
from clew.server import create_app
from clew.sqlite import open_backend
from clew.testing import Clock

FOLDER = Path(__file__).parent.parent / "docs" / "images"
DESK = (1280, 800)
PHONE = (390, 844)
MOST_BYTES = 300_000

NOW = 1_767_614_400_000_000
MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

# Title, how long ago, messages, folder, whether public.
OTHERS = [
    ("Rotate the TLS certificates of staging", 38 * MINUTE, 64, "/home/ada/infra", False),
    ("Why is the nightly backup slow?", 3 * HOUR, 41, "/home/ada/infra", False),
    ("Port the billing webhooks to the new queue", 5 * HOUR, 212, "/home/ada/src/billing", False),
    ("Explain the retry logic of the S3 client", 22 * HOUR, 18, "/home/ada/src/uploader", True),
    ("Add rate limits to the public API", DAY + 4 * HOUR, 97, "/home/ada/src/gateway", False),
    ("Sketch a migration from cron to systemd timers", 2 * DAY, 33, "/home/ada/infra", False),
    ("Review: cache invalidation in the catalogue", 3 * DAY, 26, "/home/ada/src/catalogue", True),
    ("Find out who still calls the old search endpoint", 5 * DAY, 58, "/home/ada/src/gateway", False),
    ("Upgrade to Python 3.13", 12 * DAY, 143, "/home/ada/src/billing", False),
]


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


def call(id: str, name: str, arguments: str, text: str | None = None) -> Message:
    function = {"name": name, "arguments": arguments}
    return {"role": "assistant", "content": text, "tool_calls": [{"id": id, "type": "function", "function": function}]}


def result(id: str, text: str) -> Message:
    return {"role": "tool", "tool_call_id": id, "content": text}


TEST_OUTPUT = """\
$ pytest tests/test_upload.py --count 50 -q
................F.............F...................
FAILED tests/test_upload.py::test_resumes_after_a_break - AssertionError: assert 4 == 5
FAILED tests/test_upload.py::test_resumes_after_a_break - AssertionError: assert 3 == 5
2 failed, 48 passed in 31.40s"""

SOURCE = """\
class Uploader:
    async def resume(self, upload: Upload) -> None:
        for part in upload.missing():
            asyncio.create_task(self._send(part))
        await self._finish(upload)"""

DIAGNOSIS = """\
The test is right and the code is wrong: `resume` starts a task for each missing part, **but waits for none of them**.
Whether all five parts are there when `_finish` looks depends on the scheduler.

```python
async def resume(self, upload: Upload) -> None:
    async with asyncio.TaskGroup() as tasks:
        for part in upload.missing():
            tasks.create_task(self._send(part))
    await self._finish(upload)  # every part has been sent, or the first error was raised
```

A task group also has the first failure cancel the rest, where before it was lost."""

SUMMARY = """\
Done. Fifty runs of the file pass, three times over.

| | before | after |
|---|---|---|
| failures in 150 runs | 6 | 0 |
| time of one run | 0.63 s | 0.61 s |

What has changed:

1. `Uploader.resume` waits for its parts.
2. `test_resumes_after_a_break` also breaks the connection *twice*."""


def main() -> None:
    """Write them all."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    clock = Clock(NOW, tick=0)
    with Store(open_backend(None, busy_timeout=5), clock=clock) as store:
        session = fill(store, clock)
        with serving(store) as url, running_browser() as browser:
            for name, path, size, scheme in pictures(session):
                write(browser, url + path, folder / name, size, scheme)


Scheme = Literal["light", "dark"]


def pictures(session: UUID) -> list[tuple[str, str, tuple[int, int], Scheme]]:
    """Name, path, size and colours of each."""
    return [
        ("list.png", "/", DESK, "light"),
        ("session.png", f"/sessions/{session}", DESK, "light"),
        ("session-dark.png", f"/sessions/{session}#m6", DESK, "dark"),
        ("phone.png", f"/sessions/{session}#m6", PHONE, "light"),
    ]


def fill(store: Store, clock: Clock) -> UUID:
    """Put the sessions in; returns the one whose page is shown."""
    for title, ago, count, folder, is_public in reversed(OTHERS):
        clock.now = NOW - ago
        messages = [user("…"), assistant("…")] * (count // 2)
        store.create_session(title, messages=messages, cwd=folder, visibility="PUBLIC" if is_public else "PRIVATE")
    clock.now = NOW - 14 * MINUTE
    return talk(store, clock)


def talk(store: Store, clock: Clock) -> UUID:
    """A session in which an agent took a wrong turn, was rewound, and then found the fault."""
    question = user("`test_resumes_after_a_break` fails every now and then in CI. Find out why, and fix it.")
    session = store.create_session("Fix the flaky upload test", messages=[question], cwd="/home/ada/src/uploader")

    def step(*messages: Message, label: str | None = None) -> UUID:
        clock.now += MINUTE
        return store.append(session.id, messages, label=label).id

    step(
        call("c1", "bash", '{"command": "pytest tests/test_upload.py --count 50 -q"}', "First I make it fail here."),
        result("c1", TEST_OUTPUT),
    )
    reproduced = step(
        call("c2", "read_file", '{"path": "src/uploader/upload.py", "lines": "41-52"}'),
        result("c2", SOURCE),
        label="reproduced",
    )
    step(assistant("I could let the test sleep a little before it counts the parts."))
    step(call("c3", "edit_file", '{"path": "tests/test_upload.py", "insert": "await asyncio.sleep(0.5)"}'))
    store.set_active_checkpoint(session.id, reproduced)
    step(user("No sleeping in tests, please. What is wrong in the code?"))
    step(assistant(DIAGNOSIS))
    step(
        call(
            "c4", "edit_file", '{"path": "src/uploader/upload.py", "lines": "42-46"}', "I change it and run it again."
        ),
        result("c4", "5 lines replaced"),
        call("c5", "bash", '{"command": "pytest tests/test_upload.py --count 150 -q"}'),
        result("c5", "150 passed in 91.87s"),
    )
    step(assistant(SUMMARY), label="green")
    clock.now = NOW
    return session.id


@contextmanager
def serving(store: Store) -> Iterator[str]:
    """A server on loopback."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(store), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def running_browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        sys.exit("no chromium on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def write(browser: Browser, url: str, path: Path, size: tuple[int, int], scheme: Scheme) -> None:
    """One picture, of a page on which everything has come."""
    options: dict[str, Any] = {"viewport": {"width": size[0], "height": size[1]}, "color_scheme": scheme}
    page = browser.new_page(**options, reduced_motion="reduce")
    page.goto(url, wait_until="networkidle")
    page.screenshot(path=path)
    page.close()
    if path.stat().st_size > MOST_BYTES:
        sys.exit(f"{path} has more than {MOST_BYTES:,} bytes")
    print(f"wrote {path}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
