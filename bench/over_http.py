"""What a store behind a server costs: requests a second and how long they take, and a long session over HTTP."""

import json
import multiprocessing
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from http.client import HTTPConnection
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import clew
from bench.conversation import Talk
from bench.http_server import running
from bench.measure import Action, Durability, Lab, interleaved
from bench.report import shown_seconds
from bench.sessions import AppendedSession
from bench.targets import Finding, Measured, Table

_CROWD = 32
_PROCESSES = 2
_LISTED = 20
_SHORT, _LONG = 5, 1000  # turns of two messages
_START_SECONDS = 60
_SPAWN = multiprocessing.get_context("spawn")


class _Load(NamedTuple):
    """What each client asks for again and again; it has a session of its own."""

    name: str
    method: str
    path: str


_APPEND = _Load("append 2 messages", "POST", "/v1/sessions/{id}/append?form=bare")
_LOADS = [
    _APPEND,
    _Load(f"get {2 * _SHORT} messages", "GET", "/v1/sessions/{short}"),
    _Load(f"get {2 * _LONG:,} messages", "GET", "/v1/sessions/{long}"),
    _Load(f"list {_LISTED} sessions", "GET", f"/v1/sessions?limit={_LISTED}"),
]


def requests(lab: Lab) -> Iterator[Finding]:
    """Clients in other processes, each with a connection that it keeps, and a key of the role write."""
    rows = [*_rows(lab, "full", _LOADS), *_rows(lab, "normal", [_APPEND])]
    yield Table(
        title="HTTP: requests to a server",
        header=["", "durability", "clients", "a second", "median", "p99"],
        rows=rows,
        notes=f"`clew serve` on a file, one process; {_CROWD} clients are threads of {_PROCESSES} processes beside it "
        "on the same processors, and plain ones: JSON, no compression. Each appends to a session of its own; all read "
        "the same two. Appends answer without the state.",
    )


def _rows(lab: Lab, durability: Durability, loads: Sequence[_Load]) -> Iterator[list[str]]:
    path, seconds = lab.folder / f"http-{durability}.db", lab.some(30, 5) / 10
    with clew.open(path, durability="normal") as store:
        made = store.create_key("bench", "write")
        names = _Names(store, lab.some(_LONG, 100))
    with running(path, durability) as url, ProcessPoolExecutor(_PROCESSES, mp_context=_SPAWN) as pool:
        for load in loads:
            for clients in (1, _CROWD):
                paths = names.paths(load, clients)
                ask = partial(_ask_in_process, url, made.token, load.method, seconds)
                waits = [wait for waits in pool.map(ask, paths) for wait in waits]
                yield _row(load.name, durability, clients, seconds, waits)
    lab.remove(path)


def _row(name: str, durability: Durability, clients: int, seconds: float, waits: Sequence[float]) -> list[str]:
    late = sorted(waits)[int(len(waits) * 0.99)]
    rate = f"{len(waits) / seconds:,.0f}"
    return [name, durability, str(clients), rate, shown_seconds(statistics.median(waits)), shown_seconds(late)]


class _Names:
    """Sessions to ask for."""

    def __init__(self, store: clew.Store, long: int) -> None:
        self._own = [self._add(store, 1) for _ in range(_CROWD)]
        self._read = {"short": self._add(store, _SHORT), "long": self._add(store, long)}

    def paths(self, load: _Load, clients: int) -> list[list[str]]:
        """The path that each client asks for, by process."""
        paths = [load.path.format(id=id, **self._read) for id in self._own[:clients]]
        return [paths[place::_PROCESSES] for place in range(min(clients, _PROCESSES))]

    def _add(self, store: clew.Store, turns: int) -> str:
        made = store.create_session(f"{turns} turns", messages=Talk(turns).messages(turns), owner="bench")
        return str(made.id)


def _ask_in_process(url: str, token: str, method: str, seconds: float, paths: Sequence[str]) -> list[float]:
    """The work of one process: a thread for each of its clients; how long each request took."""
    with ThreadPoolExecutor(len(paths)) as threads, ExitStack() as stack:
        clients = [stack.enter_context(closing(_Client(url, token))) for _ in paths]
        for client, path in zip(clients, paths, strict=True):
            client.ask(method, path, Talk(0))  # so that there is a connection
        end = time.perf_counter() + seconds
        asked = threads.map(lambda client, path: client.ask_until(end, method, path), clients, paths)
        return [wait for waits in asked for wait in waits]


class _Client:
    """A plain one, which knows nothing of clew and costs little."""

    def __init__(self, url: str, token: str) -> None:
        address = urlsplit(url)
        self._connection = HTTPConnection(address.hostname or "", address.port, timeout=_START_SECONDS)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask_until(self, end: float, method: str, path: str) -> list[float]:
        """Ask again and again; how long each took."""
        talk, waits = Talk(hash(path)), []
        while (began := time.perf_counter()) < end:
            self.ask(method, path, talk)
            waits.append(time.perf_counter() - began)
        return waits

    def ask(self, method: str, path: str, talk: Talk | None = None) -> bytes:
        """The body of an answer."""
        body = json.dumps({"messages": talk.turn()}) if method == "POST" and talk is not None else None
        self._connection.request(method, path, body, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status < 300, text
        return text

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def load(lab: Lab) -> Iterator[Finding]:
    """A session of 2,000 messages over HTTP, next to the store in the same file."""
    path = lab.folder / "http-load.db"
    with clew.open(path) as store:
        session = AppendedSession(store, 1, lab.some(_LONG, 100))
        with running(path, "full") as url, clew.open(url) as remote, closing(_Client(url, "")) as plain:
            address = f"/v1/sessions/{session.id}"
            assert remote.get_session(session.id) == store.get_session(session.id)
            names = [
                "clew over HTTP",
                "plain client, form stored",
                "plain client, form strict",
                "clew over HTTP, decoded",
            ]
            own, *others, base, decoded = interleaved(
                lab.some(200, 20),
                lambda: partial(remote.get_session, session.id),
                lambda: partial(plain.ask, "GET", f"{address}?form=stored"),
                lambda: partial(plain.ask, "GET", address),
                _reading(remote, session),
                lambda: partial(store.get_session, session.id),
                _reading(store, session),
            )
    lab.remove(path)
    yield Measured("http load", own, base)
    yield _loads(names, [own, *others], base, decoded)


def _reading(store: clew.Store, session: AppendedSession) -> Action:
    def read() -> Any:
        active = store.get_session(session.id).active_checkpoint
        assert active is not None
        return active.state.messages

    return lambda: read


def _loads(names: Sequence[str], seconds: Sequence[float], base: float, decoded: float) -> Table:
    rows = [["the store", shown_seconds(base), "1.00 ×"]]
    rows += [
        [name, shown_seconds(took), f"{took / base:.2f} ×"] for name, took in zip(names[:-1], seconds, strict=False)
    ]
    rows.append(["the store, decoded", shown_seconds(decoded), "1.00 ×"])
    rows.append([names[-1], shown_seconds(seconds[-1]), f"{seconds[-1] / decoded:.2f} ×"])
    return Table(
        title="HTTP: a session of 2,000 messages",
        header=["", "time", "against the store"],
        rows=rows,
        notes="The server is another process on the same machine and reads the same file. clew's client speaks "
        "MessagePack, with messages as the bytes that are stored; the plain one takes JSON and decodes nothing. "
        "Decoded is with every message as a dict, on both sides.",
    )
