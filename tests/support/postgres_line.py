"""A line to a PostgreSQL server, which a test can cut or hold at any request.

It speaks enough of the protocol to know where a request ends and when it is answered, so a test says exactly what the
server has done and what it could not tell any more.
"""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Literal

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

Cut = Literal["before", "after", "killed"]
"""Before the server hears of a request; after it has answered, which nobody hears; or the server ends its process."""

_LOOK = 0.05
_TIME_LIMIT = 60
_ENDS_REQUEST = b"QS"  # a simple query, and the Sync after the parts of any other
_READY = b"Z"
_KEY = b"K"


class Line:
    """Listens on a port of its own and passes on what comes. Made by `open_line`."""

    def __init__(self, url: str) -> None:
        self._server = url
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._free = threading.Event()
        self._free.set()
        self._mutex = threading.Lock()
        self._left = 0
        self._cut: Cut | None = None
        self._is_open = True
        self._wires: list[Wire] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        """The same database by this line."""
        given = conninfo_to_dict(self._server)
        password = f":{given['password']}" if given.get("password") else ""
        return (
            f"postgresql://{given['user']}{password}@127.0.0.1:{self.port}/{given['dbname']}"
            "?sslmode=disable&gssencmode=disable"
        )

    def cut_at(self, request: int, cut: Cut) -> None:
        """Cut the line at the request of this number from now on, whichever connection it comes by; then never more."""
        with self._mutex:
            self._left, self._cut = request, cut

    @property
    def is_to_be_cut(self) -> bool:
        """Whether fewer requests have come than `cut_at` waits for. From here on none is waited for."""
        with self._mutex:
            waits, self._cut = self._cut is not None, None
            return waits

    def hold(self) -> None:
        """Pass nothing on, as a server that is stopped answers nobody, while its system still takes connections."""
        self._free.clear()

    def let_go(self) -> None:
        """Go on where it stopped."""
        self._free.set()

    def break_down(self) -> None:
        """Close every connection, and take none any more."""
        self._is_open = False
        self.let_go()
        self._thread.join(_TIME_LIMIT)
        self._listener.close()
        for wire in self._wires:
            wire.join()

    def wait(self) -> bool:
        """Until things may be passed on; whether they still may then."""
        while not self._free.wait(_LOOK):
            pass
        return self._is_open

    def due(self) -> Cut | None:
        """Called for each request: how it is to be cut, None where it is passed on."""
        with self._mutex:
            if self._cut is None:
                return None
            self._left -= 1
            if self._left > 0:
                return None
            cut, self._cut = self._cut, None
            return cut

    def kill(self, process: int) -> None:
        """Have the server end one of its processes."""
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(%s)", (process,))

    def _accept(self) -> None:
        while self.wait():
            if select.select([self._listener], [], [], _LOOK)[0]:
                client, _ = self._listener.accept()
                # Small messages go at once, instead of waiting for the client to confirm the one before.
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._wires.append(Wire(self, client, _connect(self._server)))


class Wire:
    """One connection of a line."""

    def __init__(self, line: Line, client: socket.socket, server: socket.socket) -> None:
        self._line = line
        self._client = client
        self._server = server
        self._asked = _Messages(has_begun=False)
        self._answered = _Messages(has_begun=True)
        self._process = 0
        self._is_mute = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def join(self) -> None:
        self._thread.join(_TIME_LIMIT)

    def _run(self) -> None:
        with closing(self._client), closing(self._server), suppress(OSError):
            while self._line.wait() and self._pass_on():
                pass

    def _pass_on(self) -> bool:
        """Pass on what there is; False where the line is to be cut, or somebody has gone."""
        ready = select.select([self._client, self._server], [], [], _LOOK)[0]
        for end in ready:
            data = end.recv(65_536)
            if not data or not self._line.wait():
                return False
            if not (self._ask(data) if end is self._client else self._answer(data)):
                return False
        return True

    def _ask(self, data: bytes) -> bool:
        for kind, message in self._asked.take(data):
            cut = self._line.due() if kind in _ENDS_REQUEST and kind else None
            if cut == "before":
                return False
            if cut == "killed":
                return self._tell_end()
            self._is_mute = self._is_mute or cut == "after"
            self._server.sendall(message)
        return True

    def _answer(self, data: bytes) -> bool:
        for kind, message in self._answered.take(data):
            if kind == _KEY:
                self._process = int.from_bytes(message[5:9])
            if self._is_mute and kind == _READY:
                return False
            if not self._is_mute:
                self._client.sendall(message)
        return True

    def _tell_end(self) -> bool:
        """Pass on the last words of a server process that was told to end."""
        self._line.kill(self._process)
        while data := self._server.recv(65_536):
            self._client.sendall(data)
        return False


class _Messages:
    """Bytes as they come, put together to messages. The first of a client has no kind."""

    def __init__(self, *, has_begun: bool) -> None:
        self._bytes = b""
        self._has_begun = has_begun

    def take(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        self._bytes += data
        while True:
            kind = 1 if self._has_begun else 0
            if len(self._bytes) < kind + 4:
                return
            size = kind + int.from_bytes(self._bytes[kind : kind + 4])
            if len(self._bytes) < size:
                return
            message, self._bytes = self._bytes[:size], self._bytes[size:]
            self._has_begun = True
            yield message[:kind], message


@contextmanager
def open_line(url: str) -> Iterator[Line]:
    """A line to the database at `url`."""
    line = Line(url)
    try:
        yield line
    finally:
        line.break_down()


def _connect(url: str) -> socket.socket:
    given = conninfo_to_dict(make_conninfo(url))
    host, port = str(given.get("host") or "127.0.0.1"), int(given.get("port") or 5432)
    if not host.startswith("/"):
        return socket.create_connection((host, port))
    server = socket.socket(socket.AF_UNIX)
    server.connect(f"{host}/.s.PGSQL.{port}")
    return server
