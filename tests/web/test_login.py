"""Logging in and out, in a browser and beside it."""

import re
from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Page, expect
from tests.support.http_server import served
from tests.web.browsing import PHONE, NewPage, Troubles, check_accessible, check_fits

from clew import Role, Store
from clew.server import create_app
from clew.server.web.login import MAX_FORM_BYTES
from clew.server.web.redirects import local_path

ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https://evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "evil.example",
    "",
    "/ä",
]


@pytest.fixture
def url(own_url: str) -> str:
    return own_url


@pytest.fixture
def token(store: Store) -> str:
    """The token of a key with which ada may write."""
    return store.create_key("ada", Role.WRITE).token


@pytest.fixture
def client(url: str) -> Iterator[httpx2.Client]:
    """What asks without being a browser."""
    with httpx2.Client(base_url=url) as client:
        yield client


def log_in(page: Page, token: str) -> None:
    """Fill the form in."""
    page.get_by_label("API key").fill(token)
    page.get_by_role("button", name="Log in").click()


class TestLogin:
    def test_whoever_has_no_key_is_asked_for_one_and_then_gets_what_they_came_for(
        self, page: Page, store: Store, token: str
    ) -> None:
        store.create_session("Mine & yours", owner="ada")
        page.goto("/?search=mine+%26")
        expect(page).to_have_url(re.compile(r"/login\?next="))
        expect(page.get_by_label("API key")).to_be_focused()
        check_accessible(page)
        log_in(page, token)
        expect(page).to_have_url(re.compile(r"/\?search=mine\+%26$"))
        expect(page.get_by_role("link", name="Mine & yours")).to_be_visible()
        expect(page.get_by_role("banner")).to_contain_text("ada write")
        check_accessible(page)

    def test_a_link_to_a_session_works_for_who_then_logs_in(self, page: Page, store: Store, token: str) -> None:
        session = store.create_session("Mine", messages=[{"role": "user", "content": "hi"}], owner="ada")
        page.goto(f"/sessions/{session.id}?start=0")
        expect(page).to_have_url(re.compile("/login"))
        log_in(page, token)
        expect(page).to_have_url(re.compile(rf"/sessions/{session.id}\?start=0$"))
        expect(page.get_by_role("heading", level=1)).to_have_text("Mine")

    def test_a_wrong_key_is_told_without_repeating_it(self, page: Page, token: str, troubles: Troubles) -> None:
        troubles.expect_status(401)
        page.goto("/login?next=/?status=DELETED")
        log_in(page, "clew_nonsense<b>")
        expect(page.get_by_role("alert")).to_contain_text("knows no such key")
        assert "nonsense" not in page.content()
        check_accessible(page)
        log_in(page, token)
        expect(page).to_have_url(re.compile(r"/\?status=DELETED$"))

    def test_a_revoked_key_is_good_for_nothing(self, client: httpx2.Client, store: Store, token: str) -> None:
        key = store.authenticate(token)
        client.cookies.set("clew_key", token)
        assert client.get("/").status_code == 200
        store.revoke_key(key.id)
        assert client.get("/", headers={"accept": "text/html"}).headers["location"].startswith("/login")
        assert client.post("/login", data={"key": token}).status_code == 401

    def test_logging_out_forgets_the_key(self, page: Page, token: str) -> None:
        page.goto("/login")
        log_in(page, token)
        page.get_by_role("button", name="Log out").click()
        expect(page).to_have_url(re.compile("/login$"))
        assert page.context.cookies() == []
        page.goto("/")
        expect(page).to_have_url(re.compile(r"/login\?next="))

    def test_without_a_script_and_on_a_phone_it_is_the_same(self, new_page: NewPage, token: str) -> None:
        page = new_page(java_script_enabled=False, viewport=PHONE)
        page.goto("/")
        log_in(page, token)
        expect(page.get_by_role("heading", name="No sessions yet")).to_be_visible()
        expect(page.get_by_role("button", name="Log out")).to_be_visible()
        phone = new_page(viewport=PHONE)
        phone.goto("/login")
        check_fits(phone)
        log_in(phone, token)
        expect(phone.get_by_role("button", name="Log out")).to_be_visible()
        check_fits(phone)

    def test_while_there_is_no_key_nobody_has_to_log_in(self, page: Page) -> None:
        page.goto("/login?next=/?status=DELETED")
        expect(page).to_have_url(re.compile(r"/\?status=DELETED$"))
        expect(page.get_by_role("button", name="Log out")).to_have_count(0)

    def test_whoever_has_logged_in_is_led_on_at_once(self, client: httpx2.Client, store: Store, token: str) -> None:
        asked = {"next": "/?status=DELETED"}
        assert client.get("/login", params=asked).status_code == 200
        client.cookies.set("clew_key", "clew_nonsense")
        assert client.get("/login", params=asked).status_code == 200
        client.cookies.set("clew_key", token)
        answer = client.get("/login", params=asked)
        assert (answer.status_code, answer.headers["location"]) == (303, "/?status=DELETED")


