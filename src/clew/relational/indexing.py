"""Bringing the search index up to date, and keeping it free of what is deleted.

A write of messages does not touch the index. Whoever searches first indexes what is new: every session whose last
change has a greater number than the index knows is looked at with its family, timeline by timeline. A timeline only
grows at its end, so a length says how much of it is indexed. A session can reach a message that is not indexed only by
a change after it was written, so looking at what has changed misses none.

It is done in batches, each a transaction: others write in between, a crash loses no more than one batch, and who comes
second finds it done.
"""

import time
from typing import NamedTuple

from clew import limits
from clew.errors import CorruptStateError
from clew.hashing import content_hash
from clew.messages import decode_value
from clew.relational.transaction import MAX_ROWS, Indexed, Key, Row, Transaction
from clew.search.texts import VERSION, document_of

_BLOCK = 64
"""Messages that are read at once."""


class Plan(NamedTuple):
    """What there is to index: families, each with the number of a change, in the order of the numbers."""

    families: list[tuple[int, int]]
    after: int
    """Up to which number the index knew every change."""
    decided: int
    """Up to which number every change is there."""

    def known_before(self, at: int) -> int:
        """Up to which number the index knows every change once the families before a place are in it."""
        return min(self.families[at - 1][0], self.decided) if at else self.after


class _Timeline(NamedTuple):
    key: int
    session: int | None
    start: int
    """How much of the conversation is the ancestor's."""
    indexed: int | None
    seq: int | None
    end: int


class _Budget:
    """What is left of a batch."""

    def __init__(self) -> None:
        self.messages = limits.INDEX_BATCH_MESSAGES
        self.bytes = limits.INDEX_BATCH_BYTES
        self._end = time.monotonic() + limits.INDEX_BATCH_SECONDS

    def is_spent(self) -> bool:
        """Whether the others have waited long enough. One block at least is indexed however long that takes."""
        is_begun = self.messages < limits.INDEX_BATCH_MESSAGES
        return self.messages <= 0 or self.bytes <= 0 or (is_begun and time.monotonic() > self._end)


def plan(db: Transaction) -> Plan | None:
    """What there is to index; None where the index knows all there is."""
    version, changed = _state(db)
    again = db.families_to_index()
    if version == VERSION and not again and not db.fetch_all("anything_unindexed", {"changed": changed})[0][0]:
        return None
    ((_, newest),) = db.fetch_all("newest_change", {})
    after = changed if version == VERSION else 0
    found = db.fetch_all("unindexed_families", {"changed": after, "limit": MAX_ROWS})
    families = [*((after, family) for family in again), *((number, family) for number, family in found)]
    return Plan(families, after, newest)


def index_batch(db: Transaction, work: Plan, at: int) -> int | None:
    """Index what fits into one batch, from the family at a place of the plan on; where to go on.

    None where the index is no longer what the plan was made for: somebody has thrown it away, and a new plan is needed.
    """
    db.lock_index()
    version, changed = _state(db)
    if version != VERSION and not work.after and not at:
        reset(db)
    elif version != VERSION or changed < work.known_before(at):
        return None
    budget = _Budget()
    known: set[int] = set()
    while at < len(work.families) and not budget.is_spent():
        _, family = work.families[at]
        if family not in known:
            if not _index_family(db, family, budget):
                break
            db.remove_family_to_index(family)
        known.add(family)
        at += 1
    reached = work.decided if at == len(work.families) else work.known_before(at)
    db.execute("set_search_state", {"version": VERSION, "changed": max(changed, reached)})
    return at


def is_complete(db: Transaction) -> bool:
    """Whether every message is in the index, whatever else has changed."""
    work = plan(db)
    if work is None:
        return True
    families = {family for _, family in work.families}
    is_known = _state(db)[0] == VERSION
    return is_known and not any(db.fetch_all("unindexed_timelines", {"family": family}) for family in families)


def reset(db: Transaction) -> None:
    """Forget the whole index. The next search builds it anew."""
    db.empty_index()
    for name in ("forget_places", "forget_indexed"):
        db.execute(name, {})
    db.execute("set_search_state", {"version": 0, "changed": 0})


def cut(db: Transaction, family: int, timeline: int, length: int) -> None:
    """Before the entries of a timeline from a length on are deleted."""
    place = {"family": family, "timeline": timeline, "length": length}
    db.execute("cut_places", place)
    db.execute("cut_indexed" if length else "delete_indexed", place)


