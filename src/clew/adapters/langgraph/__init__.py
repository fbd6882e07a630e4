"""LangGraph: a checkpointer."""

from clew.adapters.langgraph.saver import ClewSaver
from clew.adapters.langgraph.values import UnkeepableError

__all__ = ["ClewSaver", "UnkeepableError"]
