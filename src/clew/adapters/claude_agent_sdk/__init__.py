"""The session store of the Claude Agent SDK: a transcript of Claude Code is a clew session, a subagent's its child."""

from clew.adapters.claude_agent_sdk.names import SOURCE, key_of
from clew.adapters.claude_agent_sdk.store import ClewSessionStore

__all__ = ["SOURCE", "ClewSessionStore", "key_of"]
