"""A process that appends over HTTP, and tells on its standard output of each append that was acknowledged.

    python -m tests.faults.server_writer ORDERS

ORDERS is the JSON of `Orders`. After "ready" it writes until its standard input ends. Actors of even numbers are
patient: they name no ids, leave it to clew to send a request again, and take no error for an answer. The others have
hardly any time: they name an id, and make an append again with it until it is acknowledged.
"""

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial

import msgspec
from tests.faults.failover_writer import id_of, messages_of, session_of
from tests.faults.writer import tell

import clew

_PATIENCE, _HASTE = 60.0, 1.0  # seconds
_PAUSE = 0.02


class Orders(msgspec.Struct, frozen=True):
    """Where to write, and as whom; each actor has a thread of its own."""

    url: str
    api_key: str
    actors: list[str]


class Acknowledged(msgspec.Struct, frozen=True, array_like=True):
    """An append that is done: the actor's `number`th, with how many tries ended with an error before."""

    actor: str
    number: int
    failures: int


def main() -> None:
    """Follow the orders in the first argument."""
    orders = msgspec.json.decode(sys.argv[1], type=Orders)
    stop = threading.Event()

    def opened(seconds: float) -> clew.Store:
        return clew.open(orders.url, api_key=orders.api_key, busy_timeout=seconds)

    with opened(_PATIENCE) as patient, opened(_HASTE) as hasty:
        tell(b"ready")
        threads = [
            threading.Thread(target=_work, args=((patient, hasty)[number % 2], actor, number % 2 == 1, stop))
            for number, actor in enumerate(orders.actors)
        ]
        for thread in threads:
            thread.start()
        sys.stdin.read()
        stop.set()
        for thread in threads:
            thread.join()


def _work(store: clew.Store, actor: str, is_hasty: bool, stop: threading.Event) -> None:
    """Append until told to stop; what goes wrong ends the process."""
    try:
        _again_and_again(lambda: store.create_session(actor, id=id_of(actor)), is_hasty)
        number = 0
        while not stop.is_set():
            session, messages = id_of(session_of(actor, number)), messages_of(actor, number)
            id = id_of(actor, number) if is_hasty else None
            failures = _again_and_again(partial(store.append, session, messages, id=id), is_hasty)
            tell(msgspec.json.encode(Acknowledged(actor, number, failures)))
            number += 1
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def _again_and_again(write: Callable[[], object], is_hasty: bool) -> int:
    """Do it until it is acknowledged; how often it was not."""
    failures = 0
    while True:
        try:
            write()
            return failures
        except clew.UnavailableError:
            if not is_hasty:
                raise
            failures += 1
            time.sleep(_PAUSE)


if __name__ == "__main__":
    main()
