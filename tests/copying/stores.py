"""Two stores to copy between: what is in one, and hands that stop or spoil a copy."""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from clew import Attachment, Store
from clew.copying import Copied, Copy
from clew.model import SessionSummary
from clew.sqlite import open_backend

READS = (
    "get_session", "find_session", "list_sessions", "get_checkpoint", "list_checkpoints", "get_messages",
    "list_waiting", "get_waiting", "get_attachments", "list_attachments", "get_attachment",
)  # fmt: skip
WRITES = (
    "create_session", "update_session", "purge_session", "fork_session", "write_checkpoint", "set_label",
    "delete_checkpoints", "set_active_checkpoint", "attach", "detach",
)  # fmt: skip

SESSION_FIELDS = (
    "title", "visibility", "status", "cwd", "source", "source_id", "parent_session_id", "forked_from", "metadata",
    "created_at", "updated_at", "active_checkpoint_id", "message_count", "checkpoint_count", "owner",
)  # fmt: skip
CHECKPOINT_FIELDS = ("session_id", "parent_id", "label", "message_count", "chain", "created_at", "updated_at")

Row = dict[str, Any]


def open_file(path: str | None, clock: Callable[[], int]) -> Store:
    """A store whose writes need not last."""
    return Store(open_backend(path, durability="normal", busy_timeout=30), clock=clock)


# -- what is in a store


def everything(store: Store) -> dict[UUID, Row]:
    """All of it: the sessions, their checkpoints in order with every byte, and what waits for labels."""
    return {item.id: session_in(store, item) for item in store.list_sessions(limit=100_000)}


def session_in(store: Store, item: SessionSummary) -> Row:
    """One session, but for its revision and the time of its last message, which are a store's own."""
    page = store.list_checkpoints(item.id, limit=100_000, with_attachments="")
    return {
        **{name: repr(getattr(item, name)) for name in SESSION_FIELDS},
        "checkpoints": {
            checkpoint.id: {
                **{name: getattr(checkpoint, name) for name in CHECKPOINT_FIELDS},
                "state": store.get_checkpoint(checkpoint.id).state.raw[:2],
                "attachments": pairs(checkpoint.attachments or {}),
            }
            for checkpoint in page
        },
        "order": [checkpoint.id for checkpoint in page],
        "waiting": {label: pairs(store._backend.get_waiting(item.id, label)) for label in store.list_waiting(item.id)},
    }


def without_order(rows: dict[UUID, Row]) -> dict[UUID, Row]:
    """The same without what each of two stores that have both gone on keeps for itself: order, and parents."""
    return {
        id: {
            **{name: row[name] for name in row if name != "order"},
            "checkpoints": {
                key: {name: item[name] for name in item if name != "parent_id"}
                for key, item in row["checkpoints"].items()
            },
        }
        for id, row in rows.items()
    }


def pairs(attachments: dict[str, Attachment]) -> dict[str, tuple[bytes, str | None]]:
    """Bytes and content types by name."""
    return {name: (bytes(item), item.content_type) for name, item in attachments.items()}


# -- copying through the hands of others


class Killed(BaseException):
    """The process is gone."""


class Hands:
    """A backend whose calls pass through `hand(name, call)`; `names` are those that do."""

    def __init__(self, backend: Any, hand: Callable[[str, Callable[[], Any]], Any], names: Iterable[str]) -> None:
        self._backend = backend
        self._hand = hand
        self._names = frozenset(names)

    def arriving(self) -> "Hands":
        return self

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._backend, name)
        if name not in self._names:
            return method
        return lambda *args, **kwargs: self._hand(name, lambda: method(*args, **kwargs))


class Counter:
    """Lets a number of calls through and then kills; without a number it only counts."""

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        self.calls: list[str] = []

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        if self.most is not None and len(self.calls) >= self.most:
            raise Killed
        self.calls.append(name)
        return call()


def copy(source: Store, destination: Store, hand: Callable[..., Any] | None = None, **options: Any) -> Copied:
    """Copy, every write through a hand where there is one; sessions that fail are in the result."""
    there: Any = destination._backend if hand is None else Hands(destination._backend, hand, WRITES)
    return Copy(source._backend, there, **options).run()


def copy_whole(source: Store, destination: Store, hand: Callable[..., Any] | None = None, **options: Any) -> Copied:
    """The same where no session may fail."""
    copied = copy(source, destination, hand, **options)
    assert copied.failed == [], copied.failed
    return copied


def killed_copies(source: Store, open_destination: Callable[[], Store], step: int = 1) -> Iterable[Store]:
    """A new destination after a copy that was killed after its first write, after its second, and so on."""
    most = 0
    while True:
        with open_destination() as destination:
            try:
                copy_whole(source, destination, Counter(most))
            except Killed:
                yield destination
            else:
                return
        most += step
