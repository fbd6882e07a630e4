"""What text a store takes for titles, labels, names and paths, and how titles are compared."""

from typing import Any

from clew.errors import InvalidRequestError


def checked_text(name: str, value: Any, max_chars: int, limit_name: str) -> str:
    """`value` if it is text that every backend can store; InvalidRequestError naming the argument otherwise."""
    if not isinstance(value, str):
        raise InvalidRequestError(f"{name} must be text, not {type(value).__name__}")
    if len(value) > max_chars:
        raise InvalidRequestError(f"{name} is {len(value):,} characters, more than the {max_chars:,} of {limit_name}")
    if "\0" in value:
        raise InvalidRequestError(f"{name} holds a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidRequestError(f"{name} holds a lone surrogate, which is no character") from None
    return str.__str__(value)  # of an enum, its value and not its name


def fold(text: str) -> str:
    """`text` as searches compare it: without differences of case, in every script."""
    return text.casefold()


def folded_or_none(text: str) -> str | None:
    """The folded form where it differs from `text`, so that what is already folded is stored once."""
    folded = fold(text)
    return None if folded == text else folded


def shown(value: Any, max_chars: int = 80) -> str:
    """A value that is refused, for the error: never longer than `max_chars`, and whatever it is."""
    try:
        text = repr(value)
    except Exception:  # a number of more digits than Python writes, or an object that cannot say what it is
        text = f"a value of type {type(value).__name__}"
    return text[:max_chars]
