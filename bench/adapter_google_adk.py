"""ADK's session service over clew beside the two over SQLite that come with ADK.

Run by bench/adapters.py, in the environment of the adapter. `DatabaseSessionService` needs ADK's extra `db`; without it
its column says so.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # so that this runs as a script

from google.adk.events import Event, EventActions  # noqa: E402
from google.adk.sessions import BaseSessionService, Session  # noqa: E402
from google.adk.sessions.base_session_service import GetSessionConfig  # noqa: E402
from google.adk.sessions.sqlite_session_service import SqliteSessionService  # noqa: E402
from google.genai import types  # noqa: E402

from bench.adapters import tell  # noqa: E402
from bench.measure import Lab, interleaved  # noqa: E402
from bench.report import shown_seconds  # noqa: E402
from bench.targets import Finding, Table  # noqa: E402
from clew.adapters.google_adk import ClewSessionService  # noqa: E402

WHO: dict[str, Any] = {"app_name": "bench", "user_id": "ada"}
TEXT = "It is sunny in Rome, and it will stay so. " * 20


class Bench:
    """One service, with a session that grows and many short ones."""

    def __init__(self, loop: asyncio.AbstractEventLoop, service: BaseSessionService) -> None:
        self._loop, self._service = loop, service
        self._session: Session = self._done(service.create_session(**WHO, session_id="long"))
        self._number = 0

    def event(self, delta: dict[str, Any] | None = None) -> Event:
        """The next event, of about 1.2 KB of JSON."""
        self._number += 1
        part = types.Part(text=f"{self._number}: {TEXT}")
        content = types.Content(role="model", parts=[part])
        actions = EventActions(state_delta=delta or {})
        return Event(invocation_id="i", author="agent", content=content, actions=actions)

    def grow(self, events: int) -> None:
        """Write so many events."""
        for _ in range(events):
            self.append()()

    def fill(self, sessions: int) -> None:
        """Write so many sessions of two events and a state each."""
        for number in range(sessions):
            session = self._done(self._service.create_session(**WHO, state={"number": number}))
            for _ in range(2):
                self._done(self._service.append_event(session, self.event()))

    def append(self, delta: dict[str, Any] | None = None) -> Callable[[], object]:
        """An append, prepared."""
        return partial(self._done, self._service.append_event(self._session, self.event(delta)))

    def load(self, config: GetSessionConfig | None = None) -> Callable[[], object]:
        """Reading the long session, prepared."""
        return partial(self._done, self._service.get_session(**WHO, session_id="long", config=config))

    def listed(self) -> Callable[[], object]:
        """Listing all sessions, prepared."""
        return partial(self._done, self._service.list_sessions(**WHO))

    def close(self) -> None:
        """Let go of the file."""
        close = getattr(self._service, "close", None)
        if close is not None:
            self._done(close())

    def _done(self, coroutine: Any) -> Any:
        return self._loop.run_until_complete(coroutine)


def measure(lab: Lab) -> Iterator[Finding]:
    """Appends at 2,000 events, loads of them, and a list of 1,000 sessions."""
    events, sessions, rounds = lab.some(2000, 40), lab.some(1000, 20), lab.some(15, 2)
    loop = asyncio.new_event_loop()
    services = {name: Bench(loop, service) for name, service in _services(lab.folder).items()}
    benches = list(services.values())
    for bench in benches:
        bench.grow(events)
    timed = {
        "append an event": interleaved(4 * rounds, *(bench.append for bench in benches)),
        "append one that changes the session's state": interleaved(
            4 * rounds, *(partial(bench.append, {"k": 1}) for bench in benches)
        ),
        "append one that changes app: and user: state": interleaved(
            2 * rounds, *(partial(bench.append, {"app:k": 1, "user:k": 1}) for bench in benches)
        ),
        f"load {events:,} events": interleaved(rounds, *(bench.load for bench in benches)),
        "load the last 20": interleaved(
            rounds, *(partial(bench.load, GetSessionConfig(num_recent_events=20)) for bench in benches)
        ),
    }
    for bench in benches:
        bench.fill(sessions)
    timed[f"list {sessions + 1:,} sessions"] = interleaved(rounds, *(bench.listed for bench in benches))
    for bench in benches:
        bench.close()
    loop.close()
    rows = [[what, *map(shown_seconds, seconds)] for what, seconds in timed.items()]
    note = f"google-adk {version('google-adk')}; medians, one after the other in turns; every file on the same disk."
    yield Table("Adapter: google-adk", ["measured", *services], rows, note)


def _services(folder: Path) -> dict[str, BaseSessionService]:
    services: dict[str, BaseSessionService] = {
        "clew": ClewSessionService(folder / "clew-adk.db"),
        "SqliteSessionService": SqliteSessionService(str(folder / "adk-sqlite.db")),
    }
    with suppress(ImportError):
        from google.adk.sessions import DatabaseSessionService

        url = f"sqlite+aiosqlite:///{folder / 'adk-database.db'}"
        services["DatabaseSessionService"] = DatabaseSessionService(url)
    return services


if __name__ == "__main__":
    tell(measure)
