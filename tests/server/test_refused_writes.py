"""Requests that no client of clew's makes, and that a server still has to refuse by name."""

import base64
import hashlib
from typing import Any
from uuid import UUID

import httpx2
import pytest
from tests.support.http_server import served

from clew import Role, Session, Store
from clew.server import create_app
from clew.testing.contract.base import active, users

DIGEST = base64.b64encode(hashlib.sha256(b"token").digest()).decode()
KEY = {"id": str(UUID(int=1)), "name": "Ada", "role": "read", "digest": DIGEST}


@pytest.fixture
def talk(store: Store) -> Session:
    return store.create_session("talk", messages=users("a"))


def refusal(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["key"]


def test_an_id_that_is_taken_is_a_conflict_though_nobody_looked_first(
    client: httpx2.Client, store: Store, talk: Session
) -> None:
    """`fingerprint` null says that the id is a new one of clew's making, which the store believes."""
    for path, body in (("append", {"messages": users("b")}), ("checkpoints", {"state": {"messages": users("b")}})):
        taken = body | {"id": str(active(talk).id), "fingerprint": None}
        assert refusal(client.post(f"/v1/sessions/{talk.id}/{path}", json=taken)) == (409, "CONFLICT")
    assert store.get_session(talk.id).revision == talk.revision


@pytest.mark.parametrize(
    "change", [{"id": str(UUID(int=2))}, {"digest": base64.b64encode(bytes(32)).decode()}], ids=str
)
def test_a_key_whose_id_or_token_is_taken_is_a_conflict(store: Store, change: dict[str, Any]) -> None:
    with served(create_app(store)) as url:
        token = store.create_key("root", Role.ADMIN).token
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx2.post(f"{url}/v1/keys/keep", json=KEY, headers=headers).status_code == 201
        assert refusal(httpx2.post(f"{url}/v1/keys/keep", json=KEY | change, headers=headers)) == (409, "CONFLICT")


@pytest.mark.parametrize("digest", ["", "AAAA", base64.b64encode(bytes(33)).decode()])
def test_a_digest_is_that_of_a_sha256(client: httpx2.Client, digest: str) -> None:
    assert refusal(client.post("/v1/keys/keep", json=KEY | {"digest": digest})) == (400, "INVALID_REQUEST")
    assert refusal(client.post("/v1/keys/find", json={"digest": digest})) == (400, "INVALID_REQUEST")


def test_an_idempotency_key_with_another_question_is_a_conflict(
    client: httpx2.Client, store: Store, talk: Session
) -> None:
    path, headers = f"/v1/sessions/{talk.id}/restore", {"Idempotency-Key": f"a question {talk.id}"}
    assert client.post(path, params={"form": "bare"}, headers=headers).is_success
    assert refusal(client.post(path, params={"form": "stored"}, headers=headers)) == (409, "CONFLICT")


@pytest.mark.parametrize("path", ["/v1/sessions", "/v1/sessions/00000000-0000-0000-0000-000000000001"])
def test_whoever_is_not_let_in_is_told_how_to_come_in(store: Store, path: str) -> None:
    store.create_key("root", Role.ADMIN)
    with served(create_app(store)) as url:
        answer = httpx2.get(f"{url}{path}")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
