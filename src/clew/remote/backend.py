"""The seam over HTTP: each method is one request to a clew server, which has the same method behind it.

The server's clock counts, so no time of this one is sent; ids and fingerprints are those that the store made here.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import UUID

from clew.backend import (
    Backend,
    Changes,
    CheckpointQuery,
    CheckpointSearch,
    Children,
    DirectoryMove,
    MessageSearch,
    NewApiKey,
    NewAttachments,
    NewCheckpoint,
    NewCopy,
    NewFork,
    NewSession,
    Place,
    Report,
    SessionChanges,
    SessionQuery,
    Watcher,
)
from clew.errors import InvalidRequestError, UnavailableError
from clew.model import (
    ApiKey,
    Attachment,
    AttachmentInfo,
    BackendInfo,
    Checkpoint,
    CheckpointSummary,
    Label,
    Page,
    SearchHit,
    Session,
    SessionSummary,
    State,
    StoredState,
)
from clew.protocol import answers, requests
from clew.protocol.requests import sendable
from clew.remote.client import Client, Params
from clew.remote.watching import RemoteWatcher
from clew.reports import Backup, Compaction, Finding, Moved, StoreStats

T = TypeVar("T")

_STORED = {"form": "stored"}
_BARE = {"form": "bare"}

SESSIONS = "/v1/sessions"
CHECKPOINTS = "/v1/sessions/checkpoints"


class RemoteBackend(Backend):
    """A store behind a clew server. Made by `open_backend`."""

    def __init__(self, client: Client, *, read_only: bool = False, keeps_times: bool = False) -> None:
        """With `keeps_times` writes have the times that are given with them, else those of the server's clock."""
        self._client = client
        self._read_only = read_only
        self._keeps_times = keeps_times

    def __repr__(self) -> str:
        return f"RemoteBackend({self._client.target.endpoint!r})"

    # -- sessions

    def create_session(self, new: NewSession, *, ensure: bool = False) -> Session:
        if ensure:
            return self._make(f"{SESSIONS}/ensure", requests.EnsureSession.of(new), None, new.now)
        return self._make(SESSIONS, requests.CreateSession.of(new), _made(new), new.now)

    def get_session(self, session_id: UUID) -> Session:
        return self._session("GET", f"{SESSIONS}/{session_id}", params=_STORED)

    def get_session_summary(self, session_id: UUID) -> SessionSummary:
        return self._get(f"{SESSIONS}/{session_id}/summary", answers.OneSummary).session.value()

    def find_session(self, source: str, source_id: str, owner: str | None = None) -> Session:
        params = {"source": source, "source_id": source_id, "owner": owner, **_STORED}
        return self._session("GET", f"{SESSIONS}/find", params=params)

    def find_session_summary(self, source: str, source_id: str, owner: str | None = None) -> SessionSummary:
        params = {"source": source, "source_id": source_id, "owner": owner, **_STORED}
        found = self._client.call("GET", f"{SESSIONS}/find/summary", answers.OneSummary, params=params)
        return found.session.value()

    def list_sessions(self, query: SessionQuery) -> Page[SessionSummary]:
        return self._ask(f"{SESSIONS}/list", answers.SessionList, requests.ListSessions.of(query)).value()

    def store_stats(self, owner: str | None) -> StoreStats:
        return self._client.call("GET", "/v1/stats", answers.StatsAnswer, params={"owner": owner}, slow=True).stats

    def move_directory(self, move: DirectoryMove) -> Moved:
        path, body = f"{SESSIONS}/move", requests.MoveDirectory.of(move)
        if move.dry_run:
            return self._ask(path, answers.MovedAnswer, body).moved
        return self._write(path, answers.MovedAnswer, body).moved

    def update_session(self, session_id: UUID, changes: SessionChanges) -> Session:
        return self._change("PATCH", f"{SESSIONS}/{session_id}", requests.UpdateSession.of(changes), changes.now)

    def purge_session(self, session_id: UUID, if_revision: int | None = None, *, erase: bool = True) -> bool:
        body = requests.PurgeSession(if_revision=sendable(if_revision), erase=erase)
        return self._write(f"{SESSIONS}/{session_id}/purge", answers.PurgedSession, body).whole

    def erase_purged(self) -> bool:
        return self._write("/v1/erase", answers.Erased, None).erased

    def fork_session(self, session_id: UUID, new: NewFork) -> Session:
        return self._make(f"{SESSIONS}/{session_id}/fork", requests.ForkSession.of(new), _made(new), new.now)

    def copy_session(self, session_id: UUID, new: NewCopy) -> Session:
        return self._make(f"{SESSIONS}/{session_id}/copy", requests.CopySession.of(new), _made(new), new.now)

    # -- checkpoints

    def write_checkpoint(self, session_id: UUID, new: NewCheckpoint) -> Checkpoint:
        self._check_writable()
        what = requests.CreateCheckpoint.of(new) if new.full else requests.Append.of(new)
        path = f"{SESSIONS}/{session_id}/{'checkpoints' if new.full else 'append'}"
        made = _made(new)
        found = None if made is None else lambda: self._read_checkpoint(made, _BARE)
        answer = self._client.call(
            "POST", path, answers.OneCheckpoint, body=what, params=_BARE, found=found, now=self._time(new.now)
        )
        return answer.checkpoint.value(self._unread)

    def get_checkpoint(self, checkpoint_id: UUID) -> Checkpoint:
        return self._read_checkpoint(checkpoint_id, _STORED).checkpoint.value(self._unread)

    def get_checkpoint_summary(self, checkpoint_id: UUID) -> CheckpointSummary:
        path = f"{CHECKPOINTS}/{checkpoint_id}/summary"
        return self._get(path, answers.OneCheckpointSummary).checkpoint.value()

    def find_checkpoint(self, session_id: UUID, label: str) -> Checkpoint:
        path = f"{SESSIONS}/{session_id}/labels/{_segment(label)}"
        return self._get(path, answers.OneCheckpoint).checkpoint.value(self._unread)

    def list_checkpoints(self, query: CheckpointQuery) -> Page[CheckpointSummary]:
        return self._ask("/v1/checkpoints/list", answers.CheckpointList, requests.ListCheckpoints.of(query)).value()

    def find_checkpoints(self, search: CheckpointSearch) -> Page[CheckpointSummary]:
        return self._ask("/v1/checkpoints/find", answers.CheckpointList, requests.FindCheckpoints.of(search)).value()

    def search(self, search: MessageSearch) -> Page[SearchHit]:
        return self._ask("/v1/search", answers.HitList, requests.SearchMessages.of(search)).value()

    def update_search_index(self, report: Report | None) -> None:
        self.search(MessageSearch(text="", limit=0, cursor=None))  # a search brings it up to date, whatever it finds

    def list_children(self, checkpoint_id: UUID) -> list[CheckpointSummary]:
        return self._get(f"{CHECKPOINTS}/{checkpoint_id}/children", answers.CheckpointList).values()

    def list_ancestry(self, checkpoint_id: UUID) -> list[CheckpointSummary]:
        return self._get(f"{CHECKPOINTS}/{checkpoint_id}/ancestry", answers.CheckpointList).values()

    def list_branches(self, session_id: UUID) -> list[CheckpointSummary]:
        return self._get(f"{SESSIONS}/{session_id}/branches", answers.CheckpointList).values()

    def set_label(self, checkpoint_id: UUID, label: str | None, now: int, *, move: bool) -> CheckpointSummary:
        self._check_writable()
        path, body = f"{CHECKPOINTS}/{checkpoint_id}/label", requests.SetLabel(label=label, move=move)
        answer = self._client.call(
            "PUT", path, answers.OneCheckpointSummary, body=body, params=_STORED, now=self._time(now)
        )
        return answer.checkpoint.value()

    def delete_checkpoints(
        self, session_id: UUID, ids: Sequence[UUID], children: Children, now: int, if_revision: int | None = None
    ) -> Session:
        body = requests.DeleteCheckpoints(ids=list(ids), children=children, if_revision=sendable(if_revision))
        return self._change("POST", f"{SESSIONS}/{session_id}/checkpoints/delete", body, now)

    def get_messages(
        self, place: Place, start: int | None, stop: int | None, session_id: UUID | None = None
    ) -> list[bytes]:
        label = place.name if isinstance(place, Label) else None
        params = {"start": start, "stop": stop, "label": label, **_STORED}
        path = f"{CHECKPOINTS}/{place}" if session_id is None else f"{SESSIONS}/{session_id}"
        found = self._client.call("GET", f"{path}/messages", answers.Messages, params=params)
        return list(found.messages.texts)

    def get_descent(self, checkpoint_id: UUID) -> list[UUID]:
        return self._get(f"{CHECKPOINTS}/{checkpoint_id}/descent", answers.Descent).ids

    def set_active_checkpoint(self, session_id: UUID, place: Place, now: int) -> Session:
        return self._change("PUT", f"{SESSIONS}/{session_id}/active", requests.SetActive.of(place), now)

    def arriving(self) -> "RemoteBackend":
        return RemoteBackend(self._client, read_only=self._read_only, keeps_times=True)

    # -- attachments

    def attach(self, session_id: UUID, new: NewAttachments) -> None:
        self._send(f"{SESSIONS}/{session_id}/attachments", requests.Attach.of(new), new.now)

    def detach(self, session_id: UUID, place: Place, names: Sequence[str], now: int) -> None:
        self._send(f"{SESSIONS}/{session_id}/attachments/detach", requests.Detach.of(place, list(names)), now)

    def list_waiting(self, session_id: UUID) -> dict[str, list[AttachmentInfo]]:
        return self._get(f"{SESSIONS}/{session_id}/waiting", answers.WaitingLabels).waiting

    def get_waiting(self, session_id: UUID, label: str) -> dict[str, Attachment]:
        return self._get(f"{SESSIONS}/{session_id}/waiting/{_segment(label)}", answers.Waiting).value()

    def get_attachments(self, checkpoint_ids: Sequence[UUID], prefix: str) -> dict[UUID, dict[str, Attachment]]:
        body = requests.GetAttachments(checkpoint_ids=list(checkpoint_ids), prefix=prefix)
        return self._ask("/v1/attachments/get", answers.AttachmentsByCheckpoint, body).value()

    def list_attachments(self, checkpoint_id: UUID, prefix: str) -> list[AttachmentInfo]:
        path = f"{CHECKPOINTS}/{checkpoint_id}/attachments"
        return self._client.call("GET", path, answers.AttachmentList, params={"prefix": prefix}).attachments

    def get_attachment(self, checkpoint_id: UUID, name: str, start: int | None, stop: int | None) -> Attachment:
        path = f"{CHECKPOINTS}/{checkpoint_id}/attachments/{_segment(name)}"
        params = {"start": start, "stop": stop}
        return self._client.call("GET", path, answers.AttachmentForm, params=params).value()

    # -- API keys

    def create_key(self, new: NewApiKey) -> ApiKey:
        return self._write("/v1/keys/keep", answers.OneKey, requests.KeepKey.of(new)).key

    def list_keys(self) -> list[ApiKey]:
        return self._get("/v1/keys", answers.KeyList).keys

    def find_key(self, digest: bytes) -> ApiKey | None:
        return self._ask("/v1/keys/find", answers.FoundKey, requests.FindKey(digest=digest)).key

    def use_key(self, key_id: UUID, now: int) -> ApiKey:
        return self._write(f"/v1/keys/{key_id}/use", answers.OneKey, None).key

    def revoke_key(self, key_id: UUID, now: int) -> ApiKey:
        self._check_writable()
        return self._client.call("DELETE", f"/v1/keys/{key_id}", answers.OneKey).key

    # -- changes

    def last_change(self) -> int:
        return self._get("/v1/changes/last", answers.LastChange).last_change

    def list_changes(self, after: int, session_id: UUID | None, limit: int, owner: str | None = None) -> Changes:
        params = {"after": after, "session_id": session_id, "limit": limit, "owner": owner}
        return self._client.call("GET", "/v1/changes", answers.ChangeList, params=params).value()

    def open_watcher(self) -> Watcher:
        return RemoteWatcher(self._client)

    # -- looking after the data

    def verify(self, report: Report | None) -> Iterator[Finding]:
        self._client.check_open()
        return self._findings(report)

    def _findings(self, report: Report | None) -> Iterator[Finding]:
        for line in self._client.lines("GET", "/v1/verify"):
            if line.progress is not None and report is not None:
                report(line.progress)
            if line.finding is not None:
                yield line.finding

    def backup(self, path: str, *, overwrite: bool, verify: bool, report: Report | None) -> Backup:
        self._client.check_open()
        raise InvalidRequestError(
            "a store behind a server has no file to copy here: run `clew backup` where the server runs, or `clew copy` "
            "into a file"
        )

    def compact(self, report: Report | None) -> Compaction:
        self._check_writable()
        done = None
        for line in self._client.lines("POST", "/v1/compact"):
            if line.progress is not None and report is not None:
                report(line.progress)
            done = line.compaction or done
        if done is None:
            raise UnavailableError("the server does not say what compacting did")
        return done

    def info(self) -> BackendInfo:
        self._client.check_open()
        return BackendInfo(kind="http", endpoint=self._client.target.endpoint)

    def close(self) -> None:
        self._client.close()

    # -- requests

    def _get(self, path: str, kind: type[T]) -> T:
        return self._client.call("GET", path, kind, params=_STORED)

    def _ask(self, path: str, kind: type[T], body: requests.Request) -> T:
        """A question that is too long for an address. It changes nothing."""
        return self._client.call("POST", path, kind, body=body, params=_STORED, asks=True)

    def _write(self, path: str, kind: type[T], body: requests.Request | None) -> T:
        self._check_writable()
        return self._client.call("POST", path, kind, body=body, slow=True)

    def _send(self, path: str, body: requests.Request, now: int) -> None:
        self._check_writable()
        self._client.send("POST", path, body=body, now=self._time(now))

    def _session(
        self, method: str, path: str, *, params: Params, body: object = None, now: int | None = None
    ) -> Session:
        answer = self._client.call(method, path, answers.OneSession, params=params, body=body, now=now)
        return answer.session.value(self._unread)

    def _change(self, method: str, path: str, body: requests.Request, now: int) -> Session:
        self._check_writable()
        return self._session(method, path, params=_BARE, body=body, now=self._time(now))

    def _make(self, path: str, body: requests.Request, made: UUID | None, now: int) -> Session:
        self._check_writable()
        found = None if made is None else lambda: self._read_made(made)
        answer = self._client.call(
            "POST", path, answers.CreatedSession, body=body, params=_BARE, slow=True, found=found, now=self._time(now)
        )
        if answer.session is None:
            raise InvalidRequestError("the server does not tell what it created")
        return answer.session.value(self._unread)

    def _read_made(self, session_id: UUID) -> answers.CreatedSession:
        found = self._client.call("GET", f"{SESSIONS}/{session_id}", answers.OneSession, params=_BARE)
        return answers.CreatedSession(session_id=session_id, session=found.session)

    def _read_checkpoint(self, checkpoint_id: UUID, params: Params) -> answers.OneCheckpoint:
        return self._client.call("GET", f"{CHECKPOINTS}/{checkpoint_id}", answers.OneCheckpoint, params=params)

    def _unread(self, checkpoint_id: UUID) -> State:
        return State.deferred(lambda: self._read_state(checkpoint_id))

    def _read_state(self, checkpoint_id: UUID) -> StoredState:
        return self.get_checkpoint(checkpoint_id).state.raw

    def _time(self, now: int) -> int | None:
        """The time to send with a write: none, where it has that of the server's clock."""
        return now if self._keeps_times else None

    def _check_writable(self) -> None:
        self._client.check_open()
        if self._read_only:
            raise InvalidRequestError("the store was opened read-only")


def _made(new: Any) -> UUID | None:
    """The id that clew made for a write: nobody else can have written it. None where the caller chose one."""
    id: UUID = new.id
    return id if new.fingerprint is None else None


def _segment(text: str) -> str:
    """Any text as one part of a path."""
    return quote(text, safe="").replace(".", "%2E")
