"""A Strands agent that goes on in another process, with a model that needs no network."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from strands import Agent
from strands.models import Model
from strands.session.repository_session_manager import RepositorySessionManager

import clew
from clew.adapters.strands import ClewSessionRepository


class Counter(Model):
    """Says how many messages it was given."""

    def update_config(self, **config: Any) -> None: ...

    def get_config(self) -> dict[str, Any]:
        return {}

    def structured_output(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    async def stream(self, messages: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        yield {"messageStart": {"role": "assistant"}}
        text = f"I have read {len(messages)} message{'' if len(messages) == 1 else 's'}"
        yield {"contentBlockDelta": {"delta": {"text": text}}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "end_turn"}}


def ask(prompt: str, path: Path) -> None:
    """Ask a new agent, which knows nothing but what the store has."""
    repository = ClewSessionRepository(path)
    manager = RepositorySessionManager(session_id="work", session_repository=repository)
    answer = Agent(model=Counter(), session_manager=manager, callback_handler=None)(prompt)
    print(f"> {prompt}\n  {str(answer).strip()}")
    repository.close()


with tempfile.TemporaryDirectory() as name:
    place = Path(name) / "agent.db"
    ask("Remember that the parser is in src/parse.py", place)
    ask("Where is the parser?", place)
    with clew.open(place) as store:
        for summary in store.list_sessions():
            print(f"{summary.source}: {summary.title!r}, {summary.message_count} messages")
