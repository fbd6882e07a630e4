"""The line that is logged of each request."""

import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from tests.server.asking import asked, got, spoken

from clew import Role, Store
from clew.server import create_app
from clew.server.access_log import AccessLog, Line
from clew.server.logs import _Json, _Text
from clew.server.seen import Observed

HOSTILE = ["a\nb", "a\rb", "\x1b[31mred", "\x00", "\u202e", "\u2028", '" 200 0 B"', "x" * 5_000]


class Kept(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[logging.LogRecord]]:
    """The records of the access log."""
    kept, log = Kept(), logging.getLogger("clew.access")
    monkeypatch.setattr(log, "handlers", [kept])
    log.setLevel(logging.INFO)
    yield kept.records
    log.setLevel(logging.NOTSET)


def last(lines: list[logging.LogRecord]) -> Line:
    """What the last record says."""
    line: Line = lines[-1].request  # type: ignore[attr-defined]
    return line


def test_a_request_is_one_line_with_what_helps_to_find_it_again(store: Store, lines: list[Any]) -> None:
    made = store.create_key("Ada", Role.READ)
    app = create_app(store)
    before = datetime.now(UTC)
    answer = got(app, f"/v1/sessions/{made.key.id}", client="192.0.2.1", authorization=f"Bearer {made.token}")
    (record,) = lines
    line = msgspec.structs.asdict(last(lines))
    assert record.name == "clew.access"
    assert before <= datetime.fromisoformat(line.pop("time")).replace(microsecond=999_999)
    assert 0 < line.pop("ms") < 30_000
    assert line == {
        "method": "GET",
        "path": f"/v1/sessions/{made.key.id}",
        "route": "/v1/sessions/{session_id}",
        "status": 404,
        "bytes": len(answer.content),
        "caller": "Ada",
        "key_id": str(made.key.id),
        "client": "192.0.2.1",
        "request_id": answer.headers["x-request-id"],
    }


def test_times_are_rfc_3339_in_utc(store: Store, lines: list[Any]) -> None:
    got(create_app(store))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", last(lines).time)


def test_who_is_not_let_in_is_logged_without_a_name(store: Store, lines: list[Any]) -> None:
    store.create_key("Ada", Role.READ)
    got(create_app(store), authorization="Bearer wrong")
    assert (last(lines).status, last(lines).caller, last(lines).key_id) == (401, None, None)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_a_client_sends_forges_a_line(store: Store, lines: list[Any], text: str) -> None:
    name = text[:200].replace("\0", "no key is called so")
    token = store.create_key(name, Role.ADMIN).token
    app = create_app(store)
    raw = f"/v1/sessions/{text}".encode()
    headers = [
        (b"host", b"localhost"),
        (b"x-request-id", text.encode()),
        (b"authorization", f"Bearer {token}".encode()),
    ]
    spoken(app, {"raw_path": raw, "path": raw.decode(), "headers": headers, "client": (text, 1), "method": text})
    for form in (_Text(), _Json()):
        shown = form.format(lines[-1])
        assert shown.isprintable()
        assert len(shown) < 2_000
    assert last(lines).path == "/v1/sessions/*"
    assert (last(lines).client, last(lines).method) == ("?", "OTHER")
    assert json.loads(_Json().format(lines[-1]))["caller"] == name


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/", "/"),
        ("/v1/sessions", "/v1/sessions"),
        ("/v1/sessions?search=clew_secret", "/v1/sessions"),
        ("/v1/clew_secret", "/v1/*"),
        ("/clew_secret/v1", "/*/v1"),
        ("/v1/sessions/checkpoints/clew_secret/attachments/clew_secret", "/v1/sessions/checkpoints/*/attachments/*"),
        ("/v1/" + "x/" * 500, "/v1" + "/*" * 15),
    ],
)
def test_of_a_path_only_words_of_the_routes_and_ids_are_shown(
    store: Store, lines: list[Any], path: str, shown: str
) -> None:
    got(create_app(store), path)
    assert last(lines).path == shown


def test_a_label_stays_out(store: Store, lines: list[Any]) -> None:
    session = store.create_session("talk").id
    label = quote("a secret/label", safe="")
    got(create_app(store), f"/v1/sessions/{session}/waiting/{label}")
    assert last(lines).path == f"/v1/sessions/{session}/waiting/*"
    assert last(lines).route == "/v1/sessions/{session_id}/waiting/{label}"


class TestRequestIds:
    @pytest.mark.parametrize("given", ["a", "0af7651916cd43dd8448eb211c80319c", "A.b_c-1", "x" * 128])
    def test_one_that_is_given_is_kept(self, store: Store, lines: list[Any], given: str) -> None:
        answer = got(create_app(store), **{"x-request-id": given})
        assert (answer.headers["x-request-id"], last(lines).request_id) == (given, given)

    @pytest.mark.parametrize("given", ["", "a b", "a\tb", "x" * 129, "é", "a;b", "<script>"])
    def test_one_that_is_not_well_formed_is_replaced(self, store: Store, lines: list[Any], given: str) -> None:
        scope = {"path": "/healthz", "raw_path": b"/healthz", "headers": [(b"x-request-id", given.encode())]}
        headers = dict(spoken(create_app(store), scope)[0]["headers"])
        assert re.fullmatch(rb"[0-9a-f]{32}", headers[b"x-request-id"])
        assert last(lines).request_id == headers[b"x-request-id"].decode()

    def test_each_request_has_its_own_and_a_mistake_is_logged_with_it(
        self, store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        app = create_app(store)
        first, second = asked(app, ("GET", "/healthz"), ("GET", "/healthz"))
        assert first.headers["x-request-id"] != second.headers["x-request-id"]
        monkeypatch.setattr(type(store._backend), "last_change", lambda self: 1 / 0)
        answer = got(app)
        assert answer.status_code == 500
        (mistake,) = [record for record in caplog.records if record.name == "clew.server"]
        assert answer.headers["x-request-id"] in mistake.getMessage()
        assert "ZeroDivisionError" in _Text().format(mistake)
        assert "ZeroDivisionError" in json.loads(_Json().format(mistake))["traceback"]
        assert "ZeroDivisionError" not in answer.text


def test_an_application_that_breaks_before_it_answers_is_logged_as_a_mistake(lines: list[Any]) -> None:
    async def broken(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        spoken(Observed(broken, [AccessLog(())], lambda: 0.0), {})
    assert last(lines).status == 500
