"""What the server says of itself: an OpenAPI description.

Litestar knows the routes and their parameters, msgspec the bodies; `clew.server.described` has the words, and what is
checked further in. The server is held to all of it by tests/server/test_schema.py.
"""

import inspect
from http import HTTPStatus
from types import ModuleType
from typing import Any

import msgspec
from litestar import Litestar, Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.routes import HTTPRoute

import clew
from clew.protocol import REPEAT_HEADER, SERVER_HEADER, answers, failures, requests
from clew.protocol.codec import JSON, Bodies, Json
from clew.server import described
from clew.server.described import Schema
from clew.server.idempotency import MAX_KEY_BYTES

_SCHEMAS = "#/components/schemas/"
_LONGEST_IN_AN_ADDRESS = 10_000
"""Before longer text ends the program that carries the server refuses the address."""

_NOISE = ("deprecated", "allowEmptyValue", "allowReserved")
_WRITES = ("post", "put", "patch", "delete")


def openapi_config() -> OpenAPIConfig:
    """What Litestar is to find out, and that it serves none of it."""
    bearer = SecurityScheme(type="http", scheme="bearer", description="An API key, as `clew key create` makes them.")
    return OpenAPIConfig(
        title="clew",
        version=clew.__version__,
        description=described.ABOUT,
        components=Components(security_schemes={"key": bearer}),
        security=[{"key": []}],
        use_handler_docstrings=True,
        operation_id_creator=lambda handler, method, path: handler.handler_name,
        openapi_router=_Nothing("/", route_handlers=[]),
    )


def tell_all_methods(app: Litestar) -> None:
    """Have OPTIONS answer with every method of a path.

    By itself it tells those of the route as it was before the path's other handlers joined it: that is the one it has.
    """
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            handler, _ = route.route_handler_map["OPTIONS"]
            inspect.getclosurevars(handler.fn).nonlocals["self"].methods = route.methods


class _Nothing(Router):
    """Litestar would serve the description by itself, and pages of HTML beside it."""

    def register(self, value: Any) -> list[Any]:
        return []


def describe(app: Litestar) -> Schema:
    """The description of an application."""
    told: Schema = app.openapi_schema.to_schema()
    schemas = _schemas()
    told["components"] |= {"schemas": schemas, "headers": _HEADERS, "parameters": _PARAMETERS, "responses": _errors()}
    told["paths"] = {
        path: {method: _operation(method, found, schemas) for method, found in sorted(item.items())}
        for path, item in sorted(told["paths"].items())
    }
    return told


def _operation(method: str, found: Schema, schemas: Schema) -> Schema:
    name, summary = found["operationId"], found["description"].partition("\n")[0]
    told = {
        **_quiet(found),
        "summary": summary,
        "parameters": [_parameter(item) for item in found.get("parameters", [])],
    }
    if method in _WRITES:
        told["parameters"].append({"$ref": "#/components/parameters/repeat"})
    if name in described.FOR_EVERYBODY:
        told["security"] = []
    told["responses"] = {
        **{status: _success(name, answer, schemas) for status, answer in found["responses"].items() if status < "300"},
        **{str(status): {"$ref": f"#/components/responses/{status}"} for status in _errors_of(name, method, found)},
    }
    return told


def _parameter(found: Schema) -> Schema:
    """A parameter, which is given or left out, and never null."""
    words, more = described.FIELDS.get(found["name"], ("", {}))
    told = {**_quiet(found), "description": words}
    if found["name"] == "metadata":
        del told["schema"]
        return told | {"content": {JSON: {"schema": {"type": "object"}}}}
    more = {key: value for key, value in more.items() if key != "maxLength" or value <= _LONGEST_IN_AN_ADDRESS}
    kind, *_ = found["schema"].get("oneOf", [found["schema"]])
    # Where it is no text, the word "null" is nothing, too.
    if kind != found["schema"] and (kind["type"] != "string" or "format" in kind):
        return told | {"schema": {"oneOf": [{**kind, **more}, {"type": "null"}]}}
    return told | {"schema": {**kind, **more}}


