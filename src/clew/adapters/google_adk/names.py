"""What clew calls the sessions of ADK and the states that they share."""

import json
from typing import Any, NamedTuple

from clew import CorruptStateError, InvalidRequestError, SessionSummary

SOURCE = "google-adk"


class Name(NamedTuple):
    """A session of ADK, or the state that all sessions of a user or of an app share.

    `kind` is "session", "user" or "app"; `user_id` and `session_id` are None where the kind has none.
    """

    kind: str
    app_name: str
    user_id: str | None = None
    session_id: str | None = None

    @property
    def source_id(self) -> str:
        """The name as text: a JSON array in ASCII, which any store takes whatever the ids are made of."""
        return json.dumps([part for part in self if part is not None], separators=(",", ":"))

    @property
    def metadata(self) -> dict[str, Any]:
        """The name as metadata of a clew session, for filters."""
        return {key: part for key, part in self._asdict().items() if part is not None}

    def __str__(self) -> str:
        if self.kind == "session":
            return f"{self.app_name}: {self.session_id}"
        return (
            f"{self.app_name}: state of the app" if self.kind == "app" else f"{self.app_name}: state of {self.user_id}"
        )


def session_name(app_name: str, user_id: str, session_id: str) -> Name:
    """The name of a session. White space around its id does not count, as in ADK's own services."""
    for key, value in (("app_name", app_name), ("user_id", user_id), ("session_id", session_id)):
        if not isinstance(value, str):
            raise InvalidRequestError(f"{key} must be text, not {type(value).__name__}")
    return Name("session", app_name, user_id, session_id.strip())


def app_scope(app_name: str) -> Name:
    """The name of what all sessions of an app share."""
    return Name("app", app_name)


def user_scope(app_name: str, user_id: str) -> Name:
    """The name of what all sessions of a user of an app share."""
    return Name("user", app_name, user_id)


def name_of(summary: SessionSummary) -> Name:
    """The name of a session in a list of clew's; CorruptStateError where it cannot be read."""
    if summary.damage is not None:
        raise CorruptStateError(f"session {summary.id} cannot be read: {summary.damage}")
    try:
        name = Name(*json.loads(summary.source_id or ""))
    except (ValueError, TypeError) as error:
        raise CorruptStateError(f"source_id of session {summary.id} is no name of ADK's") from error
    return name
