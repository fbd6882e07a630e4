"""Errors on their way from the server: the same class with the same text, and words for those who go by words."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clew import errors
from clew.backend import StalePrefixError
from clew.errors import CorruptStateError, InternalError, NotFoundError, StorageError
from clew.protocol.codec import JSON, MSGPACK, decode, encode
from clew.protocol.failures import FailureAnswer, as_object, error_of, failure, status_of

KINDS = [getattr(errors, name) for name in errors.__all__ if name != "StorageError"]
HEARD = {"NotFoundError": 1, "UnauthorizedError": 2, "RateLimitedError": 3, "InvalidRequestError": 4}

TEXTS = st.text() | st.sampled_from(
    ["not found", "Not found", "unauthorized 401", "Rate limit 429", "invalid", "400", f"checkpoint {uuid4()}", ""]
)


def heard_as(text: str) -> int:
    """What the agent's client takes a message for: the first kind of which it finds words, 5 for none."""
    words = [("not found", "Not found"), ("unauthorized", "Unauthorized", "401"), ("rate limit", "Rate limit", "429")]
    words.append(("invalid", "Invalid", "400"))
    return next((number for number, kind in enumerate(words, 1) if any(word in text for word in kind)), 5)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(text=TEXTS)
def test_a_message_has_the_words_of_its_kind_and_of_none_before_it(kind: type[StorageError], text: str) -> None:
    told = failure(kind(text))
    assert heard_as(told.message) == HEARD.get(kind.__name__, 5)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in (InternalError, NotFoundError)])
def test_a_message_holds_no_id_unless_something_is_not_found(kind: type[StorageError]) -> None:
    id = UUID(int=7)
    assert str(id) not in failure(kind(f"checkpoint {id} is odd")).message
    assert str(id) in failure(NotFoundError(f"Session {id} not found")).message


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not InternalError])
@pytest.mark.parametrize("text", ["", "a title that is not found", "checkpoint 429a0400-4010-4429-8400-401401401401"])
@pytest.mark.parametrize("media_type", [JSON, MSGPACK])
def test_an_error_arrives_as_it_was_raised(kind: type[StorageError], text: str, media_type: str) -> None:
    raised = kind(text)
    body = encode(as_object(failure(raised)), media_type)
    arrived = error_of(status_of(raised), decode(body, FailureAnswer, media_type).error)
    assert (type(arrived), arrived.message, str(arrived)) == (kind, text, str(raised))


def test_damage_arrives_with_the_checkpoint_that_has_it() -> None:
    id = UUID(int=1)
    arrived = error_of(500, failure(CorruptStateError("damaged", id)))
    assert isinstance(arrived, CorruptStateError)
    assert arrived.checkpoint_id == id


def test_a_stale_prefix_arrives_as_one() -> None:
    assert type(error_of(409, failure(StalePrefixError("stale")))) is StalePrefixError


def test_of_a_mistake_inside_the_server_nothing_arrives_but_that() -> None:
    arrived = error_of(500, failure(InternalError("the password is x")))
    assert (type(arrived), arrived.message) == (InternalError, "Internal error")
