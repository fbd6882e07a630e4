"""The PostgreSQL backend, for stores that many machines write to."""

from clew.postgres.backend import PostgresBackend, endpoint_of, open_backend

__all__ = ["PostgresBackend", "endpoint_of", "open_backend"]
