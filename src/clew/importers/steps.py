"""What a parser makes of the records of a session: who it is, and its steps as a tree."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from clew.importers.records import Record
from clew.model import Message


class Step(msgspec.Struct, kw_only=True):
    """One step of a session: the messages that it adds to those of its parent.

    `key` names it within the session, the same at every import: an id of the record, or its position. `parent` is the
    key of the step before, None at a beginning; parents come before their children. Several steps with one parent are
    branches: what was rewound stays one. A step may add no messages and be a parent all the same.

    With `restarts` the messages are the whole conversation from here on, as after a compaction that replaces what was
    before; the parent says what it came from. `label` names its checkpoint. `records` are those that it was made from.
    """

    key: str
    parent: str | None
    messages: list[Message]
    records: list[Record]
    created_at: datetime | None = None
    label: str | None = None
    restarts: bool = False


class Loose(msgspec.Struct):
    """Records that belong to no step, such as a change of the title. They are kept with the step that comes next."""

    records: list[Record]


class SessionInfo(msgspec.Struct, kw_only=True):
    """What is told of a session beside its messages.

    `title` None takes the first prompt. `title_origin` is `user`, `generated` or `first_prompt`. `parent` is the
    `source_id` of the session that spawned it. `metadata` holds what the field has names for: `git` (an object with
    `branch`, `commit`, `remote`), `model`, `tool_version`, `kind` (`main`, `subagent`), `archived`, `tag`,
    `forked_from` (an object with `session` and `message`), and more under the source's own names.
    """

    title: str | None = None
    title_origin: str | None = None
    cwd: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    parent: str | None = None
    metadata: dict[str, Any] = {}


class Notes:
    """What a parser met that is not as it knows it. Nothing of this ends an import."""

    def __init__(self) -> None:
        self.unknown: Counter[str] = Counter()
        """How many records there were of each type that this version does not know."""
        self.broken: list[tuple[str, str]] = []
        """Records that were left out: where, and why."""
        self.mended: list[tuple[str, str]] = []
        """Records that were taken over, but not just as they stand."""

    def value(self, record: Record) -> Any:
        """The JSON value of a record; None, and noted, where it has none."""
        where = f"at {record.position}"
        try:
            value = record.value()
        except ValueError as error:
            if not record.is_torn:  # a torn last line may be whole the next time
                self.broken.append((where, str(error) if record.is_whole else "is too long to be read"))
            return None
        if not record.is_whole:
            self.mended.append((where, "is very long: its long strings were cut"))
        return value


class Parsed(msgspec.Struct):
    """A session as a parser reads it. `steps` may be read once.

    `active` is the key of the step that the session resumes from, None for the last one that comes.
    """

    info: SessionInfo
    steps: Iterator[Step | Loose]
    active: str | None = None
