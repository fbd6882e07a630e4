"""Arguments of the store's methods, checked at the door: each function returns the value to store or raises.

Every refusal is an InvalidRequestError that names the argument and says why.
"""

import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, TypeVar, get_args
from uuid import UUID

from clew import limits
from clew.backend import Children, NewAttachment, OnConflict, Order, Place, Report, session_missing
from clew.conversation.repair import Answers, Dangling
from clew.errors import InvalidRequestError
from clew.ids import to_id
from clew.messages import encode_metadata
from clew.model import ACTIVE, KEEP, SAME, Attachment, Keep, Label, Role, SessionStatus, Visibility
from clew.reports import PrunePlan
from clew.text import checked_text, shown

E = TypeVar("E", Visibility, SessionStatus, Role)


def title(value: Any) -> str:
    return checked_text("title", value, limits.MAX_TITLE_CHARS, "MAX_TITLE_CHARS")


def label(value: Any, name: str = "label") -> str:
    if value == "":
        raise InvalidRequestError(f"{name} must not be empty")
    return checked_text(name, value, limits.MAX_LABEL_CHARS, "MAX_LABEL_CHARS")


def optional_label(value: Any, name: str = "label") -> str | None:
    return None if value is None else label(value, name)


def optional_search(value: Any) -> str | None:
    return None if value is None else checked_text("search", value, limits.MAX_SEARCH_CHARS, "MAX_SEARCH_CHARS")


def query(value: Any) -> str:
    """What to search for. Whatever was typed can be looked for, so characters that no text has end words."""
    if not isinstance(value, str):
        raise InvalidRequestError(f"query must be text, not {type(value).__name__}")
    spaced = value.replace("\0", " ").encode(errors="replace").decode()
    return checked_text("query", spaced, limits.MAX_SEARCH_CHARS, "MAX_SEARCH_CHARS")


def optional_name(value: Any, name: str) -> str | None:
    """A role or a tool of messages, whose names nobody checks."""
    return None if value is None else checked_text(name, value, limits.MAX_SEARCH_CHARS, "MAX_SEARCH_CHARS")


def optional_cwd(value: Any) -> str | None:
    if value is None:
        return None
    return checked_text(
        "cwd", os.fspath(value) if isinstance(value, os.PathLike) else value, limits.MAX_CWD_CHARS, "MAX_CWD_CHARS"
    )


def directory(value: Any, name: str) -> str:
    """A working directory, as sessions have it."""
    found = checked_text(
        name, os.fspath(value) if isinstance(value, os.PathLike) else value, limits.MAX_CWD_CHARS, "MAX_CWD_CHARS"
    )
    if not found:
        raise InvalidRequestError(f"{name} must not be empty")
    return found


def path(value: Any) -> str:
    """A path of the file system, and nothing else that stands for a store."""
    found = checked_text(
        "path", os.fspath(value) if isinstance(value, os.PathLike) else value, limits.MAX_CWD_CHARS, "MAX_CWD_CHARS"
    )
    if found == ":memory:" or "://" in found:
        raise InvalidRequestError(f"path must be that of a file, not {shown(found)}")
    return found


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


def optional_source_id(value: Any, source: Any) -> str | None:
    """What a program calls a session, as a filter beside that of the program."""
    if value is not None and source is None:
        raise InvalidRequestError("source_id is what a program calls a session, and source, the program, is missing")
    return optional_source(value, "source_id")


def owner(value: Any, name: str = "owner") -> str:
    if value == "":
        raise InvalidRequestError(f"{name} must not be empty")
    return checked_text(name, value, limits.MAX_OWNER_CHARS, "MAX_OWNER_CHARS")


def optional_owner(value: Any) -> str | None:
    return None if value is None else owner(value)


def kept_or_owner(value: Any) -> str | Keep | None:
    """KEEP, an owner, or None for nobody."""
    return KEEP if value is KEEP else optional_owner(value)


def role(value: Any) -> Role:
    return _member(Role, value, "role")


def token(value: Any) -> str:
    """Any text: the refusal of one that is no token is the same as that of an unknown one, and repeats neither."""
    if not isinstance(value, str):
        raise InvalidRequestError(f"token must be text, not {type(value).__name__}")
    return value


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


