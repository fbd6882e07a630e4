"""A connection that does not wait for ever.

The server's own time limits end a statement that takes too long. They do nothing where the server itself has stopped or
is cut off: TCP notices that late, or never where the machine still answers for a stopped process. So when a statement
has heard nothing for as long as a call may wait, the server is asked for another connection; where nothing answers that
either, the connection is closed and the statement fails. A statement that is answered in time pays nothing for it.
"""

import time
from collections.abc import Callable
from typing import Any, Self

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.conninfo import make_conninfo

from clew.relational.transaction import Row

_PATIENCE = 5.0
_ASKING_SECONDS = 2
_ANSWER = "FATAL"
"""What a server says who takes no connection now, and is there."""


class Connection(psycopg.Connection[Row]):
    """A connection that is closed when its server no longer answers."""

    patience: float = _PATIENCE
    """Seconds of silence before the server is asked whether it is there."""

    longest: float = float("inf")
    """Seconds of silence that nothing is a reason for."""

    made: float
    _conninfo: str

    @classmethod
    def connect(cls, conninfo: str = "", **more: Any) -> Self:
        """As the driver's; where `failed` is given, an error is told to that too."""
        failed: Callable[[psycopg.Error], None] | None = more.pop("failed", None)
        try:
            connection = super().connect(conninfo, **more)
        except psycopg.Error as error:
            failure = type(error)(str(error))
        else:
            connection.made = time.monotonic()
            connection._conninfo = conninfo
            return connection
        # Not the driver's own, which has the password among its attributes.
        if failed is not None:
            failed(failure)
        raise failure

    def wait(self, gen: PQGen[RV], *arguments: Any, **more: Any) -> RV:
        """As the driver's: every statement goes through here."""
        return super().wait(self._watched(gen), *arguments, **more)

    def _watched(self, gen: PQGen[RV]) -> PQGen[RV]:
        """The steps of `gen`, each of which ends when the socket is ready, or every tenth of a second."""
        silent_since: float | None = None
        asked = 0.0
        try:
            state = next(gen)
            while True:
                ready = yield state
                if ready:
                    silent_since = None
                elif silent_since is None:
                    silent_since = asked = time.monotonic()
                elif time.monotonic() - asked > self.patience:
                    self._check_alive(time.monotonic() - silent_since)
                    asked = time.monotonic()
                state = gen.send(ready)
        except StopIteration as end:
            result: RV = end.value
            return result

    def _check_alive(self, silence: float) -> None:
        if silence <= self.longest and self._answers():
            return
        self.pgconn.finish()
        raise psycopg.OperationalError(f"the server has not answered for {silence:.1f} seconds")

    def _answers(self) -> bool:
        """Whether the server that this leads to answers a newcomer."""
        there = make_conninfo(
            self._conninfo,
            host=self.info.host,
            hostaddr=self.info.hostaddr,
            port=self.info.port,
            target_session_attrs="any",
            connect_timeout=_ASKING_SECONDS,
        )
        try:
            psycopg.connect(there).close()
        except psycopg.OperationalError as error:
            return _ANSWER in str(error)
        return True
