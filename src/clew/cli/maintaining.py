"""`clew verify`, `clew backup` and `clew compact`."""

from collections.abc import Iterator
from uuid import UUID

import click

import clew
from clew import wire
from clew.cli.errors import EXIT_FAILURE
from clew.cli.options import App, json_option, pass_app
from clew.cli.output import Line, Styled, backend_line, write_json, write_lines
from clew.cli.progress import Bar, progress_bar
from clew.cli.text import counted, one_line, size
from clew.reports import Finding, Progress


class Checked:
    """What has been checked so far: how many of each unit."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self.counts: dict[str, int] = {}

    def report(self, progress: Progress) -> None:
        self.counts[progress.unit] = progress.done
        self._bar.report(progress)

    def __str__(self) -> str:
        return ", ".join(counted(count, unit.removesuffix("s")) for unit, count in self.counts.items()) or "nothing"


@click.command("verify")
@json_option
@pass_app
def verify_command(app: App) -> None:
    """Check everything that is stored, and say what is wrong. Repairs nothing.

    The exit code is 1 where something is wrong. Neither makes nor migrates a store.
    """
    with app.open_existing(read_only=True) as store:
        backend = store.backend_info()
        if not app.json:
            write_lines([backend_line(backend)])
        with progress_bar(not app.json) as bar:
            checked = Checked(bar)
            findings = list(_told(store.verify(progress=checked.report), bar, silent=app.json))
    if app.json:
        form = {"findings": [wire.finding(finding) for finding in findings], "checked": checked.counts}
        write_json({**form, "backend": wire.backend_info(backend)})
    else:
        write_lines([_summed_up(findings, checked)])
    if findings:
        click.get_current_context().exit(EXIT_FAILURE)


def _told(findings: Iterator[Finding], bar: Bar, *, silent: bool) -> Iterator[Finding]:
    """The findings, each printed as it comes."""
    for finding in findings:
        if not silent:
            with bar.away():
                write_lines([_found(finding)])
        yield finding


def _found(finding: Finding) -> Line:
    message = one_line(finding.message)
    where = [
        f"{name} {one_line(str(value))}"
        for name, value in (
            ("session", finding.session_id),
            ("checkpoint", finding.checkpoint_id),
            ("position", finding.position),
            ("attachment", finding.attachment),
        )
        if value is not None and not (isinstance(value, UUID) and str(value) in message)
    ]
    place = f" ({', '.join(where)})" if where else ""
    return Styled(f"{one_line(finding.kind)}: {message}{place}", "red")


def _summed_up(findings: list[Finding], checked: Checked) -> str:
    if not findings:
        return f"Checked {checked}: nothing is wrong."
    return f"Checked {checked}: {counted(len(findings), 'finding')}."


@click.command("backup")
@click.argument("path")
@click.option("--force", is_flag=True, help="Replace the file where there is one.")
@click.option("--no-verify", is_flag=True, help="Do not read the copy back to check it.")
@json_option
@pass_app
def backup_command(app: App, path: str, force: bool, no_verify: bool) -> None:
    """Copy the whole store into a file, while others go on writing.

    The copy is read back and checked before it appears at PATH.
    """
    with app.open_existing() as store, progress_bar(not app.json) as bar:
        backend = store.backend_info()
        made = store.backup(path, overwrite=force, verify=not no_verify, progress=bar.report)
    if app.json:
        write_json({**wire.backup(made), "backend": wire.backend_info(backend)})
    else:
        write_lines(_backed_up(made, backend))


def _backed_up(made: clew.Backup, backend: clew.BackendInfo) -> Iterator[Line]:
    yield backend_line(backend)
    yield f"Backed up to {one_line(made.path)}"
    yield f"  {counted(made.sessions, 'session')}, {size(made.bytes)}, {'checked' if made.verified else 'not checked'}"


@click.command("compact")
@json_option
@pass_app
def compact_command(app: App) -> None:
    """Give back the space of what has been deleted, purged or replaced.

    Others can read meanwhile; writers wait, or run into their time limit.
    """
    with app.open_existing() as store, progress_bar(not app.json) as bar:
        backend = store.backend_info()
        done = store.compact(progress=bar.report)
    if app.json:
        write_json({**wire.compaction(done), "backend": wire.backend_info(backend)})
    else:
        write_lines([backend_line(backend), f"{size(done.bytes_before)} before, {size(done.bytes_after)} now"])
