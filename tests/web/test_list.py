"""The list of sessions in a browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect
from tests.contract.tampering import FileTamper
from tests.support.http_server import served
from tests.web.browsing import PHONE, NewPage, Troubles, check_accessible, check_fits

import clew
from clew import SessionSummary, Store, Visibility, limits
from clew.backend import SessionQuery
from clew.server import create_app
from clew.server.web.listing import PAGE_SIZE
from clew.sqlite import open_backend
from clew.testing import Clock

DAY = 24 * 3600 * 1_000_000


@pytest.fixture
def some(store: Store, clock: Clock) -> dict[str, str]:
    """The ids of a few sessions by title, the last of them the newest."""
    found = {
        "Nightly backup": store.create_session("Nightly backup", cwd="/srv/backup", source="stakpak", source_id="1"),
        "Fix the upload": store.create_session("Fix the upload", visibility=Visibility.PUBLIC, owner="ada"),
        "Port the uploader": store.create_session(
            "Port the uploader", messages=[{"role": "user", "content": "hi"}] * 3
        ),
    }
    clock.now += DAY
    return {title: str(session.id) for title, session in found.items()}


def expect_titles(page: Page, *titles: str) -> None:
    """These are listed, in this order."""
    expect(page.locator("#sessions h2")).to_have_text(list(titles))


class TestList:
    def test_it_shows_newest_first_with_what_is_known_of_each(self, page: Page, some: dict[str, str]) -> None:
        page.goto("/")
        expect_titles(page, "Port the uploader", "Fix the upload", "Nightly backup")
        rows = page.locator("#sessions > li")
        expect(rows.nth(0)).to_contain_text("3 messages")
        expect(rows.nth(1)).to_contain_text("Public")
        expect(rows.nth(1)).to_contain_text("ada")
        expect(rows.nth(2)).to_contain_text("/srv/backup")
        expect(rows.nth(2)).to_contain_text("stakpak")
        time = rows.nth(2).locator("time")
        expect(time).to_have_text("1 day ago")
        expect(time).to_have_attribute("datetime", "2023-11-14T22:13:20+00:00")
        expect(page).to_have_title("Sessions – clew")
        check_accessible(page)

    def test_a_fork_is_told_from_what_it_was_forked_from(self, page: Page, store: Store, some: dict[str, str]) -> None:
        store.fork_session(some["Fix the upload"])
        page.goto("/?search=fix")
        expect_titles(page, "Fix the upload", "Fix the upload")
        expect(page.locator("#sessions > li").filter(has=page.get_by_text("Fork", exact=True))).to_have_count(1)
        expect(page.locator("#sessions > li").first).to_contain_text("Fork")

    def test_counts_have_separators(self, url: str, store: Store) -> None:
        store.create_session("Long", messages=[{"role": "user", "content": "hi"}] * 1_234)
        assert "1,234 messages" in httpx2.get(url).text

    def test_badges_look_the_same_on_the_page_of_the_session(
        self, page: Page, store: Store, some: dict[str, str]
    ) -> None:
        store.delete_session(some["Fix the upload"])
        found = []
        for path in ("/?status=DELETED", f"/sessions/{some['Fix the upload']}"):
            page.goto(path)
            badges = [page.locator("main .badge").get_by_text(name, exact=True) for name in ("Public", "Deleted")]
            colours = "one => [getComputedStyle(one).color, getComputedStyle(one).backgroundColor]"
            found.append([badge.evaluate(colours) for badge in badges])
        assert found[0] == found[1]

    def test_the_list_of_deleted_sessions_says_what_it_is(self, page: Page, some: dict[str, str]) -> None:
        page.goto("/?status=DELETED")
        expect(page.get_by_role("heading", level=1)).to_have_text("Deleted sessions")
        expect(page).to_have_title("Deleted sessions – clew")
        page.get_by_label("Status").select_option("Active")
        expect(page.get_by_role("heading", level=1)).to_have_text("Sessions")
        page.get_by_label("Status").select_option("Deleted")
        expect(page.get_by_role("heading", level=1)).to_have_text("Deleted sessions")

    def test_a_title_leads_to_its_session(self, page: Page, some: dict[str, str]) -> None:
        page.goto("/")
        page.get_by_role("link", name="Fix the upload").click()
        expect(page).to_have_url(re.compile(f"/sessions/{some['Fix the upload']}$"))

    def test_titles_are_text_whatever_they_hold(self, page: Page, store: Store) -> None:
        title = "<img src=x onerror=alert(1)> {{ 7 * 7 }} &amp; \"quoted' \u202egnp.exe"
        store.create_session(title)
        store.create_session("")
        page.goto("/")
        expect_titles(page, "(no title)", "<img src=x onerror=alert(1)> {{ 7 * 7 }} &amp; \"quoted' [U+202E]gnp.exe")


class TestDamage:
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        """A store in a file, which others can write to."""
        with Store(open_backend(str(tmp_path / "clew.db"), busy_timeout=30)) as store:
            yield store

    def test_a_damaged_session_says_so_and_the_others_are_there(self, page: Page, store: Store, tmp_path: Path) -> None:
        broken = store.create_session("Broken")
        store.create_session("Whole")
        FileTamper(tmp_path / "clew.db").change_session(broken.id, "title", "Brbken")
        page.goto("/")
        expect(page.locator("#sessions > li")).to_have_count(2)
        expect(page.get_by_text("Damaged", exact=True)).to_be_visible()
        check_accessible(page)


class TestSearch:
    def test_it_searches_as_one_types(self, page: Page, some: dict[str, str]) -> None:
        page.goto("/")
        page.get_by_label("Search titles").press_sequentially("UPLO")
        expect(page.locator("#sessions > li")).to_have_count(2)
        expect_titles(page, "Port the uploader", "Fix the upload")
        expect(page.get_by_label("Search titles")).to_be_focused()
        expect(page.get_by_role("status")).to_have_text("2 sessions")
        expect(page).to_have_url(re.compile(r"/\?search=UPLO$"))

    def test_reloading_and_going_back_show_what_was_searched(self, page: Page, some: dict[str, str]) -> None:
        page.goto("/")
        page.get_by_label("Search titles").press_sequentially("uplo")
        expect(page).to_have_url(re.compile("search=uplo"))
        page.reload()
        expect_titles(page, "Port the uploader", "Fix the upload")
        expect(page.get_by_label("Search titles")).to_have_value("uplo")
        page.get_by_label("Status").select_option("Deleted")
        expect(page.get_by_text("Nothing matches")).to_be_visible()
        page.go_back()
        expect(page.locator("#sessions > li")).to_have_count(2)
        expect(page.get_by_label("Status")).to_have_value("ACTIVE")

    def test_the_browser_keeps_nothing_of_what_was_listed(self, page: Page, some: dict[str, str]) -> None:
        page.goto("/")
        page.get_by_label("Search titles").press_sequentially("uplo")
        expect(page).to_have_url(re.compile("search=uplo"))
        page.get_by_label("Visibility").select_option("Public")
        expect_titles(page, "Fix the upload")
        kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
        assert "search=uplo" in kept  # htmx remembers where it is, until the tab is closed
        assert "the upload" not in kept

    def test_typing_on_while_an_answer_is_on_its_way_loses_no_letter(self, page: Page, some: dict[str, str]) -> None:
        page.goto("/")
        page.get_by_label("Search titles").press_sequentially("port the uploader", delay=30)
        expect(page.locator("#sessions > li")).to_have_count(1)
        expect(page.get_by_label("Search titles")).to_have_value("port the uploader")
        expect(page).to_have_url(re.compile(r"search=port\+the\+uploader"))

    def test_filters_narrow_the_list(self, page: Page, some: dict[str, str]) -> None:
        page.goto("/")
        page.get_by_label("Visibility").select_option("Public")
        expect(page.locator("#sessions > li")).to_have_count(1)
        expect_titles(page, "Fix the upload")
        page.get_by_label("Visibility").select_option("Any")
        page.get_by_text("More filters").click()
        for label, value, title in [
            ("Folder", "/srv/backup", "Nightly backup"),
            ("Source", "stakpak", "Nightly backup"),
            ("Owner", "ada", "Fix the upload"),
        ]:
            page.get_by_label(label).fill(value)
            expect(page.locator("#sessions > li")).to_have_count(1)
            expect_titles(page, title)
            page.get_by_label(label).fill("")
            expect(page.locator("#sessions > li")).to_have_count(3)
        check_accessible(page)

    def test_a_filter_that_is_none_is_an_error_with_its_reason(self, page: Page, troubles: Troubles) -> None:
        troubles.expect_status(400)
        page.goto("/?status=GONE")
        expect(page.get_by_role("heading", name="That cannot be asked")).to_be_visible()
        expect(page.locator(".reason")).to_have_text("status must be ACTIVE or DELETED, not 'GONE'")
        page.goto("/?cursor=nonsense")
        expect(page.locator(".reason")).to_have_text("cursor is not one that this list returned")
        check_accessible(page)

    def test_while_one_types_the_reason_stands_in_place_of_the_list(
        self, page: Page, some: dict[str, str], troubles: Troubles
    ) -> None:
        troubles.expect_status(400)
        page.goto("/")
        page.get_by_text("More filters").click()
        source = page.get_by_label("Source")
        source.fill("x" * (limits.MAX_SOURCE_CHARS + 1))
        expect(page.get_by_role("heading", name="That cannot be asked")).to_be_visible()
        expect(page.get_by_role("status")).to_contain_text("MAX_SOURCE_CHARS")
        source.fill("stakpak")
        expect_titles(page, "Nightly backup")


class TestPages:
    def test_older_sessions_are_a_page_away(self, page: Page, store: Store) -> None:
        for number in range(PAGE_SIZE + 3):
            store.create_session(f"Session {number}")
        page.goto("/")
        expect(page.locator("#sessions > li")).to_have_count(PAGE_SIZE)
        page.get_by_role("link", name="Older sessions").click()
        expect(page.locator("#sessions > li")).to_have_count(3)
        expect_titles(page, "Session 2", "Session 1", "Session 0")
        expect(page.get_by_role("link", name="Older sessions")).to_have_count(0)
        page.get_by_role("link", name="Newest").click()
        expect(page.locator("#sessions > li")).to_have_count(PAGE_SIZE)

    def test_the_next_page_keeps_search_and_filters(self, page: Page, store: Store) -> None:
        for number in range(PAGE_SIZE + 1):
            store.create_session(f"wanted & found {number}", visibility="PUBLIC")
            store.create_session(f"other {number}", visibility="PUBLIC")
        page.goto("/?search=wanted+%26&visibility=PUBLIC")
        page.get_by_role("link", name="Older sessions").click()
        expect(page.locator("#sessions > li")).to_have_count(1)
        expect_titles(page, "wanted & found 0")

    def test_a_request_asks_the_store_for_one_page(
        self, url: str, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store.create_session("One")
        asked: list[int] = []
        listed = store._backend.list_sessions

        def list_sessions(query: SessionQuery) -> clew.Page[SessionSummary]:
            asked.append(query.limit)
            return listed(query)

        monkeypatch.setattr(store._backend, "list_sessions", list_sessions)
        assert httpx2.get(f"{url}/?search=o").status_code == 200
        assert asked == [PAGE_SIZE]


class TestEmpty:
    def test_an_empty_store_says_where_sessions_come_from(self, page: Page) -> None:
        page.goto("/")
        expect(page.get_by_role("heading", name="No sessions yet")).to_be_visible()
        check_accessible(page)

    def test_where_nothing_matches_there_is_a_way_back(self, page: Page, some: dict[str, str]) -> None:
        page.goto("/?search=xyzzy")
        expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
        check_accessible(page)
        page.get_by_role("link", name="Show all sessions").click()
        expect(page.locator("#sessions > li")).to_have_count(3)

    def test_no_deleted_sessions_is_no_empty_store(self, page: Page, some: dict[str, str]) -> None:
        page.goto("/?status=DELETED")
        expect(page.get_by_role("heading", name="No deleted sessions")).to_be_visible()


class TestEmptyForOne:
    @pytest.fixture
    def url(self, own_url: str) -> str:
        return own_url

    @pytest.mark.parametrize(("role", "hints"), [("read", 0), ("write", 1)])
    def test_an_empty_list_says_whose_it_is_and_hints_at_what_one_may(
        self, page: Page, store: Store, role: str, hints: int
    ) -> None:
        store.create_session("Of bob", owner="bob")
        made = store.create_key("ada", role)
        page.goto("/")
        page.get_by_label("API key").fill(made.token)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_text("This list holds only sessions that belong to ada.")).to_be_visible()
        expect(page.get_by_text("clew import")).to_have_count(hints)
        check_accessible(page)


class TestWhileOneTypes:
    @pytest.fixture
    def url(self, own_url: str) -> str:
        return own_url

    def test_whose_key_was_revoked_is_asked_to_log_in(self, page: Page, store: Store, troubles: Troubles) -> None:
        troubles.expect_status(401)
        made = store.create_key("ada", "write")
        store.create_session("Mine", owner="ada")
        page.goto("/")
        page.get_by_label("API key").fill(made.token)
        page.get_by_role("button", name="Log in").click()
        expect_titles(page, "Mine")
        store.revoke_key(made.key.id)
        page.get_by_label("Search titles").fill("m")
        expect(page).to_have_url(re.compile("/login"))

    def test_a_store_that_no_longer_answers_is_said_and_the_list_stays(
        self, page: Page, store: Store, troubles: Troubles
    ) -> None:
        troubles.expect_status(503)
        store.create_session("Mine")
        page.goto("/")
        store.close()
        page.get_by_label("Search titles").fill("m")
        expect(page.locator(".toast")).to_contain_text("the store is closed")
        expect(page.get_by_role("status")).to_have_text("Connection error: the store is closed")
        expect_titles(page, "Mine")
        check_accessible(page)
        page.get_by_role("button", name="Dismiss").click()
        expect(page.locator(".toast")).to_have_count(0)

    def test_a_server_that_is_gone_is_said(self, new_page: NewPage, store: Store, troubles: Troubles) -> None:
        troubles.expect("ERR_CONNECTION_REFUSED", "htmx:sendError", "htmx:afterRequest")
        page = new_page()
        with served(create_app(store)) as url:
            page.goto(url)
        page.get_by_label("Search titles").fill("m")
        expect(page.locator(".toast")).to_contain_text("The server does not answer")


class TestEverywhere:
    def test_it_fits_a_phone(self, new_page: NewPage, store: Store, some: dict[str, str]) -> None:
        store.create_session("x" * 400, cwd="/" + "y" * 400)
        page = new_page(viewport=PHONE, is_mobile=True, has_touch=True)
        for path in ("/", "/?status=DELETED", "/?search=nothing"):
            page.goto(path)
            check_fits(page)
        check_accessible(page)

    def test_without_a_script_it_searches_filters_and_pages(self, new_page: NewPage, store: Store) -> None:
        for number in range(PAGE_SIZE + 1):
            store.create_session(f"wanted {number}")
            store.create_session(f"other {number}", visibility="PUBLIC")
        page = new_page(java_script_enabled=False)
        page.goto("/")
        page.get_by_label("Search titles").fill("wanted")
        page.get_by_label("Visibility").select_option("Private")
        page.get_by_role("button", name="Search").click()
        expect(page.locator("#sessions > li")).to_have_count(PAGE_SIZE)
        page.get_by_role("link", name="Older sessions").click()
        expect_titles(page, "wanted 0")

    def test_with_the_keyboard_one_searches_and_opens(self, page: Page, some: dict[str, str]) -> None:
        page.goto("/")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        expect(page.get_by_label("Search titles")).to_be_focused()
        page.keyboard.type("nightly")
        expect(page.locator("#sessions > li")).to_have_count(1)
        for _ in range(4):
            page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Nightly backup")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(some["Nightly backup"]))
