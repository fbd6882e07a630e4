"""Pydantic AI's step store over clew beside the one over SQLite that comes with its harness.

Run by bench/adapters.py, in the environment of the adapter. A turn is what `StepPersistence` writes in a run without
tools: the look-up of the run, its record, four events, and a snapshot of the whole history.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # so that this runs as a script

from pydantic_ai.messages import (  # noqa: E402
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    UserPromptPart,
)
from pydantic_ai.usage import RequestUsage  # noqa: E402
from pydantic_ai_harness.step_persistence import (  # noqa: E402
    ContinuableSnapshot,
    RunRecord,
    SqliteStepStore,
    StepEvent,
)

from bench.adapters import tell  # noqa: E402
from bench.measure import Lab, interleaved  # noqa: E402
from bench.report import shown_seconds  # noqa: E402
from bench.targets import Finding, Measured, Table  # noqa: E402
from clew.adapters.pydantic_ai import ClewStepStore  # noqa: E402

_BEGAN = datetime(2026, 5, 1, tzinfo=UTC)
_KINDS: list[Any] = ["run_started", "model_request_started", "model_request_completed", "run_completed"]
TIME_TARGET, FILE_TARGET = 1 / 100, 1 / 50


class Conversation:
    """A conversation in a step store, a run a turn, each with two new messages of about 1.6 KB of JSON together."""

    def __init__(self, loop: asyncio.AbstractEventLoop, steps: Any, *, copies: bool = False) -> None:
        self._loop, self._steps, self._copies = loop, steps, copies
        self._history: list[ModelMessage] = []
        self._turns = 0

    def grow(self, turns: int) -> None:
        """Write so many turns."""
        for _ in range(turns):
            self.turn()()

    def turn(self) -> Callable[[], object]:
        """The next turn, prepared."""
        return partial(self._done, self._whole_turn(*self._prepared()))

    def snapshot(self) -> Callable[[], object]:
        """The next turn's snapshot alone, prepared: the run is there already."""
        run_id, snapshot = self._prepared()
        self._done(self._begin(run_id))
        return partial(self._done, self._steps.save_snapshot(snapshot))

    def load(self) -> Callable[[], object]:
        """Reading the last snapshot, prepared."""
        return lambda: self._done(self._steps.latest_snapshot(run_id=f"run-{self._turns}"))

    def _prepared(self) -> tuple[str, ContinuableSnapshot]:
        self._turns += 1
        run_id = f"run-{self._turns}"
        self._history = [*self._history, *_messages(self._turns, run_id)]
        messages = deepcopy(self._history) if self._copies else self._history
        snapshot = ContinuableSnapshot(
            run_id=run_id, step_index=1, messages=messages, conversation_id="conversation", agent_name="agent",
            idempotency_key="0:1:complete",
        )  # fmt: skip
        return run_id, snapshot

    async def _begin(self, run_id: str) -> None:
        await self._steps.get_run(run_id=run_id)
        record = RunRecord(run_id=run_id, conversation_id="conversation", agent_name="agent", registration_id=run_id)
        await self._steps.register_run(record)

    async def _whole_turn(self, run_id: str, snapshot: ContinuableSnapshot) -> None:
        await self._begin(run_id)
        for place, kind in enumerate(_KINDS):
            if kind == "run_completed":
                await self._steps.save_snapshot(snapshot)
            event = StepEvent(
                run_id=run_id, kind=kind, step_index=1, conversation_id="conversation", agent_name="agent",
                idempotency_key=f"{place}:1:{kind}:",
            )  # fmt: skip
            await self._steps.append_event(event)

    def _done(self, coroutine: Any) -> object:
        return self._loop.run_until_complete(coroutine)


def _messages(turn: int, run_id: str) -> list[ModelMessage]:
    """About 420 B and 1.2 KB of the framework's JSON."""
    when = _BEGAN + timedelta(seconds=turn)
    ids: dict[str, Any] = {"run_id": run_id, "conversation_id": "conversation"}
    return [
        ModelRequest(parts=[UserPromptPart(f"{turn}: {'why does it fail? ' * 6}", timestamp=when)], **ids),
        ModelResponse(
            parts=[
                TextPart(f"{turn}: {'I will look. ' * 8}"),
                ToolCallPart("grep", {"pattern": f"needle {turn}", "path": "src"}, f"call-{turn}"),
            ],
            usage=RequestUsage(input_tokens=1000 + turn, output_tokens=90),
            model_name="model",
            timestamp=when,
            **ids,
        ),
    ]


def steps(lab: Lab) -> Iterator[Finding]:
    """Turns, snapshots and loads of one long conversation in both stores, and their files."""
    turns = lab.some(1000, 100)
    loop = asyncio.new_event_loop()
    ours = ClewStepStore(lab.folder / "ours.db")
    copied = ClewStepStore(lab.folder / "copied.db")
    theirs = SqliteStepStore(database=lab.folder / "theirs.db")
    talks = [Conversation(loop, ours), Conversation(loop, copied, copies=True), Conversation(loop, theirs)]
    for talk in talks:
        talk.grow(turns - lab.some(10, 3))
    rounds = lab.some(10, 3)
    turn = interleaved(rounds, *(talk.turn for talk in talks))
    snapshot = interleaved(rounds, *(talk.snapshot for talk in talks))
    load = interleaved(rounds, *(talk.load for talk in talks))
    ours.close()
    copied.close()
    loop.close()
    sizes = [_size(lab.folder, name) for name in ("ours", "copied", "theirs")]
    for name in ("ours", "copied", "theirs"):
        lab.remove(lab.folder / f"{name}.db")
    yield Measured("pydantic snapshot", snapshot[0], snapshot[2])
    yield Measured("pydantic file", sizes[0], sizes[2], "B")
    yield Table(
        title=f"Pydantic AI: a step store at turn {turns:,}",
        header=["", "clew", "clew, copies", "SqliteStepStore", "target", "reached", "with copies"],
        rows=[
            _row("a turn", turn, TIME_TARGET),
            _row("its snapshot alone", snapshot, TIME_TARGET),
            _row("load the last snapshot", load, None),
            _row("file, closed", sizes, FILE_TARGET, unit="MB"),
        ],
        notes=f"pydantic-ai-harness {version('pydantic-ai-harness')}, medians of {rounds} turns. A turn is a run of "
        "two messages without tools: the look-up of the run, its record, four events, and a snapshot of the whole "
        "history. `StepPersistence` hands over copies of all messages, as in the second column; making them is not in "
        "the times. In the first and third column they are the same objects each time.",
    )


def _row(what: str, values: list[float], target: float | None, unit: str = "s") -> list[str]:
    ours, copied, theirs = values
    shown = [shown_seconds(value) if unit == "s" else f"{value / 1e6:.2f} MB" for value in values]
    verdicts = [_verdict(value / theirs, target) for value in (ours, copied)]
    return [what, *shown, "" if target is None else f"≤ 1/{1 / target:.0f}", *verdicts]


def _verdict(ratio: float, target: float | None) -> str:
    told = f"1/{1 / ratio:.0f}" if ratio < 0.5 else f"{ratio:.2f} ×"
    return told if target is None else f"{told} {'met' if ratio <= target else 'MISSED'}"


def _size(folder: Path, name: str) -> float:
    return float(sum(file.stat().st_size for file in folder.glob(f"{name}.db*")))


if __name__ == "__main__":
    tell(steps)
