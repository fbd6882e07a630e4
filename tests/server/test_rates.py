"""How often a caller may ask, and come with a wrong key."""

from typing import Any, ClassVar

import httpx2
import pytest
from tests.server.asking import asked, got, spoken

from clew import InvalidRequestError, Role, Store, Visibility, limits
from clew.server import create_app
from clew.server.asgi import App
from clew.server.callers import Caller, name_caller
from clew.server.rates import Buckets, CallerRate, WrongKeys
from clew.server.seen import Observed, Seen, note_error
from clew.server.web.assets import asset_url


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def hello(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def statuses(app: App, count: int, **scope: Any) -> list[int]:
    return [spoken(app, scope)[0]["status"] for _ in range(count)]


class TestBuckets:
    def test_a_bucket_empties_and_fills_up_again_but_never_beyond_its_size(self) -> None:
        clock = Clock()
        buckets = Buckets(2, 3, clock)
        for _ in range(3):
            assert buckets.wait("a") == 0
            buckets.charge("a")
        assert buckets.wait("a") == 0.5
        clock.now += 0.25
        assert buckets.wait("a") == 0.25
        clock.now += 1_000
        for _ in range(3):
            buckets.charge("a")
        assert buckets.wait("a") == 0.5

    def test_each_caller_has_one_of_their_own(self) -> None:
        buckets = Buckets(1, 1, Clock())
        buckets.charge("a")
        assert (buckets.wait("a"), buckets.wait("b")) == (1, 0)

    def test_what_is_owed_has_an_end(self) -> None:
        buckets = Buckets(1, 4, Clock())
        for _ in range(1_000):
            buckets.charge("a")
        assert buckets.wait("a") == 5

    def test_no_more_callers_are_remembered_than_allowed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "MAX_RATE_BUCKETS", 5)
        buckets = Buckets(1, 1, Clock())
        for number in range(100):
            buckets.charge(number)
        assert len(buckets) == 5
        assert (buckets.wait(99), buckets.wait(0)) == (1, 0)


class TestCallers:
    def test_who_asks_too_often_is_told_when_to_come_back(self, store: Store) -> None:
        app = create_app(store, requests_per_second=0.25, burst=2)
        *answered, refused = asked(app, *[("GET", "/v1/changes/last")] * 3)
        assert [answer.status_code for answer in answered] == [200, 200]
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) in (3, 4)
        error = refused.json()["error"]
        assert (error["key"], error["code"]) == ("RATE_LIMITED", "rate_limited")
        assert error["message"].startswith("Rate limited: too many requests")

    def test_they_come_back_after_exactly_that_long(self) -> None:
        clock = Clock()
        app = CallerRate(hello, Buckets(0.4, 1, clock))
        assert statuses(app, 2) == [200, 429]
        headers = dict(spoken(app, {})[0]["headers"])
        assert headers[b"retry-after"] == b"3"  # 2.5 seconds, and only whole ones can be told
        clock.now += 2.4
        assert statuses(app, 1) == [429]
        clock.now += 0.2
        assert statuses(app, 1) == [200]

    def test_a_second_is_the_least_that_is_told(self) -> None:
        app = CallerRate(hello, Buckets(1_000, 1, Clock()))
        assert statuses(app, 1) == [200]
        assert dict(spoken(app, {})[0]["headers"])[b"retry-after"] == b"1"

    def test_who_has_a_key_is_counted_by_it_wherever_they_come_from(self, store: Store) -> None:
        keys = [store.create_key(name, Role.READ).key for name in ("Ada", "Bob")]
        app = CallerRate(hello, Buckets(1, 2, Clock()))

        def told(number: int, host: str) -> list[int]:
            caller = Caller(key=keys[number])
            return statuses(app, 1, **name_caller({"client": (host, 1)}, caller))

        assert told(0, "192.0.2.1") + told(0, "192.0.2.2") + told(0, "192.0.2.3") == [200, 200, 429]
        assert told(1, "192.0.2.1") == [200]

    @pytest.mark.parametrize(
        ("one", "other", "are_one"),
        [
            ("192.0.2.1", "192.0.2.1", True),
            ("192.0.2.1", "192.0.2.2", False),
            ("2001:db8::1", "2001:db8::ffff:1", True),
            ("2001:db8::1", "2001:db8:0:1::1", False),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ],
    )
    def test_others_are_counted_by_their_machine(self, one: str, other: str, are_one: bool) -> None:
        app = CallerRate(hello, Buckets(1, 1, Clock()))
        told = [spoken(app, {"client": (host, 1)})[0]["status"] for host in (one, other)]
        assert told == [200, 429 if are_one else 200]

    @pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
    def test_whether_it_is_well_can_be_asked_as_often_as_one_likes(self, path: str) -> None:
        app = CallerRate(hello, Buckets(1, 1, Clock()))
        assert statuses(app, 5, path=path) == [200] * 5

    def test_without_a_rate_nobody_is_limited(self, store: Store) -> None:
        assert {answer.status_code for answer in asked(create_app(store), *[("GET", "/v1/account")] * 100)} == {200}

    @pytest.mark.parametrize(
        "given", [(0, None), (-1, None), (float("nan"), None), (float("inf"), None), (1, 0.5), (None, 5)]
    )
    def test_a_rate_that_is_none_is_refused(self, store: Store, given: tuple[Any, Any]) -> None:
        with pytest.raises(InvalidRequestError):
            create_app(store, requests_per_second=given[0], burst=given[1])


