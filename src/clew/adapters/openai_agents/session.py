"""`ClewSession`: what the SDK's Runner calls, awaited, and what a clew session can do beyond that."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from agents.memory import SessionSettings
from agents.memory.session_settings import coerce_session_settings, resolve_session_limit

from clew import Store
from clew.adapters.handle import AnyStore, Handle
from clew.adapters.openai_agents import branches
from clew.adapters.openai_agents.branches import Branch
from clew.adapters.openai_agents.conversation import Conversation
from clew.adapters.openai_agents.tips import MAIN

if TYPE_CHECKING:
    from agents import RunContextWrapper, TResponseInputItem
    from agents.memory.session import _CompactionSnapshot

P = ParamSpec("P")
T = TypeVar("T")


class ClewSession:
    """A session of the OpenAI Agents SDK in a clew store.

    Give it to ``Runner.run(…, session=…)``. Items come back as they were given, in their order. Every change adds a
    checkpoint to the session's tree, and none removes what was there before, but `purge_session`.

    What two objects, threads or processes do to one session at once, all of it counts: batches that are added follow
    each other in some order, and no item is popped twice. Which branch is current is said in the store: it is the same
    for every object of the session, and the one that the next object goes on with.

    A session marked deleted in clew has no items, and takes none until it is restored or purged: ConflictError.
    An object that has it already learns of it when it next reads its items.

    Raises `clew.StorageError`s for whatever a store refuses or cannot do, CorruptStateError for damage; RuntimeError
    once it is closed. A write that is cancelled has ended when the CancelledError comes out.
    """

    def __init__(
        self,
        session_id: str,
        store: AnyStore = ":memory:",
        session_settings: "SessionSettings | dict[str, Any] | None" = None,
        *,
        title: str | None = None,
        owner: str | None = None,
        session_metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """The session called `session_id`; it is made in the store by the first items.

        `store` is an open store, or the URL or path of one, which is opened here and closed by `close`; ``:memory:`` is
        gone then. `session_settings` says how many items `get_items` returns where it is not told.

        The others are for when the session is made: `title` (the beginning of what the user says first, unless given),
        `owner` (whose it is: sessions of others are others, whatever they are called), and `session_metadata`, an
        object to filter lists by.
        """
        self.session_id = session_id
        self.session_settings: SessionSettings | None = (
            SessionSettings() if session_settings is None else coerce_session_settings(session_settings)
        )
        self._conversation = Conversation(session_id, title=title, owner=owner, session_metadata=session_metadata)
        self._handle = Handle(store)
        self._is_closed = False

    async def get_items(
        self, limit: int | None = None, *, wrapper: "RunContextWrapper[Any] | None" = None
    ) -> "list[TResponseInputItem]":
        """The newest `limit` items of the current branch, oldest first; of those without a limit only these are read.

        None is the limit of `session_settings`, and all items where that has none; so is a negative number.
        """
        return await self._run(self._conversation.items, resolve_session_limit(limit, self.session_settings))

    async def add_items(
        self, items: "list[TResponseInputItem]", *, wrapper: "RunContextWrapper[Any] | None" = None
    ) -> None:
        """Add items at the end of the current branch: all of them or none, side by side.

        InvalidRequestError for an item that is no JSON object; nothing is added then.
        """
        self._refuse_if_closed()
        if items:
            await self._run(self._conversation.append, list(items))

    async def pop_item(self, *, wrapper: "RunContextWrapper[Any] | None" = None) -> "TResponseInputItem | None":
        """Take the last item off the current branch and return it; None where there is none."""
        return await self._run(self._conversation.pop)

    async def clear_session(self, *, wrapper: "RunContextWrapper[Any] | None" = None) -> None:
        """Go on from no items at all, on the current branch.

        What was there stays in the session's tree, and other branches stay as they are: `purge_session` removes it.
        """
        await self._run(self._conversation.clear)

    async def purge_session(self) -> None:
        """Remove the session with all its branches for good, one that is marked deleted too.

        Items that are added later begin a new one.
        """
        await self._run(self._conversation.purge)

    async def create_branch(self, name: str, at: int | str | None = None) -> None:
        """Begin a branch and go on with it.

        It has the items that the current branch has now, or the first `at` of them, or those of the label `at`. Nothing
        is copied. ConflictError where there is a branch of that name.
        """
        await self._change(branches.create, name, at)

    async def switch_branch(self, name: str) -> None:
        """Go on with another branch where it was left. NotFoundError where there is none of that name."""
        await self._change(branches.switch, name)

    async def current_branch(self) -> str:
        """The name of the branch that items are added to."""
        return await self._run(self._conversation.look, branches.current, MAIN)

    async def list_branches(self) -> list[Branch]:
        """The branches of the session: ``main`` first, the others by name. Reads the checkpoints once at most."""
        return await self._run(self._conversation.look, branches.listing, [])

    async def delete_branch(self, name: str) -> None:
        """Forget the name of a branch, which can be given to another one then. What it has stays in the tree.

        ConflictError for the current branch, InvalidRequestError for ``main``.
        """
        await self._change(branches.delete, name)

    async def rewind(self, to: int | str) -> None:
        """Go back, on the current branch, to its first `to` items, or to the items of the label `to`.

        What comes after them stays in the tree. InvalidRequestError where there are fewer items; NotFoundError where
        there is no such label.
        """
        await self._change(branches.rewind, to)

    async def set_label(self, name: str, *, move: bool = False) -> None:
        """Give the items there are now a name, for `create_branch` and `rewind`.

        ConflictError where the session has that label already, unless `move` takes it from there.
        """
        await self._change(branches.set_label, name, move)

    async def list_labels(self) -> dict[str, int]:
        """The labels of the session, of all branches, and how many items each has."""
        return await self._run(self._conversation.look, branches.labels, {})

    def close(self) -> None:
        """Close what was opened here; a store that was given stays open. A second call does nothing."""
        self._is_closed = True
        self._handle.close()

    async def _get_compaction_snapshot(
        self, limit: int, *, prune_prefix: "Callable[[TResponseInputItem], bool] | None" = None
    ) -> "_CompactionSnapshot | None":
        """The newest items, and how to put others in the place of the last of them, for the SDK's compaction.

        Nothing is replaced once somebody has written to the session after that.
        """
        if type(self) is not ClewSession:  # one that keeps its items in another form cannot be gone round
            return None
        from agents.memory.session import _CompactionSnapshot

        tail = await self._run(self._conversation.tail, limit)
        if tail is None:
            return None

        async def replace_suffix(start: int, output: "list[TResponseInputItem]") -> bool:
            if start >= len(tail.items):
                return False
            return await self._run(self._conversation.replace_tail, tail, start, list(output), prune_prefix)

        return _CompactionSnapshot(tail.items, tail.first == 0, replace_suffix)

    async def _atomic_replace_items(self, items: "list[TResponseInputItem]") -> bool:
        """Put items in the place of all that there are, in one write, where the SDK compacts all of them."""
        if type(self) is not ClewSession:
            return False
        await self._run(self._conversation.replace, list(items))
        return True

    async def _change(self, call: Callable[..., None], *args: Any) -> None:
        await self._run(self._conversation.change, lambda store, session: call(store, session, *args))

    async def _run(self, call: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._refuse_if_closed()
        return await self._handle.run(call, *args, **kwargs)

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise RuntimeError(f"{type(self).__name__} is closed")
