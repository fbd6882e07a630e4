"""`clew export`."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import click
import msgspec

from clew.cli import lookup, places
from clew.cli.errors import InvalidArgumentError, OutputClosedError, write_error
from clew.cli.files import STANDARD_STREAM, whole_file
from clew.cli.lookup import Wanted
from clew.cli.options import SESSION_ID, App, chosen_place, json_option, pass_app, place_options
from clew.cli.output import abandon, is_terminal, write_json
from clew.cli.progress import progress_bar
from clew.cli.text import counted, one_line
from clew.errors import CorruptStateError
from clew.exporters import EXPORTERS, Exported, Exporter, export
from clew.exporters.redaction import Masked, Redaction

_PLACES_TOLD = 20
_LOGS = ("-wal", "-shm", "-journal")
_SUMMARY = "Write sessions into a file."
_MORE = (
    "jsonl and stakpak hold any number of sessions, without ID all of them; the others hold one conversation. "
    "The store is only read."
)


def _formats() -> str:
    return "".join(f"\n  {exporter.name}: {exporter.summary}" for exporter in EXPORTERS.values())


@click.command(
    "export", help=f"Write sessions into a file.\n\n\b\nFormats:{_formats()}", short_help="Write sessions into a file."
)
@click.argument("sessions", metavar="[ID]...", type=SESSION_ID, nargs=-1)
@click.option(
    "--format", "format", type=click.Choice(list(EXPORTERS)), default="jsonl", show_default=True, help="The format."
)
@click.option("-o", "--output", metavar="FILE", default=STANDARD_STREAM, help="Where to; by default standard output.")
@place_options("A checkpoint other than the active one.", "The checkpoint that has this label.")
@click.option("--all-branches", is_flag=True, help="What other branches say, too (markdown, html).")
@click.option(
    "--result-lines", metavar="N", type=click.IntRange(min=1), help="No more of a tool's result (markdown, html)."
)
@click.option("--redact", is_flag=True, help="Mask secrets, and say what was masked.")
@click.option("--no-attachments", is_flag=True, help="Leave attachments out (jsonl).")
@click.option("--force", is_flag=True, help="Replace FILE where it is there.")
@json_option
@pass_app
def export_command(
    app: App,
    sessions: Sequence[Wanted],
    format: str,
    output: str,
    checkpoint: Wanted | None,
    label: str | None,
    all_branches: bool,
    result_lines: int | None,
    redact: bool,
    no_attachments: bool,
    force: bool,
) -> None:
    exporter = EXPORTERS[format]
    place = chosen_place(checkpoint, label)
    _check(app, exporter, sessions, output, has_place=place is not None)
    masking = Redaction() if redact else None
    with app.open_existing(read_only=True) as store:
        chosen = [lookup.session_id(store, wanted) for wanted in sessions] or None
        point = None if place is None or chosen is None else lookup.find_place(store, chosen[0], place).id
        with _stream(output, force=force) as stream, progress_bar(not app.json and output != STANDARD_STREAM) as bar:
            exported = export(
                store,
                format,
                stream,
                sessions=chosen,
                checkpoint_id=point,
                all_branches=all_branches,
                result_lines=result_lines,
                attachments=not no_attachments,
                masking=masking,
                progress=bar.report,
            )
    _tell(app, exported, masking, output)
    if exported.failed:
        left_out = "; ".join(f"{what}: {why}" for what, why in exported.failed[:3])
        raise CorruptStateError(f"{counted(len(exported.failed), 'part')} of the store could not be read: {left_out}")


def _check(app: App, exporter: Exporter, sessions: Sequence[Wanted], output: str, *, has_place: bool) -> None:
    """Refuse what the format cannot do, before a store is opened."""
    if not exporter.takes_many and len(sessions) != 1:
        raise InvalidArgumentError(f"{exporter.name} holds one conversation: name one session")
    if exporter.takes_many and has_place:
        raise InvalidArgumentError(f"{exporter.name} has all checkpoints of a session: none of them can be chosen")
    if output == STANDARD_STREAM and exporter.is_binary and is_terminal():
        raise InvalidArgumentError(f"{exporter.name} is no text: name a file with -o")
    if output != STANDARD_STREAM:
        _refuse_store(app, output)
        _refuse_in_use(output)
    if output == STANDARD_STREAM and app.json:
        raise InvalidArgumentError("--json tells of the export on standard output: name a file with -o")


def _refuse_store(app: App, output: str) -> None:
    """Refuse the place of the store itself: to put the file there would be to lose it."""
    store = places.store_path(app.store_url)
    if store is None:
        return
    own = {Path(f"{store}{suffix}") for suffix in ("", "-lock", *_LOGS)}
    path = Path(output)
    if path.resolve() in own or (path.exists() and store.exists() and path.samefile(store)):
        raise InvalidArgumentError(f"'{output}' belongs to the store that is exported: choose another place")


def _refuse_in_use(output: str) -> None:
    """Refuse a place that has the log of a database: it would be taken for that of the new one, and break it."""
    for suffix in _LOGS:
        if Path(output + suffix).exists():
            raise InvalidArgumentError(f"'{output}' is a database in use, or one that was not closed: {output}{suffix}")


@contextmanager
def _stream(output: str, *, force: bool) -> Iterator[BinaryIO]:
    if output != STANDARD_STREAM:
        with whole_file(output, force=force) as stream, _told_of(output):
            yield stream
            stream.flush()
        return
    if sys.stdout is None:
        raise InvalidArgumentError("standard output is closed")
    try:
        with _told_of(STANDARD_STREAM):
            sys.stdout.flush()
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise OutputClosedError from None


@contextmanager
def _told_of(output: str) -> Iterator[None]:
    """A disk that is full is no error of clew's."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if output == STANDARD_STREAM:
            abandon()
        where = "standard output" if output == STANDARD_STREAM else repr(output)
        raise InvalidArgumentError(f"cannot write {where}: {error.strerror or error}") from error


