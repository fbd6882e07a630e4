-- Forgets every owner and API key: refused where there are any, unless the caller says to discard. Before this is run, the
-- sessions have lost their owners, and where several had one name, all but the oldest that (see disowning.py).
DROP VIEW clew_sessions;
DROP TABLE clew_api_key;
DROP INDEX clew_tip_owner;
DROP INDEX clew_session_source;
ALTER TABLE clew_tip DROP COLUMN owner;
ALTER TABLE clew_session DROP COLUMN owner;
CREATE UNIQUE INDEX clew_session_source ON clew_session
    (hashtextextended(source, 0), hashtextextended(source_id, 0), hashtextextended(source_id, 1)) WHERE source IS NOT NULL;

-- One row a session, with the number of messages of its active checkpoint.
CREATE VIEW clew_sessions AS
SELECT s.id, s.title, s.visibility, t.status, s.cwd, s.source, s.source_id, s.parent_session_id, s.forked_from,
    convert_from(m.body, 'UTF8') AS metadata, t.revision, a.length AS message_count, t.checkpoint_count,
    a.id AS active_checkpoint_id,
    timestamptz 'epoch' + s.created_at * interval '1 microsecond' AS created_at,
    timestamptz 'epoch' + t.updated_at * interval '1 microsecond' AS updated_at,
    timestamptz 'epoch' + t.last_message_at * interval '1 microsecond' AS last_message_at
FROM clew_session AS s
JOIN clew_tip AS t ON t.session = s.key
LEFT JOIN clew_checkpoint AS a ON a.family = s.family AND a.session = s.key AND a.seq = t.active
LEFT JOIN clew_content AS m ON m.family = s.family AND m.key = s.metadata;
