"""Where a server listens: addresses that are looked up and bound before anything else is begun."""

import contextlib
import errno
import ipaddress
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from clew.errors import InvalidRequestError, UnavailableError

_BACKLOG = 2048
_ONLY_MINE = 0o177
"""What is taken from the rights of a socket's file: others of this machine are not let in by it."""


class Listening(NamedTuple):
    """The sockets, and how a client spells them."""

    sockets: list[socket.socket]
    places: list[str]
    path: str | None = None
    """The file of a Unix socket, which is to go when the server ends."""

    def close(self) -> None:
        """Stop listening, and take the file away."""
        for one in self.sockets:
            one.close()
        if self.path is not None:
            with contextlib.suppress(OSError):
                Path(self.path).unlink()


def addresses_of(host: str) -> list[str]:
    """The addresses that a name or an address stands for; InvalidRequestError where there is none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise InvalidRequestError(f"--host: there is no address for {host!r}: {error}") from None
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_loopback(addresses: Sequence[str]) -> bool:
    """Whether only programs of this machine reach all of them."""
    return all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in addresses)


def listen(addresses: Sequence[str], port: int, *, scheme: str) -> Listening:
    """Listen at a port of each; port 0 is one that is free. UnavailableError where that cannot be."""
    listening = Listening([], [])
    for address in addresses:
        try:
            one = _bound(address, port)
        except OSError as error:
            if listening.sockets and error.errno == errno.EADDRNOTAVAIL:
                continue  # localhost may stand for ::1 where there is no IPv6
            listening.close()
            raise UnavailableError(f"cannot listen at {_spelled(address, port)}: {_reason(error)}") from None
        port = one.getsockname()[1]
        listening.sockets.append(one)
        listening.places.append(f"{scheme}://{_spelled(address, port)}")
    return listening


def listen_at_file(path: str) -> Listening:
    """Listen at a Unix socket, to which only programs of the same user have access."""
    if not hasattr(socket, "AF_UNIX"):
        raise InvalidRequestError("--uds: this system has no Unix sockets")
    _remove_left_over(path)
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    one.setblocking(False)
    before = os.umask(_ONLY_MINE)
    try:
        one.bind(path)
        one.listen(_BACKLOG)
    except OSError as error:
        one.close()
        raise UnavailableError(f"cannot listen at {path}: {_reason(error)}") from None
    finally:
        os.umask(before)
    return Listening([one], [f"unix:{path}"], path)


def _bound(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # asyncio sends small answers at once (TCP_NODELAY) only where a socket says that it is one of TCP: without, each
    # answer waits 40 ms for the client's acknowledgement of its headers.
    one = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # after a restart the port is free at once
        if family == socket.AF_INET6:
            # Who asks for every address of IPv6 means those of IPv4 too.
            is_dual = address == "::" and socket.has_dualstack_ipv6()
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not is_dual)
        one.bind((address, port))
        one.listen(_BACKLOG)
    except OSError:
        one.close()
        raise
    one.setblocking(False)
    return one


def _remove_left_over(path: str) -> None:
    """Take away the socket of a server that was killed; one that answers stays, and binding will fail.

    Any other file stays too: connecting to it is refused as well.
    """
    if not Path(path).is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink()
        except OSError:
            pass  # nothing is there, or what binding will fail of


def _spelled(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program listens there"
    return (error.strerror or str(error)).lower()
