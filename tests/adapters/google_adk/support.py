"""What the tests of this adapter share: events, a scripted model, and a service that can be called plainly."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

from google.adk.events import Event, EventActions
from google.adk.models import BaseLlm, LlmRequest, LlmResponse
from google.adk.sessions import Session
from google.genai import types

import clew
from clew.adapters.google_adk import ClewSessionService

APP, USER = "weather", "ada"


class Service:
    """A `ClewSessionService` whose methods wait for their end. Each call has an event loop of its own."""

    def __init__(self, store: Any, *, app: str = APP, user: str = USER) -> None:
        self.awaited = ClewSessionService(store)
        self._who = {"app_name": app, "user_id": user}

    def create(self, session_id: str | None = None, **given: Any) -> Session:
        return asyncio.run(self.awaited.create_session(**{**self._who, "session_id": session_id, **given}))

    def get(self, session_id: str, **given: Any) -> Session | None:
        return asyncio.run(self.awaited.get_session(**{**self._who, "session_id": session_id, **given}))

    def read(self, session_id: str, **given: Any) -> Session:
        """`get`, of a session that is there."""
        session = self.get(session_id, **given)
        assert session is not None
        return session

    def list(self, **given: Any) -> list[Session]:
        found = asyncio.run(self.awaited.list_sessions(**{**self._who, **given}))
        sessions: list[Session] = found.sessions
        return sessions

    def delete(self, session_id: str, **given: Any) -> None:
        asyncio.run(self.awaited.delete_session(**{**self._who, "session_id": session_id, **given}))

    def user_state(self, **given: Any) -> dict[str, Any]:
        return asyncio.run(self.awaited.get_user_state(**{**self._who, **given}))

    def append(self, session: Session, event: Event) -> Event:
        return asyncio.run(self.awaited.append_event(session, event))

    def change(self, session: Session, **delta: Any) -> Event:
        """Append an event that changes the state; two underscores in a name stand for the colon of a prefix."""
        return self.append(session, changing({key.replace("__", ":"): value for key, value in delta.items()}))


def said(text: str, author: str = "user", **given: Any) -> Event:
    """An event in which somebody says something."""
    role = "user" if author == "user" else "model"
    content = types.Content(role=role, parts=[types.Part(text=text)])
    return Event(**{"invocation_id": "call", "author": author, "content": content, **given})


def changing(delta: dict[str, Any], **given: Any) -> Event:
    """An event that changes the state."""
    return Event(**{"invocation_id": "call", "author": "user", "actions": EventActions(state_delta=delta), **given})


def texts(session: Session) -> list[str]:
    """What is said in a session."""
    return [part.text for event in session.events for part in (event.content.parts if event.content else [])]


Reply = str | tuple[str, dict[str, Any]]
"""What a model answers: a text, or a call of a tool by its name, with its arguments."""


class Scripted(BaseLlm):
    """A model that answers what a function makes of the request; in streaming mode text comes in two pieces first."""

    model: str = "scripted"
    answer: Callable[[LlmRequest], Reply]

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        reply = self.answer(llm_request)
        if isinstance(reply, tuple):
            call = types.FunctionCall(name=reply[0], args=reply[1])
            yield _response(types.Part(function_call=call))
            return
        half = len(reply) // 2
        for piece in (reply[:half], reply[half:]) if stream else ():
            yield _response(types.Part(text=piece), partial=True)
        yield _response(types.Part(text=reply))


def _response(part: types.Part, **given: Any) -> LlmResponse:
    return LlmResponse(content=types.Content(role="model", parts=[part]), **given)


class Dying:
    """A store whose process dies before its n-th write: that one and all calls after it raise."""

    _WRITES = ("append", "create_session", "ensure_session", "update_session", "purge_session")

    def __init__(self, store: clew.Store, lives: int) -> None:
        self._store, self._lives, self._is_dead = store, lives, False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if not callable(method):
            return method

        def call(*args: Any, **kwargs: Any) -> Any:
            if name in self._WRITES:
                self._is_dead = self._is_dead or self._lives == 0
                self._lives -= 1
            if self._is_dead:
                raise Death
            return method(*args, **kwargs)

        return call


class Death(BaseException):
    """A process is gone: no `except Exception` cleans up after it."""
