"""Connection strings: what one may be, and what of it may be shown."""

import os
from collections.abc import Mapping
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from clew.errors import InvalidRequestError

_CONNECT_SECONDS = 5
_SHORTEST_CONNECT_SECONDS = 2  # libpq takes none below
_SHOWN = ("host", "hostaddr", "port", "dbname")
_NETWORK = {
    "keepalives_idle": "15",  # seconds; the system's own default is two hours
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",  # milliseconds
}


def parameters_of(url: str) -> dict[str, str]:
    """The parameters of a connection string; InvalidRequestError, which does not repeat it, where it is none."""
    if _holds_bare_password(url):
        raise InvalidRequestError("an @ or / in the password of a PostgreSQL URL has to be written %40 or %2F")
    given = _parsed(url)
    if given is None:
        raise InvalidRequestError(
            "the PostgreSQL URL cannot be understood; it is postgresql://user@host:port/name, in lower case, "
            "and after a ? parameters that libpq knows"
        )
    defaults = {"fallback_application_name": "clew", **_NETWORK}
    if "PGCONNECT_TIMEOUT" not in os.environ:
        # While a first host is away, there has to be time for the next one.
        hosts = len(_hosts(given))
        defaults["connect_timeout"] = str(max(_CONNECT_SECONDS // hosts, _SHORTEST_CONNECT_SECONDS))
    return {**defaults, **given, "client_encoding": "UTF8"}


def endpoint_of(parameters: Mapping[str, str], schema: str | None = None) -> str:
    """Where a connection string leads, without who goes there and how; `schema` is where the tables are, if known."""
    known = {name: parameters[name] for name in _SHOWN if parameters.get(name)}
    hosts, ports = _hosts(known), known.get("port", "").split(",")
    if len(ports) < len(hosts):
        ports = ports * len(hosts)
    places = [_place(host, port) for host, port in zip(hosts, ports, strict=False)]
    within = "" if schema in (None, "public") else f"?options={quote(f'-csearch_path={schema}', safe='')}"
    return f"postgresql://{','.join(places)}/{known.get('dbname', '')}{within}"


def _parsed(url: str) -> dict[str, str] | None:
    # The driver's text may repeat a password, so its error is not to be found behind another one either.
    try:
        return {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except (psycopg.Error, UnicodeError):
        return None


def _holds_bare_password(url: str) -> bool:
    """Whether libpq takes a part of the password for a host or a database, which are shown to people."""
    rest = url.partition("://")[2]
    user, _, place = rest.partition("@")
    if "/" in user:  # then there is no user, as libpq sees it
        place = rest
    return "@" in place.partition("?")[0]


def _hosts(parameters: Mapping[str, str]) -> list[str]:
    return (parameters.get("host") or parameters.get("hostaddr") or "").split(",")


def _place(host: str, port: str) -> str:
    if not port:
        return host
    # A socket is a path, which a URL spells with escapes; here it is for people.
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
