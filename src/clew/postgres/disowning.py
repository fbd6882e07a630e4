"""What undoing migration 3 does with the rows before its columns go: SQL cannot compute a seal.

The statements are those of the schema of that migration, and stay as they are when the schema goes on.
"""

from collections.abc import Iterator

from clew.hashing import row_seal
from clew.postgres.guarded import Connection
from clew.relational.transaction import Row

# Those that lose their name come first, so that no name is there twice in between.
_SESSIONS = b"""
    SELECT * FROM (
        SELECT s.key,
            s.source IS NOT NULL
                AND row_number() OVER (PARTITION BY s.source, s.source_id ORDER BY s.key) > 1 AS is_second,
            s.seal, s.owner, s.id, s.family, s.title, s.visibility, t.status, s.cwd, s.source, s.source_id,
            s.parent_session_id, s.forked_from, substring(m.key FOR 16), s.created_at, s.fingerprint
        FROM clew_session AS s
        LEFT JOIN clew_tip AS t ON t.session = s.key
        LEFT JOIN clew_content AS m ON m.family = s.family AND m.key = s.metadata
    ) AS found
    WHERE owner IS NOT NULL OR is_second
    ORDER BY is_second DESC, key
"""
_CHANGE = b"""
    UPDATE clew_session SET owner = NULL, seal = $1::integer, source = CASE WHEN NOT $2::boolean THEN source END,
        source_id = CASE WHEN NOT $2::boolean THEN source_id END
    WHERE key = $3::bigint
"""
_SOURCE = slice(6, 8)


def disown(connection: Connection) -> None:
    """Take their owners away from all sessions, and from all but the oldest of several of one name the name.

    A seal that was right is right afterwards, and no other becomes so.
    """
    for change in _changes(connection.cursor().execute(_SESSIONS, binary=True).fetchall()):
        connection.execute(_CHANGE, change)


def _changes(found: list[Row]) -> Iterator[tuple[int, bool, int]]:
    for key, is_second, seal, owner, *values in found:
        sealed = values if owner is None else [*values, owner]
        if row_seal(tuple(sealed)) == seal:
            values[_SOURCE] = [None, None] if is_second else values[_SOURCE]
            seal = row_seal(tuple(values))
        yield seal, is_second, key
