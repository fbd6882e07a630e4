"""clew as the memory of agent frameworks: one module a framework, each with an extra of its own.

An adapter uses the public `Store` and nothing below it, so it works over a file, PostgreSQL and HTTP alike. Where it
keeps more in a message than the message shows, that is an object under a key of the name of the source, with _ for -.
"""

from clew.conversation.repair import Answers

RESULTS: dict[str, Answers] = {"agent-framework": "tool", "llama-index": "messages"}
"""How calls in blocks are answered in sessions of these sources, for `Store.repair`; in others by the user's."""
