"""A process that appends to a store on servers, and tells on its standard output of each append that was acknowledged.

    python -m tests.faults.failover_writer ORDERS

ORDERS is the JSON of `Orders`. After "ready" it writes until its standard input ends. An append that was refused, or
that nobody heard the end of, is made again with the same id, until it is acknowledged. Only then is it told, at once
and in one piece, and only then does the next one begin.
"""

import os
import sys
import threading
import time
import traceback
from uuid import UUID, uuid5

import msgspec
from tests.faults.expected import Message
from tests.faults.writer import tell

import clew

_NAMES = UUID("6f2b1a0e-52a3-4a6b-9f0e-0d9f3c1e7a55")
_PAUSE = 0.02
SHARED = "shared"


class Orders(msgspec.Struct, frozen=True):
    """Where to write, and the actors that do so, each in a thread of its own."""

    url: str
    actors: list[str]


class Acknowledged(msgspec.Struct, frozen=True, array_like=True):
    """An append that is done: the actor's `number`th, begun and ended at these times of the machine's steady clock.

    `failures` are the tries before that ended with an error.
    """

    actor: str
    number: int
    began: float
    ended: float
    failures: int


def main() -> None:
    """Follow the orders in the first argument."""
    orders = msgspec.json.decode(sys.argv[1], type=Orders)
    stop = threading.Event()
    with clew.open(orders.url) as store:
        tell(b"ready")
        threads = [threading.Thread(target=_work, args=(store, actor, stop)) for actor in orders.actors]
        for thread in threads:
            thread.start()
        sys.stdin.read()
        stop.set()
        for thread in threads:
            thread.join()


def session_of(actor: str, number: int) -> str:
    """The name of the session that an append goes to: every fourth to the one that all share."""
    return SHARED if number % 4 == 3 else actor


def id_of(name: str, number: int | None = None) -> UUID:
    """The id of a session, or of an actor's append."""
    return uuid5(_NAMES, f"{name} {number}")


def messages_of(actor: str, number: int) -> list[Message]:
    """What an append adds."""
    return [{"role": "user", "content": f"{actor} {number} ".ljust(1_500, ".")}, {"role": "assistant", "n": number}]


def _work(store: clew.Store, actor: str, stop: threading.Event) -> None:
    """Append until told to stop; what goes wrong ends the process."""
    try:
        _create(store, actor)
        number = 0
        while not stop.is_set():
            tell(msgspec.json.encode(_append(store, actor, number)))
            number += 1
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def _create(store: clew.Store, actor: str) -> None:
    """The actor's session, which it may have been too late to make before the first failure."""
    while True:
        try:
            store.create_session(actor, id=id_of(actor))
            return
        except clew.UnavailableError:
            time.sleep(_PAUSE)


def _append(store: clew.Store, actor: str, number: int) -> Acknowledged:
    """Append until it is acknowledged. No other error than that the store is unavailable may come."""
    began, failures = time.monotonic(), 0
    session, messages = id_of(session_of(actor, number)), messages_of(actor, number)
    while True:
        try:
            store.append(session, messages, id=id_of(actor, number))
            return Acknowledged(actor, number, began, time.monotonic(), failures)
        except clew.UnavailableError:
            failures += 1
            time.sleep(_PAUSE)


if __name__ == "__main__":
    main()
