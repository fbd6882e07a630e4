"""`clew attach` and `clew attachments`: files beside a checkpoint."""

import mimetypes
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import click

import clew
from clew import wire
from clew.backend import attachment_not_found
from clew.cli import lookup
from clew.cli.errors import InvalidArgumentError
from clew.cli.files import STANDARD_STREAM, read_file, write_file
from clew.cli.lookup import Place, Wanted
from clew.cli.options import App, chosen_place, json_option, pass_app, place_options, session_argument
from clew.cli.output import Line, backend_line, write_bytes, write_json, write_lines
from clew.cli.text import one_line, shorten, size
from clew.errors import NotFoundError
from clew.model import Attachment, AttachmentInfo

# What the end of a compressed file's name says, in the place of what is in it.
_COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}


class Where(NamedTuple):
    """What attachments are for: a checkpoint, or a label, which may come later."""

    session_id: UUID
    checkpoint_id: UUID | None = None
    label: str | None = None

    def __str__(self) -> str:
        return f'the label "{shorten(self.label)}"' if self.label is not None else str(self.checkpoint_id)


@click.command("attach")
@session_argument
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--name", metavar="NAME", help="What to call it in the store; by default the name of the file.")
@click.option("--type", "content_type", metavar="TYPE", help="The content type; by default what the name says.")
@place_options(
    "Attach to this checkpoint, not to the active one.", "Attach to the checkpoint of this label, which may come later."
)
@click.option("--replace", is_flag=True, help="Replace attachments that have these names and other content.")
@json_option
@pass_app
def attach_command(
    app: App,
    session: Wanted,
    files: tuple[str, ...],
    name: str | None,
    content_type: str | None,
    checkpoint: Wanted | None,
    label: str | None,
    replace: bool,
) -> None:
    """Keep files beside a checkpoint of a session, all of them or none.

    ID is the session's UUID, or at least 4 digits of its beginning. FILE is a file, or - for standard input, which
    needs --name.
    """
    place = chosen_place(checkpoint, label)
    items = _items(files, name, content_type)
    with app.open() as store:
        where = _where(store, session, place)
        store.attach(
            where.session_id,
            items,
            checkpoint_id=where.checkpoint_id,
            label=where.label,
            on_conflict="replace" if replace else "error",
        )
        waits = where.label is not None and where.label in store.list_waiting(where.session_id)
        backend = store.backend_info()
    infos = [_info(name, item) for name, item in items.items()]
    if app.json:
        write_json(_attached(where, infos, backend))
    else:
        ending = ", which no checkpoint has yet: there it waits" if waits else ""
        write_lines(f"Attached {_told(info)} to {where}{ending}" for info in infos)


@click.command("attachments")
@session_argument
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--output", "-o", metavar="FILE", help="Write the attachment into a new file; - is standard output.")
@click.option("--force", is_flag=True, help="Replace the file where there is one.")
@place_options("Those of this checkpoint, not of the active one.", "Those of the checkpoint of this label.")
@json_option
@pass_app
def attachments_command(
    app: App,
    session: Wanted,
    name: str | None,
    output: str | None,
    force: bool,
    checkpoint: Wanted | None,
    label: str | None,
) -> None:
    """List the attachments of a checkpoint, or write one of them into a file.

    ID is the session's UUID, or at least 4 digits of its beginning. With NAME only that attachment is listed, and with
    --output it is written.
    """
    place = chosen_place(checkpoint, label)
    _check_output(name, output, force, json=app.json)
    if name is not None and output is not None:
        _write(app, session, place, name, output, force)
    else:
        _list(app, session, place, name)


def _items(files: tuple[str, ...], name: str | None, content_type: str | None) -> dict[str, Attachment]:
    if name is not None and len(files) > 1:
        raise InvalidArgumentError("--name is the name of one file, and there are several")
    if name is None and STANDARD_STREAM in files:
        raise InvalidArgumentError("standard input has no name: --name gives it one")
    items: dict[str, Attachment] = {}
    for file in files:
        own = Path(file).name if name is None else name
        if own in items:
            raise InvalidArgumentError(f"two of the files are called '{own}'")
        items[own] = Attachment(read_file(file), content_type if content_type is not None else content_type_of(own))
    return items


def content_type_of(name: str) -> str | None:
    """The content type that a name's ending says, None where it says none."""
    # A table of its own: the one that the module shares has what a system adds to it. And a path: no URL.
    content_type, encoding = mimetypes.MimeTypes().guess_type("./" + name.rpartition("/")[2])
    return content_type if encoding is None else _COMPRESSED.get(encoding)


def _where(store: clew.Store, session: Wanted, place: Place | None) -> Where:
    """Where to attach to: the active checkpoint by its id, which can then be told."""
    if place is None:
        found = lookup.find_damaged_session(store, session)
        return Where(found.session.id, found.active_checkpoint_id)
    id = lookup.session_id(store, session)
    if isinstance(place, Wanted):
        return Where(id, lookup.checkpoint_id(store, id, place))
    return Where(id, label=place.name)


