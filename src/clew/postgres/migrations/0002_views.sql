-- For reading by hand: times with their zone, JSON as text. clew does not use these views.

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

-- One row a checkpoint; within its session, `seq` is the order of creation.
CREATE VIEW clew_checkpoints AS
SELECT c.id, s.id AS session_id, c.seq, p.id AS parent_id, c.label, c.length AS message_count,
    c.seq IS NOT DISTINCT FROM t.active AS active, convert_from(m.body, 'UTF8') AS metadata,
    timestamptz 'epoch' + c.created_at * interval '1 microsecond' AS created_at,
    timestamptz 'epoch' + coalesce(c.updated_at, c.created_at) * interval '1 microsecond' AS updated_at
FROM clew_checkpoint AS c
JOIN clew_session AS s ON s.key = c.session
JOIN clew_tip AS t ON t.session = s.key
LEFT JOIN clew_checkpoint AS p ON p.family = c.family AND p.session = c.session AND p.seq = c.parent
LEFT JOIN clew_content AS m ON m.family = c.family AND m.key = c.metadata;

-- The messages of the active checkpoint of each session, in order.
CREATE VIEW clew_messages AS
WITH RECURSIVE part (family, session, checkpoint, timeline, start, stop) AS (
    SELECT s.family, s.id, c.id, c.timeline, l.ancestor_length, c.length
    FROM clew_session AS s
    JOIN clew_tip AS t ON t.session = s.key
    JOIN clew_checkpoint AS c ON c.family = s.family AND c.session = s.key AND c.seq = t.active
    JOIN clew_timeline AS l ON l.family = s.family AND l.key = c.timeline
    UNION ALL
    SELECT part.family, part.session, part.checkpoint, l.ancestor, a.ancestor_length, l.ancestor_length
    FROM part
    JOIN clew_timeline AS l ON l.family = part.family AND l.key = part.timeline
    JOIN clew_timeline AS a ON a.family = part.family AND a.key = l.ancestor
)
SELECT part.session AS session_id, part.checkpoint AS checkpoint_id, e.position,
    convert_from(c.body, 'UTF8') AS body
FROM part
JOIN clew_entry AS e
    ON e.family = part.family AND e.timeline = part.timeline AND e.position >= part.start AND e.position < part.stop
JOIN clew_content AS c ON c.family = e.family AND c.key = e.content
ORDER BY part.session, e.position;

-- The attachments of every checkpoint, without their bytes.
CREATE VIEW clew_attachments AS
SELECT c.id AS checkpoint_id, a.name, a.content_type, a.size
FROM clew_attachment AS a
JOIN clew_checkpoint AS c ON c.family = a.family AND c.session = a.session AND c.seq = a.seq;
