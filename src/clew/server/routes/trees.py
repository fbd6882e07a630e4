"""The tree of a session: what is written to it, its lists, labels and branches, and what is active."""

from uuid import UUID

from litestar import Controller
from litestar.params import FromPath, FromQuery, JSONBody

from clew import checks, limits
from clew.backend import Place
from clew.model import ACTIVE, Label
from clew.protocol import answers, requests
from clew.server.bodies import Answer
from clew.server.served import Served, Shown, get, post, put, segment


class TreeRoutes(Controller):
    """The checkpoints of a session."""

    path = "/v1/sessions/{session_id:uuid}"
    tags = ("Checkpoints",)

    @get("/checkpoints")
    def list_checkpoints(
        self,
        served: Served,
        forms: Shown,
        session_id: FromPath[UUID],
        limit: FromQuery[int] = limits.DEFAULT_PAGE,
        offset: FromQuery[int] = 0,
        cursor: FromQuery[str | None] = None,
        order: FromQuery[str] = "created",
        active: FromQuery[bool] = False,
    ) -> Answer[answers.CheckpointList]:
        """The checkpoints of the session, oldest first."""
        query = requests.ListCheckpoints(
            session_ids=[session_id], limit=limit, offset=offset, cursor=cursor, order=order, active=active
        )
        return Answer(forms.checkpoint_page(served.backend.list_checkpoints(query.seam())))

    @post("/checkpoints")
    def create_checkpoint(
        self, served: Served, forms: Shown, session_id: FromPath[UUID], data: JSONBody[requests.CreateCheckpoint]
    ) -> Answer[answers.OneCheckpoint]:
        """Write a state given in full, and make it the active checkpoint."""
        made = served.backend.write_checkpoint(session_id, data.seam(session_id, served.clock()))
        return Answer({"checkpoint": forms.checkpoint(made)})

    @post("/append")
    def append(
        self, served: Served, forms: Shown, session_id: FromPath[UUID], data: JSONBody[requests.Append]
    ) -> Answer[answers.OneCheckpoint]:
        """Add messages to a checkpoint, the active one unless told otherwise, and make the result active."""
        made = served.backend.write_checkpoint(session_id, data.seam(session_id, served.clock()))
        return Answer({"checkpoint": forms.checkpoint(made)})

    @put("/active")
    def set_active_checkpoint(
        self, served: Served, forms: Shown, session_id: FromPath[UUID], data: JSONBody[requests.SetActive]
    ) -> Answer[answers.OneSession]:
        """Resume from this checkpoint from now on."""
        session = served.backend.set_active_checkpoint(session_id, data.seam(), served.clock())
        return Answer({"session": forms.session(session)})

    @get("/branches")
    def list_branches(self, served: Served, forms: Shown, session_id: FromPath[UUID]) -> Answer[answers.CheckpointList]:
        """The leaves of the tree, newest first."""
        return Answer(forms.checkpoints(served.backend.list_branches(session_id)))

    @get("/labels/{label:str}")
    def find_checkpoint(
        self, served: Served, forms: Shown, session_id: FromPath[UUID], label: FromPath[str]
    ) -> Answer[answers.OneCheckpoint]:
        """The checkpoint of the session that has this label."""
        found = served.backend.find_checkpoint(session_id, checks.label(segment(label)))
        return Answer({"checkpoint": forms.checkpoint(found)})

    @get("/messages")
    def get_messages_at(
        self,
        served: Served,
        forms: Shown,
        session_id: FromPath[UUID],
        label: FromQuery[str | None] = None,
        start: FromQuery[int | None] = None,
        stop: FromQuery[int | None] = None,
    ) -> Answer[answers.Messages]:
        """The messages from `start` to `stop` of the active checkpoint, or of the one with a label."""
        place: Place = ACTIVE if label is None else Label(checks.label(label))
        found = served.backend.get_messages(
            place, checks.optional_index(start, "start"), checks.optional_index(stop, "stop"), session_id
        )
        return Answer({"messages": forms.messages(found)})

    @post("/checkpoints/delete", status_code=200)
    def delete_checkpoints(
        self, served: Served, forms: Shown, session_id: FromPath[UUID], data: JSONBody[requests.DeleteCheckpoints]
    ) -> Answer[answers.OneSession]:
        """Delete checkpoints of the session with their attachments."""
        session = served.backend.delete_checkpoints(
            session_id, checks.ids(data.ids, "ids"), checks.children(data.children), served.clock(), data.if_revision
        )
        return Answer({"session": forms.session(session)})
