"""The store: what clew promises, whichever backend keeps the data.

Policy is here and only here: what is refused and with which words, defaults, ids, the clock, what a repeated call
means, and what is remembered between calls. Backends get checked and encoded values and do one transaction each. The
methods are in a module for each thing they are about; `Store` is all of them.
"""

import os
from typing import TYPE_CHECKING

from clew import limits
from clew.backend import Durability
from clew.opening import open_url
from clew.store.base import Id
from clew.store.statistics import StatisticsMethods

if TYPE_CHECKING:
    from clew.aio import AsyncStore

__all__ = ["Id", "Store", "open"]


def open(
    url: str | os.PathLike[str] | None = None,
    *,
    durability: Durability = "full",
    busy_timeout: float = limits.DEFAULT_BUSY_TIMEOUT,
    read_only: bool = False,
    api_key: str | None = None,
) -> "Store":
    """Open a store.

    `url` is a path, ``sqlite:///path``, ``:memory:`` (private, gone when it is closed), ``postgresql://host/name`` (or
    any connection string of libpq's), ``https://host`` (a clew server), or None for ``$CLEW_URL``, else a file in the
    platform's directory for data of programs. Missing directories are made (0700), and the file (0600); missing tables
    are made too.

    With `durability` "full" a write that has returned survives a loss of power; with "normal" it survives a crash of
    the program, and the store stays whole in any case. `busy_timeout` is how many seconds a call waits for other
    writers, or for a server, before it raises UnavailableError. A `read_only` store must exist and refuses every write.
    `api_key` is for a clew server, None for ``$CLEW_API_KEY``.

    UnavailableError where the file cannot be opened, is no database, is another program's, or is from a newer clew, and
    where the server cannot be reached; UnauthorizedError where that refuses.
    """
    return Store(open_url(url, durability=durability, busy_timeout=busy_timeout, read_only=read_only, api_key=api_key))


class Store(StatisticsMethods):
    """Sessions and their checkpoints. Made by `clew.open`; safe to use from many threads at once.

    Every method raises a `clew.StorageError` for whatever fails; a session or checkpoint that does not exist is
    NotFoundError, an argument that no store could take InvalidRequestError. Nothing is changed by a call that raises.
    """

    @property
    def aio(self) -> "AsyncStore":
        """The same open store, for use with ``await``."""
        if self._aio is None:
            from clew.aio import AsyncStore

            self._aio = AsyncStore.over(self)
        return self._aio
