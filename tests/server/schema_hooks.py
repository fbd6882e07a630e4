"""What schemathesis is told beyond the description, because no description can say it."""

from typing import Any

import schemathesis

OF_ANSWERS = ("cursor", "after", "Last-Event-ID")
"""Only an answer can give these: made up, they are refused."""


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Make what should be accepted such as a client would send it."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    for name in OF_ANSWERS:
        case.query.pop(name, None)
        case.headers.pop(name, None)
        if isinstance(case.body, dict):
            case.body.pop(name, None)
    if case.query.get("source") is None:
        case.query.pop("source_id", None)  # only given with the other
    case.body = _whole(case.body)


def _whole(value: Any) -> Any:
    """The same with whole numbers written without a fraction: JSON has one kind of number, clew two."""
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
