"""A real browser for tests, and what makes a test fail that no assertion looks at."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import resources
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

LAUNCH = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
DEADLINE = 30_000  # milliseconds
LOOPBACK = ("127.0.0.1", "localhost")
PHONE = {"width": 375, "height": 812}

_TELL_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`policy: ${event.violatedDirective} stopped ${event.blockedURI} ${event.sample}`);
});
"""


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Chromium; the tests are skipped where there is none, unless that is what they are run for."""
    path = shutil.which("chromium")
    if path is None:
        reason = "no chromium on the PATH: the web page is not tested"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    expect.set_options(timeout=DEADLINE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=LAUNCH)
        yield browser
        browser.close()


class Troubles:
    """What a browser complained of, except for what a test expects."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._expected: list[str] = []

    def expect(self, *parts: str) -> None:
        """Complaints that have one of these in them are wanted, before or after this call."""
        self._expected += parts

    def expect_status(self, status: int) -> None:
        """An answer with this status is wanted."""
        self.expect(f"status of {status}", f"answered {status}")

    def add(self, text: str) -> None:
        """One more."""
        self.found.append(text)

    def check(self) -> None:
        """Fail if there were any."""
        unexpected = [text for text in self.found if not any(part in text for part in self._expected)]
        assert not unexpected, "\n".join(unexpected)

    def watch(self, context: BrowserContext) -> None:
        """Hear everything that goes wrong on the pages of a context, and every request that leaves this machine."""
        context.add_init_script(_TELL_VIOLATIONS)
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self.add(f"script failed: {error.error}"))
        context.on("request", self._on_request)
        context.on("requestfailed", self._on_failed)
        context.on("response", self._on_response)
        context.on("dialog", self._on_dialog)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.add(f"console: {message.text} ({message.location.get('url')})")

    def _on_dialog(self, dialog: Dialog) -> None:
        self.add(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _on_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.hostname not in LOOPBACK:
            self.add(f"request to elsewhere: {request.url}")

    def _on_failed(self, request: Request) -> None:
        # What a page no longer waits for, as when it is left or the next letter is typed, is no failure.
        if request.failure != "net::ERR_ABORTED":
            self.add(f"request failed: {request.url}: {request.failure}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self.add(f"{response.request.method} {response.url} answered {response.status}")


class Pages:
    """Opens pages, each in a context of its own, as of somebody who comes for the first time."""

    def __init__(self, browser: Browser, url: str, troubles: Troubles) -> None:
        self._browser = browser
        self._url = url
        self._troubles = troubles
        self._contexts: list[BrowserContext] = []

    def __call__(self, **options: Any) -> Page:
        """A page; the options are those of a context in Playwright, such as `viewport` or `java_script_enabled`."""
        context = self._browser.new_context(base_url=self._url, **options)
        context.set_default_timeout(DEADLINE)
        self._contexts.append(context)
        self._troubles.watch(context)
        return context.new_page()

    def close(self) -> None:
        """Close them all."""
        for context in self._contexts:
            context.close()


NewPage = Callable[..., Page]


def check_accessible(page: Page) -> None:
    """Fail on whatever axe finds, in the colours for light and for dark."""
    schemes: list[Literal["light", "dark"]] = ["light", "dark"]
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.evaluate(_axe())  # as an expression of the debugger: the page's policy would refuse a script
        found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
        told = [(item["id"], item["help"], [node["html"] for node in item["nodes"]]) for item in found]
        assert not told, f"{scheme}: {told}"


@cache
def _axe() -> str:
    return (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


def check_fits(page: Page) -> None:
    """Fail where the page itself scrolls sideways."""
    wide, seen = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= seen, f"{wide} pixels wide where {seen} are seen"
