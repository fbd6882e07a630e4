"""Arguments of the store's methods, checked at the door: each function returns the value to store or raises.

Every refusal is an InvalidRequestError that names the argument and says why.
"""

import os
from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

from clew import limits
from clew.errors import InvalidRequestError
from clew.ids import to_optional_id
from clew.messages import encode_metadata
from clew.model import ACTIVE, Active, SessionStatus, Visibility
from clew.text import checked_text

E = TypeVar("E", Visibility, SessionStatus)


def title(value: Any) -> str:
    return checked_text("title", value, limits.MAX_TITLE_CHARS, "MAX_TITLE_CHARS")


def label(value: Any) -> str:
    if value == "":
        raise InvalidRequestError("label must not be empty")
    return checked_text("label", value, limits.MAX_LABEL_CHARS, "MAX_LABEL_CHARS")


def optional_search(value: Any) -> str | None:
    return None if value is None else checked_text("search", value, limits.MAX_SEARCH_CHARS, "MAX_SEARCH_CHARS")


def optional_cwd(value: Any) -> str | None:
    if value is None:
        return None
    return checked_text(
        "cwd", os.fspath(value) if isinstance(value, os.PathLike) else value, limits.MAX_CWD_CHARS, "MAX_CWD_CHARS"
    )


def optional_source(value: Any, name: str = "source") -> str | None:
    if value is None:
        return None
    return checked_text(name, value, limits.MAX_SOURCE_CHARS, "MAX_SOURCE_CHARS")


def source_name(source: Any, source_id: Any) -> tuple[str, str]:
    """Both parts of the name that another program knows a session by."""
    if source is None or source_id is None:
        raise InvalidRequestError("source and source_id come together: one of them is missing")
    return (
        checked_text("source", source, limits.MAX_SOURCE_CHARS, "MAX_SOURCE_CHARS"),
        checked_text("source_id", source_id, limits.MAX_SOURCE_CHARS, "MAX_SOURCE_CHARS"),
    )


def visibility(value: Any) -> Visibility:
    return _member(Visibility, value, "visibility")


def status(value: Any) -> SessionStatus:
    return _member(SessionStatus, value, "status")


def optional_visibility(value: Any) -> Visibility | None:
    return None if value is None else visibility(value)


def optional_status(value: Any) -> SessionStatus | None:
    return None if value is None else status(value)


def session_metadata(value: Any, name: str) -> bytes | None:
    """The JSON text of a session's own metadata, which is an object or nothing."""
    if value is None:
        return None
    return encode_metadata(_object(value, name), name)


def optional_filter(value: Any) -> bytes | None:
    """JSON text of the top-level keys and the values they must have; None where that asks for nothing."""
    wanted = session_metadata(value, "metadata")
    return wanted if value else None


def parent(value: Any) -> UUID | Active | None:
    """ACTIVE, an id, or None for a root."""
    return ACTIVE if value is ACTIVE else to_optional_id(value, "parent_id")


def optional_revision(value: Any) -> int | None:
    return None if value is None else _integer(value, "if_revision")


def optional_index(value: Any, name: str) -> int | None:
    """A place in a list, from the end where negative."""
    if value is None:
        return None
    return max(-limits.MAX_COUNT, min(_integer(value, name), limits.MAX_COUNT))


def page(limit: Any, offset: Any, cursor: Any) -> None:
    """What chooses a page of a list."""
    for name, value in (("limit", limit), ("offset", offset)):
        if not 0 <= _integer(value, name) <= limits.MAX_COUNT:
            raise InvalidRequestError(f"{name} must be from 0 to {limits.MAX_COUNT}, not {value}")
    if cursor is None:
        return
    if not isinstance(cursor, str):
        raise InvalidRequestError(f"cursor must be text, not {type(cursor).__name__}")
    if offset:
        raise InvalidRequestError("give an offset or a cursor, not both")


def _member(enumeration: type[E], value: Any, name: str) -> E:
    try:
        return enumeration(value)
    except ValueError:
        names = " or ".join(member.value for member in enumeration)
        raise InvalidRequestError(f"{name} must be {names}, not {value!r:.80}") from None


def _integer(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequestError(f"{name} must be a whole number, not {type(value).__name__}")
    return value


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidRequestError(f"{name} must be an object, not {type(value).__name__}")
    return value if isinstance(value, dict) else dict(value)
