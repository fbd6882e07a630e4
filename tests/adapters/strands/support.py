"""What the tests of this folder share: a model that answers what it is told to, and tools."""

from collections.abc import AsyncIterator
from typing import Any

from strands import Agent, tool
from strands.models import Model
from strands.session.repository_session_manager import RepositorySessionManager
from strands.types.session import Session, SessionAgent, SessionMessage, SessionType

from clew.adapters.strands import ClewSessionRepository

SESSION = Session(session_id="support/42", session_type=SessionType.AGENT)
AGENT = SessionAgent(agent_id="helper", state={"n": 1}, conversation_manager_state={"removed": 0})


class Told(Model):
    """Answers with texts, with dicts by calling the tools of these names, and fails with errors."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.seen: list[list[Any]] = []

    def update_config(self, **config: Any) -> None: ...

    def get_config(self) -> dict[str, Any]:
        return {}

    def structured_output(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    async def stream(self, messages: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        self.seen.append([*messages])
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        yield {"messageStart": {"role": "assistant"}}
        if isinstance(answer, str):
            yield {"contentBlockStart": {"start": {}}}
            yield {"contentBlockDelta": {"delta": {"text": answer}}}
        else:
            ((name, arguments),) = answer.items()
            yield {"contentBlockStart": {"start": {"toolUse": {"name": name, "toolUseId": "t1"}}}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": arguments}}}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "end_turn" if isinstance(answer, str) else "tool_use"}}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def agent(repository: ClewSessionRepository, *answers: Any, session_id: str = "s1", **more: Any) -> Agent:
    """An agent that goes on with a session."""
    manager = RepositorySessionManager(session_id=session_id, session_repository=repository)
    return Agent(model=Told(*answers), session_manager=manager, tools=[add], callback_handler=None, **more)


def message(id: int, *blocks: Any, role: Any = "user", **more: Any) -> SessionMessage:
    content = [block if isinstance(block, dict) else {"text": block} for block in blocks]
    return SessionMessage(message={"role": role, "content": content, **more}, message_id=id)  # type: ignore[typeddict-item]


def prepared(repository: ClewSessionRepository) -> tuple[str, str]:
    """A session with an agent without messages: the ids of both."""
    repository.create_session(SESSION)
    repository.create_agent(SESSION.session_id, AGENT)
    return SESSION.session_id, AGENT.agent_id
