-- Whose a session is, and the API keys of a server that stands before the store. Sessions that are there belong to nobody,
-- and their seals stay as they are: an owner is in the seal of a session only where there is one.

ALTER TABLE session ADD COLUMN owner TEXT;  -- never empty

-- Two owners may have sessions of one name. Nobody counts as an owner, so NULL, which equals nothing, must not stay one.
DROP INDEX session_source;

CREATE UNIQUE INDEX session_source ON session (source, source_id, coalesce(owner, '')) WHERE source IS NOT NULL;

-- The order in which the sessions of one owner are listed. Those of nobody are not in it, and cost nothing here.
CREATE INDEX session_owner ON session (owner, status, updated_at, id) WHERE owner IS NOT NULL;

CREATE TABLE api_key (
    id           BLOB    PRIMARY KEY CHECK (length(id) = 16),
    digest       BLOB    NOT NULL CHECK (length(digest) = 32),  -- SHA-256 of the token, which is kept nowhere
    name         TEXT    NOT NULL,                              -- the owner of what is created with it
    role         TEXT    NOT NULL CHECK (role IN ('read', 'write', 'admin')),
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,
    revoked_at   INTEGER,
    seal         INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX api_key_digest ON api_key (digest);

DROP VIEW sessions;

-- One row a session, with the number of messages of its active checkpoint.
CREATE VIEW sessions AS
SELECT substr(lower(hex(s.id)), 1, 8) || '-' || substr(lower(hex(s.id)), 9, 4) || '-' || substr(lower(hex(s.id)), 13, 4) || '-' ||
        substr(lower(hex(s.id)), 17, 4) || '-' || substr(lower(hex(s.id)), 21) AS id,
    s.title, s.visibility, s.status, s.cwd, s.source, s.source_id,
    nullif(substr(lower(hex(s.parent_session_id)), 1, 8) || '-' || substr(lower(hex(s.parent_session_id)), 9, 4) || '-' || substr(lower(hex(s.parent_session_id)), 13, 4) || '-' ||
           substr(lower(hex(s.parent_session_id)), 17, 4) || '-' || substr(lower(hex(s.parent_session_id)), 21), '----') AS parent_session_id,
    nullif(substr(lower(hex(s.forked_from)), 1, 8) || '-' || substr(lower(hex(s.forked_from)), 9, 4) || '-' || substr(lower(hex(s.forked_from)), 13, 4) || '-' ||
           substr(lower(hex(s.forked_from)), 17, 4) || '-' || substr(lower(hex(s.forked_from)), 21), '----') AS forked_from,
    m.body AS metadata,
    s.revision, a.length AS message_count, s.checkpoint_count,
    nullif(substr(lower(hex(a.id)), 1, 8) || '-' || substr(lower(hex(a.id)), 9, 4) || '-' || substr(lower(hex(a.id)), 13, 4) || '-' ||
           substr(lower(hex(a.id)), 17, 4) || '-' || substr(lower(hex(a.id)), 21), '----') AS active_checkpoint_id,
    strftime('%Y-%m-%dT%H:%M:%fZ', s.created_at / 1000000.0, 'unixepoch') AS created_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', s.updated_at / 1000000.0, 'unixepoch') AS updated_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', s.last_message_at / 1000000.0, 'unixepoch') AS last_message_at,
    s.owner
FROM session AS s
LEFT JOIN checkpoint AS a ON a.session = s.key AND a.seq = s.active
LEFT JOIN content AS m ON m.key = s.metadata;
