-- For reading by hand: ids as UUID text, times in UTC to the millisecond, JSON as text. clew does not use these views.
-- Read them from another process than the one that has the store open; docs/file-format.md says why.

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

-- One row a checkpoint; within its session, `seq` is the order of creation.
CREATE VIEW checkpoints AS
SELECT substr(lower(hex(c.id)), 1, 8) || '-' || substr(lower(hex(c.id)), 9, 4) || '-' || substr(lower(hex(c.id)), 13, 4) || '-' ||
        substr(lower(hex(c.id)), 17, 4) || '-' || substr(lower(hex(c.id)), 21) AS id,
    substr(lower(hex(s.id)), 1, 8) || '-' || substr(lower(hex(s.id)), 9, 4) || '-' || substr(lower(hex(s.id)), 13, 4) || '-' ||
        substr(lower(hex(s.id)), 17, 4) || '-' || substr(lower(hex(s.id)), 21) AS session_id,
    c.seq,
    nullif(substr(lower(hex(p.id)), 1, 8) || '-' || substr(lower(hex(p.id)), 9, 4) || '-' || substr(lower(hex(p.id)), 13, 4) || '-' ||
           substr(lower(hex(p.id)), 17, 4) || '-' || substr(lower(hex(p.id)), 21), '----') AS parent_id,
    c.label, c.length AS message_count, c.seq IS s.active AS active,
    m.body AS metadata,
    strftime('%Y-%m-%dT%H:%M:%fZ', c.created_at / 1000000.0, 'unixepoch') AS created_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(c.updated_at, c.created_at) / 1000000.0, 'unixepoch') AS updated_at
FROM checkpoint AS c
JOIN session AS s ON s.key = c.session
LEFT JOIN checkpoint AS p ON p.session = c.session AND p.seq = c.parent
LEFT JOIN content AS m ON m.key = c.metadata;

-- The messages of the active checkpoint of each session, in order.
CREATE VIEW messages AS
WITH RECURSIVE part (session, checkpoint, timeline, start, stop) AS (
    SELECT s.key, c.id, c.timeline, t.ancestor_length, c.length
    FROM session AS s
    JOIN checkpoint AS c ON c.session = s.key AND c.seq = s.active
    JOIN timeline AS t ON t.key = c.timeline
    UNION ALL
    SELECT part.session, part.checkpoint, t.ancestor, a.ancestor_length, t.ancestor_length
    FROM part
    JOIN timeline AS t ON t.key = part.timeline
    JOIN timeline AS a ON a.key = t.ancestor
)
SELECT substr(lower(hex(s.id)), 1, 8) || '-' || substr(lower(hex(s.id)), 9, 4) || '-' || substr(lower(hex(s.id)), 13, 4) || '-' ||
        substr(lower(hex(s.id)), 17, 4) || '-' || substr(lower(hex(s.id)), 21) AS session_id,
    substr(lower(hex(part.checkpoint)), 1, 8) || '-' || substr(lower(hex(part.checkpoint)), 9, 4) || '-' || substr(lower(hex(part.checkpoint)), 13, 4) || '-' ||
        substr(lower(hex(part.checkpoint)), 17, 4) || '-' || substr(lower(hex(part.checkpoint)), 21) AS checkpoint_id,
    e.position,
    c.body ->> '$.role' AS role,
    c.body ->> '$.content' AS content,
    c.body
FROM part
JOIN session AS s ON s.key = part.session
JOIN entry AS e ON e.timeline = part.timeline AND e.position >= part.start AND e.position < part.stop
JOIN content AS c ON c.key = e.content
ORDER BY s.key, e.position;
