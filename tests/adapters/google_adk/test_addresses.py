"""clew's stores as addresses of ADK's own commands."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.adk.cli.service_registry import get_service_registry
from tests.adapters.google_adk.support import Service, texts

import clew
from clew.adapters.google_adk import ClewSessionService, register
from clew.adapters.google_adk.addresses import store_url

AGENT = """
from google.adk.agents import LlmAgent
from google.adk.models import BaseLlm, LlmResponse
from google.genai import types

class Echo(BaseLlm):
    model: str = "echo"

    async def generate_content_async(self, llm_request, stream=False):
        words = llm_request.contents[-1].parts[-1].text
        yield LlmResponse(content=types.Content(role="model", parts=[types.Part(text=f"You said {words}.")]))

root_agent = LlmAgent(name="echo", model=Echo())
"""


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        ("clew:///folder/agent.db", "/folder/agent.db"),
        ("clew:agent.db", "agent.db"),
        ("clew:/folder/agent.db", "/folder/agent.db"),
        ("clew+postgresql://ada@host/name?sslmode=require", "postgresql://ada@host/name?sslmode=require"),
        ("clew+https://host:8443", "https://host:8443"),
        ("clew+http://host", "http://host"),
    ],
)
def test_a_uri_leads_to_a_store(uri: str, url: str) -> None:
    assert store_url(uri) == url


@pytest.mark.parametrize("uri", ["clew://agent.db", "clew://host/agent.db", "clew://", "clew:", "clew:///"])
def test_a_uri_that_leads_nowhere_is_refused(uri: str) -> None:
    with pytest.raises(clew.InvalidRequestError):
        store_url(uri)


def test_registered_schemes_open_any_store(store: clew.Store, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    places = {
        "local": lambda: f"clew://{tmp_path / 'clew.db'}",
        "postgresql": lambda: f"clew+{request.getfixturevalue('postgres_url')}",
        "http": lambda: f"clew+{request.getfixturevalue('served_url')}",
    }
    Service(store).create("s", state={"k": 1})
    register()
    register()
    uri = places[store.backend_info().kind]()
    service = get_service_registry().create_session_service(uri, agents_dir=str(tmp_path))
    assert isinstance(service, ClewSessionService)

    async def main() -> Any:
        session = await service.get_session(app_name="weather", user_id="ada", session_id="s")
        await service.close()
        return session

    assert asyncio.run(main()).state == {"k": 1}


# What ADK tells whoever starts its server: that parts of it may change.
@pytest.mark.filterwarnings("ignore:.*EXPERIMENTAL:UserWarning")
def test_sessions_of_adks_server_are_in_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from google.adk.cli.fast_api import get_fast_api_app

    agents = tmp_path / "agents"
    (agents / "echo").mkdir(parents=True)
    (agents / "echo" / "__init__.py").write_text("from . import agent\n")
    (agents / "echo" / "agent.py").write_text(AGENT)
    (agents / "services.py").write_text("from clew.adapters.google_adk import register\n\nregister()\n")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "services", raising=False)
    monkeypatch.setattr(get_service_registry(), "_session_factories", {})
    app = get_fast_api_app(agents_dir=str(agents), session_service_uri=f"clew://{tmp_path / 'web.db'}", web=False)

    async def main() -> list[dict[str, Any]]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            sessions = "/apps/echo/users/ada/sessions"
            (await client.post(sessions, json={"sessionId": "s1", "state": {"k": 1}})).raise_for_status()
            message = {"role": "user", "parts": [{"text": "Hi"}]}
            call = {"appName": "echo", "userId": "ada", "sessionId": "s1", "newMessage": message}
            (await client.post("/run", json=call)).raise_for_status()
            (await client.patch(f"{sessions}/s1", json={"stateDelta": {"j": 2}})).raise_for_status()
            (await client.post(sessions, json={"sessionId": "s2"})).raise_for_status()
            (await client.delete(f"{sessions}/s2")).raise_for_status()
            listed: list[dict[str, Any]] = (await client.get(sessions)).json()
            return listed

    assert [(session["id"], session["state"]) for session in asyncio.run(main())] == [("s1", {"k": 1, "j": 2})]
    with clew.open(tmp_path / "web.db") as store:
        session = Service(store, app="echo").read("s1")
        assert texts(session) == ["Hi", "You said Hi."]
        assert [summary.title for summary in store.list_sessions()] == ["Hi"]
