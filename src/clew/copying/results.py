"""What a copy tells: what it brought over, and what it could not."""

from uuid import UUID

import msgspec

from clew.errors import ConflictError, CorruptStateError, InternalError, NotFoundError, StorageError

_NAMED = 20
_KINDS: tuple[type[StorageError], ...] = (CorruptStateError, ConflictError, NotFoundError)


class CopyFailure(msgspec.Struct, frozen=True, kw_only=True):
    """A session that is not in the destination as it is in the source: which one, and why.

    `code` is that of the error. What of the session had been written before it failed stays; the next copy goes on.
    """

    session_id: UUID
    code: str
    message: str


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """What `copy_store` did, or with `dry_run` would do.

    `created` sessions were not in the destination, `updated` ones lacked something, `unchanged` ones nothing.
    `checkpoints`, `messages`, `attachments` and their `bytes` (of JSON, and of attachments) are what was written; the
    last three are 0 in a dry run. `verified` where no session failed and all that was written has been read back.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    checkpoints: int = 0
    messages: int = 0
    attachments: int = 0
    bytes: int = 0
    verified: bool = False
    dry_run: bool = False
    failed: list[CopyFailure] = []

    @property
    def sessions(self) -> int:
        """How many sessions of the source were looked at."""
        return self.created + self.updated + self.unchanged + len(self.failed)

    def error(self) -> StorageError | None:
        """The error that names each session that failed, None where none did: of the kind that is worst among them."""
        if not self.failed:
            return None
        codes = {failed.code for failed in self.failed}
        kind = next((kind for kind in _KINDS if kind.code in codes), InternalError)
        named = [f"session {failed.session_id}: {failed.message}" for failed in self.failed[:_NAMED]]
        more = len(self.failed) - len(named)
        rest = [f"and {more:,} more"] if more > 0 else []
        count = f"{len(self.failed):,} of {self.sessions:,} sessions"
        return kind(f"{count} could not be copied whole: {'; '.join([*named, *rest])}")


class Tally:
    """The counts while they are being made."""

    def __init__(self) -> None:
        self.created = 0
        self.updated = 0
        self.unchanged = 0
        self.checkpoints = 0
        self.messages = 0
        self.attachments = 0
        self.bytes = 0
        self.failed: list[CopyFailure] = []

    def fail(self, session_id: UUID, error: StorageError) -> None:
        """This session could not be copied whole."""
        self.failed.append(CopyFailure(session_id=session_id, code=error.code, message=error.message))

    def copied(self, *, verify: bool, dry_run: bool) -> Copied:
        """The counts as they are now."""
        return Copied(**vars(self), verified=verify and not dry_run and not self.failed, dry_run=dry_run)
