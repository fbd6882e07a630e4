"""The store over HTTP. Needs the extra ``server``."""

from clew.server.app import create_app

__all__ = ["create_app"]
