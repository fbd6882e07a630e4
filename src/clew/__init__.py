"""Session and checkpoint storage for AI agents."""

from typing import TYPE_CHECKING, Any

from clew.errors import (
    ConflictError,
    CorruptStateError,
    InternalError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
    StorageError,
    UnauthorizedError,
    UnavailableError,
)
from clew.model import (
    ACTIVE,
    KEEP,
    SAME,
    ApiKey,
    Attachment,
    AttachmentInfo,
    BackendInfo,
    Change,
    Checkpoint,
    CheckpointSummary,
    Diff,
    Label,
    Message,
    MigrationStatus,
    NewKey,
    Page,
    Role,
    SearchHit,
    Session,
    SessionStatus,
    SessionSummary,
    State,
    Visibility,
)
from clew.reports import (
    Backup,
    Compaction,
    DayActivity,
    Finding,
    Flaw,
    Moved,
    MovedSession,
    Progress,
    Pruned,
    PrunePlan,
    SessionSize,
    SessionStats,
    SourceCount,
    StoreStats,
    Thinning,
    ToolUsageCounts,
    ToolUsageStats,
)
from clew.schema import Migrations, migrations
from clew.store import Store, open

if TYPE_CHECKING:
    from clew.aio import AsyncStore, open_async
    from clew.copying import Copied, CopyFailure, copy_store

__version__ = "0.1.0"

__all__ = [
    "ACTIVE",
    "KEEP",
    "SAME",
    "ApiKey",
    "AsyncStore",
    "Attachment",
    "AttachmentInfo",
    "BackendInfo",
    "Backup",
    "Change",
    "Checkpoint",
    "CheckpointSummary",
    "Compaction",
    "ConflictError",
    "Copied",
    "CopyFailure",
    "CorruptStateError",
    "DayActivity",
    "Diff",
    "Finding",
    "Flaw",
    "InternalError",
    "InvalidRequestError",
    "Label",
    "Message",
    "MigrationStatus",
    "Migrations",
    "Moved",
    "MovedSession",
    "NewKey",
    "NotFoundError",
    "Page",
    "Progress",
    "PrunePlan",
    "Pruned",
    "RateLimitedError",
    "Role",
    "SearchHit",
    "Session",
    "SessionSize",
    "SessionStats",
    "SessionStatus",
    "SessionSummary",
    "SourceCount",
    "State",
    "StorageError",
    "Store",
    "StoreStats",
    "Thinning",
    "ToolUsageCounts",
    "ToolUsageStats",
    "UnauthorizedError",
    "UnavailableError",
    "Visibility",
    "copy_store",
    "migrations",
    "open",
    "open_async",
]


def __getattr__(name: str) -> Any:
    # asyncio is a third of what importing clew costs: only who awaits pays for it.
    if name in ("AsyncStore", "open_async"):
        from clew import aio

        return getattr(aio, name)
    if name in ("Copied", "CopyFailure", "copy_store"):
        from clew import copying

        return getattr(copying, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
