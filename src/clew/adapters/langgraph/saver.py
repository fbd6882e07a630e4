"""The checkpointer itself: LangGraph's methods, each over the module that does it."""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from clew.adapters.handle import AnyStore, Handle
from clew.adapters.langgraph.listing import Lister, sessions_of, sessions_of_thread
from clew.adapters.langgraph.memory import Memory
from clew.adapters.langgraph.names import checkpoint_of, place_of
from clew.adapters.langgraph.reading import Reader
from clew.adapters.langgraph.removing import copy_thread, delete_for_runs, delete_thread, prune
from clew.adapters.langgraph.values import Values
from clew.adapters.langgraph.writing import Writer, merged

_STEP = 20
"""How many checkpoints of a list a coroutine takes at a time."""


class ClewSaver(BaseCheckpointSaver[int]):
    """Checkpoints of LangGraph in a store of clew.

    A namespace of a thread is a session. Its lists of chat messages, and every other list once it has grown past its
    value in the parent checkpoint, share the session's messages, of which each checkpoint adds what is new; a list that
    never grew, or was replaced since, is an attachment, as any other channel.

    For threads, tasks and event loops at once, and several processes may use one store: two that write from one
    checkpoint make two branches, and both stay; the newest is the one with the largest id.

    The methods with an ``a`` do the same in a thread of the store. One that is cancelled is done or has not begun.
    """

    def __init__(self, store: AnyStore, *, serde: SerializerProtocol | None = None) -> None:
        """`store` is a `Store`, an `AsyncStore`, or a URL or path to open.

        Without a `serde`, LangGraph's own brings back nothing but the types that it takes for safe, and those that
        `with_allowlist` names. With one that is not a `JsonPlusSerializer`, such as an `EncryptedSerializer`, all
        content goes through it: what is left to read are ids, names of channels, roles, and of the metadata source,
        step and run_id.
        """
        super().__init__(serde=serde or JsonPlusSerializer(allowed_msgpack_modules=None))
        self._handle = Handle(store)
        self._memory = Memory()

    def close(self) -> None:
        """Close the store, where it was opened here."""
        self._handle.close()

    def __enter__(self) -> "ClewSaver":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that `config` names, or the newest of its thread and namespace; None where there is none."""
        return self._reader().read(self._handle.store, place_of(config))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Checkpoints, the newest first: of a namespace, of a thread where no namespace is named, or of all threads.

        Read by the page while it is iterated; nothing is locked meanwhile. `filter` are keys of the metadata that must
        be equal, `before` leaves out checkpoints from that id on. The tuples of one list share the items of
        their lists.
        """
        store, reader, wanted = self._handle.store, self._reader(), filter or {}
        before_id = None if before is None else checkpoint_of(before)
        if limit is not None and limit <= 0:
            return
        if config is None:
            sessions = sessions_of_thread(store, self._memory.names, None)
        else:
            place = place_of(config)
            if place.checkpoint is not None:
                found = self._one(config, wanted, before_id)
                if found is not None:
                    yield found
                return
            with_namespaces = config["configurable"].get("checkpoint_ns") is None
            sessions = (
                sessions_of_thread(store, self._memory.names, place.thread)
                if with_namespaces
                else sessions_of(store, self._memory.names, place)
            )
        yield from Lister(reader).tuples(store, sessions, before=before_id, wanted=wanted, limit=limit)

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint after the one that `config` names, or as the first of a branch where it names none.

        The same call again changes nothing; another checkpoint with an id that is taken is ConflictError. NotFoundError
        where the parent is gone, so that nothing brings a deleted thread back. UnkeepableError for a value that would
        not come back equal and of the same types.
        """
        place = place_of(config)
        reader = self._reader()
        Writer(self._memory, reader).put(
            self._handle.store,
            place,
            checkpoint,
            merged(config, metadata),
            new_versions,  # type: ignore[arg-type]
        )
        return place.config(checkpoint["id"])  # type: ignore[return-value]

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Keep what a task has written from the checkpoint that `config` names, which may be stored later.

        What a task has written once stays; its errors, interrupts and answers to them are replaced. Of a namespace that
        has no checkpoint yet they wait in memory for the first, and long lists for the checkpoint itself. NotFoundError
        where this saver has deleted the thread since that checkpoint.
        """
        Writer(self._memory, self._reader()).put_writes(
            self._handle.store, place_of(config), writes, task_id, task_path
        )

    def delete_thread(self, thread_id: str) -> None:
        """Remove a thread with all its namespaces for good: no byte of it stays that nothing else needs."""
        delete_thread(self._handle.store, self._memory, str(thread_id))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints of runs, by their metadata's `run_id`, in all threads.

        What went on from them goes on from their nearest ancestor that stays, with its whole state; a `DeltaChannel`
        loses what these runs have written, as LangGraph says.
        """
        delete_for_runs(self._handle.store, run_ids)

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy a thread with all its namespaces, checkpoints and writes. Content is shared, not copied.

        ConflictError where there is a thread of the target's name, unless it is a copy of the same thread that broke
        off: that is completed. Of a thread that is not there, nothing comes.
        """
        copy_thread(self._handle.store, self._memory.names, str(source_thread_id), str(target_thread_id))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keep the newest checkpoint of each namespace ("keep_latest"), or none ("delete").

        Of a graph with a `DeltaChannel` the ancestors stay that its value is put together from. ConflictError where
        somebody is writing to the thread.
        """
        prune(self._handle.store, self._memory, self._reader(), [str(id) for id in thread_ids], strategy)

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """What was written to channels by the ancestors of a checkpoint, back to those that have their values."""
        if not channels:
            return {}
        store, reader = self._handle.store, self._reader()
        row = reader.find_row(store, place_of(config))
        if row is None:
            return {channel: {"writes": []} for channel in channels}
        return Lister(reader).history(store, row, channels)

    def with_allowlist(self, extra_allowlist: Collection[tuple[str, ...]]) -> "ClewSaver":
        """A saver over the same store that brings back these types too, each a module and a name."""
        return super().with_allowlist(extra_allowlist)  # type: ignore[return-value]

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """See `get_tuple`."""
        return await self._handle.run(lambda _: self.get_tuple(config))

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """See `list`."""
        found = self.list(config, filter=filter, before=before, limit=limit)
        while some := await self._handle.run(lambda _: [*islice(found, _STEP)]):
            for item in some:
                yield item

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See `put`."""
        return await self._handle.run(lambda _: self.put(config, checkpoint, metadata, new_versions))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """See `put_writes`."""
        await self._handle.run(lambda _: self.put_writes(config, writes, task_id, task_path))

    async def adelete_thread(self, thread_id: str) -> None:
        """See `delete_thread`."""
        await self._handle.run(lambda _: self.delete_thread(thread_id))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """See `delete_for_runs`."""
        await self._handle.run(lambda _: self.delete_for_runs(run_ids))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """See `copy_thread`."""
        await self._handle.run(lambda _: self.copy_thread(source_thread_id, target_thread_id))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """See `prune`."""
        await self._handle.run(lambda _: self.prune(thread_ids, strategy=strategy))

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """See `get_delta_channel_history`."""
        return await self._handle.run(lambda _: self.get_delta_channel_history(config=config, channels=channels))

    def _reader(self) -> Reader:
        return Reader(self._memory, Values(self.serde))  # anew: a graph may have changed the serializer of a clone

    def _one(self, config: RunnableConfig, wanted: dict[str, Any], before: str | None) -> CheckpointTuple | None:
        found = self.get_tuple(config)
        if found is None or (before is not None and found.checkpoint["id"] >= before):
            return None
        return found if all(found.metadata.get(name) == value for name, value in wanted.items()) else None