def _tell(app: App, exported: Exported, masking: Redaction | None, output: str) -> None:
    report = [] if masking is None else masking.report()
    unchecked = [] if masking is None else masking.unchecked
    if app.json:
        form: dict[str, Any] = msgspec.to_builtins(exported)
        masked = None if masking is None else [msgspec.to_builtins(item) for item in report]
        write_json({**form, "masked": masked, "unchecked": unchecked})
        return
    for line in _lines(exported, output):
        write_error(line)
    if masking is not None:
        for line in _redaction_lines(report, unchecked):
            write_error(line)


def _lines(exported: Exported, output: str) -> Iterator[str]:
    where = "standard output" if output == STANDARD_STREAM else one_line(output)
    content = f"{counted(exported.checkpoints, 'checkpoint')}, {counted(exported.messages, 'message')}"
    attached = f", {counted(exported.attachments, 'attachment')}" if exported.attachments else ""
    yield f"Exported {counted(exported.sessions, 'session')} to {where}: {content}{attached}"
    for note in exported.notes:
        yield f"Note: {note}"
    for what, why in exported.failed:
        yield f"Left out: {one_line(what)}: {one_line(why)}"


def _redaction_lines(report: list[Masked], unchecked: list[str]) -> Iterator[str]:
    kinds = Counter({item.mask: 0 for item in report})
    for item in report:
        kinds[item.mask] += item.count
    yield f"Masked {counted(len(kinds), 'secret')} in {counted(sum(kinds.values()), 'place')}"
    for item in report[:_PLACES_TOLD]:
        point = "" if item.checkpoint_id is None else f", checkpoint {item.checkpoint_id}"
        times = "" if item.count == 1 else f", {item.count:,} times"
        yield f"  {item.mask}: session {item.session_id}{point}, {one_line(item.position)}{times}"
    if len(report) > _PLACES_TOLD:
        yield f"  and in {len(report) - _PLACES_TOLD:,} more places (--json names all)"
    for name in unchecked[:_PLACES_TOLD]:
        yield f"Not looked into, since it is no text: {one_line(name)}"
    if len(unchecked) > _PLACES_TOLD:
        yield f"Not looked into: {len(unchecked) - _PLACES_TOLD:,} more (--json names all)"
