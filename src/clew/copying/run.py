"""A copy from beginning to end: which sessions, in which order, and what becomes of one that fails."""

from collections.abc import Callable, Iterable
from uuid import UUID

from clew.backend import Backend, Report, session_not_found
from clew.copying.checking import MovedError
from clew.copying.ends import Ends
from clew.copying.plans import Plan, Side, TakenError, differing, make_plan
from clew.copying.reading import UNCOUNTED, Head, Node, all_heads, find_head, list_heads, parents_first, read_tree
from clew.copying.results import Copied
from clew.copying.sessions import SessionCopy
from clew.errors import ConflictError, CorruptStateError, InternalError, NotFoundError
from clew.reports import Progress

_ATTEMPTS = 3  # of a session that changes while it is copied
_OF_A_SESSION = (ConflictError, CorruptStateError, InternalError, NotFoundError)
"""What goes wrong with one session and leaves the others alone."""


class Copy:
    """One copy from a store to another. See `clew.copy_store`."""

    def __init__(
        self,
        source: Backend,
        destination: Backend,
        *,
        sessions: Iterable[UUID] | None = None,
        verify: bool = True,
        dry_run: bool = False,
        progress: Report | None = None,
    ) -> None:
        self._ends = Ends(source, destination, verify=verify, arrived=self._arrived)
        self._chosen = None if sessions is None else list(sessions)
        self._verify = verify
        self._dry_run = dry_run
        self._progress = progress
        self._existing: dict[UUID, Head] | None = None
        self._done = 0
        self._total: int | None = 0

    def run(self) -> Copied:
        """Copy, going on where a session fails; those are in the result.

        What would fail for every session (a store that cannot be reached or written to) is raised at once.
        """
        heads = self._heads()
        self._ends.forked = {head.forked_from for head in heads.values() if head.forked_from is not None}
        self._total = None if self._chosen is not None else sum(head.checkpoint_count for head in heads.values())
        self._tell()
        for head in parents_first(heads):
            done = self._done + max(head.checkpoint_count, 0)
            try:
                self._copy(head)
            except _OF_A_SESSION as error:
                self._ends.tally.fail(head.id, error)
            self._done = done
            self._tell()
        return self._ends.tally.copied(verify=self._verify, dry_run=self._dry_run)

    def _heads(self) -> dict[UUID, Head]:
        """The sessions to copy; what the destination has of them is noted."""
        if self._chosen is not None:
            heads = {id: find_head(self._ends.source, id) for id in self._chosen}
            for id, head in heads.items():
                if head is None:
                    raise session_not_found(id)
            return {id: head for id, head in heads.items() if head is not None}
        found = all_heads(self._ends.source)
        self._existing, self._ends.may_be_taken = {}, False
        for head in list_heads(self._ends.destination):
            self._ends.may_be_taken = True
            if head.id in found:
                self._existing[head.id] = head
        return found

    def _copy(self, head: Head) -> None:
        """One session, again where it changes meanwhile. One that is purged meanwhile is none to copy."""
        existing = self._find_existing(head)
        tally, was_there, has_changed = self._ends.tally, existing is not None, False
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                has_changed = self._bring(head, existing) or has_changed
                break
            except TakenError:
                raise
            except (ConflictError, InternalError, MovedError, NotFoundError):
                if attempt == _ATTEMPTS:
                    raise
            has_changed, fresh = True, find_head(self._ends.source, head.id)
            if fresh is None:
                return
            head, existing = fresh, find_head(self._ends.destination, head.id)
        tally.created += not was_there
        tally.updated += was_there and has_changed
        tally.unchanged += was_there and not has_changed

    def _find_existing(self, head: Head) -> Head | None:
        """The session in the destination."""
        if head.damage is not None:
            raise CorruptStateError(f"in the source {head.damage}")
        if self._existing is None:
            return find_head(self._ends.destination, head.id)
        existing = self._existing.get(head.id)
        if existing is not None and existing.damage is not None:
            raise CorruptStateError(f"in the destination {existing.damage}")
        return existing

    def _bring(self, head: Head, existing: Head | None) -> bool:
        """Do what there is to do; False where that is nothing."""
        plan = self._plan(head, existing)
        if plan.has_work and self._dry_run:
            self._ends.tally.checkpoints += len(plan.missing)
        elif plan.has_work:
            SessionCopy(self._ends, plan).run()
        return plan.has_work

    def _plan(self, head: Head, existing: Head | None) -> Plan:
        head, nodes = self._read_source(head)
        source = Side(head=head, nodes=nodes, waiting=self._ends.source.list_waiting(head.id))
        destination = None
        if existing is not None:
            there = self._ends.destination
            destination = Side(
                head=existing, nodes=read_tree(there, existing.id), waiting=there.list_waiting(existing.id)
            )
        plan = make_plan(source, destination)
        if self._ends.may_be_taken:
            self._check_free(plan)
        return plan

    def _read_source(self, head: Head) -> tuple[Head, list[Node]]:
        """A session and its tree, which are read one after the other, of one moment if others let it rest so long."""
        nodes = read_tree(self._ends.source, head.id)
        for _ in range(_ATTEMPTS):
            if not _is_older(head, nodes):
                break
            fresh = find_head(self._ends.source, head.id)
            if fresh is None:
                raise session_not_found(head.id)
            head, nodes = fresh, read_tree(self._ends.source, head.id)
        return head, nodes

    def _check_free(self, plan: Plan) -> None:
        """ConflictError where a name or id that is to be written belongs to something else, before anything is."""
        there, head = self._ends.destination, plan.head
        if head.source is not None and _takes_name(plan) and _is_there(lambda: _named(there, head)):
            raise TakenError(f"the destination has another session {head.source_id!r} of source {head.source!r}")
        for node in plan.missing:
            if _is_there(lambda: there.list_attachments(node.id, "")):  # noqa: B023 - called at once
                if there.get_checkpoint(node.id).session_id == head.id:
                    raise ConflictError(f"checkpoint {node.id} has just come to the destination")
                raise TakenError(f"checkpoint {node.id} is in another session of the destination")

    def _arrived(self) -> None:
        self._done += 1
        self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(Progress(done=self._done, total=self._total, unit="checkpoints"))


def _is_older(head: Head, nodes: list[Node]) -> bool:
    """Whether the tree has changed since the session was read."""
    return (
        head.checkpoint_count not in (UNCOUNTED, len(nodes))
        or (head.active is not None and all(node.id != head.active for node in nodes))
        or any(node.updated_at > head.updated_at for node in nodes)
    )


def _takes_name(plan: Plan) -> bool:
    """Whether the session is to have its name in the destination where it does not have it yet."""
    return plan.existing is None or (plan.wins and "owner" in differing(plan.head, plan.existing))


def _named(backend: Backend, head: Head) -> object:
    """The session of the same owner that another program knows by the same name."""
    return backend.find_session(head.source or "", head.source_id or "", head.owner)


def _is_there(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except NotFoundError:
        return False
    return True
