"""No secret gets into a log line, an error or a metric, wherever a client puts it."""

import logging
from urllib.parse import quote

import httpx2
import pytest
from tests.server.asking import asked
from tests.support.http_server import served

from clew import Role, Store
from clew.server import create_app
from clew.server.logs import _Json, _Text

PASSWORD = "hunter2-of-the-database"


def everywhere(secret: str) -> list[tuple[str, str, dict[str, str]]]:
    """Requests with a secret where it belongs, and where it does not."""
    quoted = quote(secret)
    return [
        (method, path, headers)
        for method in ("GET", "POST", "DELETE", "BREW")
        for path, headers in [
            ("/v1/sessions", {"authorization": f"Bearer {secret}"}),
            ("/v1/sessions", {"authorization": f"Basic {secret}"}),
            ("/v1/sessions", {"authorization": secret}),
            ("/v1/sessions", {"cookie": f"clew_key={secret}; other=1"}),
            ("/", {"cookie": f"clew_key={secret}", "accept": "text/html"}),
            (f"/v1/sessions?api_key={quoted}&search={quoted}", {}),
            (f"/v1/sessions?limit={quoted}", {}),
            (f"/v1/sessions/{quoted}", {}),
            (f"/v1/keys/{quoted}", {}),
            (f"/{quoted}/v1", {}),
            (f"/login?next={quoted}", {}),
            ("/v1/sessions", {"x-api-key": secret, "user-agent": secret, "referer": f"https://u:{secret}@x/"}),
            ("/v1/sessions", {"x-request-id": f"{secret} "}),
            ("/v1/sessions", {"x-forwarded-for": secret}),
        ]
    ]


@pytest.mark.parametrize("has_keys", [False, True])
def test_tokens_cookies_and_passwords_stay_out_of_logs_and_metrics(
    store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, has_keys: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens = [store.create_key("Ada", Role.ADMIN).token] if has_keys else []
    secrets = [*tokens, "clew_" + "w" * 43, PASSWORD]
    app = create_app(store)
    texts = []
    for secret in secrets:
        for method, path, headers in everywhere(secret):
            for answer in asked(app, (method, path), **headers):
                location = answer.headers.get("location", "")
                texts += [answer.text] if answer.status_code >= 400 and "text/html" not in headers.values() else []
                assert secret not in location or path.startswith("/login")
    monkeypatch.setattr(type(store._backend), "last_change", lambda self: 1 / 0)
    asked(app, ("GET", f"/v1/changes/last?token={PASSWORD}"), authorization=f"Bearer {secrets[0]}")
    (metrics,) = asked(app, ("GET", "/metrics"), authorization=f"Bearer {secrets[0]}")
    assert metrics.status_code == 200
    own = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore", "asyncio"))]
    assert len(own) > 100
    logged = [form.format(record) for record in own for form in (_Text(), _Json())]
    for secret in secrets:
        assert not [text for text in [*texts, *logged, metrics.text] if secret in text]


def test_nor_are_they_in_what_uvicorn_logs(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = store.create_key("Ada", Role.ADMIN).token
    with served(create_app(store)) as url, httpx2.Client(base_url=url, verify=False) as client:
        client.get(f"/v1/sessions?token={PASSWORD}", headers={"authorization": f"Bearer {token}"})
        client.get(f"/v1/{PASSWORD}", headers={"cookie": f"clew_key={token}"})
    own = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert own
    assert not [text for text in own if token in text or PASSWORD in text]
