"""Who is let in."""

import asyncio

import httpx2
import pytest

from clew import Role, Store
from clew.server import create_app

PATHS = ["/v1/sessions", "/v1/keys", "/v1/account", "/v1/events", "/openapi.json", "/nothing"]


def ask(store: Store, path: str = "/v1/sessions", client: str = "127.0.0.1", **headers: str) -> httpx2.Response:
    """The answer to a request that comes from an address."""

    async def asked() -> httpx2.Response:
        through = httpx2.ASGITransport(app=create_app(store), client=(client, 1))
        async with httpx2.AsyncClient(transport=through, base_url="http://localhost:8080", verify=False) as http:
            return await http.get(path, headers=headers)

    return asyncio.run(asked())


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer wrong", "Basic YTpi", "clew_x"])
def test_without_a_key_of_the_store_nothing_is_answered(store: Store, path: str, authorization: str | None) -> None:
    store.create_key("Ada", Role.ADMIN)
    answer = ask(store, path, **({} if authorization is None else {"authorization": authorization}))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "Unauthorized" in answer.json()["error"]["message"]
    assert "wrong" not in answer.text


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_whether_it_runs_is_told_to_everybody(store: Store, path: str) -> None:
    store.create_key("Ada", Role.ADMIN)
    assert ask(store, path, client="192.0.2.1").status_code == 200


def test_a_key_of_an_admin_is_let_in_from_anywhere_until_it_is_revoked(store: Store) -> None:
    made = store.create_key("Ada", Role.ADMIN)
    given = {"client": "192.0.2.1", "host": "clew.example", "authorization": f"bearer {made.token}"}
    assert ask(store, **given).status_code == 200
    assert ask(store, "/v1/account", **given).json()["username"] == "Ada"
    store.revoke_key(made.key.id)
    assert ask(store, **given).status_code == 401


@pytest.mark.parametrize("role", [Role.READ, Role.WRITE])
def test_a_key_of_another_role_is_let_in_nowhere(store: Store, role: Role) -> None:
    made = store.create_key("Bob", role)
    answer = ask(store, authorization=f"Bearer {made.token}")
    assert answer.status_code == 403
    assert "Unauthorized" in answer.json()["error"]["message"]


@pytest.mark.parametrize("client", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_while_there_is_no_key_programs_of_this_machine_are_let_in(store: Store, client: str) -> None:
    assert ask(store, client=client, authorization="Bearer whatever").status_code == 200


@pytest.mark.parametrize("client", ["192.0.2.1", "10.0.0.1", "::ffff:192.0.2.1", "2001:db8::1", "localhost.example"])
def test_while_there_is_no_key_no_other_machine_is(store: Store, client: str) -> None:
    assert ask(store, client=client).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example:80"},
        {"host": ""},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:81"},
    ],
)
def test_a_page_of_another_site_is_never_let_in_without_a_key(store: Store, headers: dict[str, str]) -> None:
    assert ask(store, **headers).status_code == 401
    assert ask(store, origin="http://localhost:8080").status_code == 200
