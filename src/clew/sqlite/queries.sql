-- Every statement of the SQLite backend but the migrations. `-- name:` begins one; the line under it says what for.
-- Text that users gave is read as bytes where a list must survive damage to it. Ids are the 16 bytes of a UUID; a timeline, length and chain together are a point (see migrations/0001_tables.sql).

-- name: insert_session
-- A session without an active checkpoint yet, in its own family unless one is given.
INSERT INTO session (
    id, family, title, title_folded, visibility, status, cwd, source, source_id, parent_session_id, forked_from,
    metadata, revision, created_at, updated_at, last_message_at, active, next_seq, checkpoint_count, fingerprint
) VALUES (
    :id, :family, :title, :title_folded, :visibility, 'ACTIVE', :cwd, :source, :source_id, :parent_session_id,
    :forked_from, NULL, 0, :created_at, :created_at, NULL, NULL, 1, 0, :fingerprint
);

-- name: begin_family
-- The first session of a family gives it its number.
UPDATE session SET family = key WHERE key = :session;

-- name: session_head
-- What a write needs to know of a session, and its active checkpoint as a place to go on from.
SELECT s.key, s.family, s.next_seq, s.updated_at, s.active, c.seq, c.id, c.metadata, c.timeline, c.length, c.chain,
    t.session = s.key AND NOT EXISTS (SELECT 1 FROM entry AS e WHERE e.timeline = c.timeline AND e.position >= c.length)
FROM session AS s
LEFT JOIN checkpoint AS c ON c.session = s.key AND c.seq = s.active
LEFT JOIN timeline AS t ON t.key = c.timeline
WHERE s.id = :id;

-- name: session_by_id
-- A session with its active checkpoint and the metadata of both.
SELECT s.id, CAST(s.title AS BLOB), s.visibility, s.status, CAST(s.cwd AS BLOB), CAST(s.source AS BLOB),
    CAST(s.source_id AS BLOB), s.parent_session_id, s.forked_from,
    s.metadata, sm.hash, CAST(sm.body AS BLOB), s.revision, s.created_at, s.updated_at, s.active,
    c.id, s.id, p.id, c.label, c.created_at, c.updated_at, c.timeline, c.length, c.chain, c.metadata
FROM session AS s
LEFT JOIN content AS sm ON sm.key = s.metadata
LEFT JOIN checkpoint AS c ON c.session = s.key AND c.seq = s.active
LEFT JOIN checkpoint AS p ON p.session = c.session AND p.seq = c.parent
WHERE s.id = :id;

-- name: session_id_by_source
-- The session that another program knows by this name.
SELECT id FROM session WHERE source = :source AND source_id = :source_id;

-- name: session_exists
-- Whether a session has this id.
SELECT 1 FROM session WHERE id = :id;

-- name: list_sessions
-- A page of sessions, newest first. Each half of the union walks session_recent from its end and stops at the limit.
WITH page AS MATERIALIZED (
    SELECT s.key, s.updated_at, s.id FROM session AS s LEFT JOIN content AS m ON m.key = s.metadata
    WHERE s.status = 'ACTIVE' AND :active
        AND (:cursor_at IS NULL OR (s.updated_at, s.id) < (:cursor_at, :cursor_id))
        AND (:visibility IS NULL OR s.visibility = :visibility)
        AND (:cwd IS NULL OR s.cwd = :cwd)
        AND (:source IS NULL OR s.source = :source)
        AND (:parent_session_id IS NULL OR s.parent_session_id = :parent_session_id)
        AND (:search IS NULL OR instr(coalesce(s.title_folded, s.title), :search) > 0)
        AND (:metadata IS NULL OR (m.body IS NULL AND s.metadata IS NOT NULL OR clew_contains(m.body, :metadata)))
    UNION ALL
    SELECT s.key, s.updated_at, s.id FROM session AS s LEFT JOIN content AS m ON m.key = s.metadata
    WHERE s.status = 'DELETED' AND :deleted
        AND (:cursor_at IS NULL OR (s.updated_at, s.id) < (:cursor_at, :cursor_id))
        AND (:visibility IS NULL OR s.visibility = :visibility)
        AND (:cwd IS NULL OR s.cwd = :cwd)
        AND (:source IS NULL OR s.source = :source)
        AND (:parent_session_id IS NULL OR s.parent_session_id = :parent_session_id)
        AND (:search IS NULL OR instr(coalesce(s.title_folded, s.title), :search) > 0)
        AND (:metadata IS NULL OR (m.body IS NULL AND s.metadata IS NOT NULL OR clew_contains(m.body, :metadata)))
    ORDER BY 2 DESC, 3 DESC
    LIMIT :limit OFFSET :offset
)
SELECT s.id, CAST(s.title AS BLOB), s.visibility, s.status, CAST(s.cwd AS BLOB), CAST(s.source AS BLOB),
    CAST(s.source_id AS BLOB), s.parent_session_id, s.forked_from,
    s.metadata, sm.hash, CAST(sm.body AS BLOB), s.revision, s.created_at, s.updated_at, s.active,
    c.id, c.length, s.checkpoint_count, s.last_message_at
