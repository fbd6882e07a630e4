"""LangChain's own message classes, taken apart into their fields and put together again.

Nothing is validated on the way back: the fields are those of an object that was valid. That is ten times faster, and
exact, where validation would rebuild what it finds, and set fields that nobody had set.
"""

from collections.abc import Callable
from typing import Any

from langchain_core import messages as langchain
from langchain_core.messages import BaseMessage
from pydantic import BaseModel

_NAMES = (
    "AIMessage", "AIMessageChunk", "ChatMessage", "ChatMessageChunk", "FunctionMessage", "FunctionMessageChunk",
    "HumanMessage", "HumanMessageChunk", "RemoveMessage", "SystemMessage", "SystemMessageChunk", "ToolMessage",
    "ToolMessageChunk",
)  # fmt: skip

_new: Callable[[Any], BaseMessage] = object.__new__
_set_dict, _set_given, _set_extra, _set_private = (
    vars(BaseModel)[name].__set__  # as object.__setattr__ does it, without looking for the name
    for name in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
)


class MessageClass:
    """A class of messages."""

    def __init__(self, cls: type[BaseMessage]) -> None:
        self.cls = cls
        self.name = cls.__name__
        factories = {name: field.default_factory for name, field in cls.model_fields.items() if field.default_factory}
        self._factories: list[tuple[str, Callable[[], Any]]] = list(factories.items())  # type: ignore[arg-type]
        self._template = {
            name: None if name in factories or field.is_required() else field.default
            for name, field in cls.model_fields.items()
        }
        self._unset = self._template | {name: make() for name, make in self._factories}

    def fields(self, message: BaseMessage) -> dict[str, Any] | None:
        """What has been set, or is not as the class has it by itself; None where there is more than fields say."""
        held, unset = message.__dict__, self._unset
        if held.keys() != unset.keys() or message.__pydantic_private__ is not None:
            return None
        given = message.__pydantic_fields_set__
        return {name: value for name, value in held.items() if name in given or value != unset[name]}

    def build(
        self, fields: dict[str, Any], given: "list[str] | None" = None, extra: dict[str, Any] | None = None
    ) -> BaseMessage:
        """The message of these fields, of which the `given` were set, or all."""
        held = self._template.copy()
        held.update(fields)
        for name, make in self._factories:
            if name not in fields:
                held[name] = make()
        message = _new(self.cls)
        _set_dict(message, held)
        _set_given(message, set(fields if given is None else given))
        _set_extra(message, extra or {})
        _set_private(message, None)
        return message


def is_same(a: Any, b: Any) -> bool:
    """Whether a message came back with the same fields set; what they hold is for others to compare."""
    return a.__pydantic_fields_set__ == b.__pydantic_fields_set__ and a.__pydantic_extra__ == b.__pydantic_extra__


BY_NAME = {name: MessageClass(getattr(langchain, name)) for name in _NAMES if hasattr(langchain, name)}
BY_CLASS = {found.cls: found for found in BY_NAME.values()}
