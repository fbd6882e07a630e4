"""What can be done with a session on its page."""

import re
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx2
import pytest
from playwright.sync_api import Page, expect
from tests.web.browsing import PHONE, NewPage, Troubles, check_accessible, check_fits

from clew import Role, Session, Store

TALK = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because."}]


@pytest.fixture
def session(store: Store) -> Session:
    """A session of two steps."""
    made = store.create_session("Draft", messages=TALK, owner="ada")
    store.append(made.id, [{"role": "user", "content": "And then?"}])
    return store.get_session(made.id)


def actions(page: Page):
    """The part of the page that this is about."""
    return page.get_by_role("group", name="Actions")


def id_in(page: Page) -> UUID:
    """The id of the session whose page this is."""
    return UUID(urlsplit(page.url).path.rsplit("/", 1)[1])


def rename(page: Page, title: str) -> None:
    actions(page).get_by_text("Rename", exact=True).first.click()
    page.get_by_label("Title", exact=True).fill(title)
    page.locator("details.pop").get_by_role("button", name="Rename").click()


class TestActions:
    def test_renaming(self, page: Page, store: Store, session: Session) -> None:
        page.goto(f"/sessions/{session.id}")
        rename(page, "<i>Final</i> & done")
        expect(page.get_by_role("heading", level=1)).to_have_text("<i>Final</i> & done")
        expect(page).to_have_url(re.compile(f"/sessions/{session.id}"))
        assert store.get_session(session.id).title == "<i>Final</i> & done"

    def test_a_title_is_needed(self, url: str, store: Store, session: Session) -> None:
        answer = httpx2.post(f"{url}/sessions/{session.id}/rename", data={"title": "  "})
        assert answer.status_code == 400
        assert "a title is needed" in answer.text
        assert store.get_session(session.id).title == "Draft"

    def test_deleting_can_be_undone_at_once(self, page: Page, store: Store, session: Session) -> None:
        page.goto(f"/sessions/{session.id}")
        actions(page).get_by_role("button", name="Delete").click()
        expect(page.locator(".toast")).to_contain_text("Deleted “Draft”")
        expect(page.get_by_role("status")).to_have_text("Deleted “Draft”")
        expect(page.locator("#sessions > li")).to_have_count(0)
        assert store.get_session(session.id).status == "DELETED"
        check_accessible(page)
        page.get_by_role("button", name="Undo").click()
        expect(page.locator("#sessions > li")).to_have_count(1)
        expect(page.locator(".toast")).to_contain_text("Restored “Draft”")
        expect(page.get_by_role("status")).to_have_text("Restored “Draft”")
        assert store.get_session(session.id).status == "ACTIVE"

    def test_restored_is_said_only_where_it_is_so(self, url: str, store: Store, session: Session) -> None:
        store.delete_session(session.id)
        for id in (session.id, uuid4()):
            assert "Restored" not in httpx2.get(f"{url}/?restored={id}").text

    def test_the_notice_can_be_put_away(self, page: Page, store: Store, session: Session) -> None:
        store.delete_session(session.id)
        page.goto(f"/?deleted={session.id}")
        page.get_by_role("button", name="Dismiss").click()
        expect(page.locator(".toast")).to_have_count(0)
        page.reload()
        page.keyboard.press("Escape")
        expect(page.locator(".toast")).to_have_count(0)

    def test_no_undo_is_offered_where_nothing_is_deleted(self, page: Page, session: Session) -> None:
        for id in (session.id, uuid4()):
            page.goto(f"/?deleted={id}")
            expect(page.get_by_role("link", name="Draft")).to_be_visible()
            expect(page.locator(".toast")).to_have_count(0)

    def test_what_was_deleted_is_restored_from_its_list_or_page(
        self, page: Page, store: Store, session: Session
    ) -> None:
        store.delete_session(session.id)
        page.goto("/?status=DELETED&search=dra")
        check_accessible(page)
        page.get_by_role("button", name="Restore Draft").click()
        expect(page).to_have_url(re.compile(r"search=dra&status=DELETED$"))
        assert store.get_session(session.id).status == "ACTIVE"
        store.delete_session(session.id)
        page.goto(f"/sessions/{session.id}")
        expect(actions(page).get_by_role("button", name="Delete")).to_have_count(0)
        actions(page).get_by_role("button", name="Restore").click()
        expect(actions(page).get_by_role("button", name="Delete")).to_be_visible()
        assert store.get_session(session.id).status == "ACTIVE"

    def test_making_public_and_private(self, page: Page, store: Store, session: Session) -> None:
        page.goto(f"/sessions/{session.id}")
        actions(page).get_by_role("button", name="Make public").click()
        expect(actions(page).get_by_role("button", name="Make private")).to_be_visible()
        assert store.get_session(session.id).visibility == "PUBLIC"
        actions(page).get_by_role("button", name="Make private").click()
        expect(actions(page).get_by_role("button", name="Make public")).to_be_visible()
        assert store.get_session(session.id).visibility == "PRIVATE"

    def test_publishing_gives_the_link_and_can_be_undone(
        self, new_page: NewPage, store: Store, session: Session
    ) -> None:
        page = new_page(permissions=["clipboard-read", "clipboard-write"], viewport=PHONE)
        page.goto(f"/sessions/{session.id}")
        link = page.url
        actions(page).get_by_role("button", name="Make public").click()
        notice = page.locator(".toast")
        expect(notice).to_contain_text("Public: whoever has this link can read it")
        expect(notice.locator("code")).to_have_text(link)
        expect(page.get_by_role("status")).to_have_text("Public: whoever has this link can read it")
        check_fits(page)
        check_accessible(page)
        notice.get_by_role("button", name="Copy the link").click()
        expect(page.get_by_role("status")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == link
        notice.get_by_role("button", name="Undo").click()
        expect(notice).to_have_count(0)
        expect(actions(page).get_by_role("button", name="Make public")).to_be_visible()
        assert store.get_session(session.id).visibility == "PRIVATE"

    def test_the_link_of_what_is_published_is_that_of_the_step(self, page: Page, session: Session) -> None:
        assert session.active_checkpoint
        page.goto(f"/sessions/{session.id}/steps/{session.active_checkpoint.parent_id}")
        link = page.url
        actions(page).get_by_role("button", name="Make public").click()
        expect(page.locator(".toast code")).to_have_text(link)

    def test_no_notice_is_shown_that_is_not_true(self, url: str, store: Store, session: Session) -> None:
        other = store.fork_session(session.id)
        for path, notice in [(session.id, "published"), (session.id, "forked"), (other.id, "published")]:
            answer = httpx2.get(f"{url}/sessions/{path}?notice={notice}")
            assert (answer.status_code, 'class="toast' in answer.text) == (200, False)
        assert "Forked from “Draft”" in httpx2.get(f"{url}/sessions/{other.id}?notice=forked").text

    def test_another_step_is_made_the_active_one(self, page: Page, store: Store, session: Session) -> None:
        assert session.active_checkpoint
        root = session.active_checkpoint.parent_id
        page.goto(f"/sessions/{session.id}/steps/{root}")
        check_accessible(page)
        page.get_by_role("button", name="Make active").click()
        expect(page).to_have_url(re.compile(f"/sessions/{session.id}$"))
        expect(page.get_by_text("not the active step")).to_have_count(0)
        expect(page.get_by_role("button", name="Make active")).to_have_count(0)
        now = store.get_session(session.id).active_checkpoint
        assert now
        assert now.id == root
        assert len(list(store.list_checkpoints(session.id))) == 2

    def test_forking_the_active_step(self, page: Page, store: Store, session: Session) -> None:
        page.goto(f"/sessions/{session.id}")
        actions(page).get_by_role("button", name="Fork").click()
        expect(page).not_to_have_url(re.compile(str(session.id)))
        expect(page.locator(".toast")).to_contain_text("Forked from “Draft”")
        fork = store.get_session(id_in(page))
        assert fork.active_checkpoint
        assert session.active_checkpoint
        assert fork.forked_from == session.active_checkpoint.id
        assert len(fork.active_checkpoint.state.messages) == 3

    def test_forking_the_selected_step(self, page: Page, store: Store, session: Session) -> None:
        assert session.active_checkpoint
        root = session.active_checkpoint.parent_id
        page.goto(f"/sessions/{session.id}/steps/{root}")
        actions(page).get_by_role("button", name="Fork from this step").click()
        expect(page).not_to_have_url(re.compile(str(session.id)))
        assert store.get_session(id_in(page)).forked_from == root

    def test_one_comes_back_to_the_step_that_was_selected(self, page: Page, session: Session) -> None:
        assert session.active_checkpoint
        step = f"/sessions/{session.id}/steps/{session.active_checkpoint.parent_id}"
        page.goto(step)
        rename(page, "Other")
        expect(page.get_by_role("heading", level=1)).to_have_text("Other")
        expect(page).to_have_url(re.compile(f"{step}$"))

    def test_they_lead_nowhere_else(self, url: str, session: Session) -> None:
        for back in ("//evil.example", "https://evil.example", "/\\evil.example"):
            answer = httpx2.post(f"{url}/sessions/{session.id}/restore", data={"back": back})
            assert (answer.status_code, answer.headers["location"]) == (303, f"/sessions/{session.id}")

    def test_what_is_not_there_is_said(self, url: str, session: Session) -> None:
        unknown = uuid4()
        for path, form, status, reason in [
            (f"{unknown}/rename", {"title": "x"}, 404, str(unknown)),
            (f"{session.id}/fork", {"checkpoint_id": str(unknown)}, 404, str(unknown)),
            (f"{session.id}/fork", {"checkpoint_id": "first"}, 400, "checkpoint_id"),
            (f"{session.id}/active", {"checkpoint_id": str(unknown)}, 404, str(unknown)),
            (f"{session.id}/active", {}, 400, "checkpoint_id"),
            (f"{session.id}/visibility", {"visibility": "SECRET"}, 400, "PRIVATE or PUBLIC"),
            (f"{session.id}/visibility", {}, 400, "PRIVATE or PUBLIC"),
        ]:
            answer = httpx2.post(f"{url}/sessions/{path}", data=form)
            assert answer.status_code == status
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert reason in answer.text

    def test_without_a_script_on_a_phone_everything_is_there(
        self, new_page: NewPage, store: Store, session: Session
    ) -> None:
        page = new_page(java_script_enabled=False, viewport=PHONE)
        page.goto(f"/sessions/{session.id}")
        rename(page, "By hand")
        expect(page.get_by_role("heading", level=1)).to_have_text("By hand")
        actions(page).get_by_role("button", name="Delete").click()
        expect(page.locator(".toast").get_by_role("button")).to_have_text(["Undo"])
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("link", name="By hand")).to_be_visible()
        assert store.get_session(session.id).status == "ACTIVE"

    def test_the_form_for_a_title_fits_a_phone(self, new_page: NewPage, session: Session) -> None:
        page = new_page(viewport=PHONE)
        page.goto(f"/sessions/{session.id}")
        actions(page).get_by_text("Rename", exact=True).first.click()
        expect(page.get_by_label("Title", exact=True)).to_be_focused()
        check_fits(page)
        check_accessible(page)
        page.keyboard.press("Escape")
        expect(page.get_by_label("Title", exact=True)).to_be_hidden()


