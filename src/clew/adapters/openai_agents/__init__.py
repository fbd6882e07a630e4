"""The memory of the OpenAI Agents SDK: a session of it is a clew session, with branches, labels and rewind."""

from clew.adapters.openai_agents.branches import MAIN, Branch
from clew.adapters.openai_agents.session import ClewSession

__all__ = ["MAIN", "Branch", "ClewSession"]
