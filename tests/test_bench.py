"""The benchmark says what it found: a target that was missed is printed as missed, and the server is an honest one."""

import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from bench import adapters, postgres, postgres_bytes, report, run, servers, sizing
from bench.measure import Lab
from bench.servers import Database
from bench.targets import TARGETS, Fact, Finding, Measured, Table

if TYPE_CHECKING:
    from tests.support.postgres_server import PostgresServer

ROOT = Path(__file__).resolve().parent.parent
OF_ITS_PLACE = {
    "TimeZone", "default_text_search_config", "lc_messages", "listen_addresses", "log_timezone",
    "unix_socket_directories",
}  # fmt: skip
"""What of a server's settings says where it is and in which language it speaks."""

CHANGED = """
SELECT name FROM pg_settings
WHERE source NOT IN ('default', 'client', 'override') AND setting IS DISTINCT FROM boot_val
"""

NUMBERS = sizing.Numbers(
    machine="a machine",
    server_version=180_004,
    json=1_600,
    file=2_000,
    tables=2_000,
    indexes=500,
    log=3_000,
    log_cold=30_000,
    session=4_500,
    rows=5,
    transactions=1,
    file_append=0.001,
    file_rate=2_000,
    server_append=0.002,
    server_rate=1_000,
    server_load=0.02,
)


class Tiny(Lab):
    """Where everything is done twice."""

    def some(self, thorough: int, quick: int) -> int:
        return 2


