"""The steps of a session: its tree, what is read for it, and two of them compared."""

import re
from collections.abc import Iterator
from uuid import UUID

import httpx2
import pytest
from playwright.sync_api import Page, expect
from tests.support.http_server import served
from tests.web.browsing import PHONE, NewPage, check_accessible
from tests.web.talks import call, make_talk, messages, numbered, result, step

import clew
from clew import Session, Store
from clew.backend import Place
from clew.server import create_app
from clew.testing.contract.base import active, user


@pytest.fixture
def talk(store: Store) -> Session:
    return make_talk(store)


@pytest.fixture
def client(url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=url, verify=False, headers={"Accept": "text/html"}) as client:
        yield client


class Asked:
    """A backend that writes down which messages are asked of it."""

    def __init__(self, store: Store) -> None:
        self._backend = store._backend
        self.messages: list[range] = []
        self.states = 0

    def get_messages(
        self, place: Place, start: int | None, stop: int | None, session_id: UUID | None = None
    ) -> list[bytes]:
        found = self._backend.get_messages(place, start, stop, session_id)
        self.messages.append(range(start or 0, (start or 0) + len(found)))
        return found

    def get_checkpoint(self, id: UUID) -> clew.Checkpoint:
        self.states += 1
        return self._backend.get_checkpoint(id)

    def get_session(self, id: UUID) -> Session:
        self.states += 1
        return self._backend.get_session(id)

    def __getattr__(self, name: str) -> object:
        return getattr(self._backend, name)


class TestLong:
    @pytest.fixture
    def asked(self, store: Store) -> Asked:
        return Asked(store)

    @pytest.fixture
    def client(self, asked: Asked) -> Iterator[httpx2.Client]:
        with (
            served(create_app(Store(asked))) as url,  # type: ignore[arg-type]
            httpx2.Client(base_url=url, verify=False, headers={"Accept": "text/html"}) as client,
        ):
            yield client

    def test_the_first_page_of_5000_messages_reads_100(self, client: httpx2.Client, store: Store, asked: Asked) -> None:
        session = store.create_session("Long", messages=numbered(5_000))
        html = client.get(f"/sessions/{session.id}").text
        # The hundred, and the first one again for the words that tell the only step in the tree.
        assert asked.messages == [range(4_900, 5_000), range(1)] or asked.messages == [range(1), range(4_900, 5_000)]
        assert asked.states == 0
        assert html.count("<article") == 100
        assert len(html) < 200_000

    @pytest.mark.parametrize("form", ["json", "jsonl", "markdown"])
    def test_an_export_is_read_a_part_at_a_time(
        self, client: httpx2.Client, store: Store, asked: Asked, form: str
    ) -> None:
        session = store.create_session("Long", messages=numbered(1_050))
        with client.stream("GET", f"/sessions/{session.id}/steps/{active(session).id}/export?format={form}") as answer:
            text = b"".join(answer.iter_bytes())
        assert (text.count(b"message 1050"), text.count(b"message ")) == (1, 1_050)
        assert max(map(len, asked.messages)) == 100
        assert asked.states == 0

    def test_the_page_of_5000_steps_sends_a_few(self, client: httpx2.Client, store: Store, asked: Asked) -> None:
        session = store.create_session("Many", messages=[user("first")])
        for number in range(1_200):
            store.append(session.id, [user(f"message {number}")])
        first = client.get(f"/sessions/{session.id}").text
        assert len(first) < 200_000
        assert 'hx-trigger="load"' in first
        asked.messages.clear()
        tree = client.get(f"/sessions/{session.id}/tree", headers={"HX-Request": "true"}).text
        assert (tree.count("<li class"), "… 1,199 steps" in tree) == (3, True)
        assert sum(map(len, asked.messages)) <= 3
        opened = client.get(f"/sessions/{session.id}/tree?run={store.list_checkpoints(session.id).items[1].id}").text
        assert opened.count("<li class") == 100
        assert "Rows after these" in opened

    def test_a_tree_with_many_branches_is_sent_in_parts(self, client: httpx2.Client, store: Store) -> None:
        session = store.create_session("Wide", messages=[user("first")])
        for number in range(250):
            store.append(session.id, [user(f"branch {number}")], parent_id=active(session).id)
        found: list[str] = []
        for row in (0, 100, 200):
            html = client.get(f"/sessions/{session.id}/tree?row={row}").text
            found += html.split("<li class")[1:]
        assert len(found) == 251
        assert all(sum(f"branch {number}<" in line for line in found) == 1 for number in range(250))


