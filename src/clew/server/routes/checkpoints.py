"""Checkpoints by their own id, and lists of those of many sessions."""

from uuid import UUID

from litestar import Controller
from litestar.params import FromPath, FromQuery, JSONBody

from clew import checks
from clew.protocol import answers, requests
from clew.server.bodies import Answer
from clew.server.served import Served, Shown, get, post, put


class CheckpointRoutes(Controller):
    """One checkpoint."""

    path = "/v1/sessions/checkpoints"
    tags = ("Checkpoints",)

    @get("/{checkpoint_id:uuid}")
    def get_checkpoint(
        self, served: Served, forms: Shown, checkpoint_id: FromPath[UUID]
    ) -> Answer[answers.OneCheckpoint]:
        """A checkpoint with its state."""
        return Answer({"checkpoint": forms.checkpoint(served.backend.get_checkpoint(checkpoint_id))})

    @get("/{checkpoint_id:uuid}/summary")
    def get_checkpoint_summary(
        self, served: Served, forms: Shown, checkpoint_id: FromPath[UUID]
    ) -> Answer[answers.OneCheckpointSummary]:
        """A checkpoint without its state."""
        found = served.backend.get_checkpoint_summary(checkpoint_id)
        return Answer({"checkpoint": forms.checkpoint_summary(found)})

    @get("/{checkpoint_id:uuid}/messages")
    def get_messages(
        self,
        served: Served,
        forms: Shown,
        checkpoint_id: FromPath[UUID],
        start: FromQuery[int | None] = None,
        stop: FromQuery[int | None] = None,
    ) -> Answer[answers.Messages]:
        """The messages from `start` to `stop`, as a Python slice has it: negative ones count from the end."""
        found = served.backend.get_messages(
            checkpoint_id, checks.optional_index(start, "start"), checks.optional_index(stop, "stop")
        )
        return Answer({"messages": forms.messages(found)})

    @get("/{checkpoint_id:uuid}/children")
    def list_children(
        self, served: Served, forms: Shown, checkpoint_id: FromPath[UUID]
    ) -> Answer[answers.CheckpointList]:
        """The checkpoints whose parent it is, oldest first."""
        return Answer(forms.checkpoints(served.backend.list_children(checkpoint_id)))

    @get("/{checkpoint_id:uuid}/ancestry")
    def list_ancestry(
        self, served: Served, forms: Shown, checkpoint_id: FromPath[UUID]
    ) -> Answer[answers.CheckpointList]:
        """The checkpoint, its parent, and so on to the root."""
        return Answer(forms.checkpoints(served.backend.list_ancestry(checkpoint_id)))

    @get("/{checkpoint_id:uuid}/descent")
    def get_descent(self, served: Served, checkpoint_id: FromPath[UUID]) -> Answer[answers.Descent]:
        """The ids of the ancestry, and of what the session was forked from."""
        return Answer({"ids": served.backend.get_descent(checkpoint_id)})

    @put("/{checkpoint_id:uuid}/label")
    def set_label(
        self, served: Served, forms: Shown, checkpoint_id: FromPath[UUID], data: JSONBody[requests.SetLabel]
    ) -> Answer[answers.OneCheckpointSummary]:
        """Give the checkpoint a label, or take its label away."""
        label = checks.optional_label(data.label)
        found = served.backend.set_label(checkpoint_id, label, served.clock(), move=data.move)
        return Answer({"checkpoint": forms.checkpoint_summary(found)})

    @get("/{checkpoint_id:uuid}/diff/{other_checkpoint_id:uuid}")
    def diff(
        self, served: Served, forms: Shown, checkpoint_id: FromPath[UUID], other_checkpoint_id: FromPath[UUID]
    ) -> Answer[answers.DiffAnswer]:
        """How two checkpoints differ."""
        return Answer(forms.diff(served.store.diff(checkpoint_id, other_checkpoint_id)))


class ManyCheckpoints(Controller):
    """Lists of checkpoints of many sessions."""

    path = "/v1/checkpoints"
    tags = ("Checkpoints",)

    @post("/list", status_code=200)
    def list_checkpoints_of_many(
        self, served: Served, forms: Shown, data: JSONBody[requests.ListCheckpoints]
    ) -> Answer[answers.CheckpointList]:
        """The checkpoints of some sessions."""
        return Answer(forms.checkpoint_page(served.backend.list_checkpoints(data.seam())))

    @post("/find", status_code=200)
    def find_checkpoints(
        self, served: Served, forms: Shown, data: JSONBody[requests.FindCheckpoints]
    ) -> Answer[answers.CheckpointList]:
        """The checkpoints of every session with some metadata."""
        return Answer(forms.checkpoint_page(served.backend.find_checkpoints(data.seam())))
