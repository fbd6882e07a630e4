"""A server that asks to come back later, and a proxy whose server is being restarted."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import httpx2
import pytest
from tests.support.http_server import served

from clew import RateLimitedError, Store, UnavailableError
from clew.remote import open_backend as open_remote
from clew.server import create_app
from clew.testing.contract.base import users

Answer = tuple[int, dict[str, str]]


def in_front_of(app: Any, answers: Sequence[Answer]) -> Callable[..., Any]:
    """Answers writes in the application's place, as often as there is something to answer with."""
    left = iter(answers)

    async def front(scope: Any, receive: Any, send: Any) -> None:
        answer = next(left, None) if scope["type"] == "http" and scope["method"] == "POST" else None
        if answer is None:
            await app(scope, receive, send)
            return
        headers = [(name.encode(), value.encode()) for name, value in answer[1].items()]
        await send({"type": "http.response.start", "status": answer[0], "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    return front


def created(behind: Store, answers: Sequence[Answer], timeout: float = 10) -> None:
    """Create a session through a server that first answers so."""
    with (
        served(in_front_of(create_app(behind), answers)) as url,
        Store(open_remote(url, busy_timeout=timeout)) as store,
    ):
        store.create_session("talk", messages=users("a"))


def test_a_write_waits_for_as_long_as_it_is_asked_to_and_is_carried_out_once(behind: Store, waits: list[float]) -> None:
    created(behind, [(429, {"retry-after": "2"}), (429, {"retry-after": "3"})])
    assert [2 <= waits[0] < 3, 3 <= waits[1] < 4, len(waits)] == [True, True, 2]
    assert behind.list_sessions().total == 1


def test_who_is_to_wait_for_longer_than_the_time_limit_is_told_at_once(behind: Store, waits: list[float]) -> None:
    with pytest.raises(RateLimitedError):
        created(behind, [(429, {"retry-after": "11"})] * 100)
    assert waits == []


def test_nobody_waits_beyond_the_time_limit_however_often_they_are_asked(behind: Store, waits: list[float]) -> None:
    with pytest.raises(RateLimitedError):
        created(behind, [(429, {"retry-after": "3"})] * 100)
    assert 6 <= sum(waits) <= 10


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_proxy_whose_server_is_away_is_asked_again(behind: Store, waits: list[float], status: int) -> None:
    created(behind, [(status, {}), (status, {"retry-after": "1"})])
    assert waits[0] < 1 <= waits[1]
    assert behind.list_sessions().total == 1


def test_a_server_whose_store_is_not_to_be_had_has_waited_itself(behind: Store, waits: list[float]) -> None:
    with pytest.raises(UnavailableError):
        created(behind, [(503, {"clew-server": "0.1.0"})])
    assert waits == []


def test_a_real_limit_slows_a_client_down_and_loses_nothing(behind: Store, waits: list[float]) -> None:
    """Time passes for the client alone: it comes back too early, and waits again."""
    with served(create_app(behind, requests_per_second=20, burst=2)) as url:
        with Store(open_remote(url, busy_timeout=1_000)) as store:
            for number in itertools.count():
                store.create_session(str(number))
                if waits:
                    break
        assert behind.list_sessions().total == number + 1


def test_a_server_that_is_gone_is_tried_until_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    tried = []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    def refuse(_transport: httpx2.HTTPTransport, _request: httpx2.Request) -> httpx2.Response:
        tried.append(now)
        raise httpx2.ConnectError("nobody listens")

    monkeypatch.setattr("clew.remote.client.time.sleep", sleep)
    monkeypatch.setattr("clew.remote.client.time.monotonic", lambda: now)
    monkeypatch.setattr(httpx2.HTTPTransport, "handle_request", refuse)
    with pytest.raises(UnavailableError):
        open_remote("http://127.0.0.1:1", busy_timeout=5.0)
    assert 4.9 < tried[-1] < 5.0
    assert len(tried) < 25
