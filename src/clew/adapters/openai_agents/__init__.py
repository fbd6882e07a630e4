"""The memory of the OpenAI Agents SDK: a session of it is a clew session, with branches, labels and rewind."""

from clew.adapters.openai_agents.branches import Branch
from clew.adapters.openai_agents.session import ClewSession
from clew.adapters.openai_agents.tips import MAIN

__all__ = ["MAIN", "Branch", "ClewSession"]
