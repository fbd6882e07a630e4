"""How often a caller may ask, and come with a wrong key."""

from typing import Any

import httpx2
import pytest
from tests.server.asking import asked, got, spoken

from clew import InvalidRequestError, Role, Store, Visibility, limits
from clew.server import create_app
from clew.server.asgi import App
from clew.server.callers import Caller, name_caller
from clew.server.rates import Buckets, CallerRate, WrongKeys


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


class TestWrongKeys:
    @pytest.mark.parametrize(
        "headers",
        [
            {"authorization": "Bearer clew_{}"},
            {"authorization": "Basic {}"},
            {"cookie": "clew_key=clew_{}"},
            {"cookie": "clew_key=clew_{}", "accept": "text/html"},
        ],
    )
    def test_no_address_can_try_one_after_the_other(self, store: Store, headers: dict[str, str]) -> None:
        store.create_key("Ada", Role.ADMIN)
        app = create_app(store)
        path = "/" if "accept" in headers else "/v1/account"

        def tried(number: int) -> httpx2.Response:
            return got(app, path, client="192.0.2.1", **{name: text.format(number) for name, text in headers.items()})

        answers = [tried(number) for number in range(12)]
        assert {answer.status_code for answer in answers[:10]} == ({303} if "accept" in headers else {401})
        assert [answer.status_code for answer in answers[10:]] == [429, 429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 6
        assert answers[-1].json()["error"]["message"].startswith("Rate limited: too many wrong API keys")

    def test_nor_where_something_public_is_shown_to_whoever_asks(self, store: Store) -> None:
        store.create_key("Ada", Role.ADMIN)
        public = store.create_session("for all", visibility=Visibility.PUBLIC)
        app = create_app(store)
        told = [got(app, f"/v1/sessions/{public.id}", cookie=f"clew_key={number}").status_code for number in range(12)]
        assert told == [200] * 10 + [429] * 2

    def test_nor_at_the_login(self, store: Store) -> None:
        token = store.create_key("Ada", Role.ADMIN).token
        app = create_app(store)

        def logged_in(key: str, client: str) -> int:
            return asked(
                app, ("POST", "/login"), client=client, content=f"key={key}&next=/",
                **{"content-type": "application/x-www-form-urlencoded"},
            )[0].status_code  # fmt: skip

        assert logged_in(token, "192.0.2.1") == 303
        assert [logged_in("wrong", "192.0.2.1") for _ in range(12)] == [401] * 10 + [429] * 2
        assert logged_in(token, "192.0.2.1") == 429
        assert logged_in(token, "192.0.2.2") == 303
        assert logged_in("wrong", "192.0.2.1") == 429  # the login of another is no reason to let it in

    def test_a_store_that_does_not_answer_makes_no_key_a_wrong_one(self) -> None:
        async def broken(_scope: Any, _receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        app = WrongKeys(broken, Buckets(1, 1, Clock()))
        assert statuses(app, 5, headers=[(b"authorization", b"Bearer x")]) == [503] * 5

    def test_another_address_is_not_held_back_by_it(self, store: Store) -> None:
        token = store.create_key("Ada", Role.ADMIN).token
        app = create_app(store)
        for _ in range(12):
            got(app, client="192.0.2.1", authorization="Bearer wrong")
        assert got(app, client="192.0.2.2", authorization=f"Bearer {token}").status_code == 200

    def test_nor_is_who_shares_the_address_and_was_right_before(self, store: Store) -> None:
        tokens = [store.create_key(name, Role.ADMIN).token for name in ("Ada", "Bob")]
        app = create_app(store)

        def told(token: str) -> int:
            return got(app, client="192.0.2.1", authorization=f"Bearer {token}").status_code

        assert told(tokens[0]) == 200
        for _ in range(12):
            told("wrong")
        assert [told(token) for token in tokens] == [200, 429]

    def test_a_key_that_is_revoked_is_one_of_the_wrong_ones(self, store: Store) -> None:
        made = store.create_key("Ada", Role.ADMIN)
        app = create_app(store)
        assert got(app, authorization=f"Bearer {made.token}").status_code == 200
        store.revoke_key(made.key.id)
        answers = [got(app, authorization=f"Bearer {made.token}").status_code for _ in range(12)]
        assert answers == [401] * 10 + [429] * 2

    def test_right_keys_can_be_used_as_often_as_one_likes(self, store: Store) -> None:
        token = store.create_key("Ada", Role.ADMIN).token
        app = create_app(store)
        answers = asked(app, *[("GET", "/v1/account")] * 30, authorization=f"Bearer {token}")
        assert {answer.status_code for answer in answers} == {200}

    def test_a_minute_later_there_are_ten_more(self) -> None:
        clock = Clock()

        async def refuse_all(_scope: Any, _receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        app = WrongKeys(refuse_all, Buckets(10 / 60, 10, clock))
        shown = {"headers": [(b"authorization", b"Bearer x")]}
        assert statuses(app, 11, **shown) == [401] * 10 + [429]
        clock.now += 60
        assert statuses(app, 11, **shown) == [401] * 10 + [429]
