"""What is done to stored values on their way out of a store."""

from uuid import UUID

from clew.model import Attachment


class Masking:
    """Changes what an export writes. This one changes nothing; `clew.exporters.redaction` has one that masks secrets.

    The same value always becomes the same value, so that what was shared between checkpoints stays shared.
    """

    def at(self, session_id: UUID, checkpoint_id: UUID | None, position: str) -> None:
        """Where the values that come next stand, such as `message 3`."""

    def text(self, text: str) -> str:
        """A title, a label, a name."""
        return text

    def json(self, text: bytes) -> bytes:
        """The JSON text of a message or of metadata."""
        return text

    def attachment(self, data: Attachment) -> Attachment:
        """The bytes of an attachment."""
        return data