def _success(name: str, found: Schema, schemas: Schema) -> Schema:
    told = {"description": "It is done.", "headers": _refs("headers", SERVER_HEADER)}
    content = found.get("content")
    if name in described.STREAMS:
        kind, schema = described.STREAMS[name]
        return {**told, "description": "What is told bit by bit, or as it is.", "content": {kind: {"schema": schema}}}
    if content is None:
        return told
    schema = content[JSON]["schema"]
    words = schemas.get(schema.get("$ref", "").removeprefix(_SCHEMAS), {}).get("description", "A document.")
    return {**told, "description": words, "content": {JSON: {"schema": schema}}}


def _errors_of(name: str, method: str, found: Schema) -> list[int]:
    """The errors that an operation can answer with: of any but the simplest all that there are."""
    if name == "healthz":
        return [HTTPStatus.INTERNAL_SERVER_ERROR]
    if name in described.FOR_EVERYBODY:
        return [HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE]
    return list(described.ERRORS)


def _errors() -> Schema:
    told: Schema = {}
    for status, words in described.ERRORS.items():
        headers = [SERVER_HEADER]
        headers += ["WWW-Authenticate"] * (status == HTTPStatus.UNAUTHORIZED)
        headers += ["Retry-After"] * (status == HTTPStatus.TOO_MANY_REQUESTS)
        content = {JSON: {"schema": {"$ref": f"{_SCHEMAS}FailureAnswer"}}}
        told[str(status)] = {"description": words, "headers": _refs("headers", *headers), "content": content}
    return told


def _schemas() -> Schema:
    """The bodies of requests and answers."""
    kinds = [*_bodies(requests, requests.Request), *_bodies(answers, answers.Answer), failures.FailureAnswer]
    _, made = msgspec.json.schema_components(kinds, schema_hook=_stored, ref_template=f"{_SCHEMAS}{{name}}")
    text = msgspec.json.encode(made).replace(b"clew.protocol.", b"")
    told: Schema = msgspec.json.decode(text)
    for kind in _bodies(requests, requests.Request):
        _refine(told[_name(kind, told)], kind.__name__)
    for schema in told.values():
        for name, field in schema.get("properties", {}).items():
            if name.endswith("_at"):
                _apply(field, {"format": "date-time"})
    return told


def _bodies(module: ModuleType, base: type) -> list[type]:
    return [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, base) and kind is not base and not kind.__name__.startswith("_")
    ]


def _name(kind: type, schemas: Schema) -> str:
    """What a body is called; one whose name is taken twice with its module."""
    return kind.__name__ if kind.__name__ in schemas else f"requests.{kind.__name__}"


def _stored(kind: type) -> Schema:
    if kind is Json:
        return {"description": "A JSON value, as it is stored."}
    if kind is Bodies:
        return {"type": "array", "items": {"type": "object", "description": "A message, as it is stored."}}
    raise NotImplementedError(kind.__name__)


def _refine(schema: Schema, request: str) -> None:
    """Say of the fields of a request what they may be."""
    schema.update(described.TOGETHER.get(request, {}))
    if request in described.EXAMPLES:
        schema["examples"] = described.EXAMPLES[request]
    for name, field in schema.get("properties", {}).items():
        words, more = described.FIELDS.get(name, ("", {}))
        other = described.OF_ONE.get(f"{request}.{name}")
        if other is None:
            _apply(field, more)
        else:
            default = {key: field[key] for key in ("default",) if key in field}
            field.clear()
            field.update(other | default)
        field["description"] = words if other is None else other.get("description", words)


def _apply(field: Schema, more: Schema) -> None:
    """Add to what a field is where it is not null."""
    for kind in field.get("anyOf", [field]):
        if kind.get("type") != "null":
            kind.update(more)


def _quiet(found: Schema) -> Schema:
    return {key: value for key, value in found.items() if key not in _NOISE}


def _refs(kind: str, *names: str) -> Schema:
    return {name: {"$ref": f"#/components/{kind}/{name}"} for name in names}


_HEADERS: Schema = {
    SERVER_HEADER: {"description": "The version of clew that answers.", "required": True, "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait.", "required": True, "schema": {"type": "string"}},
    "WWW-Authenticate": {
        "description": "How to come in.",
        "required": True,
        "schema": {"type": "string", "const": "Bearer"},
    },
}

_PARAMETERS: Schema = {
    "repeat": {
        "name": REPEAT_HEADER,
        "in": "header",
        "description": "Any text, new for each write. The same request with the same text gets the answer that it had.",
        "schema": {"type": "string", "maxLength": MAX_KEY_BYTES},
    }
}
