"""Every query that runs often finds its rows through an index."""

import re
from typing import Any

import pytest

import clew
from clew.relational.statements import parse_queries
from clew.sqlite.queries import SQL, Query
from clew.sqlite.transaction import SQLiteTransaction

# Those that read a family or a list from end to end, by what they are for.
READS_IT_ALL = {
    "changes",  # an index of numbers that every write moves would cost each of them more than who watches gains
    "count_sessions",
    "count_sessions_filtered",
    "count_sessions_kept",  # two rows
    "list_keys",
    "unindexed_families",  # as "changes", once for everything that has changed since the last search
    "families_searched",
    "stray_indexed",  # for verify
    "forget_indexed",
    "forget_places",
    "search_state",  # one row
    "set_search_state",
    "is_unmerged",
    "set_unmerged",
    "families_to_index",  # those of the purges under way
    "forget_families_to_index",
    "count_indexed",  # once for a purge that takes many messages out
    "sessions_in_directory",  # what is moved once in a while needs no index that every session pays for
    "stats_sessions",  # statistics count everything there is
    "stats_days",
    "stats_stored",
    "stats_copied",
    "stats_biggest",
    "delete_unreached_chunks",
    "delete_unreached_content",
    "session_families",
    "timeline_families",
    "content_families",
}

# What a query has been given, or has just put together: it reads that from end to end.
AT_HAND = {"page", "line", "part", "wanted", "json_each", "newest", "CONSTANT", "found"}


def plan_of(query: Query) -> list[str]:
    parameters = [1] * len(set(re.findall(r"\?\d+", query.text)))
    with clew.open(":memory:") as store:
        store.create_session("one")
        return store._backend._engine.alone(  # type: ignore[attr-defined,no-any-return]
            lambda connection: [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query.text}", parameters)],
            timeout=5,
        )


@pytest.mark.parametrize("name", sorted(set(SQL) - READS_IT_ALL))
def test_no_query_scans_a_table(name: str) -> None:
    scanned = [step for step in plan_of(SQL[name]) if step.startswith("SCAN ") and " VIRTUAL TABLE " not in step]
    assert {step.split()[1] for step in scanned} <= AT_HAND


@pytest.mark.parametrize("name", ["match_messages", "count_matches"])
def test_searching_walks_the_words_from_the_newest_message_on_and_sorts_nothing(name: str) -> None:
    plan = plan_of(SQL[name])
    (step,) = [step for step in plan if "VIRTUAL TABLE" in step]
    assert re.search(r"INDEX \d+:.*M2?", step)  # FTS5 is given what to match, and nothing is left to look through
    assert not [step for step in plan if "TEMP B-TREE" in step]


def test_listing_sessions_walks_the_index_and_sorts_nothing() -> None:
    plan = plan_of(SQL["list_sessions"])
    assert plan.count("SEARCH s USING INDEX session_recent (status=?)") == 2
    assert not [step for step in plan if "TEMP B-TREE" in step]


def test_listing_the_sessions_of_an_owner_walks_their_index_and_sorts_nothing() -> None:
    plan = plan_of(SQL["list_sessions_of_owner"])
    assert plan.count("SEARCH s USING INDEX session_owner (owner=? AND status=?)") == 2
    assert not [step for step in plan if "TEMP B-TREE" in step]


def test_counting_the_sessions_of_an_owner_looks_at_no_others() -> None:
    (step, *_) = [step for step in plan_of(SQL["count_sessions_of_owner"]) if step.startswith("SEARCH s ")]
    assert "session_owner (owner=?" in step


@pytest.mark.parametrize("name", ["list_sessions_of_name", "count_sessions_of_name"])
def test_sessions_of_a_name_are_found_without_looking_at_others(name: str) -> None:
    (step,) = [step for step in plan_of(SQL[name]) if step.startswith("SEARCH s ") and "rowid" not in step]
    assert step == "SEARCH s USING INDEX session_source (source=? AND source_id=?)"


def test_what_is_active_is_found_by_the_keys_in_the_rows_of_its_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    fetch = SQLiteTransaction.fetch_all

    def fetch_all(db: SQLiteTransaction, name: str, parameters: Any) -> Any:
        ran.append(name)
        return fetch(db, name, parameters)

    with clew.open(":memory:") as store:
        sessions = [store.create_session("", metadata={"k": 1}).id for _ in range(100)]
        monkeypatch.setattr(SQLiteTransaction, "fetch_all", fetch_all)
        page = store.list_checkpoints(sessions, active=True, metadata={"k": 1}, with_metadata=True)
    assert (len(page), ran) == (100, ["sessions_by_id", "checkpoints_on_page", "checkpoints_on_page"])
    assert any(
        step.startswith("SEARCH c USING ") and step.endswith("(session=? AND seq=?)")
        for step in plan_of(SQL["checkpoints_on_page"])
    )
    assert [step for step in plan_of(SQL["sessions_by_id"]) if " s " in step] == [
        "SEARCH s USING INDEX session_id (id=?) LEFT-JOIN"
    ]


def test_a_session_is_found_by_owner_and_name_in_one_step() -> None:
    (step,) = [step for step in plan_of(SQL["session_id_by_source"]) if step.startswith("SEARCH")]
    assert step.endswith("USING INDEX session_source (source=? AND source_id=? AND <expr>=?)")


@pytest.mark.parametrize(
    "name",
    [
        "page_created",
        "page_created_desc",
        "page_label",
        "page_label_desc",
        "page_children",
        "page_branches",
        "read_bodies",
        "read_chunks",
        "read_hashed_bodies",
        "read_hashes",
        "read_scattered_bodies",
    ],
)
def test_reading_in_order_sorts_nothing(name: str) -> None:
    assert not [step for step in plan_of(SQL[name]) if "TEMP B-TREE" in step]


@pytest.mark.parametrize(
    ("name", "walked"),
    [
        ("page_created", "(session=? AND seq>?)"),
        ("page_created_desc", "(session=? AND seq<?)"),
        ("page_label", "(session=? AND label>? AND label<?)"),
        ("page_label_desc", "(session=? AND label>? AND label<?)"),
    ],
)
def test_a_page_walks_no_more_of_its_index_than_lies_behind_it(name: str, walked: str) -> None:
    assert any(step.startswith("SEARCH c ") and step.endswith(walked) for step in plan_of(SQL[name]))


def test_a_query_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="two queries are named a"):
        parse_queries("-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;\n")


def test_every_query_is_used() -> None:
    from importlib import resources

    folders = [resources.files("clew.relational"), resources.files("clew.sqlite")]
    code = "".join(file.read_text() for folder in folders for file in folder.iterdir() if file.name.endswith(".py"))
    assert [name for name in SQL if f'"{name}"' not in code] == []
