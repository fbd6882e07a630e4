"""A server that is killed and asked to end, again and again, while others write to it.

Every acknowledged append has to be there afterwards, once, and none that nobody made.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from random import Random

import msgspec
from tests.faults.failover_writer import SHARED, id_of, messages_of, session_of
from tests.faults.server_writer import Acknowledged, Orders
from tests.faults.writing_process import WritingProcess
from tests.support.postgres_programs import free_port
from tests.support.server_process import ServerProcess, serving

import clew

PROCESSES = 2
ACTORS = 4
_TIME_LIMIT = 90
_LONGEST_CALM = 0.6  # seconds that a server lives after everybody has written to it
_KILL_SHARE = 0.7


class Outcome(msgspec.Struct, frozen=True):
    """What was survived."""

    kills: int
    stops: int
    acknowledged: int
    failures: int

    def __str__(self) -> str:
        return (
            f"{self.kills} kills and {self.stops} stops of a server: {self.acknowledged:,} acknowledged appends, "
            f"all there, none twice; {self.failures:,} tries of hasty clients failed"
        )


class Writer(WritingProcess[Acknowledged]):
    """A process that writes over HTTP."""

    def __init__(self, orders: Orders) -> None:
        super().__init__("server_writer", orders, Acknowledged)
        self.check_writing()

    def counts(self) -> Counter[str]:
        """How many appends each actor has made; AssertionError where the process has ended."""
        self.check_writing()
        return Counter(one.actor for one in self.acknowledged)


def restart_under_load(path: Path, seed: int, restarts: int) -> Outcome:
    """Kill the server, or ask it to end, so many times at random moments, and start it again each time.

    AssertionError where an acknowledged append is not there, is there twice or out of its actor's order, where there
    is one that nobody made, or where a patient client gets an error.
    """
    dice, port, kills = Random(seed), free_port(), 0
    with clew.open(path) as store:
        token = store.create_key("writer", clew.Role.WRITE).token
    with ExitStack() as stack:
        server = stack.enter_context(_server(path, port))
        with clew.open(server.url, api_key=token) as store:
            store.create_session(SHARED, id=id_of(SHARED))
        writers = stack.enter_context(_writing(server.url, token))
        for _ in range(restarts):
            _let_write(writers)
            time.sleep(dice.random() * _LONGEST_CALM)  # no condition is waited for: any moment will do
            kills += _end(server, dice.random() < _KILL_SHARE)
            server = stack.enter_context(_server(path, port))
        _let_write(writers)
        for writer in writers:
            writer.end()
        assert server.stop() == 0
    told = [one for writer in writers for one in writer.acknowledged]
    with clew.open(path, busy_timeout=0) as store:
        check(store, told)
    return Outcome(kills, restarts - kills, len(told), sum(one.failures for one in told))


def check(store: clew.Store, told: Sequence[Acknowledged]) -> None:
    """The store holds each acknowledged append once, in the order of its actor, and nothing else."""
    of: dict[str, list[Acknowledged]] = {}
    for one in told:
        of.setdefault(session_of(one.actor, one.number), []).append(one)
    for session, appends in of.items():
        said = store.get_active_checkpoint(id_of(session)).state.messages
        found = [_made_by(said[at : at + 2]) for at in range(0, len(said), 2)]
        twice = [key for key, count in Counter(found).items() if count > 1]
        assert not twice, f"{session}: there twice: {twice[:5]}"
        made = {(one.actor, one.number) for one in appends}
        assert set(found) == made, f"{session}: {len(made - set(found))} lost, {len(set(found) - made)} unknown"
        for actor in {one.actor for one in appends}:
            numbers = [number for who, number in found if who == actor]
            assert numbers == sorted(numbers), f"{session}: not in the order of {actor}"
        assert store.list_checkpoints(id_of(session), limit=0).total == len(appends) + 1
    assert store.list_sessions(limit=0).total == len({one.actor for one in told} | {SHARED})
    assert [finding.message for finding in store.verify()] == []


def _made_by(messages: Sequence[clew.Message]) -> tuple[str, int]:
    """Whose append two messages are, which have to be those that it made."""
    actor, number = str(messages[0]["content"]).split()[:2]
    assert list(messages) == messages_of(actor, int(number))
    return actor, int(number)


@contextmanager
def _server(path: Path, port: int) -> Iterator[ServerProcess]:
    with serving(path, "--port", port, "--no-access-log") as server:
        yield server


@contextmanager
def _writing(url: str, token: str) -> Iterator[list[Writer]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(closing(Writer(Orders(url, token, [f"{number}-{thread}" for thread in range(ACTORS)]))))
            for number in range(PROCESSES)
        ]


def _end(server: ServerProcess, is_kill: bool) -> bool:
    if is_kill:
        server.kill()
    else:
        assert server.stop() == 0, server.log()
        assert "Traceback" not in server.log(), server.log()
    return is_kill


def _let_write(writers: Sequence[Writer]) -> None:
    """Wait until each actor has made an append more."""
    before = [writer.counts() for writer in writers]

    def all_have() -> bool:
        now = [writer.counts() for writer in writers]
        return all(now[i][actor] > before[i][actor] for i, writer in enumerate(writers) for actor in writer.actors)

    _until(all_have)


def _until(holds: Callable[[], bool]) -> None:
    """Wait for something to become so."""
    end = time.monotonic() + _TIME_LIMIT
    while not holds():
        assert time.monotonic() < end, "it did not become so in time"
        time.sleep(0.02)