class TestForm:
    """It is taken apart on the thread that everybody waits for, and whoever has no key may send it."""

    def test_one_that_is_too_long_is_refused_unread(self, client: httpx2.Client, token: str) -> None:
        assert client.post("/login", content=_form(token, MAX_FORM_BYTES), headers=FORM).status_code == 303
        answer = client.post("/login", content=_form(token, MAX_FORM_BYTES + 1), headers=FORM)
        assert (answer.status_code, "set-cookie" in answer.headers) == (413, False)

    def test_nor_is_one_read_on_that_does_not_say_how_long_it_is(self, client: httpx2.Client, token: str) -> None:
        parts = iter([_form(token, MAX_FORM_BYTES), b"&a"])
        assert client.post("/login", content=parts, headers=FORM).status_code == 413

    def test_logging_out_reads_none(self, client: httpx2.Client, token: str) -> None:
        client.cookies.set("clew_key", token)
        answer = client.post("/logout", content=_form(token, 10 * MAX_FORM_BYTES), headers=FORM)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")


FORM = {"content-type": "application/x-www-form-urlencoded"}


def _form(token: str, size: int) -> bytes:
    return (f"key={token}".encode() + b"&a" * size)[:size]


class TestCookie:
    def test_no_script_no_other_site_and_no_log_gets_the_key(self, client: httpx2.Client, token: str) -> None:
        answer = client.post("/login", data={"key": f" {token}\n"})
        assert answer.status_code == 303
        assert answer.headers["cache-control"] == "no-store"
        said = answer.headers["set-cookie"]
        assert said.startswith(f"clew_key={token}; ")
        assert {part.strip().lower() for part in said.split(";")[1:]} == {"httponly", "path=/", "samesite=strict"}

    def test_over_tls_it_is_sent_over_tls_alone(self, store: Store, token: str) -> None:
        app = create_app(store)

        async def behind_tls(scope, receive, send):
            await app({**scope, "scheme": "https"} if scope["type"] == "http" else scope, receive, send)

        with served(behind_tls) as url:
            answer = httpx2.post(f"{url}/login", data={"key": token})
        assert "; Secure" in answer.headers["set-cookie"]

    def test_a_form_of_another_site_changes_nothing(self, client: httpx2.Client, store: Store, token: str) -> None:
        session = store.create_session("Mine", owner="ada")
        client.cookies.set("clew_key", token)
        for origin in ("https://evil.example", "null"):
            answer = client.post(f"/sessions/{session.id}/delete", headers={"origin": origin})
            assert answer.status_code in (401, 403)
        assert store.get_session(session.id).status == "ACTIVE"


class TestNext:
    @pytest.mark.parametrize("path", ELSEWHERE)
    def test_it_leads_nowhere_else(self, client: httpx2.Client, token: str, path: str) -> None:
        answer = client.post("/login", data={"key": token, "next": path})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert client.get("/login", params={"next": path}).headers["location"] == "/"
        client.cookies.clear()
        shown = client.get("/login", params={"next": path})
        assert '<input type="hidden" name="next" value="/">' in shown.text

    def test_it_leads_to_any_page_of_this_server(self) -> None:
        for path in ("/", "/sessions/0?start=3&x=%2F%2Fy", "/?search=a+b#m3", "/a//b"):
            assert local_path(path) == path
