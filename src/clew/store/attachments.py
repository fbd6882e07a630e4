"""The methods of a store that are about attachments: named bytes beside a checkpoint."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from clew import checks
from clew.backend import NewAttachments, OnConflict, Place
from clew.errors import InvalidRequestError
from clew.ids import to_id
from clew.model import ACTIVE, Attachment, AttachmentInfo, Label
from clew.store.base import Id
from clew.store.trees import TreeMethods


class AttachmentMethods(TreeMethods):
    """Attaching bytes to checkpoints, and reading them."""

    def attach(
        self,
        session_id: Id,
        items: Mapping[str, bytes],
        *,
        checkpoint_id: Id | None = None,
        label: str | None = None,
        on_conflict: OnConflict = "error",
        updated_at: datetime | None = None,
    ) -> None:
        """Keep bytes beside a checkpoint of the session, by name: the active one, unless told otherwise.

        With `label` they are for the checkpoint of that label, which may come later: until then they wait for it. A
        value that is an `Attachment` has its content type kept. Attaching the same again changes nothing; where a name
        has other content, ConflictError, or with `on_conflict` "keep" it stays and with "replace" it is replaced; then
        all items are attached or none. The same content is stored once, however many checkpoints have it. `updated_at`
        is for importers: when that was, if not now; it never moves the session back in the list.
        """
        backend, now = self._writing(updated_at)
        new = NewAttachments(
            items=checks.attachments(items, "items"),
            place=_place(checkpoint_id, label),
            on_conflict=checks.on_conflict(on_conflict),
            now=now,
        )
        backend.attach(to_id(session_id, "session_id"), new)

    def detach(
        self,
        session_id: Id,
        names: str | Iterable[str],
        *,
        checkpoint_id: Id | None = None,
        label: str | None = None,
    ) -> None:
        """Take attachments away from a checkpoint, chosen as in `attach`, or what waits for a label that nothing has.

        All of them or none: a name that is not there is NotFoundError. `compact` gives their space back.
        """
        self._backend.detach(
            to_id(session_id, "session_id"), _place(checkpoint_id, label), checks.names(names), self._clock()
        )

    def list_waiting(self, session_id: Id) -> dict[str, list[AttachmentInfo]]:
        """What has been attached to labels that no checkpoint of the session has yet, by label."""
        return self._backend.list_waiting(to_id(session_id, "session_id"))

    def get_attachments(
        self, checkpoint_ids: Id | Iterable[Id], *, prefix: str = ""
    ) -> dict[UUID, dict[str, Attachment]]:
        """The attachments of checkpoints by id and name, in the order of the names.

        Read in one query for all, and one more for each that is long. Only those whose names begin with `prefix`. A
        checkpoint without any has an empty dict.
        """
        return self._backend.get_attachments(
            checks.ids(checkpoint_ids, "checkpoint_ids"), checks.attachment_prefix(prefix)
        )

    def list_attachments(self, checkpoint_id: Id, *, prefix: str = "") -> list[AttachmentInfo]:
        """Name, size and content type of the attachments of a checkpoint, in the order of the names."""
        return self._backend.list_attachments(to_id(checkpoint_id, "checkpoint_id"), checks.attachment_prefix(prefix))

    def get_attachment(
        self, checkpoint_id: Id, name: str, *, start: int | None = None, stop: int | None = None
    ) -> Attachment:
        """One attachment, or its bytes from `start` to `stop` as a Python slice has it.

        Of a long attachment little more is read than the slice. One that is not there is NotFoundError.
        """
        return self._backend.get_attachment(
            to_id(checkpoint_id, "checkpoint_id"),
            checks.attachment_name(name),
            checks.optional_index(start, "start"),
            checks.optional_index(stop, "stop"),
        )


def _place(checkpoint_id: Id | None, label: str | None) -> Place:
    """What to attach to: the active checkpoint, unless told otherwise."""
    if checkpoint_id is not None and label is not None:
        raise InvalidRequestError("give a checkpoint_id or a label, not both")
    if label is not None:
        return Label(checks.label(label))
    return checks.optional_place(checkpoint_id, "checkpoint_id") or ACTIVE
