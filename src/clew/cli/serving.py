"""`clew serve`: the store over HTTP."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from clew import wire
from clew.cli.errors import InvalidArgumentError
from clew.cli.options import App, json_option, pass_app
from clew.cli.output import Line, backend_line, write_json, write_lines
from clew.errors import missing_extra
from clew.limits import MAX_REQUEST_BYTES
from clew.model import BackendInfo

if TYPE_CHECKING:
    from types import ModuleType

    from clew.server.running import Start


@click.command("serve")
@click.argument("url", required=False)
@click.option("--host", metavar="HOST", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(0, 65_535),
    default=8420,
    show_default=True,
    help="The port to listen at; 0 is one that is free.",
)
@click.option("--uds", metavar="PATH", help="Listen at a Unix socket instead.")
@click.option("--tls-cert", metavar="FILE", help="The certificate, with those that vouch for it, for HTTPS.")
@click.option("--tls-key", metavar="FILE", help="The private key of the certificate.")
@click.option(
    "--proxy-headers", "proxies", metavar="FROM-IPS", help="Proxies that are believed who asks: addresses, networks."
)
@click.option(
    "--max-request-bytes",
    metavar="N",
    type=click.IntRange(min=1),
    default=MAX_REQUEST_BYTES,
    show_default=True,
    help="The longest body of a request.",
)
@click.option("--rate", metavar="N", type=float, help="How many requests a second each caller may make.")
@click.option("--burst", metavar="N", type=float, help="How many at once; by default twice --rate.")
@click.option(
    "--grace",
    metavar="SECONDS",
    type=click.FloatRange(0, 86_400),
    default=30.0,
    show_default=True,
    help="How long requests under way may take when the server is to end.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the log on standard error is written.",
)
@click.option("--no-access-log", is_flag=True, help="Log no line for each request.")
@json_option
@pass_app
def serve_command(app: App, /, url: str | None, proxies: str | None, no_access_log: bool, **given: Any) -> None:
    """Put the store behind HTTP, until Ctrl-C or SIGTERM.

    URL is the store, as --store has it. Without any API key only programs of this machine are let in.
    """
    _choose(app, url)
    running = _running()
    settings = running.Settings(
        proxies=_addresses(proxies), access_log=not no_access_log, key_command=_key_command(app), **_named(given)
    )
    with app.open() as store:
        backend = store.backend_info()
        running.serve(store, settings, _announcer(app, backend))


def _choose(app: App, url: str | None) -> None:
    if url is not None and app.store_url is not None:
        raise InvalidArgumentError("the store is given twice: as --store and after serve")
    if url is not None:
        app.store_url = url


def _named(given: dict[str, Any]) -> dict[str, Any]:
    """The options by the names of the settings."""
    return {{"rate": "requests_per_second"}.get(name, name): value for name, value in given.items()}


def _running() -> "ModuleType":
    """What runs a server, which needs packages that who keeps a file has no use for."""
    try:
        from clew.server import running
    except ImportError as error:
        raise missing_extra(error, "a server needs", "server") from error
    return running


def _addresses(proxies: str | None) -> tuple[str, ...]:
    """Addresses and networks, separated by commas."""
    import ipaddress  # it is a tenth of the time that showing help takes

    parts = [part.strip() for part in (proxies or "").split(",")] if proxies is not None else []
    for part in parts:
        try:
            ipaddress.ip_network(part)
        except ValueError:
            raise InvalidArgumentError(f"invalid --proxy-headers '{part}': expected addresses or networks") from None
    return tuple(parts)


def _key_command(app: App) -> str:
    """What makes a key for this store, and not for another one. What leads to a database may hold a password."""
    told = app.command("key", "create", "NAME", "--role", "write")
    is_named = app.store_url is None or "--store" in told
    return told if is_named else "clew --store URL key create NAME --role write"


def _announcer(app: App, backend: BackendInfo) -> "Callable[[Start], None]":
    def announce(start: "Start") -> None:
        if app.json:
            form = {"listening": start.places, "has_keys": start.has_keys}
            write_json({**form, "backend": wire.backend_info(backend)})
        else:
            write_lines(_told(start, backend, _key_command(app)))

    return announce


def _told(start: "Start", backend: BackendInfo, key_command: str) -> Iterator[Line]:
    yield backend_line(backend)
    for place in start.places:
        yield f"Listening at {place}"
    if start.has_keys:
        yield "Whoever has an API key is let in, as far as its role goes."
    else:
        yield "No API key yet: only programs of this machine are let in, and may do everything."
        yield f"Make a key with: {key_command}"
    if start.is_in_the_clear:
        yield "Over plain HTTP keys and conversations can be read on their way: use --tls-cert, or a proxy with TLS."
