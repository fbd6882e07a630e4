"""Watching a file: what it costs, and changes of other processes."""

import subprocess
import sys
from pathlib import Path

from tests.sqlite.conftest import Query

import clew
from clew.sqlite import open_backend


def told(store: clew.Store, after: int) -> list[clew.Change]:
    return list(store.watch(after=after, idle_timeout=0))


def test_an_append_needs_no_page_for_its_number(path: Path, query: Query) -> None:
    with clew.open(path) as store:
        session = store.create_session("", messages=[{"n": 0}])
        before = store.last_change()
        for number in range(1, 6):
            store.append(session.id, [{"n": number}])
        assert store.last_change() == before + 5
    assert query("SELECT value FROM counter WHERE name = 'CHANGES'") == [(0,)]


def test_numbers_do_not_go_back_when_content_goes(path: Path) -> None:
    with clew.open(path) as store:
        kept = store.create_session("kept", messages=[{"n": 0}])
        doomed = store.create_session("doomed", messages=[{"n": number} for number in range(100)])
        tip = store.append(kept.id, [{"n": "a"}, {"n": "b"}])
        number = store.last_change()
        store.purge_session(doomed.id)
        store.delete_checkpoints(kept.id, tip.id)
        store.compact()
        purged, deleted = told(store, number)
        assert number < purged.sequence < deleted.sequence <= store.last_change()
        store.append(kept.id, [{"n": "c"}])
        (appended,) = told(store, deleted.sequence)
        assert appended.sequence > deleted.sequence
        assert list(store.verify()) == []


def test_a_file_of_an_older_clew_gets_numbers_for_what_it_holds(path: Path) -> None:
    with clew.open(path) as store:
        made = [store.create_session(str(number), messages=[{"n": number}]) for number in range(3)]
        store.purge_session(made.pop().id)
    with clew.migrations(path) as migrations:
        assert migrations.rollback(3, discard=True)[-2:] == [5, 4]
    with clew.open(path) as store:
        assert {change.session_id for change in told(store, 0)} == {session.id for session in made}
        number = store.last_change()
        store.update_session(made[0].id, title="new")
        assert [change.session_id for change in told(store, number)] == [made[0].id]
        assert list(store.verify()) == []


def test_a_lost_counter_of_changes_is_found_and_stops_writes(path: Path, query: Query) -> None:
    with clew.open(path) as store:
        session = store.create_session("")
    query("DELETE FROM counter WHERE name = 'CHANGES'")
    with clew.open(path) as store:
        assert [finding.kind for finding in store.verify()] == ["change"]
        try:
            store.update_session(session.id, title="new")
        except clew.StorageError:
            assert store.get_session(session.id).title == ""
        else:
            raise AssertionError("a change without a number was written")


def test_changes_of_another_process_are_told(path: Path) -> None:
    with clew.open(path) as store:
        watch = store.watch()
        script = "import clew, sys; print(clew.open(sys.argv[1]).create_session('other').id)"
        done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
        assert str(next(watch).session_id) == done.stdout.strip()


def test_a_watch_that_is_left_lets_go_of_the_file(path: Path) -> None:
    with clew.open(path) as store:
        session = store.create_session("")
        watch = store.watch()
        store.append(session.id, [])
        next(watch)
        del watch
    assert {file.name for file in path.parent.iterdir()}.isdisjoint({f"{path.name}-wal", f"{path.name}-shm"})


def test_a_read_only_store_can_be_watched(path: Path) -> None:
    with clew.open(path) as store:
        session = store.create_session("")
        with clew.Store(open_backend(str(path), busy_timeout=5, read_only=True)) as reader:
            watch = reader.watch()
            store.append(session.id, [])
            assert next(watch).session_id == session.id
