"""Everything of a store arrives in another one."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.copying.shapes import SHAPES, fill, root_of, users
from tests.copying.stores import copy_whole, everything, open_file

from clew import SAME, Store
from clew.testing import Clock
from clew.testing.contract.base import tree


def test_sessions_of_every_shape_arrive_with_ids_times_and_order(here: Store, there: Store) -> None:
    for shape in SHAPES.values():
        shape(here)
    copied = copy_whole(here, there)
    assert everything(there) == everything(here)
    assert (copied.created, copied.verified) == (len(everything(here)), True)
    assert list(there.verify()) == []


def test_from_the_laptops_file_to_the_teams_database_and_back(
    postgres_url: str, laptop: Store, tmp_path: Path, clock: Clock
) -> None:
    from tests.support.postgres_stores import open_store

    for shape in SHAPES.values():
        shape(laptop)
    with open_store(postgres_url, clock) as team, open_file(str(tmp_path / "back.db"), clock) as back:
        copy_whole(laptop, team)
        copy_whole(team, back)
        assert everything(back) == everything(team) == everything(laptop)
        for session in laptop.list_sessions(limit=1_000):
            whole = repr(tree(laptop, session.id))
            assert repr(tree(team, session.id)) == repr(tree(back, session.id)) == whole


def test_owners_arrive_and_keys_stay(here: Store, there: Store) -> None:
    here.create_key("Ada", "admin")
    keys = [[key.id for key in store.list_keys()] for store in (here, there)]
    ids = [here.create_session("", source="tool", source_id="1", owner=owner).id for owner in (None, "Ada", "Bob")]
    copy_whole(here, there)
    assert [there.get_session(id).owner for id in ids] == [None, "Ada", "Bob"]
    here.update_session(ids[2], owner="Cy")
    copy_whole(here, there)
    assert there.find_session("tool", "1", owner="Cy").id == ids[2]
    assert [[key.id for key in store.list_keys()] for store in (here, there)] == keys


def test_what_was_copied_is_copied_back(here: Store, there: Store) -> None:
    fill(here)
    before = everything(here)
    copy_whole(here, there)
    for id in before:
        here.purge_session(id)
    copy_whole(there, here)
    assert everything(here) == before


def test_a_fork_shares_its_messages_in_the_destination(laptop: Store, tmp_path: Path, clock: Clock) -> None:
    session = laptop.create_session("", messages=[{"text": "x" * 1_000_000}])
    forks = [laptop.fork_session(session.id).id for _ in range(3)]
    laptop.append(forks[0], users("a"))
    laptop.delete_checkpoints(forks[0], root_of(laptop, forks[0]))
    with open_file(str(tmp_path / "team.db"), clock) as team:
        assert copy_whole(laptop, team).created == 4
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 3_000_000  # once, and once in the log
    with closing(sqlite3.connect(tmp_path / "team.db")) as connection:
        ((bodies,),) = connection.execute("SELECT sum(length(CAST(body AS BLOB))) FROM content")
    assert bodies < 1_001_000


def test_the_bytes_of_an_attachment_are_sent_once_along_a_branch(laptop: Store, team: Store) -> None:
    session = laptop.create_session("")
    laptop.append(session.id, [], attachments={"f": bytes(1_000_000)})
    for number in range(20):
        laptop.append(session.id, [], attachments={"f": SAME, "g": str(number).encode()})
    assert copy_whole(laptop, team).bytes < 1_001_000
    assert everything(team) == everything(laptop)


def test_chosen_sessions_come_alone(laptop: Store, team: Store) -> None:
    talk = fill(laptop)
    fork = next(item.id for item in laptop.list_sessions() if item.title == "a fork")
    assert copy_whole(laptop, team, sessions=[fork]).created == 1
    assert everything(team) == {fork: everything(laptop)[fork]}
    copy_whole(laptop, team, sessions=[talk.id])
    copy_whole(laptop, team)
    assert everything(team) == everything(laptop)
