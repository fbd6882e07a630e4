"""The agent's reader of states and answers, as plain code: it raises ValueError where the agent would refuse."""

import json
import math
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

ROLES = {"system", "developer", "user", "assistant", "tool"}
DEEPEST = 127
U32 = range(2**32)
I64 = range(-(2**63), 2**63)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


def read_state(text: bytes) -> dict[str, Any]:
    """A whole answer's state, of which one message that is refused refuses all."""
    state = _parsed(text)
    _read_state(state)
    return dict(state)


def read_answer(what: str, text: bytes) -> None:
    """A whole answer: `what` is sessions, created, session, deleted, checkpoints, checkpoint or account."""
    answer = _parsed(text)
    _check_struct(answer)
    _ANSWERS[what](answer)


def heard_as(message: str) -> str:
    """The kind of error that the agent takes a message for: it goes by words alone, in this order."""
    for kind, words in _WORDS.items():
        if any(word in message for word in words):
            return kind
    return "Internal"


_WORDS = {
    "NotFound": ("not found", "Not found"),
    "Unauthorized": ("unauthorized", "Unauthorized", "401"),
    "RateLimited": ("rate limit", "Rate limit", "429"),
    "InvalidRequest": ("invalid", "Invalid", "400"),
}


def _parsed(text: bytes) -> Any:
    return json.loads(text.decode(), object_pairs_hook=_pairs, parse_constant=_refuse, parse_float=_number)


def _read_each(read: Callable[[Any], None], items: Any) -> None:
    """One that is refused refuses all."""
    _check(isinstance(items, list), "a list is wanted")
    for item in items:
        read(item)


def _read_created(answer: Any) -> None:
    UUID(answer["session_id"])
    _read_checkpoint(answer["checkpoint"])


def _read_session(session: Any) -> None:
    _read_head(session)
    _check_time(session.get("deleted_at"))
    if session.get("active_checkpoint") is not None:
        _read_checkpoint(session["active_checkpoint"])


def _read_summary(summary: Any) -> None:
    _read_head(summary)
    _check(type(summary["message_count"]) is int and summary["message_count"] in U32, "a count is a number")
    UUID(summary["active_checkpoint_id"])
    _check_time(summary.get("last_message_at"))


def _read_head(session: Any) -> None:
    _check_struct(session)
    UUID(session["id"])
    _check(isinstance(session["title"], str), "a title is text")
    _check(session["visibility"] in ("PRIVATE", "PUBLIC"), "no such visibility")
    _check(session["status"] in ("ACTIVE", "DELETED"), "no such status")
    _check_optional(session.get("cwd"), str)
    _read_times(session)


def _read_checkpoint(checkpoint: Any) -> None:
    _read_place(checkpoint)
    _read_state(checkpoint["state"])


def _read_checkpoint_summary(summary: Any) -> None:
    _read_place(summary)
    _check(type(summary["message_count"]) is int and summary["message_count"] in U32, "a count is a number")
    if summary.get("state") is not None:
        _read_state(summary["state"])


def _read_place(checkpoint: Any) -> None:
    _check_struct(checkpoint)
    UUID(checkpoint["id"])
    UUID(checkpoint["session_id"])
    if checkpoint.get("parent_id") is not None:
        UUID(checkpoint["parent_id"])
    _read_times(checkpoint)


def _read_times(value: Any) -> None:
    for name in ("created_at", "updated_at"):
        _check(isinstance(value[name], str), "a time is text")
        _check_time(value[name])


def _check_time(value: Any) -> None:
    """It takes more forms; this is the one that is agreed on."""
    _check(value is None or (isinstance(value, str) and TIME.fullmatch(value) is not None), f"no time: {value!r}")


def _read_account(account: Any) -> None:
    for name in ("username", "id", "first_name", "last_name", "email"):
        _check(isinstance(account[name], str), f"{name} is text")
    _check_optional(account.get("scope"), str)


