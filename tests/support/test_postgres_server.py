"""The PostgreSQL for tests gives each what it asks for, and leaves nothing behind."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from tests.support.postgres_server import PostgresServer

ROOT = Path(__file__).resolve().parents[2]
_HOLD_A_SERVER = """
import sys
from tests.support.postgres_server import private_server

with private_server() as url:
    print(url, flush=True)
    sys.stdin.read()
"""


def _tables(url: str) -> list[tuple[str]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT relname FROM pg_class WHERE relname LIKE 'made_%'").fetchall()


def test_a_database_is_empty_or_like_its_template(postgres_server: PostgresServer) -> None:
    template = postgres_server.create_database()
    with psycopg.connect(template) as connection:
        connection.execute("CREATE TABLE made_here (id int)")
    copies = [postgres_server.create_database(template) for _ in range(2)]
    assert [_tables(url) for url in copies] == [[("made_here",)]] * 2
    assert _tables(postgres_server.create_database()) == []


def test_a_database_is_dropped_though_somebody_is_connected(postgres_server: PostgresServer) -> None:
    url = postgres_server.create_database()
    with psycopg.connect(url) as connection:
        postgres_server.drop_database(url)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)


def test_a_server_is_gone_with_the_process_that_started_it_though_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", _HOLD_A_SERVER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        folder = Path(parse_qs(urlsplit(url).query)["host"][0])
        assert folder.is_dir()
        with psycopg.connect(url) as connection:
            process.kill()
            process.stdout.read()  # which ends when the process and its guard have
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
    assert not folder.exists()
