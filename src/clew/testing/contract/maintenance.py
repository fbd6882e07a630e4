"""Looking after a store: verify, prune, back up, compact."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from clew import limits
from clew.errors import ConflictError, InvalidRequestError, NotFoundError, UnavailableError
from clew.reports import Compaction, Progress, Pruned, PrunePlan
from clew.store import Store
from clew.testing.clock import SECOND, Clock
from clew.testing.contract.attachments import some_bytes
from clew.testing.contract.backups import BackupContract
from clew.testing.contract.base import (
    Contract,
    OpenBackup,
    active,
    attached,
    contents,
    filled,
    findings,
    ids,
    missing,
    nothing_changes,
    said,
    titles,
    users,
)

DAY = 24 * 3_600 * SECOND


class MaintenanceContract(Contract):
    """A store can be checked, copied, thinned and made smaller while it is in use; nothing goes that was not named."""

    @pytest.fixture(autouse=True)
    def nothing_is_wrong_afterwards(self, store: Store) -> Iterator[None]:
        """Whatever a test of the contract did, the store it leaves is whole."""
        yield
        try:
            found = findings(store)
        except UnavailableError:  # closed by the test
            return
        assert found == []

    # -- verify

    def test_nothing_is_wrong_with_an_empty_store(self, store: Store) -> None:
        assert findings(store) == []

    def test_nothing_is_wrong_with_a_store_that_has_something_of_everything(
        self, store: Store, reopen: Callable[[], Store]
    ) -> None:
        sessions = filled(store)
        assert findings(store) == []
        store.purge_session(sessions[0].id)
        assert findings(store) == []
        again = reopen()
        assert findings(again) == []
        for session in sessions[1:]:
            again.purge_session(session.id)
        assert findings(again) == []

    def test_verifying_changes_nothing(self, store: Store) -> None:
        filled(store)
        with nothing_changes(store):
            findings(store)

    def test_verifying_tells_how_far_it_has_come(self, store: Store) -> None:
        filled(store)
        told: list[Progress] = []
        assert list(store.verify(progress=told.append)) == []
        assert told
        assert all(isinstance(step, Progress) and step.unit for step in told)
        for before, after in pairwise(told):
            assert after.unit != before.unit or after.done >= before.done
        assert all(step.total is None or 0 <= step.done <= step.total for step in told)

    def test_verifying_may_be_left_before_its_end(self, store: Store) -> None:
        filled(store)
        iterator = store.verify()
        assert next(iterator, None) is None
        assert iter(store.verify()) is not None
        assert store.create_session("written meanwhile").revision == 1

    def test_others_write_while_a_store_is_verified(self, store: Store) -> None:
        sessions = filled(store)
        written: list[UUID] = []

        def write(_: Progress) -> None:
            written.append(store.append(sessions[0].id, users("w")).id)

        assert list(store.verify(progress=write)) == []
        assert written
        assert ids(store.list_checkpoints(sessions[0].id))[-len(written) :] == written

    # -- purge, with a condition

    def test_a_purge_happens_while_the_revision_is_the_one_given(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        store.append(session.id, users("b"))
        for stale in (1, 3, 0, 2**70):
            with nothing_changes(store), pytest.raises(ConflictError):
                store.purge_session(session.id, if_revision=stale)
        store.purge_session(session.id, if_revision=2)
        assert store.list_sessions().items == []
        with pytest.raises(NotFoundError):
            store.purge_session(session.id, if_revision=2)

    # -- what to prune

    @pytest.fixture
    def aged(self, store: Store, clock: Clock) -> dict[str, UUID]:
        """Sessions that last changed so many days ago, some of them deleted; now is day 100."""
        clock.tick = 0
        now, made = clock.now, {}
        for days, title in ((90, "old"), (60, "old, deleted"), (30, "middle"), (10, "deleted"), (1, "new")):
            clock.now = now - days * DAY
            made[title] = store.create_session(title, messages=users("a")).id
            if "deleted" in title:
                store.delete_session(made[title])
        clock.now = now
        return made

    @pytest.mark.parametrize(
        ("rules", "expected"),
        [
            ({"deleted_longer_than": timedelta(days=30)}, {"old, deleted"}),
            ({"deleted_longer_than": timedelta(days=1)}, {"old, deleted", "deleted"}),
            ({"deleted_longer_than": timedelta()}, {"old, deleted", "deleted"}),
            ({"inactive_longer_than": timedelta(days=20)}, {"old", "old, deleted", "middle"}),
            ({"inactive_longer_than": timedelta(days=30)}, {"old", "old, deleted"}),
            ({"inactive_longer_than": timedelta(days=30, microseconds=-1)}, {"old", "old, deleted", "middle"}),
            ({"inactive_longer_than": timedelta(days=1_000)}, set()),
            ({"inactive_longer_than": timedelta(days=50), "deleted_longer_than": timedelta(days=5)},
             {"old", "old, deleted", "deleted"}),
            ({"keep_last": 2}, {"old", "old, deleted", "deleted"}),
            ({"keep_last": 0}, {"old", "old, deleted", "middle", "deleted", "new"}),
            ({"keep_last": 5}, {"old, deleted", "deleted"}),
            ({"keep_last": 2, "inactive_longer_than": timedelta(days=5)}, {"old", "old, deleted", "deleted"}),
            ({"keep_last": 3, "inactive_longer_than": timedelta(days=20)}, {"old, deleted"}),
            ({"keep_last": 5, "deleted_longer_than": timedelta(days=30)}, {"old, deleted"}),
            ({"keep_last": 4, "deleted_longer_than": timedelta()}, {"old, deleted", "deleted"}),
            ({"keep_checkpoints": 0}, set()),
        ],
    )  # fmt: skip
    def test_a_plan_names_the_sessions_that_the_rules_remove(
        self, store: Store, aged: dict[str, UUID], rules: dict[str, Any], expected: set[str]
    ) -> None:
        told = store.list_sessions(limit=1).items[0].updated_at + timedelta(days=1)
        with nothing_changes(store):
            plan = store.plan_prune(**rules)
        assert {item.title for item in plan.sessions} == expected
        assert plan.thinned == []
        assert plan.made_at == told
        assert all(item in store.list_sessions().items for item in plan.sessions)
        done = store.apply_prune(plan)
        assert done == Pruned(sessions=[item.id for item in plan.sessions], checkpoints=0, skipped=[])
        assert set(titles(store.list_sessions())) == set(aged) - expected

    def test_deleted_sessions_take_no_place_among_the_last_that_are_kept(self, store: Store) -> None:
        kept = [store.create_session("live").id for _ in range(3)]
        gone = [store.create_session("deleted").id for _ in range(3)]
        for id in gone:
            store.delete_session(id)
        assert store.apply_prune(store.plan_prune(keep_last=3)).sessions == gone[::-1]
        assert ids(store.list_sessions()) == kept[::-1]

    def test_a_plan_without_a_rule_is_refused(self, store: Store) -> None:
        with pytest.raises(InvalidRequestError, match="no rule"):
            store.plan_prune()

    @pytest.mark.parametrize("rule", ["deleted_longer_than", "inactive_longer_than", "keep_last", "keep_checkpoints"])
    def test_what_is_no_rule_is_refused(self, store: Store, rule: str) -> None:
        wrong: list[Any] = ["1", True, 1.5, -1, timedelta(-1), 2**63, [1]]
        for value in wrong:
            with pytest.raises(InvalidRequestError, match=rule):
                store.plan_prune(**{rule: value})

    def test_a_plan_thins_all_but_the_last_the_labelled_and_the_active_checkpoints(
        self, store: Store, clock: Clock
    ) -> None:
        session = store.create_session("many", messages=users("a"))
        clock.now -= 3_600 * SECOND
        line = [active(session).id, *(store.append(session.id, users(letter)).id for letter in "bcdefg")]
        store.set_label(line[1], "point")
        store.set_active_checkpoint(session.id, line[3])
        few = store.create_session("few", messages=users("a"))
        with nothing_changes(store):
            plan = store.plan_prune(keep_checkpoints=2)
        assert plan.sessions == []
        (thinning,) = plan.thinned
        revision = store.get_session(session.id).revision
        assert (thinning.session_id, thinning.title, thinning.revision) == (session.id, "many", revision)
        assert set(thinning.checkpoint_ids) == {line[0], line[2], line[4]}
        done = store.apply_prune(plan)
        assert (done.sessions, done.checkpoints, done.skipped) == ([], 3, [])
        left = store.list_checkpoints(session.id)
        assert [said(store, id) for id in ids(left)] == ["ab", "abcd", "abcdef", "abcdefg"]
        assert [item.parent_id for item in left] == [None, line[1], line[3], line[5]]
        assert store.get_active_checkpoint(session.id).id == line[3]
        assert store.get_session(few.id) == few
        again = store.plan_prune(keep_checkpoints=2)
        assert (again.sessions, again.thinned) == ([], [])

    def test_keeping_no_checkpoints_keeps_the_active_and_the_labelled(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        step = store.append(session.id, users("b"), label="point")
        tip = store.append(session.id, users("c"))
        store.apply_prune(store.plan_prune(keep_checkpoints=0))
        assert ids(store.list_checkpoints(session.id)) == [step.id, tip.id]

    def test_a_session_that_goes_is_not_thinned_as_well(self, store: Store, aged: dict[str, UUID]) -> None:
        for id in aged.values():
            store.append(id, users("b"))
        store.delete_session(aged["old"])
        plan = store.plan_prune(keep_last=1, keep_checkpoints=1)
        gone, thinned = {item.id for item in plan.sessions}, {item.session_id for item in plan.thinned}
        assert len(gone) == 4
        assert len(thinned) == 1
        assert gone.isdisjoint(thinned)

    def test_what_has_changed_since_the_plan_is_left_alone_and_told(self, store: Store, aged: dict[str, UUID]) -> None:
        for title in ("middle", "new"):
            store.append(aged[title], users("b"))
        plan = PrunePlan(
            made_at=store.plan_prune(keep_last=0).made_at,
            sessions=[item for item in store.plan_prune(keep_last=0).sessions if "old" in item.title],
            thinned=store.plan_prune(keep_checkpoints=1).thinned,
        )
        assert {thinning.title for thinning in plan.thinned} == {"middle", "new"}
        store.restore_session(aged["old, deleted"])
        store.append(aged["new"], users("c"))
        done = store.apply_prune(plan)
        assert (done.sessions, done.checkpoints) == ([aged["old"]], 1)
        assert set(done.skipped) == {aged["old, deleted"], aged["new"]}
        assert store.get_session(aged["old, deleted"]).status == "ACTIVE"
        assert len(store.list_checkpoints(aged["new"])) == 3

    def test_a_plan_applied_again_finds_nothing_left_to_do(self, store: Store, aged: dict[str, UUID]) -> None:
        store.append(aged["new"], users("b"))
        plan = store.plan_prune(keep_last=2, keep_checkpoints=1)
        first = store.apply_prune(plan)
        with nothing_changes(store):
            again = store.apply_prune(plan)
        assert (again.sessions, again.checkpoints) == ([], 0)
        assert set(again.skipped) == {*first.sessions, aged["new"]}

    def test_a_fork_keeps_what_was_pruned_of_its_origin(self, store: Store, clock: Clock) -> None:
        origin = store.create_session("origin", messages=users("a"))
        store.append(origin.id, users("b"), attachments={"f": b"1"})
        fork = store.fork_session(origin.id)
        store.delete_session(origin.id)
        clock.now += DAY
        store.apply_prune(store.plan_prune(deleted_longer_than=timedelta(hours=1)))
        assert ids(store.list_sessions()) == [fork.id]
        assert (said(store, active(fork).id), attached(store, active(fork).id)) == ("ab", {"f": b"1"})

    # -- backups

    def test_a_backend_that_makes_no_backups_says_so(
        self, store: Store, open_backup: OpenBackup | None, tmp_path: Path
    ) -> None:
        if open_backup is None:
            with pytest.raises(InvalidRequestError):
                store.backup(tmp_path / "copy")
        else:
            assert isinstance(self, BackupContract), "who gives `open_backup` has BackupContract to pass"
            assert store.backup(tmp_path / "copy").sessions == 0

    # -- space

    def test_compacting_loses_nothing(self, store: Store, reopen: Callable[[], Store]) -> None:
        sessions = filled(store)
        before = contents(store)
        done = store.compact()
        assert isinstance(done, Compaction)
        assert 0 <= done.bytes_after <= done.bytes_before
        assert contents(store) == before
        assert attached(store, store.append(sessions[0].id, [], label="later").id) == {"w": b"waits"}
        before = contents(store)
        assert contents(reopen()) == before

    def test_compacting_gives_back_what_was_deleted(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))
        big = some_bytes(3 * limits.ATTACHMENT_CHUNK_BYTES)
        before = store.compact().bytes_after
        step = store.append(session.id, [], attachments={"f": big})
        store.compact()
        store.attach(session.id, {"f": b""}, checkpoint_id=step.id, on_conflict="replace")
        assert store.compact().bytes_after < before + len(big) // 2
        assert attached(store, step.id) == {"f": b""}
        empty = store.compact()
        assert empty.bytes_after <= empty.bytes_before

    def test_compacting_tells_how_far_it_has_come(self, store: Store) -> None:
        filled(store)
        told: list[Progress] = []
        store.compact(progress=told.append)
        assert all(isinstance(step, Progress) and step.unit for step in told)

    def test_progress_that_cannot_be_told_is_refused_before_anything_is_done(self, store: Store) -> None:
        filled(store)
        wrong: list[Any] = [1, "print", [print], True]
        for value in wrong:
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="progress"):
                list(store.verify(progress=value))
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="progress"):
                store.compact(progress=value)

    def test_looking_after_a_session_that_is_missing_finds_nothing(self, store: Store) -> None:
        plan = store.plan_prune(keep_last=0, inactive_longer_than=timedelta())
        assert (plan.sessions, plan.thinned) == ([], [])
        assert store.apply_prune(plan) == Pruned(sessions=[], checkpoints=0, skipped=[])
        with pytest.raises(NotFoundError):
            store.purge_session(missing())
