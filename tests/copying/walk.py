"""Random work in a store, of which some is refused."""

import random
from contextlib import suppress
from typing import Any, ClassVar
from uuid import UUID

from clew import ACTIVE, KEEP, SAME, Attachment, StorageError, Store

Row = dict[str, Any]


class Walk:
    """Random calls, of which some are refused."""

    def __init__(self, store: Store, seed: int, *, names: str = "12345", deletes: bool = True) -> None:
        self.store = store
        self.dice = random.Random(seed)
        self.names = names  # by which another program knows some of its sessions
        self.deletes = deletes

    def go(self, steps: int) -> None:
        for _ in range(steps):
            with suppress(StorageError):
                self.dice.choices(list(self._steps), weights=list(self._steps.values()))[0](self)

    def _session(self) -> UUID:
        items = self.store.list_sessions(limit=1_000).items
        return self.dice.choice(items).id if items else UUID(int=0)

    def _checkpoint(self, session_id: UUID) -> UUID:
        items = self.store.list_checkpoints(session_id, limit=1_000).items
        return self.dice.choice(items).id if items else UUID(int=0)

    def _messages(self) -> list[Row]:
        return [{"n": self.dice.randrange(4)} for _ in range(self.dice.randrange(3))]

    def _one(self, *options: Any) -> Any:
        return self.dice.choice(options)

    def _item(self) -> dict[str, Attachment]:
        return {self._one(*"abc"): Attachment(self._one(b"", b"1", b"22", b"33"), self._one(None, "x/y"))}

    def create(self) -> None:
        source = self._one((None, None), (None, None), ("tool", self._one(*self.names)))
        self.store.create_session(
            self._one("A", "B"), messages=self._messages(), metadata=self._one(None, {"k": 1}, 0), source=source[0],
            source_id=source[1], session_metadata=self._one(None, {"q": [2]}),
        )  # fmt: skip

    def fork(self) -> None:
        session = self._session()
        self.store.fork_session(session, checkpoint_id=self._checkpoint(session))

    def copy(self) -> None:
        self.store.copy_session(self._session())

    def append(self) -> None:
        session = self._session()
        attachments = {name: self._one(item, SAME) for name, item in self._item().items()}
        self.store.append(
            session, self._messages(), parent_id=self._one(self._checkpoint(session), ACTIVE),
            label=self._one(None, None, None, "x", "y"), attachments=self._one(None, None, attachments),
            metadata=self._one(KEEP, KEEP, None, {"z": 1}, ""),
        )  # fmt: skip

    def create_checkpoint(self) -> None:
        session = self._session()
        parent = self._one(None, self._checkpoint(session))
        self.store.create_checkpoint(session, self._messages(), parent_id=parent, label=self._one(None, "x"))

    def label(self) -> None:
        label = self._one(None, "x", "y", "z")
        self.store.set_label(self._checkpoint(self._session()), label, move=self._one(True, False))

    def attach(self) -> None:
        session = self._session()
        place: Row = self._one({"checkpoint_id": self._checkpoint(session)}, {"label": self._one(*"xyz")})
        self.store.attach(session, self._item(), on_conflict="replace", **place)

    def detach(self) -> None:
        session = self._session()
        place: Row = self._one({"checkpoint_id": self._checkpoint(session)}, {"label": self._one(*"xyz")})
        self.store.detach(session, self._one(*"abc"), **place)

    def rewind(self) -> None:
        session = self._session()
        self.store.set_active_checkpoint(session, self._checkpoint(session))

    def update(self) -> None:
        self.store.update_session(
            self._session(), title=self._one(*"ABC"), cwd=self._one(None, "/r"), metadata=self._one(None, {"q": 1}),
            visibility=self._one("PRIVATE", "PUBLIC"), status=self._one("ACTIVE", "ACTIVE", "DELETED"),
        )  # fmt: skip

    def delete(self) -> None:
        session, children = self._session(), self._one("reparent", "reparent", "delete")
        if self.deletes:
            self.store.delete_checkpoints(session, self._checkpoint(session), children=children)

    def purge(self) -> None:
        if self.deletes:
            self.store.purge_session(self._session())

    _steps: ClassVar[dict[Any, int]] = {
        create: 6, fork: 6, copy: 2, append: 22, create_checkpoint: 7, label: 12, attach: 14, detach: 6, rewind: 8,
        update: 7, delete: 8, purge: 1,
    }  # fmt: skip
