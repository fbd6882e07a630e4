"""Every query that runs often finds its rows by keys, whatever the server knows of the tables.

Plans are made for any value, as those of a store are, over tables with some thousand rows: once as PostgreSQL finds
them that nobody has analyzed yet, and once analyzed.
"""

import json
from collections.abc import Iterator
from contextlib import closing
from hashlib import md5
from typing import Any

import pytest

psycopg = pytest.importorskip("psycopg")

from psycopg import sql  # noqa: E402
from psycopg.conninfo import conninfo_to_dict  # noqa: E402
from tests.support.postgres_server import PostgresServer  # noqa: E402

import clew  # noqa: E402
from clew.postgres import connections  # noqa: E402
from clew.postgres.queries import SQL, Query  # noqa: E402

FEW, MANY = 100, 3_000
PAGE = 20
LONG = 500
"""How many checkpoints one session has; the others have a few."""

_CAN_PLAN_FOR_ANY_VALUE = 160_000

# Those that read a table from end to end, by what they are for.
READS_IT_ALL = {
    "changes_are_given",  # the greatest there is, from the end of an index
    "count_sessions",  # for verify, as stray_tips and the families
    "count_sessions_filtered",  # a total only by looking at each
    "count_sessions_of_owner",
    "delete_unreached_content",  # all content of one family
    "empty_index",  # for an index that is thrown away
    "families_searched",  # once a search: which sessions have a directory, no index says
    "forget_indexed",
    "forget_places",
    "stray_indexed",  # for verify
    "list_keys",  # a list without pages, of the few that a server has
    "session_families",
    "sessions_in_directory",  # what is moved once in a while needs no index that every session pays for
    "stats_sessions",  # statistics count everything there is
    "stats_days",
    "stats_stored",
    "stats_copied",
    "stats_biggest",
    "stray_tips",
    "stray_directories",
    *(f"{kind}_families" for kind in ("timeline", "content", "checkpoint", "entry", "attachment", "waiting", "chunk")),
}

A_FEW_ROWS = {"clew_change_origin", "clew_session_count", "clew_search_state"}
"""Tables that never have more, which may be read whole."""

FILLED = """
INSERT INTO clew_session (key, id, family, title, visibility, source, source_id, metadata, created_at, seal)
SELECT g, md5('s' || g)::uuid, g, 'Session ' || g, 'PRIVATE', 'other', g, '\\x01', g, 0
FROM generate_series({0}, {1}) AS g;
INSERT INTO clew_tip
SELECT g, md5('s' || g)::uuid, CASE WHEN g % 10 = 0 THEN 'DELETED' ELSE 'ACTIVE' END, 3, 4, 3, 3, g, g, 0, g
FROM generate_series({0}, {1}) AS g;
INSERT INTO clew_checkpoint
SELECT g, g, q, md5('c' || g || '.' || q)::uuid, nullif(q - 1, 0), g, q, '\\x00', '\\x01', 'label ' || q, g,
    NULL, NULL, 1, 0
FROM generate_series({0}, {1}) AS g, generate_series(1, CASE WHEN g = 7 THEN {2} ELSE 3 END) AS q;
INSERT INTO clew_timeline
SELECT g, g + {1} * q, g, NULL, 0, 0 FROM generate_series({0}, {1}) AS g, generate_series(0, 9) AS q;
INSERT INTO clew_content
SELECT g, int4send(q), repeat('x', 300)::bytea, '{{}}' FROM generate_series({0}, {1}) AS g, generate_series(1, 3) AS q;
INSERT INTO clew_entry
SELECT g, g, q, 0, int4send(q) FROM generate_series({0}, {1}) AS g, generate_series(1, 3) AS q;
INSERT INTO clew_attachment
SELECT g, g, q, 'name', 'application/octet-stream', 2, NULL, '\\x01', 0
FROM generate_series({0}, {1}) AS g, generate_series(1, 5) AS q;
INSERT INTO clew_waiting_attachment
SELECT g, g, 'label ' || q, 'name', 'application/octet-stream', 2, NULL, '\\x01', 0
FROM generate_series({0}, {1}) AS g, generate_series(1, 5) AS q;
INSERT INTO clew_chunk
SELECT g, int4send(q), 0, '\\x01' FROM generate_series({0}, {1}) AS g, generate_series(1, 5) AS q;
INSERT INTO clew_message_index (family, content, words)
SELECT g, int4send(q), ('word:1 rare' || g || ':2')::tsvector
FROM generate_series({0}, {1}) AS g, generate_series(1, 3) AS q;
INSERT INTO clew_message_place
SELECT g, int4send(q), g, q, q FROM generate_series({0}, {1}) AS g, generate_series(1, 3) AS q;
INSERT INTO clew_indexed_timeline SELECT g, g, 4, 3 FROM generate_series({0}, {1}) AS g;
INSERT INTO clew_api_key SELECT md5('k' || g)::uuid, sha256(int4send(g)), 'name', 'read', g, NULL, NULL, 0
FROM generate_series({0}, {1}) AS g;
INSERT INTO clew_former_directory SELECT g, '/' || g, 0 FROM generate_series({0}, {1}) AS g;
INSERT INTO clew_purged SELECT md5('p' || g)::uuid, g FROM generate_series({0}, {1}) AS g;
"""