class TestSteps:
    def test_any_step_can_be_chosen(self, page: Page, store: Store, talk: Session) -> None:
        page.goto(f"/sessions/{talk.id}")
        steps = page.locator("#steps li")
        expect(steps).to_have_count(5)
        expect(page.locator("#steps [aria-current]")).to_contain_text("Read it once")
        expect(page.locator("#steps .badge.good")).to_have_count(1)
        page.locator("#steps").get_by_role("link", name="cause").click()
        expect(page).to_have_url(
            f"{page.url.partition('/sessions')[0]}/sessions/{talk.id}/steps/{step(store, talk, 'cause')}"
        )
        expect(page.locator("#steps [aria-current]")).to_contain_text("cause")
        expect(messages(page)).to_have_count(3)
        expect(page.get_by_text("not the active step")).to_be_visible()
        page.get_by_role("link", name="Go to the active step").click()
        expect(messages(page).last).to_contain_text("Read it once")

    @pytest.mark.parametrize("viewport", [{"width": 1280, "height": 800}, PHONE])
    def test_the_step_that_is_shown_is_in_view_in_its_panel(
        self, new_page: NewPage, store: Store, viewport: dict[str, int]
    ) -> None:
        session = store.create_session("x", messages=[user("first")])
        for number in range(60):
            store.append(session.id, [user(f"branch {number}.")], parent_id=active(session).id)
        page = new_page(viewport=viewport)
        page.goto(f"/sessions/{session.id}")
        if viewport == PHONE:
            page.locator("#steps summary").click()
        page.wait_for_function("() => document.querySelector('#steps').scrollTop > 0")
        panel, row = page.locator("#steps").bounding_box(), page.locator("#steps [aria-current]").bounding_box()
        assert panel
        assert row
        assert panel["y"] <= row["y"]
        assert row["y"] + row["height"] <= panel["y"] + panel["height"]
        assert page.evaluate("window.scrollY") == 0
        if viewport != PHONE:
            expect(page.locator("#steps [aria-current]")).to_be_in_viewport()

    def test_in_a_large_tree_that_comes_after_the_page_it_is_too(
        self, page: Page, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("clew.server.web.session.MAX_TREE_AT_ONCE", 10)
        session = store.create_session("x", messages=[user("first")])
        for number in range(60):
            store.append(session.id, [user(f"branch {number}.")], parent_id=active(session).id)
        page.goto(f"/sessions/{session.id}")
        page.wait_for_function("() => document.querySelector('#steps').scrollTop > 0")
        expect(page.locator("#steps [aria-current]")).to_be_in_viewport()

    def test_a_fork_is_found_at_its_step_and_leads_back(self, page: Page, talk: Session) -> None:
        page.goto(f"/sessions/{talk.id}")
        page.get_by_role("link", name="Fork: Another way").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Another way")
        page.get_by_role("link", name="Forked from this step").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Fix the flaky test")
        expect(page.locator("#steps [aria-current]")).to_contain_text("cause")

    def test_folded_steps_are_opened(self, page: Page, store: Store) -> None:
        session = store.create_session("x", messages=[user("0")])
        for number in range(1, 8):
            store.append(session.id, [user(str(number))])
        page.goto(f"/sessions/{session.id}")
        expect(page.locator("#steps li")).to_have_count(3)
        page.get_by_role("link", name="… 6 steps").click()
        expect(page.locator("#steps li")).to_have_count(8)

    def test_the_tree_is_walked_by_keyboard(self, page: Page, talk: Session) -> None:
        page.goto(f"/sessions/{talk.id}")
        page.locator("#steps summary").focus()
        page.keyboard.press("Tab")
        expect(page.locator("#steps li a").first).to_be_focused()
        page.keyboard.press("Enter")
        expect(messages(page)).to_have_count(1)

    def test_a_step_of_another_session_is_not_found(self, client: httpx2.Client, store: Store, talk: Session) -> None:
        other = active(store.create_session("other", messages=[user("secret")]))
        for path in (f"steps/{other.id}", f"steps/{other.id}/messages?start=1&stop=1", f"steps/{other.id}/export",
                     f"steps/{other.id}/messages/1/parts/0", f"compare?a={other.id}&b={other.id}",
                     f"tree?step={other.id}"):  # fmt: skip
            answer = client.get(f"/sessions/{talk.id}/{path}")
            assert (path, answer.status_code, "secret" in answer.text) == (path, 404, False)

    def test_a_part_that_is_not_there_is_not_found(self, client: httpx2.Client, talk: Session) -> None:
        at = f"/sessions/{talk.id}/steps/{active(talk).id}"
        for path in ("messages/0/parts/0", "messages/6/parts/0", "messages/1/parts/9", "attachments/nothing"):
            assert (path, client.get(f"{at}/{path}").status_code) == (path, 404)


class TestCompare:
    def test_two_steps_are_chosen_and_compared(self, page: Page, store: Store, talk: Session) -> None:
        page.goto(f"/sessions/{talk.id}")
        page.get_by_text("Compare", exact=True).click()
        page.get_by_role("link", name="Compare two steps").click()
        page.get_by_role("radio", name="A: user: Retry instead").check()
        page.get_by_role("radio", name="B: user: Read it once").check()
        page.get_by_role("button", name="Compare").click()
        expect(page.get_by_text("4 messages at the start are the same in both.")).to_be_visible()
        a, b = page.locator(".side-a"), page.locator(".side-b")
        expect(a.locator("article")).to_have_count(1)
        expect(a).to_contain_text("Retry instead")
        expect(b).to_contain_text("Read it once")
        expect(page.get_by_role("row", name="tokens")).to_have_text(re.compile(r"tokens\s*2\s*1"))
        page.get_by_role("link", name="Swap them").click()
        expect(page.locator(".side-a")).to_contain_text("Read it once")

    def test_a_step_is_compared_with_the_active_one_and_its_parent(
        self, page: Page, store: Store, talk: Session
    ) -> None:
        page.goto(f"/sessions/{talk.id}/steps/{step(store, talk, 'cause')}")
        page.get_by_text("Compare", exact=True).click()
        page.get_by_role("link", name="Compare with the active step").click()
        expect(page.locator(".side-a")).to_contain_text("Read it once")
        expect(page.locator(".side-b")).to_contain_text("Nothing that the other has not.")
        page.go_back()
        page.get_by_text("Compare", exact=True).click()
        page.get_by_role("link", name="Compare with its parent").click()
        expect(page.get_by_text("A is where B comes from.")).to_be_visible()
        expect(page.locator(".side-b")).to_contain_text("read twice")
        check_accessible(page)

    def test_a_message_of_a_comparison_leads_to_its_place(self, page: Page, store: Store, talk: Session) -> None:
        at = f"/sessions/{talk.id}/compare?a={step(store, talk, 'cause')}&b={active(talk).id}"
        page.goto(at)
        page.get_by_role("link", name="Message 5", exact=True).click()
        expect(page.locator("#m5")).to_be_in_viewport()

    def test_steps_of_different_rows_are_chosen(self, page: Page, store: Store) -> None:
        session = store.create_session("x", messages=[user("first")])
        for number in range(150):
            store.append(session.id, [user(f"branch {number}.")], parent_id=active(session).id)
        page.goto(f"/sessions/{session.id}/compare")
        page.get_by_role("button", name="Rows before these").click()
        page.get_by_role("radio", name="A: user: branch 3.").check()
        page.get_by_role("button", name="Rows after these").click()
        expect(page.get_by_role("radio", name="A: the step chosen before").first).to_be_checked()
        page.get_by_role("radio", name="B: user: branch 140.").check()
        check_accessible(page)
        page.get_by_role("button", name="Compare").click()
        expect(page.locator(".side-a")).to_contain_text("branch 3.")
        expect(page.locator(".side-b")).to_contain_text("branch 140.")

    def test_the_button_is_on_screen_wherever_a_step_was_chosen(self, page: Page, store: Store) -> None:
        session = store.create_session("x", messages=[user("first")])
        for number in range(60):
            store.append(session.id, [user(f"branch {number}.")], parent_id=active(session).id)
        page.goto(f"/sessions/{session.id}/compare")
        page.get_by_role("radio", name="B: user: branch 59.").check()
        expect(page.get_by_role("button", name="Compare")).to_be_in_viewport()
        page.get_by_role("button", name="Compare").click()
        expect(page.locator(".side-b")).to_contain_text("branch 59.")

    def test_folded_steps_look_like_the_button_that_they_are(self, page: Page, store: Store) -> None:
        session = store.create_session("x", messages=[user("0")])
        for number in range(1, 8):
            store.append(session.id, [user(str(number))])
        page.goto(f"/sessions/{session.id}/compare")
        folded = page.get_by_role("button", name="… 6 steps")
        edge = folded.evaluate("one => getComputedStyle(one).borderTopColor")
        assert edge not in ("transparent", "rgba(0, 0, 0, 0)")
        folded.click()
        expect(page.get_by_role("radio", name="A:")).to_have_count(8)

    def test_no_two_messages_have_one_id(self, page: Page, store: Store) -> None:
        session = store.create_session("x", messages=[user("a")])
        root = active(session).id
        sides = [store.append(session.id, [call("c", word), result("c", word)], parent_id=root) for word in ("b", "c")]
        page.goto(f"/sessions/{session.id}/compare?a={sides[0].id}&b={sides[1].id}")
        expect(page.locator(".result")).to_have_count(2)
        assert page.locator("article[id], .result[id]").count() == 0
        page.locator("details.call > summary").last.click()
        page.get_by_role("link", name="Message 3", exact=True).click()
        expect(page.locator("#m3")).to_be_visible()

    def test_sides_are_as_long_as_a_window(self, client: httpx2.Client, store: Store) -> None:
        session = store.create_session("x", messages=numbered(3))
        longer = store.append(session.id, numbered(250))
        html = client.get(f"/sessions/{session.id}/compare?a={active(session).id}&b={longer.id}").text
        assert html.count("<article") == 100
        assert ("150 more" in html, "start=104" in html) == (True, True)
