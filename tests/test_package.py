"""What `import clew` gives, and what it leaves alone."""

import subprocess
import sys
from importlib import metadata

import clew
from clew import errors


def test_the_public_names_are_pinned() -> None:
    assert clew.__all__ == [
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
    assert all(hasattr(clew, name) for name in clew.__all__)


def test_the_version_is_that_of_the_distribution() -> None:
    assert clew.__version__ == metadata.version("clew")


def test_importing_clew_imports_nothing_for_terminals_tests_or_networks() -> None:
    script = "import sys, clew; print(*sorted(sys.modules))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    unwanted = {
        "click", "rich", "pytest", "hypothesis", "http.client", "sqlite3", "psycopg", "httpx2", "litestar", "uvicorn",
        "jinja2", "markdown_it", "nh3", "prometheus_client",
    }  # fmt: skip
    assert unwanted.isdisjoint(found)
    parts = ("clew.cli", "clew.copying", "clew.importers", "clew.remote", "clew.server", "clew.testing")
    assert not [name for name in found if name.startswith(parts)]


class TestErrors:
    def test_every_error_has_one_root_and_a_code(self) -> None:
        codes = {name: getattr(errors, name).code for name in errors.__all__}
        assert codes == {
            "ConflictError": "conflict",
            "CorruptStateError": "corrupt_state",
            "InternalError": "internal_error",
            "InvalidRequestError": "invalid_request",
            "NotFoundError": "not_found",
            "RateLimitedError": "rate_limited",
            "StorageError": "internal_error",
            "UnauthorizedError": "unauthorized",
            "UnavailableError": "connection_error",
        }
        assert all(issubclass(getattr(errors, name), clew.StorageError) for name in errors.__all__)

    def test_the_text_begins_with_the_kind(self) -> None:
        assert str(clew.NotFoundError("Session 1 not found")) == "Not found: Session 1 not found"
        assert str(clew.InvalidRequestError("x")) == "Invalid request: x"
        assert str(clew.UnauthorizedError("x")) == "Unauthorized: x"
        assert str(clew.RateLimitedError("x")) == "Rate limited: x"
        assert str(clew.InternalError("x")) == "Internal error: x"
        assert str(clew.UnavailableError("x")) == "Connection error: x"
        assert str(clew.ConflictError("x")) == "Conflict: x"
        assert str(clew.CorruptStateError("x")) == "Corrupt state: x"

    def test_the_message_alone_is_there_too(self) -> None:
        assert clew.ConflictError("taken").message == "taken"
