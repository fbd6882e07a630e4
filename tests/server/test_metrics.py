"""What Prometheus is told."""

import asyncio
from typing import Any
from uuid import UUID

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.server.asking import asked, got, spoken

from clew import NotFoundError, Role, Store
from clew.protocol import REPEAT_HEADER
from clew.server import create_app

LAST = "/v1/changes/last"


def numbers(app: Any, **headers: str) -> dict[tuple[str, ...], float]:
    """Every number, by the name of its metric and the values of its labels."""
    text = got(app, "/metrics", **headers).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, *map(str, sample.labels.values())): sample.value for sample in samples}


def test_requests_are_counted_by_method_route_and_status(store: Store) -> None:
    app = create_app(store)
    id = store.create_session("talk").id
    asked(app, ("GET", f"/v1/sessions/{id}"), ("DELETE", f"/v1/sessions/{id}"), ("GET", f"/v1/sessions/{id}"))
    asked(app, ("GET", LAST), ("GET", "/v1/nothing/clew_x"), ("BREW", "/v1/sessions"))
    told = numbers(app)
    requests = {key[1:]: value for key, value in told.items() if key[0] == "clew_http_requests_total"}
    assert requests == {
        ("GET", "/v1/sessions/{session_id}", "200"): 2,
        ("DELETE", "/v1/sessions/{session_id}", "200"): 1,
        ("GET", LAST, "200"): 1,
        ("GET", "-", "404"): 1,
        ("OTHER", "-", "405"): 1,
    }
    assert told["clew_http_request_duration_seconds_count", "GET", LAST] == 1
    assert 0 < told["clew_http_request_duration_seconds_sum", "GET", LAST] < 10


def test_no_label_is_what_a_client_made_up(store: Store) -> None:
    app = create_app(store)
    asked(app, *[("GET", f"/{number}/x") for number in range(20)], *[(f"M{number}", "/x") for number in range(20)])
    asked(app, *[("GET", f"/v1/sessions/checkpoints/{number:032x}") for number in range(20)])
    requests = [key for key in numbers(app) if key[0] == "clew_http_requests_total"]
    assert len(requests) <= 4


def test_bytes_and_errors_of_the_store_are_counted(store: Store) -> None:
    app = create_app(store)
    store.create_session("x")
    missing = f"/v1/sessions/{UUID(int=1)}"
    first, *_ = asked(app, ("GET", LAST), ("GET", missing), ("GET", missing))
    told = numbers(app)
    assert told["clew_store_errors_total", NotFoundError.code] == 2
    assert told["clew_http_response_bytes_total",] > len(first.content)


def test_a_request_that_gets_an_earlier_answer_is_counted_by_its_route_and_as_a_repeat(store: Store) -> None:
    app = create_app(store)
    body = {REPEAT_HEADER: "1", "content-type": "application/json"}
    answers = asked(app, *[("POST", "/v1/sessions")] * 3, content='{"title":"x"}', **body)
    assert len({answer.text for answer in answers}) == 1
    told = numbers(app)
    assert told["clew_http_requests_total", "POST", "/v1/sessions", "201"] == 3
    assert told["clew_http_repeated_requests_total",] == 2


def test_who_waits_and_what_is_under_way_are_counted_while_they_are(store: Store) -> None:
    app = create_app(store)
    under_way, waiting = ("clew_http_requests_in_flight",), ("clew_watchers",)

    async def wait() -> dict[tuple[str, ...], float]:
        through = httpx2.ASGITransport(app=app, client=("127.0.0.1", 1))
        async with httpx2.AsyncClient(transport=through, base_url="http://localhost", verify=False) as http:
            waits = asyncio.create_task(http.get("/v1/changes/wait", params={"heard": 1, "seconds": 30}))
            while (told := await asyncio.to_thread(numbers, app))[waiting] == 0:
                waits.done() and waits.result()
            await asyncio.to_thread(app.stop_waiting)
            assert (await waits).status_code == 200
            return told

    first = got(app, "/v1/changes/wait?heard=0&seconds=0").json()["rung"]
    assert first >= 0
    told = asyncio.run(asyncio.wait_for(wait(), 30))
    assert (told[waiting], told[under_way]) == (1, 2)  # asking for the numbers is a request too
    assert numbers(app)[under_way] == 1


def test_each_application_counts_for_itself(store: Store) -> None:
    first, second = create_app(store), create_app(store)
    got(first)
    assert ("clew_http_requests_total", "GET", LAST, "200") in numbers(first)
    assert ("clew_http_requests_total", "GET", LAST, "200") not in numbers(second)


def test_the_process_and_the_version_are_told(store: Store) -> None:
    told = numbers(create_app(store))
    assert told["process_resident_memory_bytes",] > 0
    assert any(key[0] == "clew_info" for key in told)


@pytest.mark.parametrize("role", list(Role))
def test_once_there_are_keys_any_of_them_will_do_and_nothing_else(store: Store, role: Role) -> None:
    token = store.create_key("Ada", role).token
    app = create_app(store)
    for headers in ({}, {"authorization": "Bearer wrong"}, {"cookie": "clew_key=wrong"}):
        answer = got(app, "/metrics", client="192.0.2.1", **headers)
        assert answer.status_code == 401
        assert "clew_http" not in answer.text
    assert got(app, "/metrics", client="192.0.2.1", authorization=f"Bearer {token}").status_code == 200


def test_a_mistake_of_the_server_is_counted_as_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(store)
    monkeypatch.setattr(type(store._backend), "last_change", lambda self: 1 / 0)
    (start, *_) = spoken(app, {"path": LAST, "raw_path": LAST.encode()})
    assert start["status"] == 500
    told = numbers(app)
    assert told["clew_http_requests_total", "GET", LAST, "500"] == 1
    assert told["clew_store_errors_total", "internal_error"] == 1
