"""How request and response bodies pass between Litestar and `clew.protocol`: JSON, or MessagePack where asked for."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec
from litestar import Request as HttpRequest
from litestar import Response
from litestar.dto import AbstractDTO
from litestar.openapi.spec import OpenAPIType, Reference, Schema
from litestar.plugins import OpenAPISchemaPlugin, SerializationPlugin
from litestar.response.base import ASGIResponse
from litestar.typing import FieldDefinition

from clew.errors import InvalidRequestError
from clew.protocol.codec import JSON, MSGPACK, Bodies, Json, decode, encode
from clew.protocol.requests import Request

T = TypeVar("T")


class RequestBody(AbstractDTO[T]):
    """Reads the body of a request as `clew.protocol` spells it, in place of what Litestar would read."""

    def decode_bytes(self, value: bytes) -> Any:
        content_type, _ = self.asgi_connection.content_type  # type: ignore[attr-defined]
        try:
            return decode(value, self.model_type, MSGPACK if content_type == MSGPACK else JSON)
        except msgspec.DecodeError as error:
            raise InvalidRequestError(f"the body is not what is taken here: {error}") from None

    @classmethod
    def create_for_field_definition(
        cls, field_definition: FieldDefinition, handler_id: str, backend_cls: Any = None
    ) -> None:
        """Nothing to prepare."""

    @classmethod
    def create_openapi_schema(
        cls, field_definition: FieldDefinition, handler_id: str, schema_creator: Any
    ) -> Reference | Schema:
        schema: Reference | Schema = schema_creator.for_field_definition(field_definition)
        return schema


class RequestBodies(SerializationPlugin):
    """Has every parameter `data` that is a request of `clew.protocol` read so."""

    def supports_type(self, field_definition: FieldDefinition) -> bool:
        return field_definition.is_subclass_of(Request)

    def create_dto_for_type(self, field_definition: FieldDefinition) -> type[AbstractDTO[Any]]:
        made: type[AbstractDTO[Any]] = RequestBody.__class_getitem__(field_definition.annotation)
        return made


class JsonSchemas(OpenAPISchemaPlugin):
    """Describes what users store: any value, and messages, which are objects."""

    @staticmethod
    def is_plugin_supported_type(value: Any) -> bool:
        return value is Json or value is Bodies

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Schema:
        if field_definition.annotation is Json:
            return Schema(description="Any JSON value, as it was stored.")
        message = Schema(type=OpenAPIType.OBJECT, description="A message, as it was stored.")
        return Schema(type=OpenAPIType.ARRAY, items=message)


class Answer(Response[T], Generic[T]):
    """A body in the form that the client accepts. `T` is what it holds, for the description of the API."""

    def __init__(self, content: Any, *, status_code: int | None = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(content, status_code=status_code, headers=headers)

    def to_asgi_response(self, app: Any, request: HttpRequest[Any, Any, Any], **options: Any) -> ASGIResponse:
        self.media_type = MSGPACK if accepts_msgpack(request) else JSON
        return super().to_asgi_response(app, request, **options)

    def render(self, content: Any, media_type: str, enc_hook: Callable[[Any], Any] = str) -> bytes:
        return encode(content, media_type)


def accepts_msgpack(request: HttpRequest[Any, Any, Any]) -> bool:
    """Whether the client asked for MessagePack."""
    return MSGPACK in request.headers.get("accept", "")