_ANSWERS = {
    "account": _read_account,
    "checkpoint": lambda answer: _read_checkpoint(answer["checkpoint"]),
    "checkpoints": lambda answer: _read_each(_read_checkpoint_summary, answer["checkpoints"]),
    "created": _read_created,
    "deleted": lambda answer: None,
    "session": lambda answer: _read_session(answer["session"]),
    "sessions": lambda answer: _read_each(_read_summary, answer["sessions"]),
}


def _read_state(state: Any) -> None:
    _check(isinstance(state, dict), "a state is an object")
    _check_depth(state, 1)
    for message in state.get("messages", []):
        _read_message(message)
    _check_free(state.get("metadata"))


class _Object(dict[str, Any]):
    """A JSON object that remembers whether a key came twice."""

    doubled = False


def _read_message(message: Any) -> None:
    _check_struct(message)
    _check(message.get("role") in ROLES, f"unknown role {message.get('role')!r}")
    _read_content(message.get("content"))
    for name in ("name", "tool_call_id", "id", "finish_reason"):
        _check_optional(message.get(name), str)
    for name in ("created_at", "completed_at"):
        _check_integer(message.get(name), I64)
    _check_optional(message.get("cost"), (int, float))
    for call in message.get("tool_calls") or []:
        _read_call(call)
    _check(isinstance(message.get("tool_calls") or [], list), "calls are a list")
    if message.get("usage") is not None:
        _read_usage(message["usage"])
    if message.get("model") is not None:
        _check_struct(message["model"])
        _check(all(isinstance(message["model"].get(name), str) for name in ("provider", "id")), "a model has both")


def _read_content(content: Any) -> None:
    if content is None or isinstance(content, str):
        return
    _check(isinstance(content, list), "content of another shape")
    for part in content:
        _check_struct(part)
        _check(isinstance(part.get("type"), str), "a part without a type")
        _check_optional(part.get("text"), str)
        image = part.get("image_url")
        if image is not None:
            _check_struct(image)
            _check(isinstance(image.get("url"), str), "an image without a url")
            _check_optional(image.get("detail"), str)


def _read_call(call: Any) -> None:
    _check_struct(call)
    _check(isinstance(call.get("id"), str) and isinstance(call.get("type"), str), "a call has an id and a type")
    _check_struct(call.get("function"))
    function = call["function"]
    _check(isinstance(function.get("name"), str), "a function has a name")
    _check(isinstance(function.get("arguments"), str), "arguments are JSON in a string")


def _read_usage(usage: Any) -> None:
    _check_struct(usage)
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        _check(usage.get(name) is not None, "usage has all totals")
        _check_integer(usage[name], U32)
    details = usage.get("prompt_tokens_details")
    if details is not None:
        _check_struct(details)
        for name in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_write_input_tokens"):
            _check_integer(details.get(name), U32)


def _check_struct(value: Any) -> None:
    _check(isinstance(value, _Object), "an object is wanted")
    _check(not value.doubled, "a key came twice")


def _check_optional(value: Any, kinds: Any) -> None:
    _check(value is None or (isinstance(value, kinds) and not isinstance(value, bool)), f"wrong type: {value!r}")


def _check_integer(value: Any, allowed: range) -> None:
    _check(value is None or (type(value) is int and value in allowed), f"no such number: {value!r}")


def _check_free(value: Any) -> None:
    """Whatever may be anything has to be text that UTF-8 holds, and numbers that a double holds."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, int):
        float(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_free(key)
            _check_free(item)
    elif isinstance(value, list):
        for item in value:
            _check_free(item)


def _check_depth(value: Any, level: int) -> None:
    if isinstance(value, (dict, list)):
        _check(level <= DEEPEST - 3, "too deep")  # an answer has three levels around a state
        for item in value.values() if isinstance(value, dict) else value:
            _check_depth(item, level + 1)
    elif isinstance(value, str):
        value.encode()
    elif isinstance(value, int):
        float(value)


def _pairs(pairs: list[tuple[str, Any]]) -> _Object:
    found = _Object(pairs)
    found.doubled = len(found) != len(pairs)
    for key in found:
        key.encode()
    return found


def _number(text: str) -> float:
    number = float(text)
    _check(math.isfinite(number), "a number beyond a double")
    return number


def _refuse(text: str) -> Any:
    raise ValueError(text)


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
