"""What can be done with a session: forms, each of which leads to a page that shows what came of it."""

from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec
from litestar import Controller, Response
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath

from clew.errors import InvalidRequestError
from clew.ids import to_id
from clew.model import ACTIVE, Visibility
from clew.server.served import Served, post
from clew.server.web.notices import FORKED, PUBLISHED
from clew.server.web.redirects import local_path, see

T = TypeVar("T")

MAX_FORM_BYTES = 256 * 1024  # a title as long as it may be, with every character escaped
Form = Annotated[T, Body(media_type=RequestEncodingType.URL_ENCODED)]


class Back(msgspec.Struct):
    """Where to go afterwards: a path of this server, the session's unless it is given."""

    back: str = ""


class RenameForm(Back):
    title: str = ""


class VisibilityForm(Back):
    visibility: str = ""


class ForkForm(msgspec.Struct):
    """An empty checkpoint is the active one."""

    checkpoint_id: str = ""


class ActiveForm(msgspec.Struct):
    """Which checkpoint is to be the active one."""

    checkpoint_id: str = ""


class ActionRoutes(Controller):
    """One route for each."""

    path = "/sessions/{session_id:uuid}"
    request_max_body_size = MAX_FORM_BYTES

    @post("/rename")
    def rename(self, served: Served, session_id: FromPath[UUID], data: Form[RenameForm]) -> Response[Any]:
        """Give the session another title."""
        if not data.title.strip():
            raise InvalidRequestError("a title is needed")
        served.store.update_session(session_id, title=data.title)
        return _back(session_id, data)

    @post("/visibility")
    def set_visibility(self, served: Served, session_id: FromPath[UUID], data: Form[VisibilityForm]) -> Response[Any]:
        """Let everybody read it who knows its id, or no longer. Once they may, the page says with which address."""
        session = served.store.update_session(session_id, visibility=data.visibility)
        return _back(session_id, data, PUBLISHED if session.visibility is Visibility.PUBLIC else "")

    @post("/active")
    def set_active(self, served: Served, session_id: FromPath[UUID], data: Form[ActiveForm]) -> Response[Any]:
        """Go on from another step. The one that was active stays where it is."""
        served.store.set_active_checkpoint(session_id, to_id(data.checkpoint_id, "checkpoint_id"))
        return see(f"/sessions/{session_id}")

    @post("/delete")
    def delete(self, served: Served, session_id: FromPath[UUID]) -> Response[Any]:
        """Mark it deleted; the list then offers to undo that."""
        served.store.delete_session(session_id)
        return see(f"/?deleted={session_id}")

    @post("/restore")
    def restore(self, served: Served, session_id: FromPath[UUID], data: Form[Back]) -> Response[Any]:
        """Undo a deletion."""
        served.store.restore_session(session_id)
        return _back(session_id, data)

    @post("/fork")
    def fork(self, served: Served, session_id: FromPath[UUID], data: Form[ForkForm]) -> Response[Any]:
        """A new session that begins with the state of a checkpoint of this one."""
        made = served.store.fork_session(session_id, checkpoint_id=data.checkpoint_id or ACTIVE)
        return see(f"/sessions/{made.id}?notice={FORKED}")


def _back(session_id: UUID, form: Back, notice: str = "") -> Response[Any]:
    path = local_path(form.back, f"/sessions/{session_id}")
    return see(f"{path}{'&' if '?' in path else '?'}notice={notice}" if notice else path)
