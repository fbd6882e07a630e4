"""`clew serve` as a process: what it listens at, and how it ends."""

import json
import logging
import re
import signal
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.server.asking import got
from tests.support.server_process import TIME_LIMIT, asking, certificate, serving

import clew
from clew import InvalidRequestError, UnavailableError
from clew.server import create_app, running
from clew.server.running import Settings
from clew.server.sockets import addresses_of, is_loopback, listen, listen_at_file

QUICK = 25.0
"""Less than any of the time limits that a stop could wait for by mistake, which are 30 seconds; it takes 2 at most."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent.db"


def until(holds: Callable[[], Any]) -> None:
    """Wait for something to become so."""
    end = time.monotonic() + TIME_LIMIT
    while not holds():
        assert time.monotonic() < end, "it did not become so in time"
        time.sleep(0.01)


def in_background(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """A started thread, and where what it returns, or its error, will be."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(work())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


class TestEnd:
    def test_who_waits_is_answered_streams_end_and_idle_connections_delay_nothing(self, path: Path) -> None:
        with serving(path) as server, asking(server) as client, httpx2.Client(verify=False) as idle:
            assert idle.get(f"{server.url}/healthz").status_code == 200  # and stays connected
            waiting, answer = in_background(lambda: wait_again_and_again(server.url))
            listening, events = in_background(lambda: client.get("/v1/events", timeout=None))
            until(lambda: "clew_watchers 2.0" in client.get("/metrics").text)
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began < QUICK
            waiting.join(TIME_LIMIT)
            listening.join(TIME_LIMIT)
            assert isinstance(answer[0], httpx2.TransportError)  # nothing is there any more
            assert events[0].status_code == 200  # and ended as an answer does that is whole
            assert "Traceback" not in server.log()

    def test_a_request_under_way_is_finished_and_nothing_new_begins(self, path: Path) -> None:
        """Its body is sent in two halves: the server is asked to end in between."""
        with serving(path) as server:
            host, port = server.url.removeprefix("http://").split(":")
            body = b'{"title":"while it ends"}'
            with socket.create_connection((host, int(port)), TIME_LIMIT) as line:
                line.sendall(
                    b"POST /v1/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                    b"Content-Length: %d\r\n\r\n" % len(body) + body[:10]
                )
                with asking(server) as client:
                    until(lambda: "requests_in_flight 2.0" in client.get("/metrics").text)
                server.signal(signal.SIGTERM)
                until(lambda: _refuses((host, int(port))))
                line.sendall(body[10:])
                answer = line.makefile("rb").read()
            assert answer.startswith(b"HTTP/1.1 201 ")
            assert server.wait() == 0
        with clew.open(path) as store:
            assert [session.title for session in store.list_sessions()] == ["while it ends"]

    def test_what_takes_longer_than_the_grace_is_cut_off(self, path: Path) -> None:
        with serving(path, "--grace", "0.2") as server:
            host, port = server.url.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port)), TIME_LIMIT) as line:
                line.sendall(b"POST /v1/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n")
                with asking(server) as client:
                    until(lambda: "requests_in_flight 2.0" in client.get("/metrics").text)
                began = time.monotonic()
                server.stop()
                assert time.monotonic() - began < QUICK

    def test_a_second_signal_ends_it_at_once(self, path: Path) -> None:
        number = signal.SIGINT
        with serving(path) as server:
            host, port = server.url.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port)), TIME_LIMIT) as line:
                line.sendall(b"POST /v1/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n")
                with asking(server) as client:
                    until(lambda: "requests_in_flight 2.0" in client.get("/metrics").text)
                server.signal(number)
                until(lambda: _refuses((host, int(port))))
                server.signal(number)
                assert server.wait() == 128 + number  # which no other end of it has

    def test_every_write_that_was_acknowledged_while_it_ended_is_there(self, path: Path) -> None:
        written: list[str] = []

        def write(url: str, writer: int) -> None:
            with httpx2.Client(base_url=url, verify=False, timeout=TIME_LIMIT) as client:
                for number in range(100_000):
                    title = f"{writer} {number}"
                    client.post("/v1/sessions", json={"title": title}).raise_for_status()
                    written.append(title)

        with serving(path) as server:
            writers = [in_background(lambda n=n: write(server.url, n)) for n in range(3)]  # type: ignore[misc]
            until(lambda: len(written) > 30)
            assert server.stop() == 0
            for thread, ended in writers:
                thread.join(TIME_LIMIT)
                assert isinstance(ended[0], httpx2.TransportError)  # no answer was an error
            assert "Traceback" not in server.log()
        with clew.open(path) as store:
            titles = [session.title for session in store.list_sessions(limit=100_000)]
        assert len(set(titles)) == len(titles)
        assert set(written) <= set(titles)
        assert len(titles) - len(written) <= 3


