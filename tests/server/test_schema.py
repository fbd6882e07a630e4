"""The description of the API, and the server held to it."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from tests.server.probing import ROOT, probe

from clew import Store
from clew.protocol import requests

VALIDATION = """
import json, sys
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR
for error in OPENAPI_31_VALIDATOR.iter_errors(json.load(sys.stdin)):
    print(error)
"""


@pytest.fixture
def described(client: httpx2.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def operations(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By name."""
    return {
        operation["operationId"]: {**operation, "method": method, "path": path}
        for path, item in described["paths"].items()
        for method, operation in item.items()
    }


def references(value: Any) -> set[str]:
    """Everything that is referred to."""
    if isinstance(value, list):
        return set().union(*map(references, value))
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
    return own.union(*map(references, value.values()))


def test_the_server_does_what_its_description_says_whatever_it_is_asked() -> None:
    probe("--max-examples", "3", "--generation-deterministic", "--no-shrink")


def test_the_description_is_one_of_openapi(described: dict[str, Any]) -> None:
    told = json.dumps(described)
    ran = subprocess.run(
        [sys.executable, "-c", VALIDATION], input=told, capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert ran.stdout == ""
    for reference in references(described):
        found: Any = described
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def test_every_operation_has_a_name_of_its_own_a_summary_and_its_errors(described: dict[str, Any]) -> None:
    listed = [operation for item in described["paths"].values() for operation in item.values()]
    assert len(operations(described)) == len(listed)
    for operation in listed:
        assert operation["summary"].endswith(".")
        assert "500" in operation["responses"]
        if operation.get("security") != []:
            assert {"400", "401", "403", "404", "409", "413", "429", "503"} <= set(operation["responses"])
    for name, answer in described["components"]["responses"].items():
        assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/FailureAnswer"}, name


def test_every_parameter_and_every_field_of_a_request_is_explained(described: dict[str, Any]) -> None:
    for name, operation in operations(described).items():
        for parameter in operation["parameters"]:
            assert "$ref" in parameter or parameter["description"], (name, parameter)
    schemas = described["components"]["schemas"]
    for kind in vars(requests).values():
        if isinstance(kind, type) and issubclass(kind, requests.Request) and not kind.__name__.startswith("_"):
            schema = schemas.get(kind.__name__) or schemas.get(f"requests.{kind.__name__}") or {}
            for field, told in schema.get("properties", {}).items():
                assert told["description"], (kind, field)


def test_what_has_the_name_of_something_else_is_explained_by_itself(described: dict[str, Any]) -> None:
    after = described["components"]["schemas"]["Append"]["properties"]["after"]
    assert "messages" in after["description"]
    assert "minimum" not in after
    (of_changes,) = (item for item in operations(described)["list_changes"]["parameters"] if item["name"] == "after")
    assert "change" in of_changes["description"]


def test_examples_are_taken(client: httpx2.Client, described: dict[str, Any]) -> None:
    made = client.post("/v1/sessions", json=described["components"]["schemas"]["CreateSession"]["examples"][0])
    assert made.status_code == 201
    at = f"/v1/sessions/{made.json()['session_id']}"
    for name, path in (("Append", "append"), ("CreateCheckpoint", "checkpoints"), ("Attach", "attachments")):
        for example in described["components"]["schemas"][name]["examples"]:
            answer = client.post(f"{at}/{path}", json=example)
            assert answer.is_success, (name, answer.text)
    for example in described["components"]["schemas"]["UpdateSession"]["examples"]:
        assert client.patch(at, json=example).is_success


@pytest.mark.parametrize("path", ["/v1/sessions", "/v1/keys", "/v1/sessions/00000000-0000-0000-0000-000000000000"])
def test_options_name_every_method_of_a_path(client: httpx2.Client, described: dict[str, Any], path: str) -> None:
    template = path.replace("00000000-0000-0000-0000-000000000000", "{session_id}")
    methods = {method.upper() for method in described["paths"][template]}
    assert set(client.options(path).headers["allow"].split(", ")) == {*methods, "OPTIONS"}


@pytest.mark.parametrize("path", ["/v1/schema", "/v1/schema/openapi.json", "/openapi.json/x", "/schema"])
def test_the_description_stands_at_one_address(client: httpx2.Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["error"]["key"]) == (404, "NOT_FOUND")


LONG: dict[str, tuple[str, str, Callable[[str], dict[str, Any]]]] = {
    "title": ("CreateSession", "/v1/sessions", lambda text: {"title": text}),
    "cwd": ("CreateSession", "/v1/sessions", lambda text: {"title": "", "cwd": text}),
    "owner": ("CreateSession", "/v1/sessions", lambda text: {"title": "", "owner": text}),
    "source": ("EnsureSession", "/v1/sessions/ensure", lambda text: {"source": text, "source_id": "1"}),
    "source_id": ("EnsureSession", "/v1/sessions/ensure", lambda text: {"source": "a", "source_id": text}),
    "search": ("ListSessions", "/v1/sessions/list", lambda text: {"search": text}),
    "label": ("Append", "/v1/sessions/{id}/append", lambda text: {"messages": [], "label": text}),
    "prefix": ("GetAttachments", "/v1/attachments/get", lambda text: {"checkpoint_ids": [], "prefix": text}),
}
"""By field: a request that has it, and a body with it."""


@pytest.mark.parametrize("field", LONG)
def test_text_may_be_as_long_as_described_and_no_longer(
    client: httpx2.Client, store: Store, described: dict[str, Any], field: str
) -> None:
    """schemathesis writes no text of that length."""
    request, path, body = LONG[field]
    told = described["components"]["schemas"][request]["properties"][field]
    (most,) = [kind["maxLength"] for kind in told.get("anyOf", [told]) if "maxLength" in kind]
    at = path.replace("{id}", str(store.create_session("").id))
    assert client.post(at, json=body("x" * most)).is_success
    for wrong in ("x" * (most + 1), "x\0"):
        assert client.post(at, json=body(wrong)).status_code == 400
