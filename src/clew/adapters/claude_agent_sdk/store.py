"""`ClewSessionStore`: the SDK's session store over clew."""

import asyncio
import threading
from collections import OrderedDict
from typing import Any, cast
from weakref import WeakKeyDictionary, WeakValueDictionary

from claude_agent_sdk import (
    SessionKey,
    SessionListSubkeysKey,
    SessionStore,
    SessionStoreEntry,
    SessionStoreListEntry,
    SessionSummaryEntry,
)

from clew import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    StorageError,
    Store,
)
from clew.adapters.claude_agent_sdk.names import source_id
from clew.adapters.claude_agent_sdk.reading import Reader
from clew.adapters.claude_agent_sdk.transcript import Transcript
from clew.adapters.handle import AnyStore, Handle

Entry = dict[str, Any]

MAX_TRANSCRIPTS = 128
"""How many transcripts an object remembers the uuids of; one that is forgotten is read when it is next written to."""

MAX_ATTEMPTS = 100
"""How often other writers may come between, each time having written themselves."""


class ClewSessionStore(SessionStore):
    """Keeps the transcripts of Claude Code, all six methods of the SDK's protocol. For asyncio.

    A transcript is a session with the source "claude-agent-sdk", a line of it a message, and a batch of lines a
    checkpoint. Lines come back equal, in the order of their keys too. A line with a `uuid` is stored once, however
    often it comes and from however many processes; one without is added each time.
    """

    def __init__(self, store: AnyStore, *, owner: str | None = None) -> None:
        """`store` is a `clew.Store` or a `clew.AsyncStore`, which the caller closes, or a URL or path to open here.

        `owner` is whose the transcripts are: those of others are others, whatever their keys. None is nobody, and over
        a server the name of the caller's API key.
        """
        self._handle = Handle(store)
        self._reader = Reader(owner)
        self._transcripts: OrderedDict[str, Transcript] = OrderedDict()
        self._mutex = threading.Lock()
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakValueDictionary[str, asyncio.Lock]] = (
            WeakKeyDictionary()
        )

    def close(self) -> None:
        """Close the store where it was opened here."""
        self._handle.close()

    async def append(self, key: SessionKey, entries: list[SessionStoreEntry]) -> None:
        """Add lines to a transcript, in one transaction.

        Those whose `uuid` it has are left out, also where another process has added them meanwhile; of two writers one
        goes first, and neither loses a line. Of one object the calls for a transcript are done in the order in which
        they were made. InvalidRequestError, and nothing is added, where a line is no object that JSON holds exactly.
        """
        name = source_id(key)
        for place, entry in enumerate(entries):
            if not isinstance(entry, dict):
                raise InvalidRequestError(f"entries[{place}] must be an object, not {type(entry).__name__}")
        if entries:
            async with self._turn(name):
                await self._handle.run(self._append, key, cast("list[Entry]", [*entries]))

    async def load(self, key: SessionKey) -> list[SessionStoreEntry] | None:
        """All lines of a transcript, in order; None where there are none.

        After `clew rewind` they are those up to the checkpoint that it went back to. A session that was marked deleted
        in clew has none, until it is restored.
        """
        return await self._handle.run(self._reader.load, key)

    async def list_sessions(self, project_key: str) -> list[SessionStoreListEntry]:
        """The main transcripts of a project that have lines, newest change first.

        `mtime` is when the last lines were stored, in milliseconds since 1970.
        """
        return await self._handle.run(self._reader.list_sessions, project_key)

    async def list_session_summaries(self, project_key: str) -> list[SessionSummaryEntry]:
        """What the SDK's list shows of each of these, as it was written together with their last lines.

        One that was last written by something else, `clew rewind` or `clew append`, is read and summed up again.
        """
        return await self._handle.run(self._reader.list_summaries, project_key)

    async def delete(self, key: SessionKey) -> None:
        """Remove a transcript for good: a subagent's alone, or a main one with those of all its subagents.

        One that is not there is no error. What is appended afterwards begins anew. UnavailableError as of
        `clew.Store.purge_session`: all are removed then too.
        """
        name = source_id(key)
        async with self._turn(name):
            await self._handle.run(self._delete, key)

    async def list_subkeys(self, key: SessionListSubkeysKey) -> list[str]:
        """The subpaths of a session whose transcripts have lines."""
        return await self._handle.run(self._reader.list_subkeys, key)

    def _turn(self, name: str) -> asyncio.Lock:
        """What calls for one transcript wait at: a lock of asyncio lets them through in the order of their coming."""
        locks = self._turns.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
        found = locks.get(name)
        if found is None:
            found = locks[name] = asyncio.Lock()
        return found

    def _append(self, store: Store, key: SessionKey, entries: list[Entry]) -> None:
        name = source_id(key)
        for _ in range(MAX_ATTEMPTS):
            transcript = self._take(name)
            try:
                if transcript is None:
                    transcript = Transcript(store, key, entries, self._reader.owner)
                is_done = transcript.add(store, entries)
            except NotFoundError:  # deleted meanwhile: it begins anew
                continue
            except StorageError:
                self._keep(name, transcript)  # it knows what to ask when the same lines come again
                raise
            self._keep(name, transcript)
            if is_done:
                return
        raise ConflictError(f"others have written to {name} {MAX_ATTEMPTS} times meanwhile")

    def _delete(self, store: Store, key: SessionKey) -> None:
        errors: list[StorageError] = []
        for session_id in self._reader.all_of(store, key):
            try:
                store.purge_session(session_id)
            except NotFoundError:
                continue
            except StorageError as error:  # the others are to go all the same
                errors.append(error)
        if errors:
            raise errors[0]

    def _take(self, name: str) -> Transcript | None:
        """A transcript that is known, for one thread at a time: until it is kept again nobody else gets it."""
        with self._mutex:
            return self._transcripts.pop(name, None)

    def _keep(self, name: str, transcript: Transcript | None) -> None:
        if transcript is None:
            return
        with self._mutex:
            self._transcripts[name] = transcript
            while len(self._transcripts) > MAX_TRANSCRIPTS:
                self._transcripts.popitem(last=False)
