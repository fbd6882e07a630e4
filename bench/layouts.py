"""clew next to the layout that copies the whole conversation into every checkpoint."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from bench.conversation import Message, Talk
from bench.full_copy import FullCopyStore
from bench.measure import Lab, interleaved
from bench.report import shown_bytes, shown_seconds
from bench.sessions import AppendedSession, WholeListSession, whole_lists
from bench.targets import Finding, Table

_WINDOW = 15
"""How many writes are measured at a turn."""

_LISTED = 20

_BRACKETS = "In brackets: how many times that the full copy takes."


def write_times(lab: Lab) -> Iterator[Finding]:
    """A session of each kind in a file of its own, measured at some turns on its way."""
    with ExitStack() as stack:
        copying = _copied_session(stack.enter_context(_full_copy(lab, "grow-copied")))
        lists = whole_lists(stack.enter_context(lab.store("grow-lists", "normal")))
        normal = AppendedSession(stack.enter_context(lab.store("grow-normal", "normal")), 7, 1)
        full = AppendedSession(stack.enter_context(lab.store("grow-full", "full")), 7, 1)
        rows = []
        for turn in (10, 100, 300) if lab.quick else (10, 100, 1000, 3000):
            for session in (copying, lists, normal, full):
                session.advance(turn - _WINDOW // 2)
            copied, *ours = interleaved(_WINDOW, copying.step, lists.step, normal.step, full.step)
            rows.append([f"{turn:,}", shown_seconds(copied), *(_compared(copied, seconds) for seconds in ours)])
    yield Table(
        title="Time a write, by the turn at which it is made",
        header=["turn", "full copy", "clew, the same call", "clew, append", "clew, append, durability full"],
        rows=rows,
        notes=f"{_BRACKETS} Durability normal (synchronous=NORMAL) but for the last column. The same call is "
        "create_checkpoint with the whole list.",
    )


def footprint(lab: Lab) -> Iterator[Finding]:
    """One long session in each layout, every turn of it written: what the file takes, and loading the newest state."""
    turns = lab.some(1000, 200)
    with _full_copy(lab, "long-copied") as copies, lab.store("long-shared", "normal") as store:
        copied_id = _write_copies(copies, Talk(7), turns)
        shared = AppendedSession(store, 7, turns)
        assert copies.load(copied_id) == store.get_active_checkpoint(shared.id).state.messages
        load_copied, load_shared = interleaved(
            lab.some(60, 10),
            lambda: partial(copies.load, copied_id),
            lambda: lambda: store.get_active_checkpoint(shared.id).state.messages,
        )
        copies.close()
        store.close()
        size_copied, size_shared = ((lab.folder / f"long-{name}.db").stat().st_size for name in ("copied", "shared"))
    yield Table(
        title=f"One session of {turns:,} turns",
        header=["", "full copy", "clew"],
        rows=[
            ["file", shown_bytes(size_copied), _compared(size_copied, size_shared, shown_bytes(size_shared))],
            ["load the newest state, decoded", shown_seconds(load_copied), _compared(load_copied, load_shared)],
        ],
        notes=_BRACKETS,
    )


def lists(lab: Lab) -> Iterator[Finding]:
    """The first page of a list of sessions, each of which has some checkpoints."""
    sessions, turns = lab.some(100, 30), lab.some(50, 20)
    with _full_copy(lab, "listed-copied") as copies, lab.store("listed-shared", "normal") as store:
        for seed in range(sessions):
            _write_copies(copies, Talk(seed), turns)
            AppendedSession(store, seed, turns)
        copied, shared = interleaved(
            lab.some(20, 5),
            lambda: partial(copies.list_sessions, _LISTED),
            lambda: partial(store.list_sessions, limit=_LISTED),
        )
    yield Table(
        title=f"The last {_LISTED} of {sessions} sessions of {turns} turns each",
        header=["", "full copy", "clew"],
        rows=[["list", shown_seconds(copied), _compared(copied, shared)]],
        notes=_BRACKETS,
    )


@contextmanager
def _full_copy(lab: Lab, name: str) -> Iterator[FullCopyStore]:
    """A store of the other layout, its file removed afterwards."""
    store = FullCopyStore(lab.folder / f"{name}.db")
    try:
        yield store
    finally:
        store.close()
        lab.remove(lab.folder / f"{name}.db")


def _copied_session(store: FullCopyStore) -> WholeListSession[str]:
    """A session there. It is not written between the turns that are measured, which only makes its file smaller."""
    return WholeListSession(partial(store.create_checkpoint, store.create_session("Measured")))


def _write_copies(store: FullCopyStore, talk: Talk, turns: int) -> str:
    """A session there with a checkpoint at every turn; its id."""
    session_id = store.create_session("Measured")
    messages: list[Message] = []
    parent = None
    for _ in range(turns):
        messages.extend(talk.turn())
        parent = store.create_checkpoint(session_id, messages, parent)
    return session_id


def _compared(copied: float, shared: float, text: str | None = None) -> str:
    """What clew takes, and how many times that the full copy takes."""
    return f"{text or shown_seconds(shared)} ({copied / shared:,.1f} ×)"
