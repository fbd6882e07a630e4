"""Recorded exchanges of the agent's own client with the service that clew replaces, replayed against a live server.

Each file in tests/data/wire is one exchange: the request as that client sends it, and the answer as its reader needs
it, with every key in its place. The files say nothing of what clew adds; that is listed here.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from tests.server import agent_reader
from tests.support.http_server import LiveServer, live_server, served

from clew import Role, Session, Store
from clew.server import create_app
from clew.sqlite import open_backend
from clew.testing import Clock
from clew.testing.contract.base import active

WIRE = Path(__file__).resolve().parents[1] / "data" / "wire"
RECORDED = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(WIRE.glob("*.json"))}

_ORIGIN = ("source", "source_id", "parent_session_id", "forked_from", "metadata", "revision")
ADDED: dict[str, tuple[str, ...]] = {
    "GET /v1/account": (),
    "GET /v1/sessions": ("total", "next_cursor"),
    "POST /v1/sessions": ("session",),
    "GET /v1/sessions/{}/checkpoints": ("total", "next_cursor"),
    "session": (*_ORIGIN, "owner"),
    "sessions": (*_ORIGIN, "checkpoint_count", "damage", "owner"),
    "checkpoint": ("label",),
    "active_checkpoint": ("label",),
    "checkpoints": ("label", "damage", "chain"),
    "error": ("code", "detail"),
}
"""What clew adds, after the keys of the reference, whose reader ignores keys that it does not know. By the request for
a whole answer, by the key under which it stands for a part of one. Messages and metadata are as they were sent."""

MISSING = UUID("429a0400-4010-4429-8400-401401401401")
"""Digits that would be taken for another kind of error."""


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """One of its own: all stores behind it have keys, and a server that has seen a key asks for one from then on."""
    with live_server() as server:
        yield server


class Stage:
    """A store with sessions and keys, by the names that the recordings have for them."""

    def __init__(self, store: Store, kind: str) -> None:
        self._store = store
        made = {name: store.create_key(owner, role) for name, owner, role in _KEYS}
        store.revoke_key(made["key.revoked"].key.id)
        self.names = {name: key.token for name, key in made.items()} | {"missing": str(MISSING)}
        getattr(self, f"_{kind}")()

    def _empty(self) -> None:
        """Nothing."""

    def _three(self) -> None:
        talk = self._add("talk", title="Fix the flaky test", cwd="/srv/project", **_said("create_session"))
        self.names["talk.next"] = str(self._store.append(talk.id, [_NEXT]).id)
        self._add("plain", title="100% done", visibility="PUBLIC")
        gone = self._add("gone", title="Gone", cwd="/tmp/project", messages=[{"role": "user", "content": None}])
        self._store.delete_session(gone.id)

    def _bare(self) -> None:
        bare = self._add("bare", title="Bare")
        self._store.delete_checkpoints(bare.id, active(bare).id)

    def _other(self) -> None:
        self._add("other", title="Not found: 401", owner="Bob")

    def _add(self, name: str, *, owner: str = "Ada", **what: Any) -> Session:
        made = self._store.create_session(owner=owner, **what)
        self.names |= {name: str(made.id), f"{name}.root": str(active(made).id)}
        return made


_KEYS = [("key", "Ada", Role.WRITE), ("key.reader", "Ada", Role.READ), ("key.revoked", "Ada", Role.WRITE)]
_NEXT = {"role": "assistant", "content": "It reads the clock."}


def _said(name: str) -> dict[str, Any]:
    """The state of a recorded request."""
    state: dict[str, Any] = RECORDED[name]["request"]["body"]["state"]
    return state


def send(client: httpx2.Client, recorded: dict[str, Any], names: dict[str, str]) -> httpx2.Response:
    """The request as it is recorded, byte for byte but for names."""
    method, path = _filled(recorded["line"], names).split(" ", 1)
    headers = {name: _filled(value, names) for name, value in recorded["headers"].items()}
    body = recorded.get("body")
    content = None if body is None else _filled(json.dumps(body, separators=(",", ":")), names).encode()
    return client.request(method, path, headers=headers, content=content)


def _filled(text: str, names: dict[str, str]) -> str:
    return re.sub(r"<([a-z.]+)>", lambda found: names[found[1]], text)


def check(given: Any, recorded: Any, names: dict[str, str], where: str) -> None:
    """The same values, and the same keys in the same order, followed by those that are added there."""
    if isinstance(recorded, dict):
        added = tuple(given)[len(recorded) :]
        assert list(given)[: len(recorded)] == list(recorded), where
        allowed = ADDED.get(where, ())
        assert added == tuple(name for name in allowed if where != "error" or name in given), where
        for name, value in recorded.items():
            check(given[name], value, names, name)
    elif isinstance(recorded, list):
        assert len(given) == len(recorded), where
        for item, value in zip(given, recorded, strict=True):
            check(item, value, names, where)
    elif recorded == "<time>":
        assert agent_reader.TIME.fullmatch(given), where
    elif recorded == "<uuid>":
        assert str(UUID(given)) == given, where
    elif recorded == "<text>":
        assert isinstance(given, str), where
    else:
        wanted = _filled(recorded, names) if isinstance(recorded, str) else recorded
        assert (given, type(given)) == (wanted, type(wanted)), where


@pytest.fixture
def store(server: LiveServer) -> Iterator[Store]:
    clock = Clock()
    with Store(open_backend(None, busy_timeout=30), clock=clock) as store:
        server.switch.put(store._backend, clock)
        yield store


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_exchange_is_what_is_said(name: str, server: LiveServer, store: Store) -> None:
    exchange = RECORDED[name]
    stage = Stage(store, exchange["store"])
    if "options" in exchange:
        with served(create_app(store, **exchange["options"])) as url:
            answer = _asked(url, exchange, stage)
    else:
        answer = _asked(server.url, exchange, stage)
    wanted = exchange["response"]
    assert answer.status_code == wanted["status"], answer.text
    for header, value in wanted["headers"].items():
        assert answer.headers[header].isdigit() if value == "<seconds>" else answer.headers[header] == value
    check(answer.json(), wanted["body"], stage.names, _address(exchange) if answer.is_success else "")
    _check_read(exchange, answer)


def _asked(url: str, exchange: dict[str, Any], stage: Stage) -> httpx2.Response:
    with httpx2.Client(base_url=url, verify=False) as client:
        for _ in range(1, exchange.get("times", 1)):
            assert send(client, exchange["request"], stage.names).is_success
        return send(client, exchange["request"], stage.names)


def _check_read(exchange: dict[str, Any], answer: httpx2.Response) -> None:
    """The agent's reader takes it, or takes the error for what it is."""
    if answer.is_success:
        agent_reader.read_answer(exchange["reads"], answer.content)
    else:
        message = answer.json()["error"]["message"]
        assert agent_reader.heard_as(message) == exchange["reads"], message


def _address(exchange: dict[str, Any]) -> str:
    """Method and path, without what stands for an id, and without a question."""
    return re.sub("<[a-z.]+>", "{}", exchange["request"]["line"].partition("?")[0])


def test_every_endpoint_of_the_reference_and_every_kind_of_error_is_recorded() -> None:
    assert {_address(exchange) for exchange in RECORDED.values()} >= {
        "GET /v1/account", "GET /v1/sessions", "POST /v1/sessions", "GET /v1/sessions/{}", "PATCH /v1/sessions/{}",
        "DELETE /v1/sessions/{}", "GET /v1/sessions/{}/checkpoints", "POST /v1/sessions/{}/checkpoints",
        "GET /v1/sessions/checkpoints/{}",
    }  # fmt: skip
    statuses = {exchange["response"]["status"] for exchange in RECORDED.values()}
    assert statuses >= {200, 201, 400, 401, 403, 404, 409, 429}
