"""The attachments of a step: listed under its conversation, pictures shown, everything else to download."""

from typing import Any, NamedTuple
from uuid import UUID

from litestar import Controller, Response
from litestar.params import FromPath, FromQuery

from clew.display.blocks import image_type
from clew.display.visible import one_line
from clew.errors import CorruptStateError
from clew.model import AttachmentInfo
from clew.server.served import Served, Serving, get, segment
from clew.server.web.addresses import StepAddress
from clew.server.web.raw import download, picture
from clew.store import Store

MAX_LISTED = 200
MAX_PICTURES = 24
"""Attachments that are looked into: of which type they are is said by their bytes, not by their name."""

MAX_PICTURE_BYTES = 10_000_000
_SIGNATURE_BYTES = 16
_UNIT = 1_000


class Item(NamedTuple):
    """An attachment in the list."""

    name: str
    size: str
    content_type: str
    url: str
    is_picture: bool
    damage: str


class Listed(NamedTuple):
    """Some attachments, and how many are not among them."""

    listed: list[Item]
    more: int
    damage: str = ""


class AttachedRoutes(Controller):
    """The bytes of attachments."""

    path = "/sessions/{session_id:uuid}/steps/{checkpoint_id:uuid}/attachments"

    @get("/{name:str}")
    def get_attachment(
        self, served: Served, session_id: FromPath[UUID], checkpoint_id: FromPath[UUID], name: FromPath[str]
    ) -> Response[Any]:
        """A picture to show, anything else to keep."""
        return _attachment(served, checkpoint_id, segment(name))

    @get()
    def get_attachment_by_query(
        self, served: Served, session_id: FromPath[UUID], checkpoint_id: FromPath[UUID], name: FromQuery[str]
    ) -> Response[Any]:
        """The same for a name that cannot stand in a path."""
        return _attachment(served, checkpoint_id, name)


def listed(store: Store, address: StepAddress) -> Listed:
    """The attachments of a step; what cannot be read of them is said."""
    if address.checkpoint_id is None:
        return Listed([], 0)
    try:
        found = store.list_attachments(address.checkpoint_id)
    except CorruptStateError as error:
        return Listed([], 0, one_line(error.message, 500))
    looked_into = 0
    items = []
    for info in found[:MAX_LISTED]:
        is_candidate = info.size <= MAX_PICTURE_BYTES and looked_into < MAX_PICTURES and not _is_text(info)
        looked_into += is_candidate
        items.append(_item(store, address, address.checkpoint_id, info, is_candidate))
    return Listed(items, len(found) - len(items))


def _item(store: Store, address: StepAddress, checkpoint_id: UUID, info: AttachmentInfo, is_candidate: bool) -> Item:
    is_picture, damage = False, info.damage
    if is_candidate and damage is None:
        try:
            is_picture = image_type(store.get_attachment(checkpoint_id, info.name, stop=_SIGNATURE_BYTES)) is not None
        except CorruptStateError as error:
            damage = error.message
    return Item(
        one_line(info.name, 300),
        size(info.size),
        one_line(info.content_type or "", 100),
        address.attachment(info.name),
        is_picture,
        one_line(damage or "", 500),
    )


def _is_text(info: AttachmentInfo) -> bool:
    kept = info.content_type or ""
    return kept.startswith("text/") or kept in ("application/json", "image/svg+xml")


def _attachment(served: Serving, checkpoint_id: UUID, name: str) -> Response[Any]:
    found = served.store.get_attachment(checkpoint_id, name)
    media_type = image_type(found)
    return download(found, name) if media_type is None else picture(found, media_type)


def size(count: int) -> str:
    """A number of bytes in the largest unit that leaves a whole part."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB"):
        if amount < _UNIT:
            return f"{count} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= _UNIT
    return f"{amount:.1f} GB"
