"""The addresses of a session's pages."""

from typing import NamedTuple
from urllib.parse import quote, urlencode
from uuid import UUID

_DOTS = (".", "..")
"""Names that browsers read as steps through folders, even escaped."""


class StepAddress(NamedTuple):
    """Where everything of one step of a session is. The step is None where the session has none.

    `is_here` says that the messages of the step stand on the page itself, as ``#m1`` and so on.
    """

    session_id: UUID
    checkpoint_id: UUID | None
    is_here: bool = True

    @property
    def session(self) -> str:
        return f"/sessions/{self.session_id}"

    @property
    def step(self) -> str:
        return self.session if self.checkpoint_id is None else self.of(self.checkpoint_id)

    def of(self, checkpoint_id: UUID) -> str:
        """The page of another step."""
        return f"{self.session}/steps/{checkpoint_id}"

    def window(self, start: int) -> str:
        """The page on which message `start` is the first."""
        return f"{self.step}?{urlencode({'start': start})}"

    def message(self, number: int) -> str:
        """A message in its place."""
        return f"{'' if self.is_here else self.window(number)}#m{number}"

    def messages(self, start: int, stop: int) -> str:
        """The messages from `start` to `stop` alone, `stop` included."""
        return f"{self.step}/messages?{urlencode({'start': start, 'stop': stop})}"

    def part(self, message: int, part: int) -> str:
        """A text or a picture of a message."""
        return f"{self.step}/messages/{message}/parts/{part}"

    def attachment(self, name: str) -> str:
        """The bytes of an attachment."""
        if name in _DOTS:
            return f"{self.step}/attachments?{urlencode({'name': name})}"
        return f"{self.step}/attachments/{quote(name, safe='')}"

    def compare(self, other: UUID) -> str:
        """This step beside another one."""
        return f"{self.session}/compare?{urlencode({'a': str(other), 'b': str(self.checkpoint_id)})}"

    def export(self, form: str) -> str:
        """All messages as a file."""
        return f"{self.step}/export?{urlencode({'format': form})}"

    def tree(self, **query: str | int) -> str:
        """The steps, of which `row` is the first or `run` is opened."""
        given = {"step": str(self.checkpoint_id), **query} if self.checkpoint_id else query
        return f"{self.session}/tree?{urlencode(given)}"
