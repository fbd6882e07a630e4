"""What leaves a step as bytes, what of it is damaged, and who may see it."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import httpx2
import pytest
from playwright.sync_api import Page, expect
from tests.web.browsing import check_accessible
from tests.web.talks import CODE, OUTPUT, make_talk, messages, numbered, png, result

import clew
from clew import Attachment, Message, Session, Store
from clew.sqlite import open_backend
from clew.testing.contract.base import active, user


@pytest.fixture
def talk(store: Store) -> Session:
    return make_talk(store)


@pytest.fixture
def client(url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=url, verify=False, headers={"Accept": "text/html"}) as client:
        yield client


class TestExport:
    @pytest.mark.parametrize(("name", "ending"), [("JSON", "json"), ("JSON lines", "jsonl"), ("Markdown", "md")])
    def test_a_file_is_downloaded(self, page: Page, talk: Session, name: str, ending: str) -> None:
        page.goto(f"/sessions/{talk.id}")
        page.get_by_text("Export", exact=True).click()
        with page.expect_download() as found:
            page.get_by_role("link", name=name, exact=True).click()
        assert found.value.suggested_filename == f"Fix the flaky test.{ending}"

    def test_json_is_what_is_stored(self, client: httpx2.Client, store: Store) -> None:
        odd: list[Message] = [{"b": 1.0, "a": [None, "\u2028", "\ud800"]}, user("x\r\ny"), {"n": 10**30}]
        session = store.create_session('Ö/ü: "x"\r\n', messages=[*odd, *numbered(250)])
        stored = store._backend.get_messages(active(session).id, None, None)
        at = f"/sessions/{session.id}/steps/{active(session).id}/export?format="
        answer = client.get(f"{at}json")
        assert answer.content == b"[\n" + b",\n".join(stored) + b"\n]\n"
        assert json.loads(answer.content) == store.get_messages(active(session).id)
        assert answer.headers["content-disposition"] == (
            "attachment; filename=\"x-.json\"; filename*=UTF-8''%C3%96%2F%C3%BC%3A%20%22x%22.json"
        )
        assert client.get(f"{at}jsonl").content == b"".join(body + b"\n" for body in stored)

    def test_no_messages_are_an_empty_list(self, client: httpx2.Client, store: Store) -> None:
        session = store.create_session("x")
        at = f"/sessions/{session.id}/steps/{active(session).id}/export?format="
        assert json.loads(client.get(f"{at}json").content) == []
        assert client.get(f"{at}jsonl").content == b""
        assert client.get(f"{at}markdown").text == "# x\n"

    def test_markdown_is_to_be_read(self, client: httpx2.Client, talk: Session) -> None:
        text = client.get(f"/sessions/{talk.id}/steps/{active(talk).id}/export?format=markdown").text
        assert text.startswith("# Fix the flaky test\n\n## 1. user\n\nWhy does it fail?\n")
        assert '**Tool call: run_command** `c1`\n\n```json\n{\n  "command": "pytest -k login"\n}\n```\n' in text
        assert f"## 3. tool\n\n**Result of call `c1`**\n\n```\n{OUTPUT}\n```\n" in text
        assert CODE in text

    def test_a_fence_in_output_does_not_end_the_fence_around_it(self, client: httpx2.Client, store: Store) -> None:
        session = store.create_session("x", messages=[result("c", "a\n````\nb")])
        text = client.get(f"/sessions/{session.id}/steps/{active(session).id}/export?format=markdown").text
        assert "\n`````\na\n````\nb\n`````\n" in text

    @pytest.mark.parametrize(
        ("form", "told"),
        [
            ("markdown", "text/markdown; charset=utf-8"),
            ("json", "application/json"),
            ("jsonl", "application/jsonl"),
        ],
    )
    def test_an_export_says_once_what_it_is(self, client: httpx2.Client, talk: Session, form: str, told: str) -> None:
        answer = client.get(f"/sessions/{talk.id}/steps/{active(talk).id}/export?format={form}")
        assert answer.headers["content-type"] == told

    def test_another_format_is_refused(self, client: httpx2.Client, talk: Session) -> None:
        assert client.get(f"/sessions/{talk.id}/steps/{active(talk).id}/export?format=exe").status_code == 400


class TestDamage:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "store.db"

    @pytest.fixture
    def hurt(self, path: Path) -> Session:
        with clew.open(path) as store:
            session = store.create_session("hurt", messages=numbered(3))
            store.append(session.id, [user("message 4"), user("message 5")])
            return store.get_session(session.id)

    @pytest.fixture
    def store(self, path: Path, hurt: Session) -> Iterator[Store]:
        with closing(apsw.Connection(str(path))) as connection:
            connection.execute(
                "UPDATE content SET body = replace(body, 'message', 'massage') WHERE key = "
                "(SELECT content FROM entry WHERE timeline = 1 AND position = 3)"
            )
        with Store(open_backend(str(path), busy_timeout=30)) as store:
            yield store

    def test_one_damaged_message_hides_no_other(self, page: Page, hurt: Session) -> None:
        page.goto(f"/sessions/{hurt.id}")
        expect(messages(page)).to_have_count(5)
        expect(page.locator("#m4")).to_contain_text("does not match its hash")
        expect(page.locator("#m5")).to_contain_text("message 5")
        check_accessible(page)

    def test_a_damaged_export_breaks_off_and_is_no_shorter_conversation(
        self, client: httpx2.Client, hurt: Session
    ) -> None:
        answer = client.get(f"/sessions/{hurt.id}/steps/{active(hurt).id}/export")
        assert (answer.status_code, "does not match its hash" in answer.text) == (500, True)

    def test_damage_further_on_breaks_the_export_off(self, client: httpx2.Client, store: Store, path: Path) -> None:
        long = store.create_session("long", messages=[user(f"number {number}") for number in range(250)])
        with closing(apsw.Connection(str(path))) as connection:
            connection.execute("UPDATE content SET body = replace(body, 'number 200', 'number 2OO')")
        at = f"/sessions/{long.id}/steps/{active(long).id}/export"
        for form in ("json", "jsonl", "markdown"):
            with pytest.raises(httpx2.RemoteProtocolError):
                client.get(f"{at}?format={form}")

    def test_a_damaged_comparison_says_so(self, page: Page, store: Store, hurt: Session) -> None:
        root = store.list_checkpoints(hurt.id).items[0]
        page.goto(f"/sessions/{hurt.id}/compare?a={root.id}&b={active(hurt).id}")
        expect(page.get_by_text("These steps cannot be compared")).to_be_visible()
        page.goto(f"/sessions/{hurt.id}/steps/{root.id}")
        expect(messages(page)).to_have_count(3)

    def test_a_damaged_session_shows_the_steps_that_can_be_read(
        self, page: Page, path: Path, store: Store, hurt: Session
    ) -> None:
        with closing(apsw.Connection(str(path))) as connection:
            connection.execute("UPDATE session SET title = 'other' WHERE title = 'hurt'")
        page.goto(f"/sessions/{hurt.id}")
        expect(page.get_by_text("Damaged:", exact=True)).to_be_visible()
        expect(page.locator("#steps li")).to_have_count(2)
        page.locator("#steps li a").first.click()
        expect(messages(page)).to_have_count(3)


class TestRights:
    @pytest.fixture
    def url(self, own_url: str) -> str:
        return own_url

    def test_a_public_session_is_read_without_a_key(self, page: Page, store: Store, talk: Session) -> None:
        store.update_session(talk.id, visibility="PUBLIC")
        store.create_key("ada", role="admin")
        page.goto(f"/sessions/{talk.id}")
        expect(messages(page)).to_have_count(4)
        expect(page.get_by_role("button", name="Delete")).to_have_count(0)
        expect(page.get_by_role("link", name="Fork: Another way")).to_have_count(0)
        page.get_by_text("run_command").last.click()
        page.get_by_role("link", name="Show all of message 3").click()
        expect(page.locator("#m3")).to_contain_text("line 100")
        page.locator("#steps").get_by_role("link", name="cause").click()
        expect(messages(page)).to_have_count(3)

    def test_a_private_session_is_not(self, client: httpx2.Client, store: Store, talk: Session) -> None:
        store.create_key("ada", role="admin")
        at = f"/sessions/{talk.id}"
        of_step = f"{at}/steps/{active(talk).id}"
        for path in (at, of_step, f"{at}/tree", f"{at}/compare", f"{of_step}/messages?start=1&stop=2",
                     f"{of_step}/export", f"{of_step}/messages/1/parts/0",
                     f"{of_step}/attachments/plan.png"):  # fmt: skip
            answer = client.get(path, follow_redirects=False)
            assert (path, answer.status_code in (303, 401)) == (path, True)
            assert b"flaky" not in answer.content


class TestAttachments:
    def test_they_are_listed_and_downloaded(self, page: Page, talk: Session) -> None:
        page.goto(f"/sessions/{talk.id}")
        expect(page.locator(".attachments li")).to_have_count(2)
        with page.expect_download() as found:
            page.get_by_role("link", name="a/log ö.txt").click()
        assert Path(found.value.path()).read_bytes() == b"log"

    @pytest.mark.parametrize(
        ("name", "data", "content_type", "is_shown"),
        [
            ("a.png", png(), None, True),
            ("page", png(), "image/jpeg", True),
            ("a.png", b"<script>alert(1)</script>", "image/png", False),
            ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "image/svg+xml", False),
            ("page.html", b"<script>alert(1)</script>", "text/html", False),
            ("..", b"x", None, False),
            (".", b"x", None, False),
            ("a/../b?c#d%2e", b"x", None, False),
            ("\u202egnp.exe\r\nX: y", b"x", None, False),
        ],
    )
    def test_only_pictures_are_shown_whatever_they_call_themselves(
        self, client: httpx2.Client, store: Store, name: str, data: bytes, content_type: str | None, is_shown: bool
    ) -> None:
        session = store.create_session("x", messages=[user("a")])
        store.attach(session.id, {name: Attachment(data, content_type)})
        html = client.get(f"/sessions/{session.id}").text
        address = html.partition('class="attachments"')[2].partition('href="')[2].partition('"')[0]
        assert ("<img" in html) == is_shown
        answer = client.get(address.replace("&amp;", "&"))
        assert answer.content == data
        assert answer.headers["content-type"] == ("image/png" if is_shown else "application/octet-stream")
        assert ("content-disposition" in answer.headers) != is_shown
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