def forget_unreached(db: Transaction, family: int) -> None:
    """Before content of a family that nothing reaches is deleted: take its words out of the index.

    Where nobody can tell its words any more, or the index is damaged, all of it goes, and is built anew: no word must
    stay behind. The caller has locked the index.
    """
    if db.keeps_documents:
        db.execute("forget_documents", {"family": family})
        return
    found = db.fetch_all("unreached_messages", {"family": family})
    if found:
        rows = db.count_indexed()
        if len(found) > limits.MAX_UNINDEXED_MESSAGES and rows > limits.MAX_MERGED_MESSAGES:
            reset(db)
        else:
            take_out(db, family, found, merge_later=is_merged(len(found), rows))
    try:
        db.merge_index()
    except db.unreadable:
        reset(db)


def is_merged(count: int, rows: int) -> bool:
    """Whether so many messages of an index are sooner gone when all of it is merged."""
    return count * limits.MERGED_PER_UNINDEXED > rows


def take_out(db: Transaction, family: int, found: list[Row], *, merge_later: bool) -> None:
    """Take messages, each with its hash and body, out of the index; all goes where nobody can tell their words."""
    documents = [_indexed(family, key, digest, body) for key, digest, body in sorted(found)]
    if None in documents or _state(db)[0] != VERSION:
        reset(db)
        return
    try:
        db.unindex([document for document in documents if document is not None], merge_later=merge_later)
    except db.unreadable:
        reset(db)


def _state(db: Transaction) -> tuple[int, int]:
    row = db.fetch_one("search_state", {})
    if row is None:
        return 0, 0
    return row[0], row[1]


def _index_family(db: Transaction, family: int, budget: _Budget) -> bool:
    """Whether all that there is of a family is in the index now."""
    for columns in db.fetch_all("unindexed_timelines", {"family": family}):
        if not _index_timeline(db, family, _Timeline(*columns), budget):
            return False
    return True


def _index_timeline(db: Transaction, family: int, timeline: _Timeline, budget: _Budget) -> bool:
    start = timeline.start if timeline.indexed is None else timeline.indexed
    seq = timeline.seq or 0
    while start < timeline.end:
        if budget.is_spent():
            return False
        stop, seq = _index_block(db, family, timeline, (start, min(start + _BLOCK, timeline.end)), seq, budget)
        db.execute("set_indexed", {"family": family, "timeline": timeline.key, "length": stop, "seq": seq})
        start = stop
    return True


def _index_block(
    db: Transaction, family: int, timeline: _Timeline, block: tuple[int, int], seq: int, budget: _Budget
) -> tuple[int, int]:
    """Index a block of a timeline; how far it came, and the last checkpoint that wrote something there."""
    start, stop = block
    writers = _writers(db, family, timeline, block, seq)
    place = {"family": family, "timeline": timeline.key, "start": start, "stop": stop}
    found = db.fetch_all("unindexed_entries", place)
    fresh: dict[Key, Indexed] = {}
    places: list[tuple[Key, int, int]] = []
    for position, key, digest, body in found:
        while writers and writers[0][1] <= position:
            writers.pop(0)
        hint = writers[0][0] if writers else 0
        places.append((key, position, hint))
        seq = max(seq, hint)
        document = None if body is None or key in fresh else _indexed(family, key, digest, body)
        if document is not None:
            fresh[key] = document
            budget.bytes -= len(body)
        budget.messages -= 1
    db.insert_places(family, timeline.key, places)
    db.index(list(fresh.values()))
    return stop, seq


def _writers(
    db: Transaction, family: int, timeline: _Timeline, block: tuple[int, int], seq: int
) -> list[tuple[int, int]]:
    """The checkpoints of the owner that wrote a block, each with its length; what none of them has is by none known."""
    if timeline.session is None:
        return []
    start, stop = block
    found = db.fetch_all(
        "writers_of_entries",
        {
            "family": family, "session": timeline.session, "timeline": timeline.key, "seq": seq, "start": start,
            "limit": stop - start,
        },
    )  # fmt: skip
    return _growing(found)


def _growing(found: list[Row]) -> list[tuple[int, int]]:
    """Those that come further than all before them."""
    kept: list[tuple[int, int]] = []
    for seq, length in found:
        if not kept or length > kept[-1][1]:
            kept.append((seq, length))
    return kept


def _indexed(family: int, key: Key, digest: bytes | None, body: bytes) -> Indexed | None:
    """A message as the index has it; None where it is damaged, which those say who read it."""
    if content_hash(body) != digest:
        return None
    try:
        return Indexed(family, key, document_of(decode_value(body), family))
    except CorruptStateError:
        return None
