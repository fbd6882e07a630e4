"""clew as the memory of agent frameworks: one module a framework, each with an extra of its own.

An adapter uses the public `Store` and nothing below it, so it works over a file, PostgreSQL and HTTP alike.
"""
