"""Searching what messages say."""

from litestar import Controller
from litestar.params import JSONBody

from clew import wire
from clew.protocol import answers, requests
from clew.server.bodies import Answer
from clew.server.served import Served, post


class SearchRoutes(Controller):
    """Messages of every session that the caller may list."""

    path = "/v1/search"
    tags = ("Search",)

    @post(status_code=200)
    def search_messages(self, served: Served, data: JSONBody[requests.SearchMessages]) -> Answer[answers.HitList]:
        """Messages that say something, the best first."""
        return Answer(wire.hits(served.backend.search(data.seam())))
