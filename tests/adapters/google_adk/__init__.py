"""clew as the memory of Google ADK."""
