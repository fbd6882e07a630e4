"""What Codex goes on with after a compaction, and where a rollback goes back to."""

from collections.abc import Iterator
from typing import Any

import msgspec

from clew.importers import chat
from clew.model import Message

NO_SUMMARY = "(no summary available)"
_PROMPTS_KEPT = 80_000  # characters of prompts that Codex repeats after a compaction: 20,000 tokens


class _Turn(msgspec.Struct):
    """A prompt of the user on the way to here: the step before it, and what it said."""

    before: str
    prompt: str


class Turns:
    """The prompts of the user on the way to here."""

    def __init__(self) -> None:
        self._turns: list[_Turn] = []
        self._chars = 0  # of all prompts that are kept
        self._first = 0  # the first of them

    def __bool__(self) -> bool:
        return bool(self._turns)

    def add(self, before: str, prompt: str) -> None:
        """The next prompt; those that are too long ago to be repeated are forgotten."""
        self._turns.append(_Turn(before, prompt[:_PROMPTS_KEPT]))
        self._chars += len(self._turns[-1].prompt)
        while (excess := self._chars - _PROMPTS_KEPT) > 0:
            turn = self._turns[self._first]
            left = turn.prompt[: max(len(turn.prompt) - excess, 0)]
            self._chars -= len(turn.prompt) - len(left)
            turn.prompt = left
            self._first += not left

    def take_back(self, turns: int) -> str | None:
        """Forget the last turns; the step before them, None where there is nothing to be taken back."""
        if not turns or not self._turns:
            return None
        left = max(len(self._turns) - turns, 0)
        before = self._turns[left].before
        self._chars -= sum(len(turn.prompt) for turn in self._turns[left:])
        del self._turns[left:]
        self._first = min(self._first, left)
        return before

    def prompts(self) -> Iterator[Message]:
        """The prompts that Codex repeats after a compaction of which it has not kept the history."""
        return (chat.message("user", turn.prompt) for turn in self._turns if turn.prompt)


def mark_summary(messages: list[Message], summary: str | None, compacted: dict[str, Any]) -> None:
    """Mark the message that stands for what was before: the one with this text, else the last one of the user."""
    names = ("window_number", "window_id")
    mark = {name: compacted[name] for name in names if isinstance(compacted.get(name), (int, str))}
    same = (made for made in reversed(messages) if summary is not None and chat.text_of(made) == summary)
    of_user = (made for made in reversed(messages) if made["role"] == "user")
    for made in (*same, *of_user):
        made["compaction"] = mark or {"summary": True}
        return