def place(value: Any, name: str = "checkpoint_id") -> Place:
    """A checkpoint of a session: ACTIVE, a label, or an id."""
    if isinstance(value, Label):
        return Label(label(value.name, name))
    try:
        return ACTIVE if value is ACTIVE else to_id(value, name)
    except InvalidRequestError as error:
        if not isinstance(value, str):
            raise
        raise InvalidRequestError(f"{error.message}; a label is given as Label({shown(value)})") from None


def expected(value: Any) -> UUID | Label | None:
    """The active checkpoint that a write expects: an id, or a label that it has."""
    if value is ACTIVE:
        raise InvalidRequestError("if_active must be an id or a Label, not ACTIVE")
    return None if value is None else place(value, "if_active")  # type: ignore[return-value]


def move(value: Any, label: str | None) -> bool:
    """Whether a write takes its label from the checkpoint that has it."""
    if value and label is None:
        raise InvalidRequestError("move takes a label from another checkpoint, and label is missing")
    return bool(value)


def session_of(place: Place, session_id: Any) -> UUID | None:
    """The session that a label, or ACTIVE, is of; an id says so itself."""
    if isinstance(place, UUID):
        if session_id is not None:
            raise InvalidRequestError("session_id comes with a Label or ACTIVE; a checkpoint_id is enough")
        return None
    if session_id is None:
        raise session_missing()
    return to_id(session_id, "session_id")


def optional_place(value: Any, name: str) -> Place | None:
    return None if value is None else place(value, name)


def ids(value: Any, name: str) -> list[UUID]:
    """One id or several, each once, in the order given."""
    if isinstance(value, (UUID, str)):
        return [to_id(value, name)]
    if not isinstance(value, Iterable):
        raise InvalidRequestError(f"{name} must be ids, not {type(value).__name__}")
    return list(dict.fromkeys(to_id(item, name) for item in value))


def order(value: Any) -> Order:
    found: Order = _one_of(Order, value, "order")
    return found


def children(value: Any) -> Children:
    found: Children = _one_of(Children, value, "children")
    return found


def dangling(value: Any) -> Dangling:
    found: Dangling = _one_of(Dangling, value, "dangling")
    return found


def answers(value: Any) -> Answers:
    found: Answers = _one_of(Answers, value, "results")
    return found


def on_conflict(value: Any) -> OnConflict:
    found: OnConflict = _one_of(OnConflict, value, "on_conflict")
    return found


def attachments(value: Any, name: str, *, may_be_same: bool = False) -> list[NewAttachment]:
    """Bytes by name, in the order of the names."""
    if not isinstance(value, Mapping):
        raise InvalidRequestError(f"{name} must be bytes by name, not {type(value).__name__}")
    if len(value) > limits.MAX_ATTACHMENTS_PER_WRITE:
        raise InvalidRequestError(
            f"{name} holds {len(value):,} attachments, more than the {limits.MAX_ATTACHMENTS_PER_WRITE:,} "
            "of MAX_ATTACHMENTS_PER_WRITE"
        )
    items = [_attachment(key, data, name, may_be_same) for key, data in value.items()]
    return sorted(items, key=lambda item: item.name)


def attachment_name(value: Any, name: str = "name") -> str:
    if value == "":
        raise InvalidRequestError(f"{name} must not be empty")
    return attachment_prefix(value, name)


def attachment_prefix(value: Any, name: str = "prefix") -> str:
    return checked_text(name, value, limits.MAX_ATTACHMENT_NAME_CHARS, "MAX_ATTACHMENT_NAME_CHARS")


def names(value: Any) -> list[str]:
    """The name of one attachment or of several, each once."""
    if isinstance(value, str):
        return [attachment_name(value, "names")]
    if not isinstance(value, Iterable):
        raise InvalidRequestError(f"names must be names, not {type(value).__name__}")
    return list(dict.fromkeys(attachment_name(item, "names") for item in value))


def optional_prefix(value: Any, name: str) -> str | None:
    return None if value is None else attachment_prefix(value, name)