SESSION, CHECKPOINT = (md5(name.encode(), usedforsecurity=False).hexdigest() for name in ("s7", "c7.3"))
"""Ids in the long session."""

A_FEW = 60
"""How many rows the steps of a query pass on together that looks up a few."""

LIST_PARAMETERS: dict[str, Any] = {"active": True, "deleted": True, "limit": PAGE, "offset": 0}


class Tables:
    """A database with rows in every table, and a connection to it as a store makes them."""

    def __init__(self, url: str, *, analyzed: bool) -> None:
        address = {name: str(value) for name, value in conninfo_to_dict(url).items()}
        self.connection = connections.connect(address, connections.Settings("normal", timeout=30, read_only=False))
        self._fill(1, FEW)
        self.listed_of_few = self.rows_of("list_sessions", LIST_PARAMETERS)
        self._fill(FEW + 1, MANY)
        if analyzed:
            self.connection.execute("ANALYZE")

    def _fill(self, first: int, last: int) -> None:
        self.connection.execute(FILLED.format(first, last, LONG).encode())

    def plan(self, query: Query) -> list[dict[str, Any]]:
        """The nodes of the plan that a query has for any value."""
        return self._explained("GENERIC_PLAN", query.text)

    def rows_of(self, name: str, parameters: dict[str, Any]) -> int:
        """How many rows the nodes of a query hand on or drop, all together."""
        query = SQL[name]
        given = [sql.Literal(parameters.get(parameter)) for parameter, _ in query.parameters]
        self.connection.execute(f"PREPARE {name} AS {query.text}".encode())
        executed = sql.SQL("EXECUTE {}({})").format(sql.Identifier(name), sql.SQL(", ").join(given))
        nodes = self._explained("ANALYZE, TIMING OFF", executed.as_string(self.connection))
        self.connection.execute(f"DEALLOCATE {name}".encode())
        return sum(
            node["Actual Loops"]
            * (node["Actual Rows"] + sum(node[key] for key in node if key.startswith("Rows Removed")))
            for node in nodes
        )

    def _explained(self, how: str, statement: str) -> list[dict[str, Any]]:
        row = self.connection.execute(f"EXPLAIN ({how}, FORMAT JSON) {statement}".encode(), prepare=False).fetchone()
        assert row is not None
        plans = row[0] if isinstance(row[0], list) else json.loads(row[0])
        return [node for plan in plans for node in nodes_under(plan["Plan"])]


