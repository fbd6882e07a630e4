"""One pool of connections for each server and setting in a process, however many stores are open on it.

A new connection knows no plan and no table yet, which makes its first statements ten times as slow as the later ones.
"""

import atexit
import os
import threading
from collections.abc import Mapping

from clew.postgres.connections import Settings
from clew.postgres.pool import Pool

_Key = tuple[object, ...]

_pools: dict[_Key, tuple[Pool, int]] = {}
_mutex = threading.Lock()
_inherited: list[Pool] = []
"""Pools of the process that this one was forked from, kept because the threads that would close them are not here."""


def acquire(parameters: Mapping[str, str], settings: Settings) -> Pool:
    """The pool of connections that are set so, to be given back with `release`."""
    key = (tuple(sorted(parameters.items())), settings)
    with _mutex:
        pool, users = _pools.get(key) or (Pool(parameters, settings), 0)
        _pools[key] = (pool, users + 1)
        return pool


def release(pool: Pool) -> None:
    """Give a pool back; the last one closes it."""
    with _mutex:
        key, users = next(((key, users) for key, (known, users) in _pools.items() if known is pool), (None, 0))
        if key is None:
            return  # inherited
        if users > 1:
            _pools[key] = (pool, users - 1)
            return
        del _pools[key]
    pool.close()


def _leave_to_parent() -> None:
    global _mutex
    _mutex = threading.Lock()  # a thread that is not here may hold the other one
    _inherited.extend(pool for pool, _ in _pools.values())
    _pools.clear()


def _close_all() -> None:
    """Close what the program has left open: the interpreter would wait for the threads of each pool."""
    with _mutex:
        pools = [pool for pool, _ in _pools.values()]
        _pools.clear()
    for pool in pools:
        pool.close()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
