"""A server as `clew serve` runs it, in a process of its own, over a file with a chosen durability.

    python -m bench.http_server FILE full

It prints where it listens. The process is ended by whoever began it.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import clew
from bench.measure import Durability

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def running(path: Path, durability: Durability) -> Iterator[str]:
    """The address of a server."""
    command = [sys.executable, "-m", "bench.http_server", str(path), durability]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            assert url, "the server did not start: python -m bench.http_server says why"
            yield url
        finally:
            server.terminate()


def main() -> None:
    """Serve until a signal comes."""
    from clew.server import running as server

    path, durability = sys.argv[1:]
    with clew.open(path, durability="normal" if durability == "normal" else "full") as store:
        server.serve(store, server.Settings(port=0), lambda start: print(start.places[0], flush=True))


if __name__ == "__main__":
    main()
