"""What Prometheus asks for: how many requests there were, of which routes, how long they took, and what failed.

Each application counts for itself. Labels are of few values: routes by their template, methods by name or OTHER.
"""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

import clew
from clew.server.seen import Seen

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_NO_ROUTE = "-"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The numbers of one application; an `Observer`."""

    def __init__(self, watchers: Callable[[], int]) -> None:
        """`watchers` tells how many clients wait for changes."""
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(_Now("clew_watchers", "Clients that wait for changes", watchers))
        Gauge("clew_info", "The version of clew", ["version"], registry=registry).labels(clew.__version__).set(1)
        self._requests = Counter(
            "clew_http_requests", "Answered requests", ["method", "route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "clew_http_request_duration_seconds",
            "Until the last byte of the answer was handed on",
            ["method", "route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._under_way = Gauge("clew_http_requests_in_flight", "Requests under way", registry=registry)
        self._bytes = Counter("clew_http_response_bytes", "Bytes of the bodies of answers", registry=registry)
        self._errors = Counter("clew_store_errors", "Errors of the store", ["code"], registry=registry)
        self._repeats = Counter(
            "clew_http_repeated_requests", "Requests that got the answer of an earlier one", registry=registry
        )

    def begin(self) -> None:
        """A request has come."""
        self._under_way.inc()

    def end(self, seen: Seen) -> None:
        """It has been answered."""
        route = seen.route or _NO_ROUTE
        self._under_way.dec()
        self._requests.labels(seen.method, route, str(seen.status or _NO_ROUTE)).inc()
        self._seconds.labels(seen.method, route).observe(seen.seconds)
        self._bytes.inc(seen.bytes_out)
        if seen.error is not None:
            self._errors.labels(seen.error).inc()
        if seen.route is not None and not seen.reached:
            self._repeats.inc()

    def text(self) -> bytes:
        """All of them, in the text format of Prometheus."""
        return generate_latest(self._registry)


class _Now(Collector):
    """A number that is asked for when it is wanted."""

    def __init__(self, name: str, help: str, ask: Callable[[], int]) -> None:
        self._name, self._help, self._ask = name, help, ask

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily(self._name, self._help, value=self._ask())
