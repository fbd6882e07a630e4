"""Sessions: creating, finding, listing, changing, copying and removing them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Controller
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from clew import checks, limits
from clew.backend import SessionChanges
from clew.model import SessionStatus
from clew.protocol import answers, requests
from clew.protocol.codec import Json
from clew.server.bodies import Answer
from clew.server.served import Served, Serving, Shown, delete, get, patch, post
from clew.times import to_rfc3339

MetadataFilter = Annotated[str | None, QueryParameter(description="A JSON object whose keys the metadata must have.")]


class SessionRoutes(Controller):
    """Everything about sessions but their trees."""

    path = "/v1/sessions"
    tags = ("Sessions",)

    @get()
    def list_sessions(
        self,
        served: Served,
        forms: Shown,
        limit: FromQuery[int] = limits.DEFAULT_PAGE,
        offset: FromQuery[int] = 0,
        cursor: FromQuery[str | None] = None,
        search: FromQuery[str | None] = None,
        status: FromQuery[str | None] = None,
        visibility: FromQuery[str | None] = None,
        cwd: FromQuery[str | None] = None,
        source: FromQuery[str | None] = None,
        source_id: FromQuery[str | None] = None,
        parent_session_id: FromQuery[UUID | None] = None,
        owner: FromQuery[str | None] = None,
        metadata: MetadataFilter = None,
        count: FromQuery[bool] = False,
    ) -> Answer[answers.SessionList]:
        """Sessions, newest change first."""
        query = requests.ListSessions(
            limit=limit, offset=offset, cursor=cursor, search=search, status=status, visibility=visibility, cwd=cwd,
            source=source, source_id=source_id, parent_session_id=parent_session_id, owner=owner, count=count,
            metadata=None if metadata is None else Json(text=metadata.encode()),
        )  # fmt: skip
        return Answer(forms.sessions(served.backend.list_sessions(query.seam())))

    @post("/list", status_code=200)
    def list_sessions_by_body(
        self, served: Served, forms: Shown, data: JSONBody[requests.ListSessions]
    ) -> Answer[answers.SessionList]:
        """The same for a search longer than an address may be."""
        return Answer(forms.sessions(served.backend.list_sessions(data.seam())))

    @post()
    def create_session(
        self, served: Served, forms: Shown, data: JSONBody[requests.CreateSession]
    ) -> Answer[answers.CreatedSession]:
        """Create a session and its root checkpoint."""
        return Answer(forms.created(served.backend.create_session(data.seam(served.clock()))))

    @post("/ensure", status_code=200)
    def ensure_session(
        self, served: Served, forms: Shown, data: JSONBody[requests.EnsureSession]
    ) -> Answer[answers.CreatedSession]:
        """The session that another program knows by a name, created where there is none."""
        made = served.backend.create_session(data.seam(served.clock(), ensure=True), ensure=True)
        return Answer(forms.created(made))

    @get("/find")
    def find_session(
        self,
        served: Served,
        forms: Shown,
        source: FromQuery[str],
        source_id: FromQuery[str],
        owner: FromQuery[str | None] = None,
    ) -> Answer[answers.OneSession]:
        """The session that another program knows by a name."""
        name = checks.source_name(source, source_id)
        return Answer({"session": forms.session(served.backend.find_session(*name, checks.optional_owner(owner)))})

    @get("/find/summary")
    def find_session_summary(
        self,
        served: Served,
        forms: Shown,
        source: FromQuery[str],
        source_id: FromQuery[str],
        owner: FromQuery[str | None] = None,
    ) -> Answer[answers.OneSummary]:
        """The same session without its state."""
        found = served.backend.find_session_summary(
            *checks.source_name(source, source_id), checks.optional_owner(owner)
        )
        return Answer({"session": forms.session_summary(found)})

    @post("/move", status_code=200)
    def move_directory(self, served: Served, data: JSONBody[requests.MoveDirectory]) -> Answer[answers.MovedAnswer]:
        """Change the directory of every session that is in one, or below it, to where that is now."""
        return Answer({"moved": served.backend.move_directory(data.seam())})

    @get("/{session_id:uuid}")
    def get_session(self, served: Served, forms: Shown, session_id: FromPath[UUID]) -> Answer[answers.OneSession]:
        """A session with its active checkpoint."""
        return Answer({"session": forms.session(served.backend.get_session(session_id))})

    @get("/{session_id:uuid}/summary")
    def get_session_summary(
        self, served: Served, forms: Shown, session_id: FromPath[UUID]
    ) -> Answer[answers.OneSummary]:
        """A session without its state."""
        return Answer({"session": forms.session_summary(served.backend.get_session_summary(session_id))})

    @patch("/{session_id:uuid}")
    def update_session(
        self, served: Served, forms: Shown, session_id: FromPath[UUID], data: JSONBody[requests.UpdateSession]
    ) -> Answer[answers.OneSession]:
        """Change what is given, all of it or nothing."""
        return Answer({"session": forms.session(served.backend.update_session(session_id, data.seam(served.clock())))})

    @delete("/{session_id:uuid}", status_code=200)
    def delete_session(self, served: Served, session_id: FromPath[UUID]) -> Answer[answers.DeletedSession]:
        """Mark a session deleted. Everything of it stays until it is purged."""
        changed = _set_status(served, session_id, SessionStatus.DELETED)
        return Answer({"success": True, "deleted_at": to_rfc3339(changed)})

    @post("/{session_id:uuid}/restore", status_code=200)
    def restore_session(self, served: Served, forms: Shown, session_id: FromPath[UUID]) -> Answer[answers.OneSession]:
        """Undo a deletion."""
        _set_status(served, session_id, SessionStatus.ACTIVE)
        return Answer({"session": forms.session(served.backend.get_session(session_id))})

    @post("/{session_id:uuid}/purge", status_code=200)
    def purge_session(
        self, served: Served, session_id: FromPath[UUID], data: JSONBody[requests.PurgeSession]
    ) -> Answer[answers.PurgedSession]:
        """Remove a session for good."""
        return Answer({"whole": served.backend.purge_session(session_id, data.if_revision, erase=data.erase)})

    @post("/{session_id:uuid}/fork")
    def fork_session(
        self, served: Served, forms: Shown, session_id: FromPath[UUID], data: JSONBody[requests.ForkSession]
    ) -> Answer[answers.CreatedSession]:
        """A new session that begins with the state of a checkpoint of this one."""
        return Answer(forms.created(served.backend.fork_session(session_id, data.seam(session_id, served.clock()))))

    @post("/{session_id:uuid}/copy")
    def copy_session(
        self, served: Served, forms: Shown, session_id: FromPath[UUID], data: JSONBody[requests.CopySession]
    ) -> Answer[answers.CreatedSession]:
        """A new session with the whole tree of this one."""
        return Answer(forms.created(served.backend.copy_session(session_id, data.seam(session_id, served.clock()))))


def _set_status(served: Serving, session_id: UUID, status: SessionStatus) -> datetime:
    changes = SessionChanges(status=status, now=served.clock())
    return served.backend.update_session(session_id, changes).updated_at
