"""One engine for each file in a process, however many stores are open on it.

Two engines on one file would wait for each other through SQLite's polling (seen: 3.3 seconds among six of them, against
6 milliseconds for one engine), and could not share commits.
"""

import os
import threading

from clew.errors import UnavailableError
from clew.sqlite.engine import Engine, file_identity

_engines: dict[str, tuple[Engine, int]] = {}
_mutex = threading.Lock()
_abandoned: list[Engine] = []


def acquire(path: str, *, read_only: bool) -> Engine:
    """The engine of the file at the real path `path`, to be given back with `release`."""
    with _mutex:
        engine, users = _engines.get(path) or (Engine(path), 0)
        if engine.identity != file_identity(path):
            raise UnavailableError(f"{path} has been replaced while a store of this process has the old file open")
        _engines[path] = (engine, users + 1)
        engine.may_write = engine.may_write or not read_only
        return engine


def is_open(path: str) -> bool:
    """Whether a store of this process has the file at the real path `path` open."""
    with _mutex:
        return path in _engines


def release(engine: Engine) -> None:
    """Give an engine back; the last user closes it."""
    if engine.path is None:
        engine.close()
        return
    with _mutex:
        found, users = _engines.get(engine.path, (None, 0))
        if found is not engine:  # opened before a fork: its connections are the parent's
            return
        if users > 1:
            _engines[engine.path] = (engine, users - 1)
            return
        # Closed under the mutex: an engine opened on the same file meanwhile would lose its locks to this close.
        try:
            engine.close()
        finally:
            del _engines[engine.path]


def _forget_inherited() -> None:
    """In a forked child: the connections belong to the parent. They are kept from being closed, and never used."""
    global _mutex
    _mutex = threading.Lock()
    _abandoned.extend(engine for engine, _ in _engines.values())
    _engines.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_inherited)
