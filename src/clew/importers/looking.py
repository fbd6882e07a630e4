"""What may not be read: files that cannot be opened and folders that cannot be listed are told, never passed over."""

import os
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

from clew.errors import NotFoundError, UnavailableError


def is_file(path: Path) -> bool:
    """Whether there is a file; False, and no error as `Path.is_file` has it, where nobody may look."""
    return os.path.isfile(path)  # noqa: PTH113


def is_dir(path: Path) -> bool:
    """Whether there is a folder; False, and no error, where nobody may look."""
    return os.path.isdir(path)  # noqa: PTH112


def may_be_dir(path: Path) -> bool:
    """Whether there is a folder, or nobody may look whether there is one: then it is not to be passed over."""
    return is_dir(path) or (not is_file(path) and why_unreadable(path) is not None)


def names_in(folder: Path) -> list[str]:
    """The names in a folder; none where it cannot be listed."""
    try:
        return os.listdir(folder)  # noqa: PTH208
    except OSError:
        return []


def require_there(path: Path) -> None:
    """NotFoundError where there is nothing at `path`, UnavailableError where nobody may look."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"{path} does not exist") from None
    except OSError as error:
        raise UnavailableError(f"{path} cannot be read: {_reason(error)}") from error


def require_readable(path: Path) -> None:
    """As `require_there`, and UnavailableError too where the file cannot be opened or the folder cannot be listed."""
    require_there(path)
    why = why_unreadable(path)
    if why is not None:
        raise UnavailableError(f"{path} {why}")


def why_unreadable(path: Path) -> str | None:
    """Why a file cannot be opened or a folder cannot be listed; None where it can be, or is not there."""
    try:
        if is_dir(path):
            os.scandir(path).close()
        elif is_file(path):  # what is neither, such as a pipe, could wait for ever for somebody to write
            path.open("rb").close()
        else:
            path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"cannot be read: {_reason(error)}"
    return None


def unreadable(folders: Iterable[Path], patterns: Iterable[str], *, deep: bool) -> Iterator[tuple[Path, str]]:
    """What cannot be read of these folders, and why: the folders themselves, and the files of these names in them.

    `deep` is for the folders below them too.
    """
    for folder in filter(_seems_there, folders):
        yield from _unreadable_in(folder, tuple(patterns), deep=deep)


def _seems_there(folder: Path) -> bool:
    """Whether a folder is there, as far as anybody may see: where one may be listed and no more, its names tell."""
    try:
        folder.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return folder.name in names_in(folder.parent)  # where that cannot be listed it is told instead
    return True


def _unreadable_in(folder: Path, patterns: tuple[str, ...], *, deep: bool) -> Iterator[tuple[Path, str]]:
    failed: list[tuple[Path, str]] = []

    def note(error: OSError) -> None:
        if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
            failed.append((Path(error.filename), f"cannot be listed: {_reason(error)}"))

    for top, below, names in os.walk(folder, onerror=note):
        below[:] = sorted(below) if deep else []
        for name in sorted(names):
            path = Path(top, name)
            if any(fnmatch(name, pattern) for pattern in patterns) and (why := why_unreadable(path)) is not None:
                failed.append((path, why))
        yield from failed
        failed.clear()
    yield from failed


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
