"""Imports Claude Code's sessions: the files below `~/.claude/projects`, and those of the subagents beside them.

A session is a file of JSON lines, each of which names the one before it by `parentUuid`. `kinds` knows the types of
records, `chains` reads how they hang together, `tree` makes a conversation of that, `replay` gives out its steps,
`content` their messages and `facts` the rest; `files` and `lanes` find the sessions.
"""

from clew.importers.claude_code.importer import ClaudeCodeImporter

__all__ = ["ClaudeCodeImporter"]