def wait_again_and_again(url: str) -> None:
    """As clew's client does, which is let go of now and then though nothing has happened."""
    rung = -1
    with httpx2.Client(base_url=url, verify=False, timeout=TIME_LIMIT) as client:
        while True:
            rung = client.get("/v1/changes/wait", params={"heard": rung, "seconds": 30}).json()["rung"]


def _refuses(place: tuple[str, int]) -> bool:
    try:
        socket.create_connection(place, TIME_LIMIT).close()
    except ConnectionRefusedError:
        return True
    return False


class TestPlaces:
    def test_small_answers_are_sent_at_once(self) -> None:
        """asyncio sees to that for sockets that say they are of TCP; without, each waits 40 ms for the client."""
        listening = listen(["127.0.0.1"], 0, scheme="http")
        try:
            assert {one.proto for one in listening.sockets} == {socket.IPPROTO_TCP}
        finally:
            listening.close()

    def test_a_port_that_is_taken_is_told(self) -> None:
        first = listen(["127.0.0.1"], 0, scheme="http")
        try:
            port = first.sockets[0].getsockname()[1]
            with pytest.raises(UnavailableError, match=f"127.0.0.1:{port}: another program listens there"):
                listen(["127.0.0.1"], port, scheme="http")
        finally:
            first.close()

    def test_a_name_of_several_addresses_is_listened_at_under_one_port(self) -> None:
        listening = listen(addresses_of("localhost"), 0, scheme="http")
        try:
            assert len({one.getsockname()[1] for one in listening.sockets}) == 1
            assert all(place.startswith("http://") for place in listening.places)
        finally:
            listening.close()

    @pytest.mark.parametrize(
        ("host", "near"),
        [
            ("127.9.9.9", True),
            ("::1", True),
            ("localhost", True),
            ("0.0.0.0", False),
            ("::", False),
            ("192.0.2.1", False),
        ],
    )
    def test_what_only_this_machine_reaches_is_known_by_its_address(self, host: str, near: bool) -> None:
        assert is_loopback(addresses_of(host)) is near

    def test_a_name_that_has_no_address_is_refused(self) -> None:
        with pytest.raises(InvalidRequestError, match="no address for"):
            addresses_of("no-such-host.invalid")

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
    def test_while_there_is_no_key_no_address_but_this_machine_s_is_listened_at(self, host: str) -> None:
        with clew.open(":memory:") as store, pytest.raises(InvalidRequestError, match="no API key yet"):
            running.serve(store, Settings(host=host, port=0), lambda start: None)

    def test_a_unix_socket_is_for_its_user_alone_and_left_by_nobody(self, tmp_path: Path) -> None:
        place = tmp_path / "clew.sock"
        first = listen_at_file(str(place))
        try:
            assert stat.S_IMODE(place.stat().st_mode) == 0o600
            with pytest.raises(UnavailableError, match="another program listens there"):
                listen_at_file(str(place))
            first.sockets[0].close()  # as a process does that is killed
            second = listen_at_file(str(place))
            second.close()
            assert not place.exists()
        finally:
            first.close()

    def test_a_file_that_is_no_socket_is_left_alone(self, tmp_path: Path) -> None:
        place = tmp_path / "notes.txt"
        place.write_text("mine")
        with pytest.raises(UnavailableError):
            listen_at_file(str(place))
        assert place.read_text() == "mine"

    def test_a_store_is_served_at_a_unix_socket(self, path: Path, tmp_path: Path) -> None:
        place = tmp_path / "clew.sock"
        with serving(path, "--uds", place) as server:
            through = httpx2.HTTPTransport(uds=str(place), verify=False)
            with httpx2.Client(base_url="http://localhost", transport=through) as client:
                assert client.get("/v1/account").json()["username"] == "local"
                forwarded = {"x-forwarded-for": "127.0.0.1"}
                assert client.get("/v1/account", headers=forwarded).status_code == 401
            assert server.stop() == 0
        assert not place.exists()