def _attachment(key: Any, data: Any, name: str, may_be_same: bool) -> NewAttachment:
    named = attachment_name(key, f"a name of {name}")
    if data is SAME and may_be_same:
        return NewAttachment(name=named, data=SAME)
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise InvalidRequestError(f"{name}[{shown(named, 200)}] must be bytes, not {_kind(data)}")
    kept = bytes(data)
    if len(kept) > limits.MAX_ATTACHMENT_BYTES:
        raise InvalidRequestError(
            f"{name}[{shown(named, 200)}] is {len(kept):,} bytes, more than the {limits.MAX_ATTACHMENT_BYTES:,} "
            "of MAX_ATTACHMENT_BYTES"
        )
    return NewAttachment(name=named, data=kept, content_type=_content_type(data, f"{name}[{shown(named, 200)}]"))


def _content_type(data: Any, name: str) -> str | None:
    content_type = data.content_type if isinstance(data, Attachment) else None
    if content_type is None:
        return None
    return checked_text(
        f"the content type of {name}", content_type, limits.MAX_CONTENT_TYPE_CHARS, "MAX_CONTENT_TYPE_CHARS"
    )


def _kind(value: Any) -> str:
    return value.name if value is SAME else type(value).__name__


def optional_age(value: Any, name: str) -> timedelta | None:
    """How long ago, not in the future."""
    if value is None:
        return None
    if not isinstance(value, timedelta):
        raise InvalidRequestError(f"{name} must be a timedelta, not {type(value).__name__}")
    if value < timedelta():
        raise InvalidRequestError(f"{name} must not be negative")
    return value


def optional_report(progress: Any) -> Report | None:
    """Checked before anything begins: what is told only now and then could fail half way."""
    if progress is not None and not callable(progress):
        raise InvalidRequestError(f"progress must be callable, not {type(progress).__name__}")
    report: Report | None = progress
    return report


def prune_plan(value: Any) -> PrunePlan:
    if not isinstance(value, PrunePlan):
        raise InvalidRequestError(f"plan must be one that plan_prune returned, not {type(value).__name__}")
    return value


def optional_count(value: Any, name: str) -> int | None:
    """How many, none or more."""
    if value is None:
        return None
    if not 0 <= _integer(value, name) <= limits.MAX_COUNT:
        raise InvalidRequestError(f"{name} must be from 0 to {limits.MAX_COUNT}, not {shown(value)}")
    return _integer(value, name)


def optional_seconds(value: Any, name: str) -> float | None:
    """How long, none or more."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= limits.MAX_COUNT:
        raise InvalidRequestError(f"{name} must be a number of seconds, none or more, not {shown(value)}")
    return float(value)


def optional_revision(value: Any) -> int | None:
    return None if value is None else _integer(value, "if_revision")


def optional_index(value: Any, name: str) -> int | None:
    """A place in a list, from the end where negative."""
    if value is None:
        return None
    return max(-limits.MAX_COUNT, min(_integer(value, name), limits.MAX_COUNT))


def optional_after(value: Any, parent: Place | None) -> int | None:
    """How much of a parent's messages to take over: a place in them, from the end where negative."""
    if value is not None and parent is None:
        raise InvalidRequestError("after counts messages of the parent, and parent_id is None")
    return optional_index(value, "after")


def page(limit: Any, offset: Any, cursor: Any) -> None:
    """What chooses a page of a list."""
    for name, value in (("limit", limit), ("offset", offset)):
        if not 0 <= _integer(value, name) <= limits.MAX_COUNT:
            raise InvalidRequestError(f"{name} must be from 0 to {limits.MAX_COUNT}, not {shown(value)}")
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
        raise InvalidRequestError(f"{name} must be {names}, not {shown(value)}") from None


def _one_of(literal: Any, value: Any, name: str) -> Any:
    choices = get_args(literal)
    if not isinstance(value, str) or value not in choices:
        raise InvalidRequestError(f"{name} must be {' or '.join(choices)}, not {shown(value)}")
    return value


def _integer(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequestError(f"{name} must be a whole number, not {type(value).__name__}")
    return value


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidRequestError(f"{name} must be an object, not {type(value).__name__}")
    return value if isinstance(value, dict) else dict(value)
