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
from clew.model import SAME, Session
from clew.reports import Backup, Compaction, Finding, Progress, Pruned, PrunePlan
from clew.store import Store
from clew.testing.clock import SECOND, Clock
from clew.testing.contract.attachments import some_bytes
from clew.testing.contract.base import (
    Contract,
    active,
    attached,
    contents,
    ids,
    missing,
    nothing_changes,
    said,
    titles,
    users,
)
from clew.testing.contract.together import together

OpenBackup = Callable[[Path], Store]

DAY = 24 * 3_600 * SECOND


def findings(store: Store) -> list[Finding]:
    """All that `verify` finds wrong."""
    return list(store.verify())


def filled(store: Store) -> list[Session]:
    """Sessions with something of everything: branches, forks, copies, labels, attachments, and what was deleted."""
    first = store.create_session("first", messages=users("ab"), metadata={"k": 1}, session_metadata={"s": 1})
    step = store.append(
        first.id, users("c"), label="point", attachments={"f": bytes(limits.ATTACHMENT_CHUNK_BYTES + 1)}
    )
    store.append(first.id, users("d"), attachments={"f": SAME, "g": b"small"})
    gone = store.append(first.id, users("x"), parent_id=step.id)
    store.append(first.id, users("y"))
    store.delete_checkpoints(first.id, gone.id)
    store.attach(first.id, {"w": b"waits"}, label="later")
    fork = store.fork_session(first.id, checkpoint_id=step.id)
    store.create_checkpoint(fork.id, users("aXc"), parent_id=active(fork).id)
    copy = store.copy_session(first.id, source="tool", source_id="copy")
    other = store.create_session("other", messages=users("a"), source="tool", source_id="other")
    store.delete_session(other.id)
    store.purge_session(store.create_session("purged", messages=users("a")).id)
    return [store.get_session(session.id) for session in (first, fork, copy, other)]


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
            assert store.backup(tmp_path / "copy").sessions == 0

    def test_a_backup_holds_all_that_the_store_holds(self, store: Store, backups: OpenBackup, tmp_path: Path) -> None:
        sessions = filled(store)
        before = contents(store)
        paths: list[Path | str] = [tmp_path / "copy", str(tmp_path / "as text")]
        for number, path in enumerate(paths):
            done = store.backup(path, verify=number == 0)
            size = Path(path).stat().st_size
            assert done == Backup(path=done.path, bytes=size, sessions=4, verified=number == 0)
            assert Path(done.path) == Path(path)
            assert Path(path).stat().st_mode & 0o777 == 0o600
            with backups(Path(path)) as copy:
                assert contents(copy) == before
                assert findings(copy) == []
                assert attached(copy, copy.append(sessions[0].id, [], label="later").id) == {"w": b"waits"}
        assert contents(store) == before

    def test_a_backup_and_its_store_go_their_own_ways(self, store: Store, backups: OpenBackup, tmp_path: Path) -> None:
        session = store.create_session("", messages=users("a"))
        store.backup(tmp_path / "copy")
        store.append(session.id, users("b"))
        with backups(tmp_path / "copy") as copy:
            assert said(copy, copy.append(session.id, users("x")).id) == "ax"
        assert said(store, store.get_active_checkpoint(session.id).id) == "ab"

    def test_a_backup_takes_the_place_of_no_file_unless_told_to(
        self, store: Store, backups: OpenBackup, tmp_path: Path
    ) -> None:
        store.create_session("kept")
        taken = tmp_path / "taken"
        taken.write_bytes(b"something else")
        with pytest.raises(InvalidRequestError, match="taken"):
            store.backup(taken)
        assert taken.read_bytes() == b"something else"
        assert store.backup(taken, overwrite=True).sessions == 1
        with backups(taken) as copy:
            assert titles(copy.list_sessions()) == ["kept"]

    def test_a_backup_that_cannot_be_written_leaves_nothing(
        self, store: Store, backups: OpenBackup, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_bytes(b"")
        store.create_session("kept")
        before = sorted(tmp_path.iterdir())
        no_paths: list[Any] = ["a\0b", 1, None, ["copy"], b"copy"]
        for wrong in no_paths:
            with pytest.raises(InvalidRequestError, match="path"):
                store.backup(wrong)
        for impossible in ("", tmp_path / "file" / "copy", tmp_path):
            with pytest.raises((InvalidRequestError, UnavailableError)):
                store.backup(impossible)
        assert sorted(tmp_path.iterdir()) == before

    def test_a_backup_never_takes_the_place_of_the_store_itself(self, store: Store, backups: OpenBackup) -> None:
        path = store.backend_info().store_path
        if path is None or not Path(path).exists():
            return
        session = store.create_session("kept", messages=users("a"))
        with pytest.raises(InvalidRequestError):
            store.backup(path, overwrite=True)
        assert said(store, store.append(session.id, users("b")).id) == "ab"

    def test_a_backup_that_is_broken_off_leaves_nothing(
        self, store: Store, backups: OpenBackup, tmp_path: Path
    ) -> None:
        store.create_session("kept")
        before = sorted(tmp_path.iterdir())

        def stop(_: Progress) -> None:
            raise RuntimeError("stop")

        with pytest.raises(RuntimeError, match="stop"):
            store.backup(tmp_path / "copy", progress=stop)
        assert sorted(tmp_path.iterdir()) == before
        assert store.backup(tmp_path / "copy").verified

    def test_a_backup_is_of_one_moment_though_others_write(
        self, store: Store, backups: OpenBackup, tmp_path: Path
    ) -> None:
        session = store.create_session("", messages=users("a"), metadata={"fill": "x" * 200_000})

        def write() -> None:
            for _ in range(40):
                store.append(session.id, users("b"), attachments={"f": b"1"})

        written, done, _ = together([write, lambda: store.backup(tmp_path / "copy"), write])
        assert written is None
        assert done.sessions == 1
        with backups(tmp_path / "copy") as copy:
            found, line = copy.get_session(session.id), store.list_checkpoints(session.id)
            assert ids(copy.list_checkpoints(session.id)) == ids(line)[: found.revision]
            assert len(active(found).state.messages) == found.revision
            assert findings(copy) == []

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

    def test_progress_that_cannot_be_told_is_refused_before_anything_is_done(
        self, store: Store, open_backup: OpenBackup | None, tmp_path: Path
    ) -> None:
        filled(store)
        wrong: list[Any] = [1, "print", [print], True]
        for value in wrong:
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="progress"):
                list(store.verify(progress=value))
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="progress"):
                store.compact(progress=value)
            if open_backup is not None:
                with pytest.raises(InvalidRequestError, match="progress"):
                    store.backup(tmp_path / "copy", progress=value)
        assert not list(tmp_path.glob("copy*"))

    def test_looking_after_a_session_that_is_missing_finds_nothing(self, store: Store) -> None:
        plan = store.plan_prune(keep_last=0, inactive_longer_than=timedelta())
        assert (plan.sessions, plan.thinned) == ([], [])
        assert store.apply_prune(plan) == Pruned(sessions=[], checkpoints=0, skipped=[])
        with pytest.raises(NotFoundError):
            store.purge_session(missing())
