-- Forgets every owner and API key: refused where there are any, unless the caller says to discard. Of sessions of several
-- owners with one name the oldest keeps it. A seal that was right is right afterwards, and no other becomes so.
DROP VIEW sessions;

DROP TABLE api_key;

DROP INDEX session_owner;

DROP INDEX session_source;

UPDATE session SET
    owner = NULL,
    seal = CASE WHEN seal = clew_seal(
        id, family, CAST(title AS BLOB), CAST(visibility AS BLOB), CAST(status AS BLOB), CAST(cwd AS BLOB), CAST(source AS BLOB),
        CAST(source_id AS BLOB), parent_session_id, forked_from,
        (SELECT m.hash FROM content AS m WHERE m.key = session.metadata), created_at, fingerprint, CAST(owner AS BLOB)
    ) THEN clew_seal(
        id, family, CAST(title AS BLOB), CAST(visibility AS BLOB), CAST(status AS BLOB), CAST(cwd AS BLOB), CAST(source AS BLOB),
        CAST(source_id AS BLOB), parent_session_id, forked_from,
        (SELECT m.hash FROM content AS m WHERE m.key = session.metadata), created_at, fingerprint
    ) ELSE seal END
WHERE owner IS NOT NULL;

UPDATE session SET
    source = NULL,
    source_id = NULL,
    seal = CASE WHEN seal = clew_seal(
        id, family, CAST(title AS BLOB), CAST(visibility AS BLOB), CAST(status AS BLOB), CAST(cwd AS BLOB), CAST(source AS BLOB),
        CAST(source_id AS BLOB), parent_session_id, forked_from,
        (SELECT m.hash FROM content AS m WHERE m.key = session.metadata), created_at, fingerprint
    ) THEN clew_seal(
        id, family, CAST(title AS BLOB), CAST(visibility AS BLOB), CAST(status AS BLOB), CAST(cwd AS BLOB), NULL,
        NULL, parent_session_id, forked_from,
        (SELECT m.hash FROM content AS m WHERE m.key = session.metadata), created_at, fingerprint
    ) ELSE seal END
WHERE source IS NOT NULL AND key NOT IN (SELECT min(key) FROM session WHERE source IS NOT NULL GROUP BY source, source_id);

ALTER TABLE session DROP COLUMN owner;

CREATE UNIQUE INDEX session_source ON session (source, source_id) WHERE source IS NOT NULL;

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
    strftime('%Y-%m-%dT%H:%M:%fZ', s.last_message_at / 1000000.0, 'unixepoch') AS last_message_at
FROM session AS s
LEFT JOIN checkpoint AS a ON a.session = s.key AND a.seq = s.active
LEFT JOIN content AS m ON m.key = s.metadata;