class TestTls:
    def test_a_certificate_makes_it_https(self, path: Path, tmp_path: Path) -> None:
        cert, key = certificate(tmp_path)
        trusted = httpx2.create_ssl_context()
        trusted.load_verify_locations(cert)
        with serving(path, "--tls-cert", cert, "--tls-key", key) as server, asking(server, verify=trusted) as client:
            answer = client.get("/v1/account")
            assert server.url.startswith("https://127.0.0.1:")
            assert answer.status_code == 200
            assert "strict-transport-security" in answer.headers
            with pytest.raises(httpx2.ConnectError), httpx2.Client() as another:
                another.get(server.url)
            # The connection of the client is kept for later, and over TLS it takes two to close one.
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began < QUICK

    @pytest.mark.parametrize("broken", ["missing", "no certificate", "no pair", "one alone", "password"])
    def test_one_that_cannot_be_used_is_refused_before_anything_listens(self, tmp_path: Path, broken: str) -> None:
        cert, key = map(str, certificate(tmp_path))
        if broken == "missing":
            cert = str(tmp_path / "nothing.pem")
        elif broken == "no certificate":
            (tmp_path / "cert.pem").write_text("x")
        elif broken == "no pair":
            (tmp_path / "other").mkdir()
            key = str(certificate(tmp_path / "other")[1])
        elif broken == "password":
            _lock(key)
        given = Settings(port=0, tls_cert=cert, tls_key=None if broken == "one alone" else key)
        with clew.open(":memory:") as store, pytest.raises(InvalidRequestError, match=r"tls|certificate|password"):
            running.serve(store, given, lambda start: None)


def _lock(key: str) -> None:
    arguments = ["openssl", "ec", "-in", key, "-aes256", "-passout", "pass:x", "-out", key + ".locked"]
    subprocess.run(arguments, check=True, capture_output=True, timeout=TIME_LIMIT)
    Path(key + ".locked").replace(key)


class TestProxies:
    @staticmethod
    def told(store: clew.Store, proxies: list[str], forwarded: str, **headers: str) -> httpx2.Response:
        """The answer to what 127.0.0.1 brings, and says that it has from elsewhere."""
        config = running._config(create_app(store), Settings(proxies=proxies), None)
        config.load()
        return got(config.loaded_app, "/v1/account", **{"x-forwarded-for": forwarded}, **headers)

    @pytest.mark.parametrize(
        ("proxies", "forwarded", "client"),
        [
            ([], "203.0.113.9", "127.0.0.1"),
            (["192.0.2.1"], "203.0.113.9", "127.0.0.1"),
            (["127.0.0.1"], "203.0.113.9", "203.0.113.9"),
            (["127.0.0.0/8"], "127.0.0.1, 203.0.113.9", "203.0.113.9"),
        ],
    )
    def test_a_forwarded_address_is_believed_of_trusted_proxies_alone(
        self, proxies: list[str], forwarded: str, client: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "clew.access")
        with clew.open(":memory:") as store:
            token = store.create_key("Ada", clew.Role.ADMIN).token
            assert self.told(store, proxies, forwarded, authorization=f"Bearer {token}").status_code == 200
        assert caplog.records[-1].getMessage().startswith(f"{client} Ada ")

    @pytest.mark.parametrize("proxies", [[], ["127.0.0.1"]])
    @pytest.mark.parametrize("forwarded", ["127.0.0.1", "::1", "203.0.113.9", "localhost"])
    def test_while_there_is_no_key_nothing_that_a_proxy_brings_is_let_in(
        self, proxies: list[str], forwarded: str
    ) -> None:
        with clew.open(":memory:") as store:
            assert self.told(store, proxies, forwarded).status_code == 401


def test_what_is_given_is_what_holds(path: Path) -> None:
    given = ["--max-request-bytes", 1_000, "--rate", 0.001, "--burst", 2, "--no-access-log"]
    with serving(path, *given) as server, asking(server) as client:
        assert client.post("/v1/sessions", json={"title": "x" * 1_000}).status_code == 413
        assert client.get("/v1/changes/last").status_code == 200
        assert client.get("/v1/changes/last").status_code == 429
        assert client.get("/healthz").status_code == 200
        assert server.stop() == 0
        assert [line.split()[2] for line in server.log().splitlines()] == ["listening", "ending:", "ended"]


def test_the_log_has_a_line_for_each_request(path: Path) -> None:
    with serving(path, "--log-format", "json") as server, asking(server) as client:
        for _ in range(3):
            client.get("/v1/changes/last?token=clew_x")
        assert server.stop() == 0
        lines = [line for text in server.log().splitlines() if "path" in (line := json.loads(text))]
    assert [line["path"] for line in lines] == ["/v1/changes/last"] * 3
    assert re.fullmatch(r"[0-9a-f]{32}", lines[0]["request_id"])