FROM page
JOIN session AS s ON s.key = page.key
LEFT JOIN content AS sm ON sm.key = s.metadata
LEFT JOIN checkpoint AS c ON c.session = s.key AND c.seq = s.active
ORDER BY page.updated_at DESC, page.id DESC;

-- name: count_sessions_kept
-- How many sessions there are, from the counters.
SELECT coalesce(sum(sessions), 0) FROM session_count WHERE status = 'ACTIVE' AND :active OR status = 'DELETED' AND :deleted;

-- name: count_sessions_filtered
-- How many sessions a filtered list has, by looking at each.
SELECT count(*) FROM session AS s LEFT JOIN content AS m ON m.key = s.metadata
WHERE (s.status = 'ACTIVE' AND :active OR s.status = 'DELETED' AND :deleted)
    AND (:visibility IS NULL OR s.visibility = :visibility)
    AND (:cwd IS NULL OR s.cwd = :cwd)
    AND (:source IS NULL OR s.source = :source)
    AND (:parent_session_id IS NULL OR s.parent_session_id = :parent_session_id)
    AND (:search IS NULL OR instr(coalesce(s.title_folded, s.title), :search) > 0)
    AND (:metadata IS NULL OR (m.body IS NULL AND s.metadata IS NOT NULL OR clew_contains(m.body, :metadata)));

-- name: session_fields
-- What a user can change of a session, as stored.
SELECT key, family, revision, updated_at, title, visibility, status, cwd, metadata FROM session WHERE id = :id;

-- name: update_session
-- New values of the fields that a user can change.
UPDATE session SET title = :title, title_folded = :title_folded, visibility = :visibility, status = :status, cwd = :cwd,
    metadata = :metadata, revision = revision + 1, updated_at = :updated_at
WHERE key = :session;

-- name: set_session_metadata
-- The metadata of a session just inserted.
UPDATE session SET metadata = :metadata WHERE key = :session;

-- name: insert_checkpoint
-- A checkpoint at a point of a timeline.
INSERT INTO checkpoint (session, seq, id, parent, timeline, length, chain, metadata, label, created_at, fingerprint)
VALUES (:session, :seq, :id, :parent, :timeline, :length, :chain, :metadata, :label, :created_at, :fingerprint);

-- name: advance_session
-- Make a new checkpoint the active one.
UPDATE session SET active = next_seq, next_seq = next_seq + 1, checkpoint_count = checkpoint_count + 1,
    revision = revision + 1, updated_at = :updated_at, last_message_at = coalesce(:last_message_at, last_message_at)
WHERE key = :session;

-- name: set_active
-- Resume from another checkpoint.
UPDATE session SET active = :seq, revision = revision + 1, updated_at = :updated_at WHERE key = :session;

-- name: checkpoint_in_session
-- A checkpoint of this session as a place to go on from.
SELECT c.seq, c.id, c.metadata, c.timeline, c.length, c.chain,
    t.session = c.session AND NOT EXISTS (SELECT 1 FROM entry AS e WHERE e.timeline = c.timeline AND e.position >= c.length)
FROM checkpoint AS c LEFT JOIN timeline AS t ON t.key = c.timeline
WHERE c.id = :id AND c.session = :session;

-- name: checkpoint_point
-- The point of a checkpoint.
SELECT timeline, length, chain FROM checkpoint WHERE id = :id;

-- name: checkpoint_claim
-- Which session holds a checkpoint id, and the fingerprint of the call that wrote it.
SELECT session, fingerprint FROM checkpoint WHERE id = :id;

-- name: session_claim
-- The fingerprint of the call that created a session.
SELECT fingerprint FROM session WHERE id = :id;

-- name: label_taken
-- Whether a label names a checkpoint of this session.
SELECT 1 FROM checkpoint WHERE session = :session AND label = :label;

-- name: checkpoint_by_id
-- A checkpoint with the ids of its session and parent.
SELECT c.id, s.id, p.id, c.label, c.created_at, c.updated_at, c.timeline, c.length, c.chain, c.metadata
FROM checkpoint AS c
JOIN session AS s ON s.key = c.session
LEFT JOIN checkpoint AS p ON p.session = c.session AND p.seq = c.parent
WHERE c.id = :id;

-- name: list_checkpoints
-- A page of the checkpoints of a session, in order of creation.
SELECT c.id, p.id, CAST(c.label AS BLOB), c.length, c.created_at, c.updated_at, c.seq
FROM checkpoint AS c
LEFT JOIN checkpoint AS p ON p.session = c.session AND p.seq = c.parent
LEFT JOIN content AS m ON m.key = c.metadata
WHERE c.session = :session AND c.seq > :after AND (:metadata IS NULL OR (m.body IS NULL AND c.metadata IS NOT NULL OR clew_contains(m.body, :metadata)))
ORDER BY c.seq
LIMIT :limit OFFSET :offset;

