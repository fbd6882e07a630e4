"""What `clew.remote` and `clew.server` say to each other: request bodies, answers, errors, and how they are encoded.

docs/decisions/0012-http.md says why it is as it is.
"""

SERVER_HEADER = "Clew-Server"
"""On every answer of a clew server, with its version: how a client knows one from other services."""

REPEAT_HEADER = "Idempotency-Key"
"""On a request whose answer a client may ask for again."""

TIME_HEADER = "Clew-Time"
"""On a write of what comes from another store: when it was made there, as microseconds since 1970 in UTC."""
