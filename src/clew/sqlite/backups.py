"""Copying an open store into a file, while others go on writing."""

import os
from contextlib import suppress
from uuid import uuid4

import apsw

from clew.backend import Report
from clew.errors import InvalidRequestError, UnavailableError
from clew.reports import Progress
from clew.sqlite import registry
from clew.sqlite.connections import create_private_file, pragma, remove_empty_log
from clew.sqlite.transaction import SQLiteTransaction

_PAGES_A_STEP = 1_024
_BESIDE = ("-wal", "-shm", "-journal")


def check_target(path: str, source: str | None, *, overwrite: bool) -> None:
    """InvalidRequestError where a copy must not be put at `path`."""
    if source is not None and os.path.realpath(path) == source:
        raise InvalidRequestError(f"{path} is the store itself")
    if os.path.isdir(path):
        raise InvalidRequestError(f"{path} is a directory")
    if os.path.exists(path) and not overwrite:
        raise InvalidRequestError(f"{path} exists already")
    if registry.is_open(os.path.realpath(path)):
        raise InvalidRequestError(f"{path} is a database in use: a store of this process has it open")
    if os.path.exists(path):
        remove_empty_log(path)  # of somebody who only read; it stays where somebody uses it now
    # A log that is left of another database would be taken for one of the copy, and break it.
    for suffix in _BESIDE:
        if os.path.exists(path + suffix):
            raise InvalidRequestError(f"{path} is a database in use, or one that was not closed: {path}{suffix} exists")


def partial_path(path: str) -> str:
    """Where a copy is made before it is whole: in the same directory, so that it can be moved at once."""
    return f"{path}.{uuid4().hex[:8]}.partial"


def copy_pages(source: apsw.Connection, path: str, report: Report | None) -> int:
    """Copy every page into a new file, inside the caller's read transaction; how many sessions that holds.

    The transaction keeps the moment: SQLite begins a copy anew where it sees that the source has changed.
    """
    ((sessions,),) = SQLiteTransaction(source).fetch_all("count_sessions_kept", {"active": True, "deleted": True})
    create_private_file(path)
    target = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        with target.backup("main", source, "main") as copying:
            while not copying.done:
                copying.step(_PAGES_A_STEP)
                if report is not None:
                    total = copying.page_count
                    report(Progress(done=total - copying.remaining, total=total, unit="pages"))
        pragma(target, "journal_mode = DELETE")  # one file, which can be read where nothing may be written
    finally:
        target.close()
    return int(sessions)


def put_in_place(partial: str, path: str, *, overwrite: bool) -> None:
    """Move a whole copy to where it belongs, and make that last."""
    try:
        if overwrite:
            os.replace(partial, path)
        else:
            _move_without_replacing(partial, path)
        _sync_directory(os.path.dirname(os.path.realpath(path)))
    except FileExistsError:
        raise InvalidRequestError(f"{path} exists already") from None
    except OSError as error:
        raise UnavailableError(f"cannot write {path}: {error.strerror}") from error


def discard(partial: str) -> None:
    """Remove what there is of a copy that did not become whole."""
    for suffix in ("", *_BESIDE, "-lock"):
        with suppress(OSError):  # it is not there, or its directory is not
            os.unlink(partial + suffix)


def _move_without_replacing(partial: str, path: str) -> None:
    try:
        os.link(partial, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.exists(path):
            raise FileExistsError(path) from None
        os.rename(partial, path)
    else:
        os.unlink(partial)


def _sync_directory(path: str) -> None:
    if not hasattr(os, "O_DIRECTORY"):  # Windows
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