-- name: session_checkpoint_count
-- The key of a session and how many checkpoints it has.
SELECT key, checkpoint_count FROM session WHERE id = :id;

-- name: ancestry
-- A checkpoint, its parent, and so on to the root. A parent is always older, so that damage cannot lead in circles.
WITH RECURSIVE line (session, seq, id, parent, depth) AS (
    SELECT session, seq, id, parent, 0 FROM checkpoint WHERE id = :id
    UNION ALL
    SELECT c.session, c.seq, c.id, c.parent, depth + 1
    FROM line JOIN checkpoint AS c ON c.session = line.session AND c.seq = line.parent AND c.seq < line.seq
)
SELECT id FROM line ORDER BY depth;

-- name: timeline_parts
-- The timelines that hold a conversation from a position on, last part first: where the entries of each begin and end.
-- An ancestor is always older, so that damage cannot lead in circles.
WITH RECURSIVE part (timeline, ancestor, start, stop, depth) AS (
    SELECT key, ancestor, ancestor_length, :length, 0 FROM timeline WHERE key = :timeline
    UNION ALL
    SELECT t.key, t.ancestor, t.ancestor_length, part.start, depth + 1
    FROM part JOIN timeline AS t ON t.key = part.ancestor AND t.key < part.timeline
    WHERE part.start > :from
)
SELECT timeline, start, stop FROM part ORDER BY depth;

-- name: read_bodies
-- The bodies of a range of one timeline's own entries.
SELECT CAST(c.body AS BLOB) FROM entry AS e JOIN content AS c ON c.key = e.content
WHERE e.timeline = :timeline AND e.position >= :start AND e.position < :stop
ORDER BY e.position;

-- name: read_hashed_bodies
-- The same with the hash that each body must have.
SELECT c.hash, CAST(c.body AS BLOB) FROM entry AS e JOIN content AS c ON c.key = e.content
WHERE e.timeline = :timeline AND e.position >= :start AND e.position < :stop
ORDER BY e.position;

-- name: insert_timeline
-- A new run of messages, after a length of an ancestor where there is one.
INSERT INTO timeline (family, session, ancestor, ancestor_length)
VALUES (:family, :session, :ancestor, :ancestor_length);

-- name: insert_entry
-- The message at a position.
INSERT INTO entry (timeline, position, content) VALUES (:timeline, :position, :content);

-- name: find_content
-- Content of a family with this hash: a candidate, until the bytes have been compared.
SELECT key, CAST(body AS BLOB) FROM content WHERE family = :family AND hash = :hash ORDER BY tie;

-- name: insert_content
-- JSON text, unless something in the family has this hash and tie.
INSERT OR IGNORE INTO content (family, hash, tie, body) VALUES (:family, :hash, :tie, CAST(:body AS TEXT));

-- name: read_content
-- One value with the hash that it must have.
SELECT hash, CAST(body AS BLOB) FROM content WHERE key = :key;

-- name: detach_session
-- Before its checkpoints go, a purged session lets go of the active one.
UPDATE session SET active = NULL WHERE key = :session;

-- name: delete_checkpoints_of_session
-- The tree of a purged session.
DELETE FROM checkpoint WHERE session = :session;

-- name: disown_timelines
-- What others still need of a purged session's timelines stays, but nobody extends it.
UPDATE timeline SET session = NULL WHERE session = :session AND family = :family;

-- name: delete_session
-- The row of a purged session.
DELETE FROM session WHERE key = :session;

-- name: reached_lengths
-- How far the checkpoints of a family reach on each timeline.
SELECT c.timeline, max(c.length)
FROM session AS s JOIN checkpoint AS c ON c.session = s.key
WHERE s.family = :family AND c.timeline IS NOT NULL
GROUP BY c.timeline;

-- name: family_timelines
-- The timelines of a family, descendants before their ancestors.
SELECT key, ancestor, ancestor_length FROM timeline WHERE family = :family ORDER BY key DESC;

-- name: cut_timeline
-- Entries that no checkpoint reaches.
DELETE FROM entry WHERE timeline = :timeline AND position >= :length;

-- name: delete_timeline
-- A timeline of which nothing is reached.
DELETE FROM timeline WHERE key = :timeline;

-- name: delete_unreached_content
-- Content that no entry, checkpoint or session of the family refers to.
DELETE FROM content WHERE family = :family AND key NOT IN (
    SELECT e.content FROM timeline AS t JOIN entry AS e ON e.timeline = t.key WHERE t.family = :family
    UNION ALL
    SELECT c.metadata FROM session AS s JOIN checkpoint AS c ON c.session = s.key
    WHERE s.family = :family AND c.metadata IS NOT NULL
    UNION ALL
    SELECT s.metadata FROM session AS s WHERE s.family = :family AND s.metadata IS NOT NULL
);
