"""`clew serve`: what it says, and what it refuses."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest
from tests.cli.support import COMMAND, Command
from tests.support.server_process import TIME_LIMIT, asking, serving

import clew

SECRET = "hunter2"


def started(*arguments: object, env: dict[str, str] | None = None) -> tuple[int, list[str], str]:
    """The exit code of a server that is asked to end once it has said where it listens, and what it said."""
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **(env or {})},
    )  # fmt: skip
    limit = threading.Timer(TIME_LIMIT, process.kill)
    limit.start()
    assert process.stdout is not None
    lines = [process.stdout.readline().rstrip("\n") for _ in range(4)]  # all of them: what is read ahead is lost
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    limit.cancel()
    return process.returncode, lines, errors


def test_it_says_where_it_listens_over_which_store_and_who_is_let_in(command: Command) -> None:
    code, lines, log = started("serve", command.path, "--port", 0)
    assert code == 0
    assert [line.split(" ", 2)[2] for line in log.splitlines()] == [
        "listening", "ending: what is under way may take 30 s", "ended"
    ]  # fmt: skip
    assert lines[0] == f"Backend: local ({command.path})"
    assert lines[1].startswith("Listening at http://127.0.0.1:")
    assert not lines[1].endswith(":0")
    assert "only programs of this machine" in lines[2]
    assert lines[3] == f"Make a key with: clew --store {command.path} key create NAME --role write"


def test_with_a_key_it_says_so_and_listens_anywhere(command: Command) -> None:
    with command.open() as store:
        token = store.create_key("Ada", clew.Role.ADMIN).token
    with serving(command.path, "--host", "0.0.0.0") as server:
        assert list(server.start) == ["listening", "has_keys", "backend"]
        assert server.start["has_keys"] is True
        assert server.start["backend"]["store_path"] == str(command.path)
        place = server.url.replace("0.0.0.0", "127.0.0.1")
        server.start["listening"] = [place]
        with asking(server) as client:
            assert client.get("/v1/account").status_code == 401
            answer = client.get("/v1/account", headers={"authorization": f"Bearer {token}"})
            assert answer.json()["username"] == "Ada"
        assert server.stop() == 0
        assert token not in server.log()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_without_a_key_no_other_address_is_listened_at(command: Command, host: str) -> None:
    exit_code, error = command.error("serve", "--host", host, "--port", 0)
    assert exit_code == 2
    assert "no API key yet" in error
    assert f"make a key first with: clew --store {command.path} key create NAME --role write" in error


def test_the_store_is_given_before_or_after_but_not_twice(command: Command) -> None:
    """The command of the tests gives --store."""
    told = command.json_error("serve", command.path)
    assert told == (2, "invalid_argument", "the store is given twice: as --store and after serve")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--host", "no-such-host.invalid"], "no address for"),
        (["--tls-cert", "x.pem"], "--tls-cert and --tls-key are given together"),
        (["--tls-cert", "no.pem", "--tls-key", "no.pem"], "cannot be used"),
        (["--proxy-headers", "nonsense"], "expected addresses or networks"),
        (["--proxy-headers", ""], "expected addresses or networks"),
        (["--rate", "0"], "requests_per_second must be a number above 0"),
        (["--rate", "nan"], "requests_per_second must be a number above 0"),
        (["--burst", "5"], "burst is of no use without"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_listens(
    command: Command, arguments: list[str], problem: str
) -> None:
    exit_code, code, error = command.json_error("serve", "--port", "0", *arguments)
    assert (exit_code, code) in ((2, "invalid_request"), (2, "invalid_argument"))
    assert problem in error


@pytest.mark.parametrize("arguments", [["--port", "65536"], ["--grace", "-1"], ["--max-request-bytes", "0"]])
def test_numbers_out_of_range_are_refused(command: Command, arguments: list[str]) -> None:
    assert command.error("serve", *arguments)[0] == 2


def test_a_port_that_is_taken_is_told(command: Command) -> None:
    with serving(":memory:") as server:
        port = server.url.rpartition(":")[2]
        exit_code, code, error = command.json_error("serve", "--port", port)
    assert (exit_code, code) == (1, "connection_error")
    assert f"cannot listen at 127.0.0.1:{port}: another program listens there" in error


@pytest.mark.parametrize("package", ["litestar", "uvicorn", "prometheus_client"])
def test_without_the_extra_it_says_what_to_install(command: Command, package: str) -> None:
    hidden = f"import sys; sys.modules[{package!r}] = None; from clew.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", hidden, "serve", str(command.path), "--json"],
        capture_output=True, timeout=TIME_LIMIT, check=False,
    )  # fmt: skip
    told = json.loads(ran.stderr)
    assert (ran.returncode, told["code"]) == (2, "invalid_request")
    assert f"{package} is missing" in told["error"]
    assert "install clew with its extra 'server'" in told["error"]


def test_the_password_of_a_database_is_in_nothing_that_is_said(command: Command) -> None:
    url = f"postgresql://ada:{SECRET}@127.0.0.1:1/agents"
    ran = subprocess.run(
        [*COMMAND, "serve", url, "--port", "0"], capture_output=True, timeout=TIME_LIMIT, check=False, text=True
    )
    assert ran.returncode == 1
    assert "127.0.0.1" in ran.stderr
    assert SECRET not in ran.stdout + ran.stderr


def test_other_commands_do_not_load_the_server() -> None:
    code = "import sys; from clew.cli.app import cli; cli.main(['serve', '--help'], standalone_mode=False);"
    code += "print([name for name in sys.modules if name.startswith(('litestar', 'uvicorn', 'prometheus'))])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=TIME_LIMIT, check=True, text=True)
    assert ran.stdout.splitlines()[-1] == "[]"
