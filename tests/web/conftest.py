"""A store, its server, and a browser in front of it that fails the test when something goes wrong in it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page
from tests.support.http_server import LiveServer, live_server, served
from tests.web.browsing import NewPage, Pages, Troubles, running_browser

from clew import Store
from clew.server import create_app
from clew.sqlite import open_backend
from clew.testing import Clock


# Not for the whole run: while Playwright is there, this thread has an event loop that runs, and tests of other folders
# begin loops of their own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A real browser."""
    with running_browser() as browser:
        yield browser


@pytest.fixture
def clock() -> Clock:
    """The time that the store behind the server tells."""
    return Clock()


@pytest.fixture
def store(clock: Clock) -> Iterator[Store]:
    """The store behind the server."""
    with Store(open_backend(None, busy_timeout=30), clock=clock) as store:
        yield store


@pytest.fixture(scope="package")
def open_server() -> Iterator[LiveServer]:
    """A server for every test that makes no API key."""
    with live_server() as server:
        yield server


@pytest.fixture
def url(open_server: LiveServer, store: Store, clock: Clock) -> Iterator[str]:
    """Where the server is. A test that makes keys has one of its own: it takes `own_url` for its `url`."""
    open_server.switch.put(store._backend, clock)
    yield open_server.url
    assert not store.list_keys(), "a server that has seen a key lets nobody in without any more: use own_url"


@pytest.fixture
def own_url(store: Store) -> Iterator[str]:
    """Where a server is that no other test has."""
    with served(create_app(store)) as url:
        yield url


@pytest.fixture
def troubles() -> Troubles:
    """What goes wrong in the browser; `troubles.expect` says what is to."""
    return Troubles()


@pytest.fixture
def new_page(browser: Browser, url: str, troubles: Troubles) -> Iterator[NewPage]:
    """Opens pages with options of their own: `new_page(viewport=PHONE)`. The test fails on every trouble."""
    pages = Pages(browser, url, troubles)
    yield pages
    pages.close()
    troubles.check()


@pytest.fixture
def page(new_page: NewPage) -> Page:
    """A page on a desk, in front of which nobody has been."""
    return new_page(viewport={"width": 1280, "height": 800})