@pytest.fixture
def tests_own_server(postgres_server: "PostgresServer", monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Measurements are made in databases of the server that the tests have."""
    made = []

    class Cluster:
        def database(self, name: str) -> Database:
            made.append(postgres_server.create_database())
            return Database(made[-1])

    @contextmanager
    def cluster() -> Iterator[Cluster]:
        yield Cluster()

    for module in (postgres, postgres_bytes):
        monkeypatch.setattr(module, "cluster", cluster)
    yield
    for url in made:
        postgres_server.drop_database(url)


class TestTargets:
    def test_those_of_postgresql_are_two_and_one_point_three(self) -> None:
        assert TARGETS["postgres append floor"].bound == 2.0
        assert TARGETS["postgres append late"].bound == 1.3

    def test_a_missed_one_is_printed_as_missed(self) -> None:
        findings = [Measured("postgres append floor", 2.1, 1.0), Measured("postgres append late", 1.3, 1.0)]
        shown = report.render(findings)
        missed, met = (line for line in shown.splitlines() if line.startswith("| PostgreSQL"))
        assert "MISSED" in missed
        assert "2.10 ×" in missed
        assert "MISSED" not in met
        assert "2 targets, 1 missed: PostgreSQL: append 2 messages." in report.summary(findings)

    def test_small_ones_are_told_as_fractions(self) -> None:
        shown = report.render([Measured("langgraph put", 1.0, 98.0), Measured("langgraph get", 0.3, 1.0)])
        put, get = (line for line in shown.splitlines() if line.startswith("| LangGraph"))
        assert "| 1/98 " in put
        assert "| ≤ 1/50 " in put
        assert "| 0.30 × " in get
        assert "MISSED" in get


class TestAdapters:
    def test_what_is_measured_elsewhere_is_shown_with_the_rest(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(adapters, "ROOT", tmp_path)
        python = tmp_path / ".venv" / "adapters" / "some-thing" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.symlink_to(sys.executable)
        (tmp_path / "bench").mkdir()
        (tmp_path / "bench" / "adapter_some_thing.py").write_text(
            f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'src')!r}, *{sys.path!r}]\n"
            "from bench.adapters import tell\n"
            "from bench.targets import Measured, Table\n"
            "tell(lambda lab: [Measured('langgraph put', 1.0, 60.0), Table(str(lab.quick), ['a'], [['b']])])\n"
        )
        findings = list(adapters.beside("some-thing")(Lab(tmp_path, quick=True)))
        assert findings == [Measured("langgraph put", 1.0, 60.0), Table("True", ["a"], [["b"]])]

    def test_where_a_framework_is_missing_the_table_says_so(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(adapters, "ROOT", tmp_path)
        (finding,) = adapters.beside("langgraph")(Lab(tmp_path, quick=True))
        assert isinstance(finding, Table)
        assert "make adapters" in finding.notes


class TestServer:
    def test_it_keeps_what_it_acknowledges_and_is_set_as_it_comes(self) -> None:
        with servers.cluster() as cluster, psycopg.connect(cluster.database("looked").url) as connection:
            changed = {name for (name,) in connection.execute(CHANGED).fetchall()}
            kept = {
                name: connection.execute(f"SHOW {name}").fetchone() == ("on",)
                for name in ("fsync", "full_page_writes", "synchronous_commit")
            }
        assert all(kept.values()), kept
        assert changed <= OF_ITS_PLACE, changed


@pytest.mark.usefixtures("tests_own_server")
class TestMeasurements:
    def test_an_append_is_shown_next_to_rows_inserted_by_hand(self, tmp_path: Path) -> None:
        shown = report.render(list(run.MEASUREMENTS["postgres-floor"](Tiny(tmp_path, quick=True))))
        assert "| PostgreSQL: append 2 messages " in shown
        assert "BEGIN, INSERT, INSERT, COMMIT" in shown

    def test_a_turn_is_one_transaction_and_five_rows(self, tmp_path: Path) -> None:
        findings = run.MEASUREMENTS["postgres-bytes"](Tiny(tmp_path, quick=True))
        facts = {finding.name: finding.value for finding in findings if isinstance(finding, Fact)}
        assert round(facts["transactions"]) == 1
        assert facts["rows"] == 5  # 2 messages, their 2 places, the checkpoint


class TestHttp:
    def test_a_long_session_over_http_is_held_to_twice_the_store(self) -> None:
        assert TARGETS["http load"].bound == 2.0

    def test_it_is_shown_next_to_the_store_as_clew_and_as_plain_clients_get_it(self, tmp_path: Path) -> None:
        shown = report.render(list(run.MEASUREMENTS["http-load"](Tiny(tmp_path, quick=True))))
        assert "| HTTP: get a session of 2,000 messages " in shown
        for name in ("the store", "clew over HTTP", "plain client, form stored", "plain client, form strict"):
            assert f"\n| {name} " in shown

    def test_every_kind_of_request_is_counted_for_one_client_and_for_many(self, tmp_path: Path) -> None:
        (table,) = run.MEASUREMENTS["http"](Tiny(tmp_path, quick=True))
        assert isinstance(table, Table)
        assert [(row[1], row[2]) for row in table.rows] == [*[("full", "1"), ("full", "32")] * 4, *_NORMAL]
        assert all(int(row[3].replace(",", "")) > 0 for row in table.rows)


_NORMAL = [("normal", "1"), ("normal", "32")]


class TestSetUp:
    def test_what_clew_is_compared_with_is_installed_for_the_benchmark_and_for_nothing_else(self) -> None:
        groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
        named = {group for group, packages in groups.items() if any("langgraph" in package for package in packages)}
        assert named == {"bench", "adapter-langgraph"}  # each in an environment of its own
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert "bench: $(BENCH)/.ready" in makefile
        assert "--group bench" in makefile


class TestSizing:
    def test_a_billion_checkpoints_are_a_billion_times_a_turn(self) -> None:
        row = _row(sizing.tables(NUMBERS), "1,000,000,000")
        # Of 20 million sessions, each of which takes 2 KB beyond its turns.
        assert row[1:6] == ["1.6 TB", "2.0 TB", "2.0 TB", "500 GB", "3.0 TB"]
        assert row[6] == "12 days"

    def test_agents_ask_for_their_turns(self) -> None:
        row = _row(sizing.tables(NUMBERS), "1,000")
        assert row[1:4] == ["100", "10%", "300 KB"]
        assert row[4:] == ["21.6 GB", "8.6 million"]

    def test_a_run_brings_the_page_up_to_date_and_keeps_what_it_did_not_measure(self, tmp_path: Path) -> None:
        page, measured = tmp_path / "page.md", tmp_path / "measured.json"
        page.write_text(f"before\n{sizing.BEGIN}old\n{sizing.END}\nafter\n", encoding="utf-8")
        findings: list[Finding] = [Fact(name, 1.0) for name in sizing.Numbers.__struct_fields__ if name != "machine"]
        sizing.record(findings, measured, page)
        sizing.record([Fact("json", 1_234_000.0), Measured("postgres append floor", 0.5, 0.4)], measured, page)
        numbers = sizing.read(measured)
        assert (numbers.json, numbers.server_append, numbers.tables) == (1_234_000, 0.5, 1)
        assert (
            page.read_text(encoding="utf-8") == f"before\n{sizing.BEGIN}{sizing.tables(numbers)}{sizing.END}\nafter\n"
        )


def _row(tables: str, first: str) -> list[str]:
    """The cells of the row that begins so."""
    (line,) = (line for line in tables.splitlines() if line.startswith(f"| {first} "))
    return [cell.strip() for cell in line.strip("|").split("|")]
