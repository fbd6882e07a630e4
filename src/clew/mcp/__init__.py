"""A store as tools of the Model Context Protocol, so that an agent can look up what was done before."""

from clew.mcp.server import create_server

__all__ = ["create_server"]
