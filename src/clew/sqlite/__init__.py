"""The SQLite backend: one file, or memory."""

from clew.sqlite.backend import Durability, SQLiteBackend, open_backend

__all__ = ["Durability", "SQLiteBackend", "open_backend"]