class TestRights:
    @pytest.fixture
    def url(self, own_url: str) -> str:
        return own_url

    def shown(self, new_page: NewPage, store: Store, session: Session, name: str, role: Role) -> Page:
        """The session's page as the holder of a key sees it."""
        token = store.create_key(name, role).token
        page = new_page()
        page.goto("/login")
        page.get_by_label("API key").fill(token)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("button", name="Log out")).to_be_visible()
        page.goto(f"/sessions/{session.id}")
        expect(page.get_by_role("heading", level=1)).to_have_text("Draft")
        return page

    def test_the_owner_may_do_everything(self, new_page: NewPage, store: Store, session: Session) -> None:
        page = self.shown(new_page, store, session, "ada", Role.WRITE)
        expect(actions(page).get_by_role("button")).to_have_text(["Fork", "Make public", "Delete"])
        rename(page, "Mine")
        expect(page.get_by_role("heading", level=1)).to_have_text("Mine")

    def test_a_key_that_reads_has_no_buttons_and_is_refused(
        self, new_page: NewPage, store: Store, session: Session, troubles: Troubles
    ) -> None:
        page = self.shown(new_page, store, session, "ada", Role.READ)
        expect(actions(page)).to_have_count(0)
        token = page.context.cookies()[0]["value"]
        answer = page.request.post(f"/sessions/{session.id}/delete", headers={"cookie": f"clew_key={token}"})
        assert answer.status == 403
        assert "this API key has the role read" in answer.text()
        assert store.get_session(session.id).status == "ACTIVE"

    def test_what_is_public_may_be_forked_by_others_who_write(
        self, new_page: NewPage, store: Store, session: Session
    ) -> None:
        store.update_session(session.id, visibility="PUBLIC")
        page = self.shown(new_page, store, session, "bob", Role.WRITE)
        expect(actions(page).get_by_role("button")).to_have_text(["Fork"])
        actions(page).get_by_role("button", name="Fork").click()
        expect(page).not_to_have_url(re.compile(str(session.id)))
        assert store.get_session(id_in(page)).owner == "bob"

    def test_only_who_may_write_makes_a_step_active(
        self, new_page: NewPage, store: Store, session: Session, troubles: Troubles
    ) -> None:
        assert session.active_checkpoint
        root = session.active_checkpoint.parent_id
        page = self.shown(new_page, store, session, "ada", Role.READ)
        page.goto(f"/sessions/{session.id}/steps/{root}")
        expect(page.get_by_text("not the active step")).to_be_visible()
        expect(page.get_by_role("button", name="Make active")).to_have_count(0)
        token = page.context.cookies()[0]["value"]
        answer = page.request.post(
            f"/sessions/{session.id}/active",
            headers={"cookie": f"clew_key={token}"},
            form={"checkpoint_id": str(root)},
        )
        assert answer.status == 403
        assert store.get_session(session.id).active_checkpoint == session.active_checkpoint

    def test_a_fork_of_what_is_no_longer_seen_names_nothing_of_it(
        self, new_page: NewPage, store: Store, session: Session
    ) -> None:
        store.update_session(session.id, visibility="PUBLIC")
        page = self.shown(new_page, store, session, "bob", Role.WRITE)
        actions(page).get_by_role("button", name="Fork").click()
        expect(page.locator(".toast")).to_contain_text("Forked from “Draft”")
        store.update_session(session.id, visibility="PRIVATE")
        page.reload()
        expect(page.locator(".toast")).to_contain_text("Forked from another session")

    def test_whoever_has_no_key_reads_what_is_public_and_has_no_buttons(
        self, new_page: NewPage, store: Store, session: Session
    ) -> None:
        store.create_key("ada", Role.READ)
        store.update_session(session.id, visibility="PUBLIC")
        page = new_page()
        page.goto(f"/sessions/{session.id}")
        expect(page.get_by_role("heading", level=1)).to_have_text("Draft")
        expect(actions(page)).to_have_count(0)
        expect(page.get_by_role("link", name="Log in")).to_be_visible()

    def test_somebody_elses_private_session_is_not_found(
        self, new_page: NewPage, store: Store, session: Session, troubles: Troubles
    ) -> None:
        troubles.expect_status(404)
        mine = store.create_session("Draft", owner="bob")
        page = self.shown(new_page, store, mine, "bob", Role.WRITE)
        page.goto(f"/sessions/{session.id}")
        expect(page.get_by_role("heading", name="Not found")).to_be_visible()
        check_accessible(page)
