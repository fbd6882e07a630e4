"""What branches, attachments and looking after a store cost: in bytes, and next to an append."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import clew
from bench.conversation import Talk
from bench.measure import Lab, interleaved, seconds_of
from bench.report import shown_bytes, shown_seconds
from bench.sessions import AppendedSession
from bench.targets import Finding, Measured, Table
from clew.model import Same

_BLOB_BYTES = 100_000


def many_branches(lab: Lab) -> Iterator[Finding]:
    """Branches and forks from one checkpoint of 2,000 messages, next to appends of the same messages in a row."""
    count = lab.some(1_000, 100)
    with lab.store("many-branches") as store:
        session = AppendedSession(store, 1, lab.some(1_000, 200))
        path, trunk, talk = lab.folder / "many-branches.db", session.checkpoints[-1].id, Talk(2)
        turns = [talk.turn() for _ in range(count)]
        branch, branch_bytes = _grown(
            path, [partial(store.append, session.id, turn, parent_id=trunk) for turn in turns]
        )
        fork, fork_bytes = _grown(path, [partial(store.fork_session, session.id, checkpoint_id=trunk)] * count)
        other = store.create_session("In a row").id
        append, append_bytes = _grown(path, [partial(store.append, other, turn) for turn in turns])
    yield Measured("branch bytes", branch_bytes / count, append_bytes / count, unit="B")
    yield Table(
        title=f"{count:,} branches and {count:,} forks of one checkpoint of {2 * session.talk.turns:,} messages",
        header=["each", "time", "bytes in the file"],
        rows=[
            ["branch with 2 messages", shown_seconds(branch / count), shown_bytes(branch_bytes / count)],
            ["fork into a new session", shown_seconds(fork / count), shown_bytes(fork_bytes / count)],
            ["append of 2 messages", shown_seconds(append / count), shown_bytes(append_bytes / count)],
        ],
        notes="Means of all. The bytes are those that the file grew by, with everything out of the write-ahead log.",
    )


def attachments(lab: Lab) -> Iterator[Finding]:
    """The same 100 KB on every checkpoint: sent each time, and taken over from the parent."""
    count = lab.some(1_000, 100)
    with lab.store("attachments") as store:
        path, blob, talk = lab.folder / "attachments.db", os.urandom(_BLOB_BYTES), Talk(3)
        session = store.create_session("With attachments", messages=talk.turn())
        store.append(session.id, talk.turn(), attachments={"state": blob})
        sent: dict[str, bytes | Same] = {"state": blob}
        taken: dict[str, bytes | Same] = {"state": clew.SAME}
        rows = []
        for name, attached in (("nothing attached", None), ("100 KB sent again", sent), ("100 KB taken over", taken)):
            append = partial(store.append, session.id, attachments=attached)
            took, grown = _grown(path, [partial(append, talk.turn()) for _ in range(count)])
            rows.append([name, shown_seconds(took / count), shown_bytes(grown / count)])
    yield Table(
        title=f"{count:,} appends of 2 messages with an attachment",
        header=["each", "time", "bytes in the file"],
        rows=rows,
        notes="The 100 KB are stored once. Means of all.",
    )


def upkeep(lab: Lab) -> Iterator[Finding]:
    """Checking, copying and compacting a store, next to reading its file."""
    with lab.store("upkeep", "normal") as store:
        for seed in range(lab.some(20, 4)):
            AppendedSession(store, seed, lab.some(500, 50))
        path, copy = lab.folder / "upkeep.db", lab.folder / "upkeep-copy.db"
        verify, read = interleaved(
            lab.some(5, 2), lambda: partial(_verify_whole, store), lambda: partial(path.read_bytes)
        )
        backup = seconds_of(lambda: store.backup(copy))
        lab.remove(copy)
        store.purge_session(store.list_sessions().items[0].id)
        compact = seconds_of(store.compact)
        size = path.stat().st_size
    yield Table(
        title=f"Looking after a file of {shown_bytes(size)}",
        header=["what", "time"],
        rows=[
            ["read the file, for comparison", shown_seconds(read)],
            ["verify", shown_seconds(verify)],
            ["backup, verified", shown_seconds(backup)],
            ["compact", shown_seconds(compact)],
        ],
    )


def _verify_whole(store: clew.Store) -> None:
    found = list(store.verify())
    assert not found, found


def _grown(path: Path, calls: list[Callable[[], object]]) -> tuple[float, int]:
    """How long all calls take, and how many bytes the file grows by."""
    before = _settled(path)
    seconds = sum(seconds_of(call) for call in calls)
    return seconds, _settled(path) - before


def _settled(path: Path) -> int:
    """The size of the file with everything out of the write-ahead log."""
    with clew.open(path) as store:
        store.purge_session(store.create_session("Empties the log").id)
    return path.stat().st_size
