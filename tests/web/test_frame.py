"""What every page has: its headers, its files, its colours, and pages for errors."""

import re
from html.parser import HTMLParser
from importlib import resources
from uuid import uuid4

import httpx2
import pytest
from playwright.sync_api import Page, expect
from tests.web.browsing import NewPage, Troubles, check_accessible

from clew import Store, UnavailableError
from clew.server.web.assets import asset_url
from clew.server.web.pages import POLICY


class Found(HTMLParser):
    """What a strict policy forbids, and what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.forbidden: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in given):
            self.forbidden.append(tag)
        self.forbidden += [name for name in given if name.startswith("on") or name in ("style", "hx-on")]
        if tag in ("script", "img") and (src := given.get("src")):
            self.loaded.append(src)
        if tag == "link" and (href := given.get("href")):
            self.loaded.append(href)


class TestHeaders:
    @pytest.fixture
    def pages(self, url: str, store: Store) -> list[httpx2.Response]:
        """One answer of each kind."""
        session = store.create_session("One", messages=[{"role": "user", "content": "hi"}])
        paths = ["/", "/?status=GONE", f"/sessions/{session.id}", f"/sessions/{uuid4()}"]
        return [httpx2.get(url + path) for path in paths]

    def test_nothing_that_stands_in_a_page_can_run(self, pages: list[httpx2.Response]) -> None:
        assert [page.status_code for page in pages] == [200, 400, 200, 404]
        for page in pages:
            assert page.headers.get_list("content-security-policy") == [POLICY]
            assert page.headers["x-content-type-options"] == "nosniff"
            assert page.headers["content-type"] == "text/html; charset=utf-8"
            assert page.headers["cache-control"] == "no-store"
            # Not no-referrer: forms would come with "Origin: null", and the gate would turn them away.
            assert page.headers.get_list("referrer-policy") == ["same-origin"]

    def test_the_policy_allows_files_of_this_server_alone(self) -> None:
        assert POLICY.split("; ") == [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "font-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ]

    def test_no_page_holds_what_the_policy_forbids(self, url: str, pages: list[httpx2.Response]) -> None:
        for page in pages:
            found = Found()
            found.feed(page.text)
            assert found.forbidden == []
            assert len(found.loaded) >= 5
            assert all(re.fullmatch(r"/static/[0-9a-f]{16}/[\w/.-]+", address) for address in found.loaded)

    def test_htmx_evaluates_nothing_and_remembers_no_page(self, page: Page, store: Store) -> None:
        page.goto("/")
        names = ["allowEval", "includeIndicatorStyles", "selfRequestsOnly", "allowScriptTags", "historyCacheSize"]
        assert [page.evaluate(f"htmx.config.{name}") for name in names] == [False, False, True, False, 0]


class TestFiles:
    def test_they_are_kept_for_ever_under_an_address_of_their_content(self, url: str) -> None:
        for name, kind in [
            ("style.css", "text/css; charset=utf-8"),
            ("clew.js", "text/javascript; charset=utf-8"),
            ("vendor/htmx.min.js", "text/javascript; charset=utf-8"),
            ("icon.svg", "image/svg+xml"),
        ]:
            found = httpx2.get(url + asset_url(name))
            assert found.status_code == 200
            assert found.headers["content-type"] == kind
            assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert found.content == (resources.files("clew.server.web") / "static" / name).read_bytes()

    def test_an_address_of_other_content_and_a_file_beside_them_are_not_found(self, url: str) -> None:
        digest = asset_url("style.css").split("/")[2]
        for path in [
            "/static/0000000000000000/style.css",
            f"/static/{digest}/clew.js",
            f"/static/{digest}/../pages.py",
            f"/static/{digest}/..%2f..%2fpages.py",
            f"/static/{digest}/vendor/README.md",
            f"/static/{digest}/",
        ]:
            assert httpx2.get(url + path).status_code == 404

    def test_the_vendored_script_is_the_one_its_note_names(self) -> None:
        folder = resources.files("clew.server.web") / "static" / "vendor"
        note = (folder / "README.md").read_text()
        version = re.search(r"htmx (\d+\.\d+\.\d+)", note)
        assert version
        assert f'version:"{version[1]}"' in (folder / "htmx.min.js").read_text()
        digest = re.search("[0-9a-f]{64}", note)
        assert digest
        assert asset_url("vendor/htmx.min.js").split("/")[2] == digest[0][:16]
        assert "Zero-Clause BSD" in (folder / "htmx.LICENSE.txt").read_text()


class TestColours:
    def test_they_follow_the_system_until_one_chooses(self, new_page: NewPage) -> None:
        page = new_page(color_scheme="dark")
        page.goto("/")
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.get_by_role("button", name="Light colours").click()
        light = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert light != dark
        page.goto("/?status=DELETED")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == light
        page.emulate_media(color_scheme="light")
        page.get_by_role("button", name="Dark colours").click()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark


class TestErrors:
    def test_a_session_that_is_not_there_is_a_page_of_its_own(self, page: Page, troubles: Troubles) -> None:
        troubles.expect_status(404)
        page.goto(f"/sessions/{uuid4()}")
        expect(page.get_by_role("heading", name="Not found")).to_be_visible()
        check_accessible(page)
        page.get_by_role("link", name="Go to the list of sessions").click()
        expect(page.get_by_role("heading", name="Sessions", exact=True)).to_be_visible()

    def test_a_mistake_of_the_server_is_told_without_its_words(
        self, page: Page, store: Store, troubles: Troubles, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(query: object) -> None:
            raise ValueError("secret words")

        troubles.expect_status(500)
        monkeypatch.setattr(store._backend, "list_sessions", fail)
        page.goto("/")
        expect(page.get_by_role("heading", name="Something went wrong")).to_be_visible()
        assert "secret words" not in page.content()
        check_accessible(page)

    def test_a_store_that_does_not_answer_is_said_with_the_reason(
        self, url: str, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(query: object) -> None:
            raise UnavailableError("locked for 5 seconds")

        monkeypatch.setattr(store._backend, "list_sessions", fail)
        answer = httpx2.get(url)
        assert answer.status_code == 503
        assert "The store does not answer" in answer.text
        assert "locked for 5 seconds" in answer.text

    def test_an_address_that_leads_nowhere_is_a_page_for_people_alone(self, url: str) -> None:
        for path in ("/nowhere", "/sessions/first", "/sessions"):
            page = httpx2.get(url + path, headers={"accept": "text/html,*/*;q=0.8"})
            assert page.status_code == 404
            assert "There is nothing at this address." in page.text
            assert page.headers["content-security-policy"] == POLICY
            assert httpx2.get(url + path).headers["content-type"] == "application/json"

    def test_the_api_keeps_its_own_errors(self, url: str) -> None:
        for path in (f"/v1/sessions/{uuid4()}", "/v1/nowhere"):
            answer = httpx2.get(url + path, headers={"accept": "text/html"})
            assert answer.status_code == 404
            assert answer.headers["content-type"] == "application/json"

    def test_the_page_is_no_part_of_the_description_of_the_api(self, url: str) -> None:
        paths = httpx2.get(f"{url}/openapi.json").json()["paths"]
        assert [path for path in paths if not path.startswith("/v1/")] == [
            path for path in paths if path in ("/healthz", "/readyz", "/metrics", "/openapi.json")
        ]