def _existing(store: clew.Store, session: Wanted, place: Place | None) -> tuple[UUID, UUID]:
    """The session and the checkpoint whose attachments to read."""
    if place is not None:
        id = lookup.session_id(store, session)
        return id, lookup.find_place(store, id, place).id
    found = lookup.find_damaged_session(store, session)
    if found.active_checkpoint_id is None:
        raise NotFoundError(f"session {found.session.id} has no active checkpoint")
    return found.session.id, found.active_checkpoint_id


def _check_output(name: str | None, output: str | None, force: bool, *, json: bool) -> None:
    if output is not None and name is None:
        raise InvalidArgumentError("--output needs the NAME of the attachment to write")
    if output is None and force:
        raise InvalidArgumentError("--force is for the file of --output")
    if output == STANDARD_STREAM and json:
        raise InvalidArgumentError("standard output takes the attachment or JSON, not both")


def _write(app: App, session: Wanted, place: Place | None, name: str, output: str, force: bool) -> None:
    with app.open() as store:
        _, checkpoint = _existing(store, session, place)
        attachment = store.get_attachment(checkpoint, name)
        backend = store.backend_info()
    if output == STANDARD_STREAM:
        write_bytes(attachment)
        return
    write_file(output, attachment, force=force)
    info = _info(name, attachment)
    if app.json:
        form = {"attachment": wire.attachment_info(info), "output": output}
        write_json({**form, "backend": wire.backend_info(backend)})
    else:
        write_lines([f"Wrote {_told(info)} into {one_line(output)}"])


class Shown(NamedTuple):
    """Attachments of a checkpoint, or where that is None of a label that nothing has yet."""

    session_id: UUID
    checkpoint_id: UUID | None
    infos: list[AttachmentInfo]


def _list(app: App, session: Wanted, place: Place | None, name: str | None) -> None:
    with app.open() as store:
        shown = _waiting(store, session, place, name) or _present(store, session, place, name)
        backend = store.backend_info()
    if app.json:
        checkpoint = None if shown.checkpoint_id is None else str(shown.checkpoint_id)
        form = {"session_id": str(shown.session_id), "checkpoint_id": checkpoint}
        attachments = [wire.attachment_info(info) for info in shown.infos]
        write_json({"backend": wire.backend_info(backend), **form, "attachments": attachments})
    else:
        heading = [] if shown.checkpoint_id else ["These wait for the label, which no checkpoint has yet:"]
        write_lines([backend_line(backend), *heading, *_lines(shown.infos)])


def _waiting(store: clew.Store, session: Wanted, place: Place | None, name: str | None) -> Shown | None:
    """What waits for a label; None where it is not about that."""
    if not isinstance(place, clew.Label):
        return None
    id = lookup.session_id(store, session)
    infos = [info for info in store.list_waiting(id).get(place.name, []) if name is None or info.name == name]
    return Shown(id, None, infos) if infos else None


def _present(store: clew.Store, session: Wanted, place: Place | None, name: str | None) -> Shown:
    """The attachments of a checkpoint, or the one that has the name."""
    id, checkpoint = _existing(store, session, place)
    if name is None:
        return Shown(id, checkpoint, store.list_attachments(checkpoint))
    named = [info for info in store.list_attachments(checkpoint, prefix=name) if info.name == name]
    if not named:
        raise attachment_not_found(name, checkpoint)
    return Shown(id, checkpoint, named)


def _attached(where: Where, infos: list[AttachmentInfo], backend: clew.BackendInfo) -> dict[str, object]:
    return {
        "attached": [wire.attachment_info(info) for info in infos],
        "session_id": str(where.session_id),
        "checkpoint_id": None if where.checkpoint_id is None else str(where.checkpoint_id),
        "label": where.label,
        "backend": wire.backend_info(backend),
    }


def _info(name: str, attachment: Attachment) -> AttachmentInfo:
    return AttachmentInfo(name=name, size=len(attachment), content_type=attachment.content_type)


def _lines(infos: list[AttachmentInfo]) -> Iterator[Line]:
    if not infos:
        yield "No attachments."
    sizes = [size(info.size) for info in infos]
    types = [one_line(info.content_type or "-") for info in infos]
    wide, wider = max(map(len, sizes), default=0), max(map(len, types), default=0)
    for info, bytes, type in zip(infos, sizes, types, strict=True):
        yield f"{bytes:>{wide}}  {type:<{wider}}  {one_line(info.name)}"


def _told(info: AttachmentInfo) -> str:
    about = size(info.size) if info.content_type is None else f"{size(info.size)}, {one_line(info.content_type)}"
    return f"{one_line(info.name)} ({about})"
