"""The store that an adapter was given, in whatever form."""

import os
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

import clew
from clew import AsyncStore, Store

P = ParamSpec("P")
T = TypeVar("T")

AnyStore = Store | AsyncStore | str | os.PathLike[str]
"""A store, or where to open one: whatever `clew.open` takes."""


class Handle:
    """A store for an adapter: its plain face, and calls of it that coroutines may await."""

    def __init__(self, store: AnyStore) -> None:
        """`store` is used as it is; one given as a URL or path is opened here, and closed by `close`."""
        self._is_own = not isinstance(store, Store | AsyncStore)
        if isinstance(store, AsyncStore):
            self.store = store.sync
        else:
            self.store = store if isinstance(store, Store) else clew.open(store)

    async def run(self, call: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `call(store, …)` in a thread of the store.

        Whoever is cancelled meanwhile learns of it when the call has ended: what comes next finds it done or failed,
        never under way.
        """
        return await self.store.aio._submit(call, *args, **kwargs)

    def close(self) -> None:
        """Close the store where it was opened here; others go on with one that was given."""
        if self._is_own:
            self.store.close()
