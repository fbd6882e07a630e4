"""What the server is, and how it is."""

import threading
from typing import Any

import litestar
from litestar import Controller, Request, Response

import clew
from clew.protocol import answers
from clew.protocol.codec import JSON, encode
from clew.server.bodies import Answer
from clew.server.callers import caller_of
from clew.server.description import describe
from clew.server.served import Served, get

_DESCRIPTION = "description"
_describing = threading.Lock()


class HealthRoutes(Controller):
    """For those who run the server, and for clients that want to know where they are."""

    tags = ("Server",)

    @litestar.get("/healthz", sync_to_thread=False)
    def healthz(self) -> Answer[answers.ServerState]:
        """Whether the server runs."""
        return Answer({"status": "ok"})

    @get("/readyz")
    def readyz(self, served: Served) -> Answer[answers.ServerState]:
        """Whether the store answers."""
        served.check_store()
        return Answer({"status": "ok"})

    @get("/openapi.json")
    def openapi(self, request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
        """This description."""
        state = request.app.state
        with _describing:  # it takes a while, so it is done once, and by one of those who ask at the same time
            if _DESCRIPTION not in state:
                state[_DESCRIPTION] = encode(describe(request.app), JSON)
        return Response(state[_DESCRIPTION], media_type=JSON)

    @litestar.get("/v1/account", sync_to_thread=False)
    def account(self, request: Request[Any, Any, Any]) -> Answer[answers.Account]:
        """Who asks."""
        key = caller_of(request.scope).key
        unknown = dict.fromkeys(("first_name", "last_name", "email"), "")
        name, id = ("local", "local") if key is None else (key.name, str(key.id))
        return Answer({"username": name, "id": id, **unknown})

    @litestar.get("/v1/info", sync_to_thread=False)
    def info(self, served: Served) -> Answer[answers.Info]:
        """What the server is."""
        return Answer({"version": clew.__version__, "backend": served.backend.info().kind})
