"""The session repository of Strands: a session of it is a clew session, and each of its agents a child of that."""

from clew.adapters.strands.names import SOURCE
from clew.adapters.strands.repository import ClewSessionRepository

__all__ = ["SOURCE", "ClewSessionRepository"]
