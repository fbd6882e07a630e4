"""Numbers for Prometheus."""

from litestar import Controller, Response
from litestar.di import NamedDependency

from clew.server.metrics import CONTENT_TYPE, Metrics
from clew.server.rights import no_key
from clew.server.served import Served, get


class MetricsRoutes(Controller):
    """For who watches over the server: any key will do."""

    @get("/metrics", include_in_schema=False)
    def metrics(self, served: Served, metrics: NamedDependency[Metrics]) -> Response[bytes]:
        """Every number, in the text format of Prometheus."""
        if served.caller.role is None:
            raise no_key()
        return Response(metrics.text(), media_type=CONTENT_TYPE)
