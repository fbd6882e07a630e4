"""The memory of the Microsoft Agent Framework: histories of agents, and checkpoints of workflows, in a clew store."""

from clew.adapters.agent_framework.checkpoints import ClewCheckpointStorage
from clew.adapters.agent_framework.history import ClewHistoryProvider

__all__ = ["ClewCheckpointStorage", "ClewHistoryProvider"]
