"""What the command line itself refuses, and how every failure is told: a line on standard error and an exit code."""

import sys

from clew import wire
from clew.cli.text import clean, one_line
from clew.errors import StorageError

EXIT_FAILURE = 1
EXIT_REFUSED = 2
EXIT_INTERRUPTED = 130  # 128 and the number of SIGINT, as a shell has it
EXIT_OUTPUT_CLOSED = 141  # the same with SIGPIPE

_REFUSED_CODES = ("invalid_request", "invalid_argument")


class InvalidArgumentError(Exception):
    """An argument that the command line refuses before it opens a store."""

    code = "invalid_argument"


class OutputClosedError(Exception):
    """Whoever read the output has stopped reading: no failure, and nothing more to say."""


def report(error: Exception, *, json: bool) -> int:
    """Tell what went wrong, and return the exit code."""
    text, code = _told(error)
    if json:
        _write(wire.compact(wire.error(text, code)))
    else:
        write_error(f"Error: {one_line(text)}")
    return EXIT_REFUSED if code in _REFUSED_CODES else EXIT_FAILURE


def write_error(text: str) -> None:
    """Write to standard error what a terminal can be shown."""
    if sys.stderr is not None:
        encoding = sys.stderr.encoding or "utf-8"
        _write((clean(text) + "\n").encode(encoding, "backslashreplace"))


def _told(error: Exception) -> tuple[str, str]:
    if isinstance(error, StorageError):
        return str(error), error.code
    if isinstance(error, InvalidArgumentError):
        return str(error), error.code
    return f"Internal error: {type(error).__name__}: {error}", "internal_error"


def _write(line: bytes) -> None:
    if sys.stderr is None:
        return
    try:
        sys.stderr.flush()
        sys.stderr.buffer.write(line)
        sys.stderr.flush()
    except OSError:
        pass  # standard error is closed: there is nobody to tell
