"""Attachments: named bytes beside checkpoints."""

import re
from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response
from litestar.params import FromPath, FromQuery, JSONBody

from clew import checks
from clew.model import Attachment
from clew.protocol import answers, requests
from clew.server import forms as plain
from clew.server import harmless
from clew.server.bodies import Answer, accepts_msgpack
from clew.server.served import Served, get, post, segment

_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+( *; *[\w-]+=[\w.+-]+)*", re.ASCII)

_TO_KEEP = {**harmless.HEADERS, "Content-Disposition": "attachment"}


class AttachmentRoutes(Controller):
    """The attachments of one checkpoint, and what is attached to a session."""

    path = "/v1/sessions"
    tags = ("Attachments",)

    @get("/checkpoints/{checkpoint_id:uuid}/attachments")
    def list_attachments(
        self, served: Served, checkpoint_id: FromPath[UUID], prefix: FromQuery[str] = ""
    ) -> Answer[answers.AttachmentList]:
        """Name, size and content type of the attachments of a checkpoint."""
        found = served.backend.list_attachments(checkpoint_id, checks.attachment_prefix(prefix))
        return Answer({"attachments": found})

    @get("/checkpoints/{checkpoint_id:uuid}/attachments/{name:str}")
    def get_attachment(
        self,
        request: Request[Any, Any, Any],
        served: Served,
        checkpoint_id: FromPath[UUID],
        name: FromPath[str],
        start: FromQuery[int | None] = None,
        stop: FromQuery[int | None] = None,
    ) -> Response[Any]:
        """The bytes of an attachment, or those from `start` to `stop`."""
        found = served.backend.get_attachment(
            checkpoint_id,
            checks.attachment_name(segment(name)),
            checks.optional_index(start, "start"),
            checks.optional_index(stop, "stop"),
        )
        if accepts_msgpack(request):
            return Answer({"data": bytes(found), "content_type": found.content_type})
        return Response(bytes(found), media_type=_media_type(found), headers=_TO_KEEP)

    @post("/{session_id:uuid}/attachments", status_code=204)
    def attach(self, served: Served, session_id: FromPath[UUID], data: JSONBody[requests.Attach]) -> None:
        """Keep bytes beside a checkpoint, or for a label whose checkpoint may come later."""
        served.backend.attach(session_id, data.seam(served.clock()))

    @post("/{session_id:uuid}/attachments/detach", status_code=204)
    def detach(self, served: Served, session_id: FromPath[UUID], data: JSONBody[requests.Detach]) -> None:
        """Take attachments away: all of them or none."""
        served.backend.detach(session_id, data.place(), checks.names(data.names), served.clock())

    @get("/{session_id:uuid}/waiting")
    def list_waiting(self, served: Served, session_id: FromPath[UUID]) -> Answer[answers.WaitingLabels]:
        """What is attached to labels that no checkpoint has yet."""
        return Answer({"waiting": served.backend.list_waiting(session_id)})

    @get("/{session_id:uuid}/waiting/{label:str}")
    def get_waiting(self, served: Served, session_id: FromPath[UUID], label: FromPath[str]) -> Answer[answers.Waiting]:
        """The same of one label, with the bytes."""
        found = served.backend.get_waiting(session_id, checks.label(segment(label)))
        return Answer({"attachments": plain.attachments(found)})


class ManyAttachments(Controller):
    """The attachments of many checkpoints."""

    path = "/v1/attachments"
    tags = ("Attachments",)

    @post("/get", status_code=200)
    def get_attachments(
        self, served: Served, data: JSONBody[requests.GetAttachments]
    ) -> Answer[answers.AttachmentsByCheckpoint]:
        """The attachments of some checkpoints with their bytes."""
        ids = checks.ids(data.checkpoint_ids, "checkpoint_ids")
        found = served.backend.get_attachments(ids, checks.attachment_prefix(data.prefix))
        return Answer(plain.attachments_by_checkpoint(found))


def _media_type(found: Attachment) -> str:
    kept = found.content_type
    return kept if kept is not None and _MEDIA_TYPE.fullmatch(kept) else "application/octet-stream"
