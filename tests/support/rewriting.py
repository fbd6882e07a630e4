"""Agents that rewrite the end of a conversation at every step, and what that costs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID

import pytest

import clew
from clew.relational.transaction import Transaction


class Work(NamedTuple):
    """How many statements were run, and how many rows these handed over."""

    statements: int
    rows: int


@contextmanager
def counting(monkeypatch: pytest.MonkeyPatch, transaction: type[Transaction]) -> Iterator[Callable[[], Work]]:
    """What transactions of a kind do meanwhile."""
    counted: list[int] = []

    def counted_by(method: Callable[..., Any]) -> Callable[..., Any]:
        def run(db: Transaction, name: str, parameters: Any) -> Any:
            found = method(db, name, parameters)
            if method.__name__ == "iterate":
                found = list(found)
            counted.append(len(found) if isinstance(found, list) else 0)
            return found

        return run

    with monkeypatch.context() as patched:
        for method in ("fetch_all", "fetch_one", "iterate", "execute"):
            patched.setattr(transaction, method, counted_by(getattr(transaction, method)))
        yield lambda: Work(len(counted), sum(counted))


Messages = list[dict[str, Any]]


def said(*texts: str) -> Messages:
    return [{"role": "user", "content": text} for text in texts]


class Talk:
    """A session that goes on step by step, and what its messages have to be."""

    def __init__(self, store: clew.Store) -> None:
        self.store = store
        self.session = store.create_session("a long one").id
        self.tips: list[UUID | None] = [None, None]
        self.messages: list[Messages] = [[], []]

    def rewrite(self, last: int, messages: Messages, branch: int = 0) -> None:
        """Put messages in the place of so many that are the last."""
        kept = max(len(self.messages[branch]) - last, 0)
        tip = self.tips[branch]
        step = self.store.append(self.session, messages, parent_id=tip, after=None if tip is None else kept)
        self.tips[branch] = step.id
        self.messages[branch] = [*self.messages[branch][:kept], *messages]

    def write_all(self, last: int, messages: Messages) -> None:
        """The same with the whole list."""
        self.messages[0] = [*self.messages[0][: max(len(self.messages[0]) - last, 0)], *messages]
        self.tips[0] = self.store.create_checkpoint(self.session, self.messages[0], parent_id=self.tips[0]).id

    def check(self) -> None:
        """Each branch reads as it was written."""
        for tip, messages in zip(self.tips, self.messages, strict=True):
            if tip is not None:
                assert self.store.get_checkpoint(tip).state.messages == messages


def stream(talk: Talk, step: int) -> None:
    """A message of the user, and an answer of which there is a little more twenty times."""
    if step % 20:
        talk.rewrite(1, said(f"answer {step}"))
    else:
        talk.rewrite(0, said(f"question {step}", f"answer {step}"))


def call(talk: Talk, step: int) -> None:
    """A draft that becomes the call of a tool and another draft, and then the answer."""
    done = [
        (0, said(f"question {step}")),
        (0, said(f"draft {step}")),
        (1, said(f"call {step}", f"draft {step}")),
        (1, said(f"answer {step}")),
    ]
    talk.rewrite(*done[step % 4])


def works_of_others(
    monkeypatch: pytest.MonkeyPatch, transaction: type[Transaction], opened: Callable[[], clew.Store], step: "Step"
) -> list[Work]:
    """What one step in forty costs that a store takes which has written none of those before."""
    works = []
    with opened() as store:
        talk = Talk(store)
        for number in range(244):
            if number % 40 != 3:
                step(talk, number)
                continue
            with opened() as another, counting(monkeypatch, transaction) as work:
                talk.store = another
                step(talk, number)
                works.append(work())
            talk.store = store
        talk.check()
    return works[2:]


Step = Callable[[Talk, int], None]

STEPS: dict[str, Step] = {
    "nothing": lambda talk, step: talk.rewrite(0, said(f"{step}")),
    "the last": lambda talk, step: talk.rewrite(1, said(f"{step}", f"state {step}")),
    "the last, which stays alone every other time": lambda talk, step: talk.rewrite(
        1, said(*[f"{step}"][: step % 2], f"state {step}")
    ),
    "the second to last": lambda talk, step: talk.rewrite(2, said(f"state {step}", f"{step - 1}", f"{step}")),
    "the last two": lambda talk, step: talk.rewrite(2, said(f"{step}", f"state {step}", f"more {step}")),
    "nothing of two branches": lambda talk, step: talk.rewrite(0, said(f"{step}"), step % 2),
    "the last of two branches": lambda talk, step: talk.rewrite(1, said(f"{step}", f"state {step}"), step % 2),
    "an answer as it comes": stream,
    "a draft that becomes a call": call,
    "the last, among all": lambda talk, step: talk.write_all(1, said(f"{step}", f"state {step}")),
    "the second to last, among all": lambda talk, step: talk.write_all(2, said(f"{step}", f"state {step}", "more")),
}

KNOWN_TO_CHECKPOINTS = ["nothing", "nothing of two branches", "an answer as it comes", "a draft that becomes a call"]
"""Steps that leave checkpoints behind at whose end they, or others, go on."""
