"""A session in a browser: its conversation, by mouse and keyboard, on a phone and without script."""

from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Page, expect
from tests.web.browsing import PHONE, NewPage, Troubles, check_accessible, check_fits
from tests.web.talks import make_talk, messages, numbered, result, step

from clew import Session, Store
from clew.testing.contract.base import active, missing, user


@pytest.fixture
def talk(store: Store) -> Session:
    return make_talk(store)


@pytest.fixture
def client(url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=url, verify=False, headers={"Accept": "text/html"}) as client:
        yield client


class TestConversation:
    def test_it_is_read_from_top_to_bottom(self, page: Page, talk: Session) -> None:
        page.goto(f"/sessions/{talk.id}")
        expect(page).to_have_title("Fix the flaky test – clew")
        expect(page.get_by_role("heading", level=1)).to_have_text("Fix the flaky test")
        expect(page.get_by_role("heading", level=3)).to_have_text(["user", "assistant", "assistant", "user"])
        expect(page.locator("#m4").get_by_text("read twice")).to_have_css("font-weight", "700")
        expect(page.locator("pre.code .k").first).to_have_text("def")

    def test_a_call_is_folded_with_its_result(self, page: Page, talk: Session) -> None:
        page.goto(f"/sessions/{talk.id}")
        expect(page.get_by_text("line 1", exact=False).first).to_be_hidden()
        page.get_by_text("run_command").last.click()
        expect(page.locator("#m3")).to_be_visible()
        expect(page.locator("#m3")).to_contain_text("line 30")
        page.get_by_text("run_command").last.click()
        expect(page.locator("#m3")).to_be_hidden()

    def test_a_long_output_is_cut_and_shown_on_request(self, page: Page, talk: Session) -> None:
        page.goto(f"/sessions/{talk.id}")
        page.get_by_text("run_command").last.click()
        expect(page.locator("#m3")).to_contain_text("line 30")
        expect(page.locator("#m3")).not_to_contain_text("line 31")
        expect(page.locator("#m3")).not_to_contain_text("line 90")
        expect(page.locator("#m3")).to_contain_text("line 91")
        page.get_by_role("link", name="Show all of message 3").click()
        expect(page.locator("#m3")).to_contain_text("line 100")
        expect(page.locator("#m3 .text")).to_be_focused()
        expect(page.get_by_role("link", name="Show all")).to_have_count(0)

    def test_pictures_are_shown(self, page: Page, talk: Session) -> None:
        page.goto(f"/sessions/{talk.id}")
        for picture in (page.get_by_alt_text("Picture in message 1"), page.locator(".attachments img")):
            picture.scroll_into_view_if_needed()
            expect(picture).to_have_js_property("complete", True)
            assert picture.evaluate("image => image.naturalWidth") > 0

    def test_a_message_has_an_address(self, page: Page, talk: Session) -> None:
        page.goto(f"/sessions/{talk.id}#m4")
        expect(page.locator("#m4")).to_be_in_viewport()
        page.get_by_role("link", name="Message 1", exact=True).click()
        expect(page).to_have_url(f"{page.url.partition('#')[0]}#m1")

    def test_the_address_of_a_folded_result_unfolds_it(self, page: Page, talk: Session) -> None:
        page.goto(f"/sessions/{talk.id}#m3")
        expect(page.locator("#m3")).to_be_visible()

    def test_ids_are_copied(self, new_page: NewPage, talk: Session) -> None:
        page = new_page(permissions=["clipboard-read", "clipboard-write"])
        page.goto(f"/sessions/{talk.id}")
        page.get_by_text("About this session").click()
        page.get_by_role("button", name="Copy the id of the session", exact=True).click()
        expect(page.locator("#status")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == str(talk.id)

    def test_the_page_goes_on_after_a_form(self, new_page: NewPage, talk: Session) -> None:
        page = new_page(permissions=["clipboard-read", "clipboard-write"], viewport=PHONE)
        page.goto(f"/sessions/{talk.id}")
        page.get_by_text("Rename", exact=True).first.click()
        page.get_by_label("Title").fill("Another title")
        page.get_by_role("button", name="Rename").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Another title")
        expect(page.locator("#steps li").first).to_be_hidden()
        page.get_by_text("About this session").click()
        page.get_by_role("button", name="Copy the id of the step", exact=True).click()
        assert page.evaluate("navigator.clipboard.readText()") == str(active(talk).id)

    def test_a_session_without_messages_says_so(self, page: Page, store: Store) -> None:
        page.goto(f"/sessions/{store.create_session('').id}")
        expect(page.get_by_role("heading", level=1)).to_have_text("(no title)")
        expect(page.get_by_text("No messages yet.")).to_be_visible()

    def test_a_session_without_steps_says_so(self, page: Page, store: Store) -> None:
        session = store.create_session("x")
        store.delete_checkpoints(session.id, active(session).id)
        page.goto(f"/sessions/{session.id}")
        expect(page.get_by_text("This session has no steps")).to_be_visible()

    def test_a_session_that_is_not_there_is_a_page_that_says_so(self, page: Page, troubles: Troubles) -> None:
        troubles.expect_status(404)
        page.goto(f"/sessions/{missing()}")
        expect(page.get_by_role("heading", level=1)).to_have_text("Not found")


class TestWindows:
    @pytest.fixture
    def long(self, store: Store) -> Session:
        return store.create_session("Long", messages=numbered(450))

    def test_the_newest_are_shown_first(self, page: Page, long: Session) -> None:
        page.goto(f"/sessions/{long.id}")
        expect(messages(page)).to_have_count(100)
        expect(page.locator("#m351")).to_be_attached()
        expect(page.get_by_text("Messages 351–450 of 450")).to_be_visible()

    def test_it_opens_at_the_end(self, page: Page, store: Store, long: Session) -> None:
        page.goto(f"/sessions/{long.id}")
        expect(page.locator("#m450")).to_be_in_viewport()
        expect(page.locator("#m351")).not_to_be_in_viewport()
        for address in (f"/sessions/{long.id}?start=351", f"/sessions/{long.id}#m351"):
            page.goto("about:blank")
            page.goto(address)
            expect(page.locator("#m351")).to_be_in_viewport()
        short = store.create_session("Short", messages=numbered(60))
        page.goto(f"/sessions/{short.id}")
        expect(page.locator("#m1")).to_be_in_viewport()

    def test_the_start_and_the_end_are_offered_where_one_is_not(self, new_page: NewPage, long: Session) -> None:
        page = new_page(java_script_enabled=False)
        start, end = (page.get_by_role("link", name=f"Go to the {name}") for name in ("start", "end"))
        page.goto(f"/sessions/{long.id}?start=1")
        expect(start).to_have_count(0)
        end.click()
        expect(page.get_by_text("Messages 351–450 of 450")).to_be_attached()
        expect(page.locator("#m450")).to_be_in_viewport()
        start.click()
        expect(page.locator("#m1")).to_be_in_viewport()

    def test_earlier_ones_come_when_they_are_reached(self, page: Page, long: Session) -> None:
        page.goto(f"/sessions/{long.id}#m400")
        expect(messages(page)).to_have_count(100)
        place = page.locator("#m351")
        page.mouse.move(600, 400)
        page.mouse.wheel(0, -100_000)
        expect(page.locator("#m251")).to_be_attached()
        expect(place).to_be_in_viewport()
        expect(page.locator("#status")).to_have_text("Messages 251 to 350 are shown now")

    def test_nothing_comes_before_somebody_scrolls(self, page: Page, long: Session) -> None:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"/sessions/{long.id}", wait_until="networkidle")
        assert not [url for url in asked if "/messages?" in url]

    def test_earlier_and_later_ones_come_by_keyboard(self, page: Page, long: Session) -> None:
        page.goto(f"/sessions/{long.id}?start=201")
        expect(messages(page)).to_have_count(100)
        page.get_by_role("link", name="Earlier messages").focus()
        page.keyboard.press("Enter")
        expect(messages(page)).to_have_count(200)
        expect(page.locator("#m101")).to_be_focused()
        page.get_by_role("link", name="Later messages").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#m301")).to_be_focused()
        numbers = page.locator("article.message").evaluate_all("found => found.map(one => Number(one.id.slice(1)))")
        assert numbers == list(range(101, numbers[-1] + 1))

    def test_later_ones_come_when_they_are_reached(self, page: Page, long: Session) -> None:
        page.goto(f"/sessions/{long.id}?start=1")
        page.mouse.move(600, 400)
        page.mouse.wheel(0, 100_000)
        expect(page.locator("#m101")).to_be_attached()

    def test_windows_are_links_without_script(self, new_page: NewPage, long: Session) -> None:
        page = new_page(java_script_enabled=False)
        page.goto(f"/sessions/{long.id}")
        page.get_by_role("link", name="Earlier messages").click()
        expect(page.get_by_text("Messages 251–350 of 450")).to_be_visible()
        page.get_by_role("link", name="Later messages").click()
        expect(page.get_by_text("Messages 351–450 of 450")).to_be_visible()
        page.get_by_role("link", name="Go to the start").click()
        expect(page.get_by_text("Messages 1–100 of 450")).to_be_visible()
        expect(page.locator("#m1")).to_be_visible()

    def test_a_window_that_is_not_there_is_an_error(self, client: httpx2.Client, long: Session) -> None:
        assert client.get(f"/sessions/{long.id}?start=450").status_code == 200
        answer = client.get(f"/sessions/{long.id}?start=451")
        assert (answer.status_code, "there is no message 451" in answer.text) == (404, True)
        assert client.get(f"/sessions/{long.id}?start=x").status_code == 400


