"""A pytest plugin: the SDK's own tests of its `SQLiteSession`, run against a `ClewSession`.

docs/adapters/openai-agents.md says where those tests are and how to run them. Our own tests do not import this.
"""

import agents
import agents.memory

from clew.adapters.openai_agents import ClewSession

# Before the modules of the tests import the name. The SDK's own modules keep the class that they have imported.
agents.SQLiteSession = agents.memory.SQLiteSession = ClewSession  # type: ignore[misc,assignment]
ClewSession.__name__ = "SQLiteSession"  # one test reads it in the message of an error
