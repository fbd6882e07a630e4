"""Standard output: JSON as bytes, lines as text. Every line passes `clean` here, whatever has been done to it before.

rich is imported only where standard output is a terminal.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from clew import wire
from clew.cli.errors import OutputClosedError
from clew.cli.text import clean
from clew.model import BackendInfo


class Styled(NamedTuple):
    """A line that a terminal shows in a style of rich's."""

    text: str
    style: str


class Marked(NamedTuple):
    """A line in parts, some of which are marked: a terminal shows these bold."""

    parts: list[tuple[str, bool]]

    @property
    def text(self) -> str:
        """The line without marks."""
        return "".join(part for part, _ in self.parts)


Line = str | Styled | Marked


def is_terminal() -> bool:
    """Whether a person looks at standard output."""
    return sys.stdout is not None and sys.stdout.isatty()


def terminal_width() -> int | None:
    """The width of the terminal, None where standard output goes elsewhere and lines may be of any length."""
    return shutil.get_terminal_size().columns if is_terminal() else None


def cell_width() -> Callable[[str], int]:
    """How wide a text is: in the cells of a terminal, where some characters take two, elsewhere in characters."""
    if not is_terminal():
        return len
    from rich.cells import cell_len

    return cell_len


def can_show(text: str) -> bool:
    """Whether the encoding of standard output has these characters."""
    try:
        text.encode((sys.stdout and sys.stdout.encoding) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def write_bytes(data: bytes) -> None:
    """Bytes as they are, even to a terminal: for a command that was asked for them."""
    if sys.stdout is None:
        return
    with _closed_output_told():
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.flush()


def write_json(value: Any) -> None:
    """One JSON document, in UTF-8 whatever the terminal's encoding."""
    write_bytes(wire.pretty(value))


def write_lines(lines: Iterable[Line]) -> None:
    """Lines of text, with their styles on a terminal."""
    if sys.stdout is None:
        return
    with _closed_output_told():
        show = _styled_writer() if is_terminal() else _plain_writer()
        for line in lines:
            show(line)
        sys.stdout.flush()


def backend_line(backend: BackendInfo) -> str:
    """Where the data is kept, as the first line of what is shown."""
    if backend.store_path is not None:
        return f"Backend: {backend.kind} ({backend.store_path})"
    named = [("profile", backend.profile), ("endpoint", backend.endpoint)]
    details = ", ".join(f"{name}: {value}" for name, value in named if value)
    return f"Backend: {backend.kind or 'unknown'}" + (f" ({details})" if details else "")


def finish() -> None:
    """Hand on what is still buffered, while an error can be told."""
    if sys.stdout is not None:
        with _closed_output_told():
            sys.stdout.flush()


def abandon() -> None:
    """Let what is still buffered go nowhere: the interpreter would fail on it at its end, and say so."""
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


@contextmanager
def _closed_output_told() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise OutputClosedError from None


def _encodable(text: str) -> str:
    encoding = sys.stdout.encoding or "utf-8"
    return clean(text).encode(encoding, "replace").decode(encoding)


def _plain_writer() -> Callable[[Line], None]:
    def show(line: Line) -> None:
        sys.stdout.write(_encodable(line if isinstance(line, str) else line.text) + "\n")

    return show


def _styled_writer() -> Callable[[Line], None]:
    from rich.console import Console
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    plain = _plain_writer()

    def show(line: Line) -> None:
        if isinstance(line, Marked):
            parts = [(_encodable(part), "bold" if marked else "") for part, marked in line.parts]
            console.print(Text.assemble(*parts), soft_wrap=True)
        elif isinstance(line, Styled):
            console.print(Text(_encodable(line.text), line.style), soft_wrap=True)
        else:
            plain(line)

    return show
