"""What the other tests of the page lean on: that nothing which goes wrong in the browser is overlooked."""

import shutil
import time

import pytest
from playwright.sync_api import Browser, Page
from tests.web.browsing import DEADLINE, PHONE, Pages, Troubles, check_accessible, check_fits, running_browser


@pytest.fixture
def loose(browser: Browser, url: str, troubles: Troubles) -> Page:
    """A page whose troubles the test looks at itself."""
    page = Pages(browser, url, troubles)(viewport=PHONE)
    page.goto("/")
    return page


class TestTroubles:
    @pytest.mark.parametrize(
        ("script", "told"),
        [
            ("console.error('oh')", "console: oh"),
            ("setTimeout(() => { throw new Error('oh') })", "script failed"),
            ("fetch('/static/0/none')", "answered 404"),
            ("fetch('http://127.0.0.1:9/')", "policy: connect-src"),
            ("document.body.setAttribute('style', 'color: red')", "policy: style-src"),
            ("document.body.append(Object.assign(new Image(), {src: 'http://example.com/x.png'}))", "policy: img-src"),
            ("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=alert(1)>')", "policy: script-src"),
            ("setTimeout(() => alert('oh'))", "dialog: oh"),
        ],
    )
    def test_whatever_goes_wrong_fails_a_test(self, loose: Page, troubles: Troubles, script: str, told: str) -> None:
        loose.evaluate(f"() => {{ {script} }}")
        give_up = time.monotonic() + DEADLINE / 1000
        while not any(told in text for text in troubles.found) and time.monotonic() < give_up:
            loose.wait_for_timeout(10)  # milliseconds, in which the browser tells what has happened
        with pytest.raises(AssertionError, match=told):
            troubles.check()

    def test_a_page_that_no_one_could_read_fails(self, loose: Page) -> None:
        loose.evaluate("document.querySelector('h1').outerHTML = '<h1></h1><img src=\"/x\">'")
        with pytest.raises(AssertionError, match="image-alt"):
            check_accessible(loose)

    def test_a_page_that_is_too_wide_fails(self, loose: Page) -> None:
        check_fits(loose)
        loose.evaluate("document.querySelector('h1').textContent = 'x '.repeat(999).replaceAll(' ', '\\u2060')")
        loose.evaluate("document.querySelector('h1').style.whiteSpace = 'nowrap'")
        with pytest.raises(AssertionError, match="pixels wide"):
            check_fits(loose)


class TestWithoutBrowser:
    def test_the_tests_are_skipped_with_a_reason(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shutil, "which", lambda name: None)
        monkeypatch.delenv("CI", raising=False)
        with pytest.raises(pytest.skip.Exception, match="no chromium"), running_browser():
            pass

    def test_where_they_are_what_the_run_is_for_they_fail(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shutil, "which", lambda name: None)
        monkeypatch.setenv("CI", "true")
        with pytest.raises(pytest.fail.Exception, match="no chromium"), running_browser():
            pass
