"""The SQLite backend: one file, or memory."""

from clew.sqlite.backend import SQLiteBackend, open_backend

__all__ = ["SQLiteBackend", "open_backend"]
