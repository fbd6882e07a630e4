"""Pydantic AI: the step store of pydantic-ai-harness, and the message history of a plain agent."""

from clew.adapters.pydantic_ai.history import ClewMessageHistory
from clew.adapters.pydantic_ai.step_store import ClewStepStore

__all__ = ["ClewMessageHistory", "ClewStepStore"]
