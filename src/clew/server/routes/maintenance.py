"""Looking after the whole store. What takes long answers line by line (newline-delimited JSON) as it goes on."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable

import litestar
from litestar import Controller
from litestar.params import FromQuery
from litestar.response import Stream

from clew import checks
from clew.backend import Backend, Report
from clew.errors import InternalError, StorageError
from clew.protocol import answers
from clew.protocol.answers import Line
from clew.protocol.codec import JSON, encode
from clew.protocol.failures import failure
from clew.server.bodies import Answer
from clew.server.served import Served, get, post

_log = logging.getLogger("clew.server")

LINES = "application/x-ndjson"

_QUIET_SECONDS = 5.0
"""How long nothing is said before an empty line says that the work goes on."""

Tell = Callable[[Line], None]


class MaintenanceRoutes(Controller):
    """What concerns every session."""

    path = "/v1"
    tags = ("Maintenance",)

    @litestar.get("/verify", sync_to_thread=False)
    def verify(self, served: Served) -> Stream:
        """Check everything that is stored: a finding a line, and `{"done":true}` at the end."""
        served.check_admin()
        return Stream(_lines(lambda tell: _verify(served.backend, tell)), media_type=LINES)

    @litestar.post("/compact", status_code=200, sync_to_thread=False)
    def compact(self, served: Served) -> Stream:
        """Give back the space of what has been deleted; tells how far it is, and what it did, line by line."""
        served.check_admin()
        return Stream(_lines(lambda tell: _compact(served.backend, tell)), media_type=LINES)

    @get("/stats")
    def store_stats(self, served: Served, owner: FromQuery[str | None] = None) -> Answer[answers.StatsAnswer]:
        """What is in the store, as far as the caller may see it: sessions, sizes, activity by day."""
        return Answer({"stats": served.backend.store_stats(checks.optional_owner(owner))})

    @post("/erase", status_code=200)
    def erase_purged(self, served: Served) -> Answer[answers.Erased]:
        """Erase what purged sessions have left in any file."""
        return Answer({"erased": served.backend.erase_purged()})


def _verify(backend: Backend, tell: Tell) -> None:
    for finding in backend.verify(_reporting(tell)):
        tell(Line(finding=finding))


def _compact(backend: Backend, tell: Tell) -> None:
    tell(Line(compaction=backend.compact(_reporting(tell))))


def _reporting(tell: Tell) -> Report:
    return lambda progress: tell(Line(progress=progress))


async def _lines(work: Callable[[Tell], None]) -> AsyncIterator[bytes]:
    """What `work` tells, while it goes on in a thread of its own; the last line is that it is done, or its error."""
    loop, told = asyncio.get_running_loop(), asyncio.Queue[Line]()

    def tell(line: Line) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(told.put_nowait, line)

    threading.Thread(target=_run, args=(work, tell), name="clew-lines", daemon=True).start()
    done = False
    while not done:
        try:
            line = await asyncio.wait_for(told.get(), _QUIET_SECONDS)
        except TimeoutError:
            line = Line()
        yield encode(line, JSON) + b"\n"
        done = line.done


def _run(work: Callable[[Tell], None], tell: Tell) -> None:
    try:
        work(tell)
    except StorageError as error:
        tell(Line(error=failure(error), done=True))
    except Exception:
        _log.exception("what was to be told line by line failed")
        tell(Line(error=failure(InternalError("")), done=True))
    else:
        tell(Line(done=True))
