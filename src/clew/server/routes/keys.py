"""API keys."""

from uuid import UUID

from litestar import Controller
from litestar.params import FromPath, JSONBody

from clew.protocol import answers, requests
from clew.server.bodies import Answer
from clew.server.served import Served, delete, get, post


class KeyRoutes(Controller):
    """The keys that let clients in. A token is told once, to who makes the key here."""

    path = "/v1/keys"
    tags = ("Keys",)

    @get()
    def list_keys(self, served: Served) -> Answer[answers.KeyList]:
        """Every key, revoked ones too."""
        return Answer({"keys": served.backend.list_keys()})

    @post()
    def create_key(self, served: Served, data: JSONBody[requests.CreateKey]) -> Answer[answers.NewKeyAnswer]:
        """Make a key."""
        made = served.store.create_key(data.name, data.role)
        return Answer({"key": made.key, "token": made.token})

    @post("/keep")
    def keep_key(self, served: Served, data: JSONBody[requests.KeepKey]) -> Answer[answers.OneKey]:
        """Keep a key whose token stays with who made it."""
        return Answer({"key": served.backend.create_key(data.seam(served.clock()))})

    @post("/find", status_code=200)
    def find_key(self, served: Served, data: JSONBody[requests.FindKey]) -> Answer[answers.FoundKey]:
        """The key whose token has this SHA-256."""
        return Answer({"key": served.backend.find_key(data.seam())})

    @post("/{key_id:uuid}/use", status_code=200)
    def use_key(self, served: Served, key_id: FromPath[UUID]) -> Answer[answers.OneKey]:
        """Note that a key was used."""
        return Answer({"key": served.backend.use_key(key_id, served.clock())})

    @delete("/{key_id:uuid}", status_code=200)
    def revoke_key(self, served: Served, key_id: FromPath[UUID]) -> Answer[answers.OneKey]:
        """Let a key in no more."""
        return Answer({"key": served.backend.revoke_key(key_id, served.clock())})