def nodes_under(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from nodes_under(child)


@pytest.fixture(scope="module", params=["never analyzed", "analyzed"])
def tables(request: pytest.FixtureRequest, postgres_server: PostgresServer) -> Iterator[Tables]:
    url = postgres_server.create_database()
    clew.open(url).close()
    filled = Tables(url, analyzed=request.param == "analyzed")
    with closing(filled.connection):
        if filled.connection.info.server_version < _CAN_PLAN_FOR_ANY_VALUE:
            pytest.skip("older servers do not say what plan a query has for any value")
        yield filled


def is_read_whole(node: dict[str, Any]) -> bool:
    """Whether a node reads all of a table, by itself or along an index."""
    is_scan = node["Node Type"] in ("Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Index Scan")
    return is_scan and "Index Cond" not in node and not node.get("Relation Name", "").startswith("pg_")


PLANNED = sorted(name for name in SQL if not SQL[name].text.startswith("SET "))


@pytest.mark.parametrize("name", sorted(set(PLANNED) - READS_IT_ALL))
def test_no_query_reads_a_whole_table(tables: Tables, name: str) -> None:
    read = {node.get("Relation Name", node.get("Index Name")) for node in tables.plan(SQL[name]) if is_read_whole(node)}
    assert read <= A_FEW_ROWS


def test_listing_sessions_walks_the_index_and_sorts_nothing(tables: Tables) -> None:
    (page,) = (node for node in tables.plan(SQL["list_sessions"]) if node.get("Subplan Name") == "CTE page")
    walked = list(nodes_under(page))
    assert [node.get("Scan Direction") for node in walked if node.get("Index Name") == "clew_tip_recent"] == 2 * [
        "Backward"
    ]
    assert not [node for node in walked if "Sort" in node["Node Type"]]


@pytest.mark.parametrize(
    "filters",
    [{}, {"deleted": False}, {"active": False}, {"visibility": "PRIVATE"}, {"source": "other", "metadata": "{}"}],
    ids=str,
)
def test_listing_sessions_reads_no_more_than_the_page(tables: Tables, filters: dict[str, Any]) -> None:
    assert tables.rows_of("list_sessions", LIST_PARAMETERS | filters) <= 1.3 * tables.listed_of_few


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("session_head", {"id": SESSION}),
        ("session_by_id", {"id": SESSION}),
        ("sessions_by_id", {"ids": f'["{SESSION}"]'}),
        ("checkpoint_by_id", {"id": CHECKPOINT}),
        ("checkpoints_by_id", {"ids": f'["{CHECKPOINT}"]'}),
        ("checkpoint_in_session", {"id": CHECKPOINT, "family": 7, "session": 7}),
        ("checkpoints_on_page", {"page": "[[7, 3]]", "with_metadata": True}),
        ("list_sessions_of_name", LIST_PARAMETERS | {"source": "other", "source_id": "7", "earliest": 0}),
        ("count_sessions_of_name", LIST_PARAMETERS | {"source": "other", "source_id": "7"}),
        ("points_before", {"family": 7, "session": 7, "seq": 400, "length": 396, "most": 256, "short": 1}),
        ("points_before", {"family": 7, "session": 7, "seq": 400, "length": 400, "most": 256, "short": 5}),
        ("points_before", {"family": 7, "session": 7, "seq": 400, "length": 0, "most": 5, "short": 1}),
        ("read_hashes", {"family": 7, "stretches": "[[7, 1, 2], [14, 2, 4]]"}),
        ("read_hashed_bodies", {"family": 7, "stretches": "[[7, 1, 2], [14, 2, 4]]"}),
        ("read_scattered_bodies", {"family": 7, "stretches": "[[7, 1, 2], [14, 2, 4]]"}),
        ("page_ancestry", {"id": CHECKPOINT}),
        ("page_descent", {"id": CHECKPOINT}),
        ("page_created", {"family": 7, "session": 7, "lower": 0, "limit": 2, "offset": 0}),
        ("page_created_desc", {"family": 7, "session": 7, "upper": 400, "limit": 2, "offset": 0}),
        ("find_checkpoints", {"metadata": "{}", "after_session": 0, "after_seq": 0, "limit": 2}),
    ],
)
def test_reading_a_few_checkpoints_of_a_long_session_reads_no_others(
    tables: Tables, name: str, parameters: dict[str, Any]
) -> None:
    assert tables.rows_of(name, parameters) <= A_FEW


@pytest.mark.parametrize(
    "name",
    [
        "page_created",
        "page_created_desc",
        "read_bodies",
        "read_hashed_bodies",
        "read_hashes",
        "read_scattered_bodies",
        "read_chunks",
    ],
)
def test_reading_in_order_sorts_nothing(tables: Tables, name: str) -> None:
    assert not [node for node in tables.plan(SQL[name]) if "Sort" in node["Node Type"]]
