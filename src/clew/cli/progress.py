"""How far a long command has come: a bar on standard error, where a terminal shows it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import clew
from clew.cli.options import App
from clew.cli.output import is_terminal
from clew.cli.text import shorten
from clew.reports import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress


class Bar:
    """A bar that is gone when the command has ended; nothing at all where no terminal shows it."""

    def __init__(self, bar: "RichProgress | None") -> None:
        self._bar = bar
        self._task = None if bar is None else bar.add_task("", total=None)

    def show(self, done: int, total: int | None, text: str) -> None:
        """Say how far it is; `total` is None where nobody knows."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total, description=shorten(text))

    def report(self, progress: Progress) -> None:
        """The same, for what the store tells."""
        self.show(progress.done, progress.total, progress.unit)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Out of the way of what is printed meanwhile, where both go to a terminal."""
        if self._bar is None or not is_terminal():
            yield
            return
        self._bar.stop()
        try:
            yield
        finally:
            self._bar.start()


@contextmanager
def progress_bar(wanted: bool) -> Iterator[Bar]:
    """A bar on standard error, if it is `wanted` and there is a terminal."""
    if not wanted or sys.stderr is None or not sys.stderr.isatty():
        yield Bar(None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = [BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False)]
    # What is printed goes to standard output by itself: rich would send it to where the bar is.
    with RichProgress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False
    ) as bar:
        yield Bar(bar)


def update_search_index(app: App, store: clew.Store) -> None:
    """Index what is new, with a bar where it takes a while."""
    with progress_bar(not app.json) as bar:
        store.update_search_index(progress=bar.report)
