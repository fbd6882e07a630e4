"""The data model in tables: what SQLite and PostgreSQL share. Each brings a `Transaction` and its SQL."""
