"""A store behind HTTP: a clew server, or another service with its first eight endpoints."""

from clew.remote.backend import RemoteBackend
from clew.remote.opening import endpoint_of, open_backend

__all__ = ["RemoteBackend", "endpoint_of", "open_backend"]
