"""Waiting for changes of a store behind HTTP: the server answers once there may be one."""

from clew.backend import Watcher
from clew.protocol import answers
from clew.remote.client import Client


class RemoteWatcher(Watcher):
    """Asks the server to answer when something may have changed."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._heard = self._ask(0)

    def wait(self, timeout: float) -> None:
        self._heard = self._ask(timeout)

    def close(self) -> None:
        """Nothing is open between two requests."""

    def _ask(self, timeout: float) -> int:
        params = {"heard": getattr(self, "_heard", -1), "seconds": timeout}
        return self._client.call("GET", "/v1/changes/wait", answers.Rung, params=params).rung
