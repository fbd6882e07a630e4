"""The memory of Google ADK: a session of an agent is a clew session, an event a message and a checkpoint."""

from clew.adapters.google_adk.addresses import register
from clew.adapters.google_adk.service import ClewSessionService

__all__ = ["ClewSessionService", "register"]
