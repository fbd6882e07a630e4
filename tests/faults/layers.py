"""Layers between SQLite and the files: every connection that is opened meanwhile goes through the one put in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import apsw

_NAME = "faults"


class Layer:
    """What a layer does at each change of a file; it passes it on with `carry_out`, or raises an error of SQLite's.

    Like these methods, it gets names without their folder. It may be called by several threads.
    """

    def write(self, file: str, offset: int, data: bytes, carry_out: Callable[[], None]) -> None:
        """Bytes are written."""
        carry_out()

    def truncate(self, file: str, length: int, carry_out: Callable[[], None]) -> None:
        """A file gets this length."""
        carry_out()

    def sync(self, file: str, carry_out: Callable[[], None]) -> None:
        """A file is to be safe."""
        carry_out()

    def remove(self, file: str, carry_out: Callable[[], None]) -> None:
        """A file is removed."""
        carry_out()


@contextmanager
def below(layer: Layer, *, autocheckpoint: int = 1_000) -> Iterator[None]:
    """SQLite with `layer` below it; a write-ahead log of so many pages is moved into the file by the next commit."""

    def hook(connection: apsw.Connection) -> None:
        connection.wal_autocheckpoint(autocheckpoint)

    before = apsw.vfs_names()[0]
    files = _Files(layer, before)
    apsw.connection_hooks.append(hook)
    try:
        yield
    finally:
        apsw.connection_hooks.remove(hook)
        apsw.set_default_vfs(before)
        files.unregister()


class _Files(apsw.VFS):
    def __init__(self, layer: Layer, base: str) -> None:
        self._layer = layer
        self._base = base
        super().__init__(_NAME, base, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> "_File":  # noqa: N802 - SQLite's names
        return _File(self._layer, self._base, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        self._layer.remove(_base_name(filename), lambda: apsw.VFS.xDelete(self, filename, syncdir))


class _File(apsw.VFSFile):
    def __init__(self, layer: Layer, base: str, name: Any, flags: list[int]) -> None:
        self._layer = layer
        self._name = _base_name(name if isinstance(name, str) else "" if name is None else name.filename())
        super().__init__(base, name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._layer.write(self._name, offset, data, lambda: apsw.VFSFile.xWrite(self, data, offset))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._layer.truncate(self._name, newsize, lambda: apsw.VFSFile.xTruncate(self, newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._layer.sync(self._name, lambda: apsw.VFSFile.xSync(self, flags))


def _base_name(path: str) -> str:
    return path.rpartition("/")[2]