class TestEverybody:
    def test_it_is_accessible(self, page: Page, talk: Session) -> None:
        page.goto(f"/sessions/{talk.id}")
        for summary in page.locator("main details:not(.pop) > summary").all():
            if not summary.evaluate("one => one.parentElement.open"):
                summary.click()
        check_accessible(page)
        for path in ("compare", "tree"):
            page.goto(f"/sessions/{talk.id}/{path}")
            check_accessible(page)

    def test_it_fits_a_phone(self, new_page: NewPage, store: Store, talk: Session) -> None:
        page = new_page(viewport=PHONE)
        wide = "|" + "a|" * 30 + "\n|" + "-|" * 30 + "\n|" + "word|" * 30
        store.append(talk.id, [user(wide), user("x" * 3_000), result("none", "y" * 3_000)])
        page.goto(f"/sessions/{talk.id}")
        check_fits(page)
        expect(page.locator("#steps li").first).to_be_hidden()
        page.locator("#steps summary").click()
        expect(page.locator("#steps li").first).to_be_visible()
        check_fits(page)
        check_accessible(page)
        page.goto(
            f"/sessions/{talk.id}/compare?a={step(store, talk, 'cause')}&b={active(store.get_session(talk.id)).id}"
        )
        check_fits(page)
        page.goto(f"/sessions/{talk.id}/compare")
        check_fits(page)

    def test_every_menu_fits_a_phone(self, new_page: NewPage, store: Store, talk: Session) -> None:
        page = new_page(viewport=PHONE)
        for path in ("", f"/steps/{step(store, talk, 'cause')}"):
            page.goto(f"/sessions/{talk.id}{path}")
            for name in ("Compare", "Export"):
                page.locator(".bar summary").get_by_text(name, exact=True).click()
                menu = page.locator(".bar details[open] ul")
                expect(menu).to_have_count(1)
                box = menu.bounding_box()
                assert box
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= PHONE["width"]
                check_fits(page)

    def test_it_works_without_script(self, new_page: NewPage, store: Store, talk: Session) -> None:
        page = new_page(java_script_enabled=False)
        page.goto(f"/sessions/{talk.id}")
        page.get_by_text("run_command").last.click()
        page.get_by_role("link", name="Show all of message 3").click()
        expect(page.get_by_text("line 100")).to_be_visible()
        page.get_by_role("link", name="Back to").click()
        page.locator("#steps").get_by_role("link", name="cause").click()
        expect(messages(page)).to_have_count(3)
        page.get_by_text("Compare", exact=True).click()
        page.get_by_role("link", name="Compare with the active step").click()
        expect(page.locator(".side-a")).to_contain_text("Read it once")

    def test_it_is_read_by_keyboard(self, page: Page, talk: Session) -> None:
        page.goto(f"/sessions/{talk.id}")
        page.locator("details.call > summary").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#m3")).to_be_visible()
        page.get_by_role("link", name="Show all of message 3").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#m3")).to_contain_text("line 100")
