"""One pool of connections for each server and setting in a process, however many stores are open on it.

A new connection knows no plan and no table yet, which makes its first statements ten times as slow as the later ones.
"""

import os
import threading
from collections.abc import Mapping

from clew.backend import Durability
from clew.postgres import connections
from clew.postgres.connections import Pool

_Key = tuple[object, ...]

_pools: dict[_Key, tuple[Pool, int]] = {}
_mutex = threading.Lock()


def acquire(parameters: Mapping[str, str], *, durability: Durability, timeout: float, read_only: bool) -> Pool:
    """The pool of connections that are set so, to be given back with `release`."""
    # A pool of the process that this one was forked from stays that one's.
    key = (os.getpid(), tuple(sorted(parameters.items())), durability, timeout, read_only)
    with _mutex:
        pool, users = _pools.get(key) or (
            connections.make_pool(parameters, durability=durability, timeout=timeout, read_only=read_only),
            0,
        )
        _pools[key] = (pool, users + 1)
        return pool


def release(pool: Pool) -> None:
    """Give a pool back; the last one closes it."""
    with _mutex:
        key, users = next((key, users) for key, (known, users) in _pools.items() if known is pool)
        if users > 1:
            _pools[key] = (pool, users - 1)
            return
        del _pools[key]
    if key[0] == os.getpid():
        pool.close()