def app_with_key(store: Store) -> tuple[App, str]:
    """An application over a store that has a key, and its token."""
    return create_app(store), store.create_key("Ada", Role.ADMIN).token


def answering(status: int, *headers: tuple[bytes, bytes]) -> App:
    """An application that gives one answer to everything, in two parts."""

    async def answer(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        await send({"type": "http.response.body", "body": b"what was ", "more_body": True})
        await send({"type": "http.response.body", "body": b"said", "more_body": False})

    return answer


def log_in(app: App, token: str, client: str = "192.0.2.1") -> int:
    """The status that a login is answered with."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    return asked(app, ("POST", "/login"), client=client, content=f"key={token}&next=/", **form)[0].status_code


def try_wrong_keys(app: App, client: str = "192.0.2.1") -> list[int]:
    """Two more than are answered in a minute."""
    return [got(app, client=client, authorization="Bearer wrong").status_code for _ in range(12)]


SHOWN = {"headers": [(b"authorization", b"Bearer x")]}


class TestWrongKeys:
    @pytest.mark.parametrize(
        "headers",
        [{"authorization": "Bearer clew_{}"}, {"authorization": "Basic {}"}, {"cookie": "clew_key=clew_{}"}],
    )
    def test_no_address_can_try_one_after_the_other(self, store: Store, headers: dict[str, str]) -> None:
        app, _ = app_with_key(store)

        def tried(number: int) -> httpx2.Response:
            shown = {name: text.format(number) for name, text in headers.items()}
            return got(app, "/v1/account", client="192.0.2.1", **shown)

        answers = [tried(number) for number in range(12)]
        assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 6
        assert "www-authenticate" not in answers[-1].headers
        error = answers[-1].json()["error"]
        assert (error["key"], error["code"]) == ("RATE_LIMITED", "rate_limited")
        assert error["message"].startswith("Rate limited: too many wrong API keys")

    def test_nor_at_the_login(self, store: Store) -> None:
        app, _ = app_with_key(store)
        assert [log_in(app, "wrong") for _ in range(12)] == [401] * 10 + [429] * 2
        assert log_in(app, "wrong", "192.0.2.2") == 401

    def test_nor_with_one_that_is_revoked(self, store: Store) -> None:
        app, token = app_with_key(store)
        assert got(app, authorization=f"Bearer {token}").status_code == 200
        store.revoke_key(store.list_keys()[0].id)
        answers = [got(app, authorization=f"Bearer {token}").status_code for _ in range(12)]
        assert answers == [401] * 10 + [429] * 2

    def test_nor_where_only_what_is_public_could_be_seen(self, store: Store) -> None:
        app, _ = app_with_key(store)
        private = store.create_session("mine")
        told = [got(app, f"/v1/sessions/{private.id}", cookie="clew_key=x").status_code for _ in range(12)]
        assert told == [401] * 10 + [429] * 2

    def test_a_minute_later_there_are_ten_more(self) -> None:
        clock = Clock()
        app = WrongKeys(answering(401), Buckets(10 / 60, 10, clock))
        assert statuses(app, 11, **SHOWN) == [401] * 10 + [429]
        clock.now += 60
        assert statuses(app, 11, **SHOWN) == [401] * 10 + [429]

    def test_those_that_are_answered_429_cost_nothing_more(self) -> None:
        clock = Clock()
        app = WrongKeys(answering(401), Buckets(1, 1, clock))
        assert statuses(app, 100, **SHOWN) == [401] + [429] * 99
        clock.now += 1
        assert statuses(app, 1, **SHOWN) == [401]

    def test_nothing_of_the_answer_that_is_replaced_is_sent(self) -> None:
        app = WrongKeys(answering(401, (b"www-authenticate", b"Bearer")), Buckets(1, 1, Clock()))
        assert b"".join(part.get("body", b"") for part in spoken(app, SHOWN)) == b"what was said"
        start, body = spoken(app, SHOWN)
        assert (start["status"], dict(start["headers"]).get(b"www-authenticate")) == (429, None)
        assert dict(start["headers"])[b"content-length"] == str(len(body["body"])).encode()
        assert (body["more_body"], b"said" in body["body"]) == (False, False)

    def test_what_is_noted_of_it_is_what_was_answered(self) -> None:
        class Noted:
            errors: ClassVar[list[tuple[int | None, str | None]]] = []

            def begin(self) -> None:
                pass

            def end(self, seen: Seen) -> None:
                self.errors.append((seen.status, seen.error))

        async def refusing(scope: Any, receive: Any, send: Any) -> None:
            note_error(scope, "unauthorized")
            await answering(401)(scope, receive, send)

        clock = Clock()
        app = Observed(WrongKeys(refusing, Buckets(1, 1, clock)), [Noted()], clock)
        statuses(app, 2, **SHOWN)
        assert Noted.errors == [(401, "unauthorized"), (429, "rate_limited")]


class TestWhatIsNoWrongKey:
    def test_a_right_key_is_never_held_back(self, store: Store) -> None:
        """Neither one that was used before, nor one that comes for the first time, nor one in a login."""
        app, token = app_with_key(store)
        new, never_used = (store.create_key("Bob", Role.READ).token for _ in range(2))
        assert got(app, client="192.0.2.1", authorization=f"Bearer {token}").status_code == 200
        assert try_wrong_keys(app)[-1] == 429
        for right in (token, new):
            assert got(app, client="192.0.2.1", authorization=f"Bearer {right}").status_code == 200
            assert got(app, "/", client="192.0.2.1", cookie=f"clew_key={right}").status_code == 200
        assert log_in(app, never_used) == 303
        assert try_wrong_keys(app) == [429] * 12  # the right ones in between are no reason to answer wrong ones

    def test_what_a_right_key_may_not_is_none(self, store: Store) -> None:
        app, _ = app_with_key(store)
        token = store.create_key("Bob", Role.READ).token
        answers = asked(app, *[("GET", "/v1/keys")] * 30, authorization=f"Bearer {token}")
        assert {answer.status_code for answer in answers} == {403}

    def test_right_keys_can_be_used_as_often_as_one_likes(self, store: Store) -> None:
        app, token = app_with_key(store)
        answers = asked(app, *[("GET", "/v1/account")] * 30, authorization=f"Bearer {token}")
        assert {answer.status_code for answer in answers} == {200}

    @pytest.mark.parametrize(("path", "status"), [("/", 303), (asset_url("style.css"), 200), ("/login", 200)])
    def test_a_browser_with_a_dead_cookie_is_led_to_the_login_and_let_in_there(
        self, store: Store, path: str, status: int
    ) -> None:
        app, token = app_with_key(store)
        pages = asked(app, *[("GET", path)] * 30, client="192.0.2.1", accept="text/html", cookie="clew_key=dead")
        assert {page.status_code for page in pages} == {status}
        assert log_in(app, "wrong") == 401  # which says that nothing has been charged
        assert log_in(app, token) == 303

    def test_what_is_public_can_be_read_with_one_all_the_same(self, store: Store) -> None:
        app, _ = app_with_key(store)
        public = store.create_session("for all", visibility=Visibility.PUBLIC)
        told = asked(app, *[("GET", f"/v1/sessions/{public.id}")] * 30, cookie="clew_key=dead")
        assert {answer.status_code for answer in told} == {200}
        assert got(app, cookie="clew_key=dead").status_code == 401

    def test_who_shows_none_is_not_told_of_wrong_ones(self) -> None:
        app = WrongKeys(answering(401), Buckets(1, 1, Clock()))
        assert statuses(app, 5) == [401] * 5
        assert statuses(app, 2, **SHOWN) == [401, 429]

    @pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
    def test_no_other_answer_makes_a_key_a_wrong_one(self, status: int) -> None:
        app = WrongKeys(answering(status), Buckets(1, 1, Clock()))
        assert statuses(app, 5, **SHOWN) == [status] * 5

    def test_another_address_is_not_charged(self, store: Store) -> None:
        app, _ = app_with_key(store)
        assert try_wrong_keys(app, "192.0.2.1")[-1] == 429
        assert got(app, client="192.0.2.2", authorization="Bearer wrong").status_code == 401
