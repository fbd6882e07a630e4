"""Moving house: the sessions of one store brought into another, whichever backends the two have.

Ids and times are kept, content stays shared between a session and its forks, and no message is decoded. A copy goes
through the source a session at a time and a checkpoint at a time, each in a transaction of its own: it may be stopped
anywhere, and the next one goes on. What the destination has already is compared by its ids, times and chains, and not
sent again.

Nothing in the destination is deleted. Where both sides have gone on, each gets what it lacks by a copy in each
direction: see `clew.copying.plans`.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from clew import checks
from clew.backend import Report
from clew.copying.results import Copied, CopyFailure
from clew.copying.run import Copy
from clew.errors import InvalidRequestError
from clew.model import BackendInfo
from clew.store import Id, Store

if TYPE_CHECKING:
    from clew.aio import AsyncStore

__all__ = ["Copied", "Copy", "CopyFailure", "copy_store", "prepare_copy"]


def copy_store(
    source: "Store | AsyncStore",
    destination: "Store | AsyncStore",
    *,
    sessions: Id | Iterable[Id] | None = None,
    verify: bool = True,
    dry_run: bool = False,
    progress: Report | None = None,
) -> Copied:
    """Bring every session of `source`, or only `sessions`, into `destination`, with ids and times kept.

    What is there already is not sent again: a copy that was stopped goes on, and a later one brings what is new. Each
    session whose copy has changed anything is read back and compared with what was read, unless `verify` is False. With
    `dry_run` nothing is written, and the result says what would be. `progress` is told how many checkpoints are done.

    Nothing in the destination is deleted. Where both have changed a session, both keep all checkpoints; of its fields,
    its active checkpoint, labels and attachments, those of the side that changed last count. `revision` and
    `last_message_at` are the destination's own: how often it has changed there, and when it last got messages.

    A session that cannot be copied whole leaves the others alone: at the end an error names each. CorruptStateError
    where something of one is damaged, or reads back as something else; ConflictError where its id, the id of a
    checkpoint, or its source name belongs to something else in the destination, and then nothing of it was changed.
    InvalidRequestError where both are the same store, NotFoundError where one of `sessions` is not in the source.
    """
    copied = prepare_copy(
        source, destination, sessions=sessions, verify=verify, dry_run=dry_run, progress=progress
    ).run()
    error = copied.error()
    if error is not None:
        raise error
    return copied


def prepare_copy(
    source: "Store | AsyncStore",
    destination: "Store | AsyncStore",
    *,
    sessions: Id | Iterable[Id] | None = None,
    verify: bool = True,
    dry_run: bool = False,
    progress: Report | None = None,
) -> Copy:
    """The same, not begun yet: its `run` returns a result with the sessions that failed, instead of raising."""
    ends = _plain(source, "source"), _plain(destination, "destination")
    if ends[0]._backend is ends[1]._backend or _is_same(ends[0].backend_info(), ends[1].backend_info()):
        raise InvalidRequestError("source and destination are the same store")
    return Copy(
        ends[0]._backend,
        ends[1]._backend,
        sessions=None if sessions is None else checks.ids(sessions, "sessions"),
        verify=bool(verify),
        dry_run=bool(dry_run),
        progress=checks.optional_report(progress),
    )


def _plain(store: "Store | AsyncStore", name: str) -> Store:
    if isinstance(store, Store):
        return store
    plain = getattr(store, "sync", None)
    if isinstance(plain, Store):
        return plain
    raise InvalidRequestError(f"{name} must be an open store, not {type(store).__name__}")


def _is_same(one: BackendInfo, other: BackendInfo) -> bool:
    if one.store_path is None or other.store_path is None:
        return one == other
    paths = Path(one.store_path), Path(other.store_path)
    return all(path.is_file() for path in paths) and paths[0].samefile(paths[1])
