"""Bytes from files to attach, and into files that must not take the place of others."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from clew import limits
from clew.cli.errors import InvalidArgumentError
from clew.errors import InvalidRequestError

STANDARD_STREAM = "-"
_CHUNK = 1024 * 1024


def read_file(file: str) -> bytes:
    """All of a file, or of standard input for ``-``."""
    if file == STANDARD_STREAM:
        if sys.stdin is None:
            raise InvalidArgumentError("standard input is closed")
        return _read(sys.stdin.buffer, "standard input")
    with _told("read", file), Path(file).open("rb") as stream:
        return _read(stream, file)


def write_file(file: str, data: bytes, *, force: bool) -> None:
    """Write a file that only its owner may read. One that is there stays; with `force` it is replaced as a whole."""
    with _told("write", file):
        path = Path(file)
        if force and path.exists():
            path = path.resolve()  # a link stays one
            if not path.is_file():  # /dev/null, say
                raise InvalidArgumentError(f"cannot write '{file}': it is there, and is no file")
            _replace(path, data)
        else:
            _create(path, data)


@contextmanager
def whole_file(file: str, *, force: bool) -> Iterator[BinaryIO]:
    """A stream into a file that only its owner may read, and that is there when the block has ended well.

    Until then it has another name in the same folder, and after an error there is nothing. One that is there stays;
    with `force` it is replaced as a whole.
    """
    with _told("write", file):
        path = Path(file)
        if path.exists() and not force:
            raise InvalidArgumentError(f"'{path}' is there already: --force replaces it")
        path = path.resolve() if path.exists() else path  # a link stays one
        if path.exists() and not path.is_file():
            raise InvalidArgumentError(f"cannot write '{file}': it is there, and is no file")
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w+b") as stream:
            yield stream
        with _told("write", file):
            _put(Path(name), path, force=force)
    finally:
        Path(name).unlink(missing_ok=True)


def _put(new: Path, path: Path, *, force: bool) -> None:
    if force:
        new.replace(path)
        return
    try:
        os.link(new, path)  # which, unlike a move, refuses where something has come there meanwhile
    except FileExistsError:
        raise InvalidArgumentError(f"'{path}' is there already: --force replaces it") from None
    except OSError:
        new.replace(path)  # a file system without links


def _read(stream: BinaryIO, name: str) -> bytes:
    data = bytearray()
    while chunk := stream.read(_CHUNK):
        data += chunk
        if len(data) > limits.MAX_ATTACHMENT_BYTES:
            most = f"{limits.MAX_ATTACHMENT_BYTES:,} bytes of MAX_ATTACHMENT_BYTES"
            raise InvalidRequestError(f"{name} is more than the {most}")
    return bytes(data)


def _create(path: Path, data: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    except FileExistsError:
        raise InvalidArgumentError(f"'{path}' is there already: --force replaces it") from None
    _fill(descriptor, path, data)


def _replace(path: Path, data: bytes) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    _fill(descriptor, Path(name), data)
    try:
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise


def _fill(descriptor: int, path: Path, data: bytes) -> None:
    """Write all of it, or leave nothing behind."""
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def _told(verb: str, file: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:  # a NUL in the name, links in a circle
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidArgumentError(f"cannot {verb} '{file}': {reason}") from None
