-- Every statement of the SQLite backend but the migrations. `-- name:` begins one; the line under it says what for.
-- Text that users gave is read as bytes where a list must survive damage to it. Ids are the 16 bytes of a UUID; a timeline, length and chain together are a point (see migrations/0001_tables.sql).
-- The columns of a session and of a checkpoint come in the order of SessionRow and CheckpointRow in rows.py.

-- name: insert_session
-- A session without an active checkpoint yet. One that begins a family does not know its number: see begin_family.
INSERT INTO session (
    id, family, title, title_folded, visibility, status, cwd, source, source_id, parent_session_id, forked_from,
    metadata, revision, created_at, updated_at, last_message_at, active, next_seq, checkpoint_count, fingerprint, seal,
    owner
) VALUES (
    :id, :family, :title, :title_folded, :visibility, 'ACTIVE', :cwd, :source, :source_id, :parent_session_id,
    :forked_from, :metadata, 0, :created_at, :created_at, NULL, NULL, 1, 0, :fingerprint, :seal, :owner
);

-- name: begin_family
-- The first session of a family gives it its number.
UPDATE session SET family = key, metadata = :metadata, seal = :seal WHERE key = :session;

-- name: session_head
-- What a write needs to know of a session, and its active checkpoint as a place to go on from.
SELECT s.key, s.family, s.active, s.next_seq, s.checkpoint_count, s.revision, s.updated_at, s.last_message_at,
    s.tip_seal, s.id, c.seq, c.id, p.id, c.timeline, c.length, c.chain, m.hash, CAST(c.label AS BLOB), c.created_at, c.updated_at,
    c.fingerprint, c.attachment_count, c.metadata, c.seal, s.family,
    t.session = s.key AND NOT EXISTS (SELECT 1 FROM entry AS e WHERE e.timeline = c.timeline AND e.position >= c.length)
FROM session AS s
LEFT JOIN checkpoint AS c ON c.session = s.key AND c.seq = s.active
LEFT JOIN checkpoint AS p ON p.session = c.session AND p.seq = c.parent
LEFT JOIN content AS m ON m.key = c.metadata
LEFT JOIN timeline AS t ON t.key = c.timeline
WHERE s.id = :id;

-- name: session_by_id
-- A session with its active checkpoint and the metadata of the session.
SELECT s.key, s.id, s.family, CAST(s.title AS BLOB), CAST(s.visibility AS BLOB), CAST(s.status AS BLOB),
    CAST(s.cwd AS BLOB), CAST(s.source AS BLOB), CAST(s.source_id AS BLOB), s.parent_session_id, s.forked_from, sm.hash,
    s.created_at, s.fingerprint, CAST(s.owner AS BLOB), s.active, s.next_seq, s.checkpoint_count, s.revision, s.updated_at, s.last_message_at,
    s.seal, s.tip_seal, s.metadata, CAST(sm.body AS BLOB),
    s.id, c.seq, c.id, p.id, c.timeline, c.length, c.chain, m.hash, CAST(c.label AS BLOB), c.created_at, c.updated_at,
    c.fingerprint, c.attachment_count, c.metadata, c.seal, s.family
FROM session AS s
LEFT JOIN content AS sm ON sm.key = s.metadata
LEFT JOIN checkpoint AS c ON c.session = s.key AND c.seq = s.active
LEFT JOIN checkpoint AS p ON p.session = c.session AND p.seq = c.parent
LEFT JOIN content AS m ON m.key = c.metadata
WHERE s.id = :id;

-- name: session_id_by_source
-- The session that another program knows by this name, among those of an owner.
SELECT id FROM session WHERE source = :source AND source_id = :source_id AND coalesce(owner, '') = coalesce(:owner, '');

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
        AND (:cwd IS NULL OR s.cwd = :cwd OR EXISTS (SELECT 1 FROM former_directory AS f WHERE f.session = s.key AND f.cwd = :cwd))
        AND (:source IS NULL OR s.source = :source)
        AND (:parent_session_id IS NULL OR s.parent_session_id = :parent_session_id)
        AND (:search IS NULL OR instr(coalesce(s.title_folded, s.title), :search) > 0)
        AND (:metadata IS NULL OR (m.body IS NULL AND s.metadata IS NOT NULL OR clew_contains(CAST(m.body AS BLOB), m.hash, :metadata)))
    UNION ALL
    SELECT s.key, s.updated_at, s.id FROM session AS s LEFT JOIN content AS m ON m.key = s.metadata
    WHERE s.status = 'DELETED' AND :deleted
        AND (:cursor_at IS NULL OR (s.updated_at, s.id) < (:cursor_at, :cursor_id))
        AND (:visibility IS NULL OR s.visibility = :visibility)
        AND (:cwd IS NULL OR s.cwd = :cwd OR EXISTS (SELECT 1 FROM former_directory AS f WHERE f.session = s.key AND f.cwd = :cwd))
        AND (:source IS NULL OR s.source = :source)
        AND (:parent_session_id IS NULL OR s.parent_session_id = :parent_session_id)
        AND (:search IS NULL OR instr(coalesce(s.title_folded, s.title), :search) > 0)
        AND (:metadata IS NULL OR (m.body IS NULL AND s.metadata IS NOT NULL OR clew_contains(CAST(m.body AS BLOB), m.hash, :metadata)))
    ORDER BY 2 DESC, 3 DESC
    LIMIT :limit OFFSET :offset
)
SELECT s.key, s.id, s.family, CAST(s.title AS BLOB), CAST(s.visibility AS BLOB), CAST(s.status AS BLOB),
    CAST(s.cwd AS BLOB), CAST(s.source AS BLOB), CAST(s.source_id AS BLOB), s.parent_session_id, s.forked_from, sm.hash,
    s.created_at, s.fingerprint, CAST(s.owner AS BLOB), s.active, s.next_seq, s.checkpoint_count, s.revision, s.updated_at, s.last_message_at,
    s.seal, s.tip_seal, s.metadata, CAST(sm.body AS BLOB),
    s.id, c.seq, c.id, p.id, c.timeline, c.length, c.chain, m.hash, CAST(c.label AS BLOB), c.created_at, c.updated_at,
    c.fingerprint, c.attachment_count, c.metadata, c.seal, s.family
FROM page
JOIN session AS s ON s.key = page.key
LEFT JOIN content AS sm ON sm.key = s.metadata
LEFT JOIN checkpoint AS c ON c.session = s.key AND c.seq = s.active
LEFT JOIN checkpoint AS p ON p.session = c.session AND p.seq = c.parent
LEFT JOIN content AS m ON m.key = c.metadata
ORDER BY page.updated_at DESC, page.id DESC;

-- name: list_sessions_of_owner
-- The same of the sessions of one owner, along session_owner.
WITH page AS MATERIALIZED (
    SELECT s.key, s.updated_at, s.id FROM session AS s LEFT JOIN content AS m ON m.key = s.metadata
    WHERE s.owner = :owner AND s.status = 'ACTIVE' AND :active
        AND (:cursor_at IS NULL OR (s.updated_at, s.id) < (:cursor_at, :cursor_id))
        AND (:visibility IS NULL OR s.visibility = :visibility)
        AND (:cwd IS NULL OR s.cwd = :cwd OR EXISTS (SELECT 1 FROM former_directory AS f WHERE f.session = s.key AND f.cwd = :cwd))
        AND (:source IS NULL OR s.source = :source)
        AND (:parent_session_id IS NULL OR s.parent_session_id = :parent_session_id)
        AND (:search IS NULL OR instr(coalesce(s.title_folded, s.title), :search) > 0)
        AND (:metadata IS NULL OR (m.body IS NULL AND s.metadata IS NOT NULL OR clew_contains(CAST(m.body AS BLOB), m.hash, :metadata)))
    UNION ALL
    SELECT s.key, s.updated_at, s.id FROM session AS s LEFT JOIN content AS m ON m.key = s.metadata
    WHERE s.owner = :owner AND s.status = 'DELETED' AND :deleted
        AND (:cursor_at IS NULL OR (s.updated_at, s.id) < (:cursor_at, :cursor_id))
        AND (:visibility IS NULL OR s.visibility = :visibility)
        AND (:cwd IS NULL OR s.cwd = :cwd OR EXISTS (SELECT 1 FROM former_directory AS f WHERE f.session = s.key AND f.cwd = :cwd))
        AND (:source IS NULL OR s.source = :source)
        AND (:parent_session_id IS NULL OR s.parent_session_id = :parent_session_id)
        AND (:search IS NULL OR instr(coalesce(s.title_folded, s.title), :search) > 0)
        AND (:metadata IS NULL OR (m.body IS NULL AND s.metadata IS NOT NULL OR clew_contains(CAST(m.body AS BLOB), m.hash, :metadata)))
    ORDER BY 2 DESC, 3 DESC
    LIMIT :limit OFFSET :offset
)
SELECT s.key, s.id, s.family, CAST(s.title AS BLOB), CAST(s.visibility AS BLOB), CAST(s.status AS BLOB),
    CAST(s.cwd AS BLOB), CAST(s.source AS BLOB), CAST(s.source_id AS BLOB), s.parent_session_id, s.forked_from, sm.hash,
    s.created_at, s.fingerprint, CAST(s.owner AS BLOB), s.active, s.next_seq, s.checkpoint_count, s.revision, s.updated_at, s.last_message_at,
    s.seal, s.tip_seal, s.metadata, CAST(sm.body AS BLOB),
    s.id, c.seq, c.id, p.id, c.timeline, c.length, c.chain, m.hash, CAST(c.label AS BLOB), c.created_at, c.updated_at,
    c.fingerprint, c.attachment_count, c.metadata, c.seal, s.family
FROM page
JOIN session AS s ON s.key = page.key
LEFT JOIN content AS sm ON sm.key = s.metadata
LEFT JOIN checkpoint AS c ON c.session = s.key AND c.seq = s.active
LEFT JOIN checkpoint AS p ON p.session = c.session AND p.seq = c.parent
LEFT JOIN content AS m ON m.key = c.metadata
ORDER BY page.updated_at DESC, page.id DESC;

-- name: list_sessions_of_name
-- The same of the sessions that a program knows by a name, one of each owner, along session_source.
WITH page AS MATERIALIZED (
    SELECT s.key, s.updated_at, s.id FROM session AS s LEFT JOIN content AS m ON m.key = s.metadata
    WHERE s.source = :source AND s.source_id = :source_id AND (:owner IS NULL OR s.owner = :owner)
        AND (s.status = 'ACTIVE' AND :active OR s.status = 'DELETED' AND :deleted)
        AND (:cursor_at IS NULL OR (s.updated_at, s.id) < (:cursor_at, :cursor_id))
        AND (:visibility IS NULL OR s.visibility = :visibility)
        AND (:cwd IS NULL OR s.cwd = :cwd OR EXISTS (SELECT 1 FROM former_directory AS f WHERE f.session = s.key AND f.cwd = :cwd))
        AND (:parent_session_id IS NULL OR s.parent_session_id = :parent_session_id)
        AND (:search IS NULL OR instr(coalesce(s.title_folded, s.title), :search) > 0)
        AND (:metadata IS NULL OR (m.body IS NULL AND s.metadata IS NOT NULL OR clew_contains(CAST(m.body AS BLOB), m.hash, :metadata)))
    ORDER BY 2 DESC, 3 DESC
    LIMIT :limit OFFSET :offset
)
SELECT s.key, s.id, s.family, CAST(s.title AS BLOB), CAST(s.visibility AS BLOB), CAST(s.status AS BLOB),
    CAST(s.cwd AS BLOB), CAST(s.source AS BLOB), CAST(s.source_id AS BLOB), s.parent_session_id, s.forked_from, sm.hash,
    s.created_at, s.fingerprint, CAST(s.owner AS BLOB), s.active, s.next_seq, s.checkpoint_count, s.revision, s.updated_at, s.last_message_at,
    s.seal, s.tip_seal, s.metadata, CAST(sm.body AS BLOB),
    s.id, c.seq, c.id, p.id, c.timeline, c.length, c.chain, m.hash, CAST(c.label AS BLOB), c.created_at, c.updated_at,
    c.fingerprint, c.attachment_count, c.metadata, c.seal, s.family
FROM page
JOIN session AS s ON s.key = page.key
LEFT JOIN content AS sm ON sm.key = s.metadata
LEFT JOIN checkpoint AS c ON c.session = s.key AND c.seq = s.active
LEFT JOIN checkpoint AS p ON p.session = c.session AND p.seq = c.parent
LEFT JOIN content AS m ON m.key = c.metadata
ORDER BY page.updated_at DESC, page.id DESC;

-- name: count_sessions_kept
-- How many sessions there are, from the counters.
SELECT coalesce(sum(value), 0) FROM counter WHERE name = 'ACTIVE' AND :active OR name = 'DELETED' AND :deleted;

-- name: count_sessions_filtered
-- How many sessions a filtered list has, by looking at each.
SELECT count(*) FROM session AS s LEFT JOIN content AS m ON m.key = s.metadata
WHERE (s.status = 'ACTIVE' AND :active OR s.status = 'DELETED' AND :deleted)
    AND (:visibility IS NULL OR s.visibility = :visibility)
    AND (:cwd IS NULL OR s.cwd = :cwd OR EXISTS (SELECT 1 FROM former_directory AS f WHERE f.session = s.key AND f.cwd = :cwd))
    AND (:source IS NULL OR s.source = :source)
    AND (:parent_session_id IS NULL OR s.parent_session_id = :parent_session_id)
    AND (:search IS NULL OR instr(coalesce(s.title_folded, s.title), :search) > 0)
    AND (:metadata IS NULL OR (m.body IS NULL AND s.metadata IS NOT NULL OR clew_contains(CAST(m.body AS BLOB), m.hash, :metadata)));

-- name: count_sessions_of_owner
-- The same of the sessions of one owner.
SELECT count(*) FROM session AS s LEFT JOIN content AS m ON m.key = s.metadata
WHERE s.owner = :owner AND (s.status = 'ACTIVE' AND :active OR s.status = 'DELETED' AND :deleted)
    AND (:visibility IS NULL OR s.visibility = :visibility)
    AND (:cwd IS NULL OR s.cwd = :cwd OR EXISTS (SELECT 1 FROM former_directory AS f WHERE f.session = s.key AND f.cwd = :cwd))
    AND (:source IS NULL OR s.source = :source)
    AND (:parent_session_id IS NULL OR s.parent_session_id = :parent_session_id)
    AND (:search IS NULL OR instr(coalesce(s.title_folded, s.title), :search) > 0)
    AND (:metadata IS NULL OR (m.body IS NULL AND s.metadata IS NOT NULL OR clew_contains(CAST(m.body AS BLOB), m.hash, :metadata)));

-- name: count_sessions_of_name
-- The same of the sessions that a program knows by a name.
SELECT count(*) FROM session AS s LEFT JOIN content AS m ON m.key = s.metadata
WHERE s.source = :source AND s.source_id = :source_id AND (:owner IS NULL OR s.owner = :owner)
    AND (s.status = 'ACTIVE' AND :active OR s.status = 'DELETED' AND :deleted)
    AND (:visibility IS NULL OR s.visibility = :visibility)
    AND (:cwd IS NULL OR s.cwd = :cwd OR EXISTS (SELECT 1 FROM former_directory AS f WHERE f.session = s.key AND f.cwd = :cwd))
    AND (:parent_session_id IS NULL OR s.parent_session_id = :parent_session_id)
    AND (:search IS NULL OR instr(coalesce(s.title_folded, s.title), :search) > 0)
    AND (:metadata IS NULL OR (m.body IS NULL AND s.metadata IS NOT NULL OR clew_contains(CAST(m.body AS BLOB), m.hash, :metadata)));

-- name: session_row
-- A session on its own.
SELECT s.key, s.id, s.family, CAST(s.title AS BLOB), CAST(s.visibility AS BLOB), CAST(s.status AS BLOB),
    CAST(s.cwd AS BLOB), CAST(s.source AS BLOB), CAST(s.source_id AS BLOB), s.parent_session_id, s.forked_from, sm.hash,
    s.created_at, s.fingerprint, CAST(s.owner AS BLOB), s.active, s.next_seq, s.checkpoint_count, s.revision, s.updated_at, s.last_message_at,
    s.seal, s.tip_seal, s.metadata, CAST(sm.body AS BLOB)
FROM session AS s LEFT JOIN content AS sm ON sm.key = s.metadata
WHERE s.id = :id;

-- name: update_session
-- New values of the fields that a user can change.
UPDATE session SET title = :title, title_folded = :title_folded, visibility = :visibility, status = :status, cwd = :cwd,
    metadata = :metadata, owner = :owner, seal = :seal
WHERE key = :session;

-- name: insert_checkpoint
-- A checkpoint at a point of a timeline.
INSERT INTO checkpoint (
    session, seq, id, parent, timeline, length, chain, metadata, label, created_at, updated_at, fingerprint,
    attachment_count, seal
) VALUES (
    :session, :seq, :id, :parent, :timeline, :length, :chain, :metadata, :label, :created_at, :updated_at, :fingerprint,
    :attachment_count, :seal
);

-- name: set_tip
-- What every write to a session changes.
UPDATE session SET active = :active, next_seq = :next_seq, checkpoint_count = :checkpoint_count, revision = :revision,
    updated_at = :updated_at, last_message_at = :last_message_at, tip_seal = :tip_seal,
    changed = (SELECT coalesce(max(key), 0) FROM content) + (SELECT value FROM counter WHERE name = 'CHANGES')
WHERE key = :session;

-- name: checkpoint_in_session
-- A checkpoint of this session, as a place to go on from.
SELECT s.id, c.seq, c.id, p.id, c.timeline, c.length, c.chain, m.hash, CAST(c.label AS BLOB), c.created_at, c.updated_at,
    c.fingerprint, c.attachment_count, c.metadata, c.seal, s.family,
    t.session = c.session AND NOT EXISTS (SELECT 1 FROM entry AS e WHERE e.timeline = c.timeline AND e.position >= c.length)
FROM checkpoint AS c
JOIN session AS s ON s.key = c.session
LEFT JOIN checkpoint AS p ON p.session = c.session AND p.seq = c.parent
LEFT JOIN content AS m ON m.key = c.metadata
LEFT JOIN timeline AS t ON t.key = c.timeline
WHERE c.id = :id AND c.session = :session;

-- name: checkpoint_claim
-- Which session holds a checkpoint id, and the fingerprint of the call that wrote it.
SELECT session, fingerprint FROM checkpoint WHERE id = :id;

-- name: session_claim
-- The fingerprint of the call that created a session.
SELECT fingerprint FROM session WHERE id = :id;

-- name: label_holder
-- The checkpoint of this session that has a label.
SELECT id FROM checkpoint WHERE session = :session AND label = :label;

-- name: checkpoint_by_id
-- A checkpoint.
SELECT s.id, c.seq, c.id, p.id, c.timeline, c.length, c.chain, m.hash, CAST(c.label AS BLOB), c.created_at, c.updated_at,
    c.fingerprint, c.attachment_count, c.metadata, c.seal, s.family
FROM checkpoint AS c
LEFT JOIN session AS s ON s.key = c.session
LEFT JOIN checkpoint AS p ON p.session = c.session AND p.seq = c.parent
LEFT JOIN content AS m ON m.key = c.metadata
WHERE c.id = :id;

-- name: checkpoints_of_session
-- Every checkpoint of a session, with its parent, oldest first.
SELECT c.parent, s.id, c.seq, c.id, p.id, c.timeline, c.length, c.chain, m.hash, CAST(c.label AS BLOB), c.created_at, c.updated_at,
    c.fingerprint, c.attachment_count, c.metadata, c.seal, s.family
FROM checkpoint AS c
JOIN session AS s ON s.key = c.session
LEFT JOIN checkpoint AS p ON p.session = c.session AND p.seq = c.parent
LEFT JOIN content AS m ON m.key = c.metadata
WHERE c.session = :session
ORDER BY c.seq;

-- name: touch_checkpoint
-- What may change of a checkpoint but its parent: the label, how many attachments there are, and when that was.
UPDATE checkpoint SET label = :label, updated_at = :updated_at, attachment_count = :attachment_count, seal = :seal
WHERE session = :session AND seq = :seq;

-- name: reparent_checkpoint
-- Another parent, where the one before is deleted.
UPDATE checkpoint SET parent = :parent, seal = :seal WHERE session = :session AND seq = :seq;

-- name: delete_checkpoint
-- One checkpoint of a session.
DELETE FROM checkpoint WHERE session = :session AND seq = :seq;

-- name: page_created
-- A page of the checkpoints of one session in the order in which they were written.
SELECT c.session, c.seq, c.seq FROM checkpoint AS c LEFT JOIN content AS m ON m.key = c.metadata
WHERE c.session = :session AND c.seq > :lower
    AND (:before_label IS NULL OR c.label < :before_label)
    AND (:metadata IS NULL OR (m.body IS NULL AND c.metadata IS NOT NULL OR clew_contains(CAST(m.body AS BLOB), m.hash, :metadata)))
ORDER BY c.seq
LIMIT :limit OFFSET :offset;

-- name: page_created_desc
-- The same, the newest first.
SELECT c.session, c.seq, c.seq FROM checkpoint AS c LEFT JOIN content AS m ON m.key = c.metadata
WHERE c.session = :session AND c.seq < :upper
    AND (:before_label IS NULL OR c.label < :before_label)
    AND (:metadata IS NULL OR (m.body IS NULL AND c.metadata IS NOT NULL OR clew_contains(CAST(m.body AS BLOB), m.hash, :metadata)))
ORDER BY c.seq DESC
LIMIT :limit OFFSET :offset;

-- name: page_label
-- A page of the checkpoints of one session that have a label, in the order of the labels.
SELECT c.session, c.seq, CAST(c.label AS BLOB) FROM checkpoint AS c LEFT JOIN content AS m ON m.key = c.metadata
WHERE c.session = :session AND c.label > :lower AND c.label < coalesce(:upper, x'')
    AND (:metadata IS NULL OR (m.body IS NULL AND c.metadata IS NOT NULL OR clew_contains(CAST(m.body AS BLOB), m.hash, :metadata)))
ORDER BY c.label
LIMIT :limit OFFSET :offset;

-- name: page_label_desc
-- The same, the last label first.
SELECT c.session, c.seq, CAST(c.label AS BLOB) FROM checkpoint AS c LEFT JOIN content AS m ON m.key = c.metadata
WHERE c.session = :session AND c.label > :lower AND c.label < coalesce(:upper, x'')
    AND (:metadata IS NULL OR (m.body IS NULL AND c.metadata IS NOT NULL OR clew_contains(CAST(m.body AS BLOB), m.hash, :metadata)))
ORDER BY c.label DESC
LIMIT :limit OFFSET :offset;

-- name: pages_created
-- A page of the checkpoints of several sessions, by time.
SELECT c.session, c.seq, c.created_at FROM checkpoint AS c LEFT JOIN content AS m ON m.key = c.metadata
WHERE c.session IN (SELECT value FROM json_each(:sessions))
    AND (:after_key IS NULL OR (c.created_at, c.session, c.seq) > (:after_key, :after_session, :after_seq))
    AND (:before_label IS NULL OR c.label < :before_label)
    AND (:metadata IS NULL OR (m.body IS NULL AND c.metadata IS NOT NULL OR clew_contains(CAST(m.body AS BLOB), m.hash, :metadata)))
ORDER BY c.created_at, c.session, c.seq
LIMIT :limit OFFSET :offset;

-- name: pages_created_desc
-- The same, the last one first.
SELECT c.session, c.seq, c.created_at FROM checkpoint AS c LEFT JOIN content AS m ON m.key = c.metadata
WHERE c.session IN (SELECT value FROM json_each(:sessions))
    AND (:after_key IS NULL OR (c.created_at, c.session, c.seq) < (:after_key, :after_session, :after_seq))
    AND (:before_label IS NULL OR c.label < :before_label)
    AND (:metadata IS NULL OR (m.body IS NULL AND c.metadata IS NOT NULL OR clew_contains(CAST(m.body AS BLOB), m.hash, :metadata)))
ORDER BY c.created_at DESC, c.session DESC, c.seq DESC
LIMIT :limit OFFSET :offset;

-- name: pages_label
-- A page of the checkpoints of several sessions that have a label, by label.
SELECT c.session, c.seq, CAST(c.label AS BLOB) FROM checkpoint AS c LEFT JOIN content AS m ON m.key = c.metadata
WHERE c.session IN (SELECT value FROM json_each(:sessions))
    AND c.label IS NOT NULL
    AND (:after_key IS NULL OR (c.label, c.session, c.seq) > (:after_key, :after_session, :after_seq))
    AND (:before_label IS NULL OR c.label < :before_label)
    AND (:metadata IS NULL OR (m.body IS NULL AND c.metadata IS NOT NULL OR clew_contains(CAST(m.body AS BLOB), m.hash, :metadata)))
ORDER BY c.label, c.session, c.seq
LIMIT :limit OFFSET :offset;

-- name: pages_label_desc
-- The same, the last one first.
SELECT c.session, c.seq, CAST(c.label AS BLOB) FROM checkpoint AS c LEFT JOIN content AS m ON m.key = c.metadata
WHERE c.session IN (SELECT value FROM json_each(:sessions))
    AND c.label IS NOT NULL
    AND (:after_key IS NULL OR (c.label, c.session, c.seq) < (:after_key, :after_session, :after_seq))
    AND (:before_label IS NULL OR c.label < :before_label)
    AND (:metadata IS NULL OR (m.body IS NULL AND c.metadata IS NOT NULL OR clew_contains(CAST(m.body AS BLOB), m.hash, :metadata)))
ORDER BY c.label DESC, c.session DESC, c.seq DESC
LIMIT :limit OFFSET :offset;

-- name: checkpoints_on_page
-- The checkpoints of a page, which is pairs of session and seq, in its order.
SELECT c.session, s.id, c.seq, c.id, p.id, c.timeline, c.length, c.chain, m.hash, CAST(c.label AS BLOB), c.created_at, c.updated_at,
    c.fingerprint, c.attachment_count, c.metadata, c.seal, s.family, CASE WHEN :with_metadata THEN CAST(m.body AS BLOB) END
FROM json_each(:page) AS page
JOIN checkpoint AS c ON c.session = page.value ->> 0 AND c.seq = page.value ->> 1
LEFT JOIN session AS s ON s.key = c.session
LEFT JOIN checkpoint AS p ON p.session = c.session AND p.seq = c.parent
LEFT JOIN content AS m ON m.key = c.metadata
ORDER BY page.key;

-- name: find_checkpoints
-- A page of the checkpoints of all sessions whose metadata has some values.
SELECT c.session, c.seq FROM session AS s
JOIN checkpoint AS c ON c.session = s.key
LEFT JOIN content AS m ON m.key = c.metadata
WHERE (:source IS NULL OR s.source = :source) AND (:owner IS NULL OR s.owner = :owner) AND s.key >= :after_session
    AND (s.key > :after_session OR c.seq > :after_seq)
    AND (:metadata IS NULL OR (m.body IS NULL AND c.metadata IS NOT NULL OR clew_contains(CAST(m.body AS BLOB), m.hash, :metadata)))
ORDER BY s.key, c.seq
LIMIT :limit;

-- name: page_children
-- The checkpoints under one.
SELECT c.session, c.seq FROM checkpoint AS o JOIN checkpoint AS c ON c.session = o.session AND c.parent = o.seq
WHERE o.id = :id
ORDER BY c.seq;

-- name: page_branches
-- The checkpoints of a session that have no child, newest first.
SELECT c.session, c.seq FROM checkpoint AS c
WHERE c.session = :session
    AND c.seq NOT IN (SELECT b.parent FROM checkpoint AS b WHERE b.session = :session AND b.parent IS NOT NULL)
ORDER BY c.seq DESC;

-- name: sessions_by_id
-- Sessions (hexadecimal ids) in the order in which they are asked for.
SELECT unhex(wanted.value), s.key, s.id, s.family, CAST(s.title AS BLOB), CAST(s.visibility AS BLOB), CAST(s.status AS BLOB),
    CAST(s.cwd AS BLOB), CAST(s.source AS BLOB), CAST(s.source_id AS BLOB), s.parent_session_id, s.forked_from, sm.hash,
    s.created_at, s.fingerprint, CAST(s.owner AS BLOB), s.active, s.next_seq, s.checkpoint_count, s.revision, s.updated_at, s.last_message_at,
    s.seal, s.tip_seal, s.metadata, CAST(sm.body AS BLOB)
FROM json_each(:ids) AS wanted
LEFT JOIN session AS s ON s.id = unhex(wanted.value)
LEFT JOIN content AS sm ON sm.key = s.metadata
ORDER BY wanted.key;

-- name: page_ancestry
-- A checkpoint, its parent, and so on to the root. A parent is always older, so that damage cannot lead in circles.
WITH RECURSIVE line (session, seq, parent, depth) AS (
    SELECT session, seq, parent, 0 FROM checkpoint WHERE id = :id
    UNION ALL
    SELECT c.session, c.seq, c.parent, depth + 1
    FROM line JOIN checkpoint AS c ON c.session = line.session AND c.seq = line.parent AND c.seq < line.seq
)
SELECT session, seq FROM line ORDER BY depth;

-- name: page_descent
-- The same across forks: the first checkpoint of a fork goes on to the one that it began as, in an older session.
WITH RECURSIVE line (session, seq, id, parent, depth) AS (
    SELECT session, seq, id, parent, 0 FROM checkpoint WHERE id = :id
    UNION ALL
    SELECT c.session, c.seq, c.id, c.parent, depth + 1
    FROM line
    JOIN session AS s ON s.key = line.session
    JOIN checkpoint AS c ON c.id = CASE
        WHEN line.parent IS NOT NULL
            THEN (SELECT p.id FROM checkpoint AS p WHERE p.session = line.session AND p.seq = line.parent AND p.seq < line.seq)
        WHEN line.seq = 1 THEN s.forked_from
    END
    WHERE c.session < line.session OR c.session = line.session AND c.seq < line.seq
)
SELECT session, seq FROM line ORDER BY depth;

-- name: timeline_parts
-- The timelines that hold a conversation from a position on, last part first: where the entries of each begin and end.
-- An ancestor is always older, so that damage cannot lead in circles.
WITH RECURSIVE part (timeline, family, ancestor, seal, start, stop, depth) AS (
    SELECT key, family, ancestor, seal, ancestor_length, :length, 0 FROM timeline WHERE key = :timeline
    UNION ALL
    SELECT t.key, t.family, t.ancestor, t.seal, t.ancestor_length, part.start, depth + 1
    FROM part JOIN timeline AS t ON t.key = part.ancestor AND t.key < part.timeline
    WHERE part.start > :from
)
SELECT timeline, family, ancestor, start, seal, stop FROM part ORDER BY depth;

-- name: read_bodies
-- The bodies of a range of one timeline's own entries.
SELECT CAST(c.body AS BLOB) FROM entry AS e JOIN content AS c ON c.key = e.content
WHERE e.timeline = :timeline AND e.position >= :start AND e.position < :stop
ORDER BY e.position;

-- name: read_scattered_bodies
-- The bodies, by position, of ranges of timelines' own entries (each as timeline, start and stop), as they come.
SELECT e.position, CAST(c.body AS BLOB) FROM json_each(:stretches) AS wanted
CROSS JOIN entry AS e ON e.timeline = wanted.value ->> 0
    AND e.position >= wanted.value ->> 1 AND e.position < wanted.value ->> 2
CROSS JOIN content AS c ON c.key = e.content;

-- name: read_hashed_bodies
-- The same with what each must be: its place, the seal of its place, and the hash of the body.
SELECT e.position, e.timeline, e.seal, c.hash, CAST(c.body AS BLOB) FROM json_each(:stretches) AS wanted
CROSS JOIN entry AS e ON e.timeline = wanted.value ->> 0
    AND e.position >= wanted.value ->> 1 AND e.position < wanted.value ->> 2
CROSS JOIN content AS c ON c.key = e.content;

-- name: read_hashes
-- The hashes of such ranges.
SELECT e.position, c.hash FROM json_each(:stretches) AS wanted
CROSS JOIN entry AS e ON e.timeline = wanted.value ->> 0
    AND e.position >= wanted.value ->> 1 AND e.position < wanted.value ->> 2
CROSS JOIN content AS c ON c.key = e.content;

-- name: points_before
-- Where a checkpoint of a session (as its number) and those before it lie, up to so many that are not longer than a length.
WITH RECURSIVE line (seq, parent, id, timeline, length, chain, short, depth) AS (
    SELECT seq, parent, id, timeline, length, chain, 0, 0 FROM checkpoint WHERE session = :session AND seq = :seq
    UNION ALL
    SELECT c.seq, c.parent, c.id, c.timeline, c.length, c.chain, line.short + (c.length <= :length), line.depth + 1
    FROM line JOIN checkpoint AS c ON c.session = :session AND c.seq = line.parent AND c.seq < line.seq
    WHERE line.short < :short AND line.depth < :most
)
SELECT id, timeline, length, chain FROM line WHERE depth > 0 ORDER BY depth;

-- name: insert_timeline
-- A new run of messages, after a length of an ancestor where there is one.
INSERT INTO timeline (family, session, ancestor, ancestor_length)
VALUES (:family, :session, :ancestor, :ancestor_length);

-- name: seal_timeline
-- The seal of a timeline, once it has its key.
UPDATE timeline SET seal = :seal WHERE key = :timeline;

-- name: insert_entry
-- The message at a position.
INSERT INTO entry (timeline, position, content, seal) VALUES (:timeline, :position, :content, :seal);

-- name: find_content
-- Content of a family with this hash: a candidate, until kind and bytes have been compared.
SELECT key, typeof(body) = 'blob', CAST(body AS BLOB) FROM content WHERE family = :family AND hash = :hash ORDER BY tie;

-- name: insert_content
-- JSON text, unless something in the family has this hash and tie.
INSERT OR IGNORE INTO content (family, hash, tie, body) VALUES (:family, :hash, :tie, CAST(:body AS TEXT));

-- name: insert_bytes
-- The same for bytes that are no JSON text.
INSERT OR IGNORE INTO content (family, hash, tie, body) VALUES (:family, :hash, :tie, CAST(:body AS BLOB));

-- name: read_content
-- One value with the hash that it must have.
SELECT hash, CAST(body AS BLOB) FROM content WHERE key = :key;

-- name: checkpoints_by_id
-- Checkpoints (hexadecimal ids) in the order in which they are asked for, with the keys of their sessions.
SELECT unhex(wanted.value), c.session, s.id, c.seq, c.id, p.id, c.timeline, c.length, c.chain, m.hash, CAST(c.label AS BLOB), c.created_at, c.updated_at,
    c.fingerprint, c.attachment_count, c.metadata, c.seal, s.family
FROM json_each(:ids) AS wanted
LEFT JOIN checkpoint AS c ON c.id = unhex(wanted.value)
LEFT JOIN session AS s ON s.key = c.session
LEFT JOIN checkpoint AS p ON p.session = c.session AND p.seq = c.parent
LEFT JOIN content AS m ON m.key = c.metadata
ORDER BY wanted.key;

-- name: attachments_on_page
-- The attachments of the checkpoints of a page, which is pairs of session and seq, in its order and that of their names.
SELECT page.key, CAST(a.name AS BLOB), CAST(a.content_type AS BLOB), a.size, a.chunk_size, a.content, a.seal, h.hash
FROM json_each(:page) AS page
JOIN attachment AS a ON a.session = page.value ->> 0 AND a.seq = page.value ->> 1
LEFT JOIN content AS h ON h.key = a.content
ORDER BY page.key, a.name;

-- name: bodies_by_key
-- The bytes of some content, which is pairs of family and key. Keys are unique in the file; the family goes along.
SELECT wanted.value ->> 0, h.key, CAST(h.body AS BLOB) FROM json_each(:places) AS wanted JOIN content AS h ON h.key = wanted.value ->> 1;

-- name: attachment_at
-- The attachment of a checkpoint that has a name.
SELECT CAST(a.name AS BLOB), CAST(a.content_type AS BLOB), a.size, a.chunk_size, a.content, a.seal, h.hash
FROM attachment AS a LEFT JOIN content AS h ON h.key = a.content
WHERE a.session = :session AND a.seq = :seq AND a.name = :name;

-- name: attachment_at_waiting
-- The attachment of a label that has a name.
SELECT CAST(a.name AS BLOB), CAST(a.content_type AS BLOB), a.size, a.chunk_size, a.content, a.seal, h.hash
FROM waiting_attachment AS a LEFT JOIN content AS h ON h.key = a.content
WHERE a.session = :session AND a.label = :label AND a.name = :name;

-- name: attachments_of_session
-- The attachments of all checkpoints of a session, without their bytes.
SELECT a.seq, CAST(a.name AS BLOB), CAST(a.content_type AS BLOB), a.size, a.chunk_size, a.content, a.seal, h.hash
FROM attachment AS a LEFT JOIN content AS h ON h.key = a.content
WHERE a.session = :session;

-- name: waiting_attachments
-- What waits for a label.
SELECT CAST(a.name AS BLOB), CAST(a.content_type AS BLOB), a.size, a.chunk_size, a.content, a.seal, h.hash
FROM waiting_attachment AS a LEFT JOIN content AS h ON h.key = a.content
WHERE a.session = :session AND a.label = :label
ORDER BY a.name;

-- name: waiting_attachments_of_session
-- What waits for any label of a session.
SELECT CAST(a.label AS BLOB), CAST(a.name AS BLOB), CAST(a.content_type AS BLOB), a.size, a.chunk_size, a.content, a.seal, h.hash
FROM waiting_attachment AS a LEFT JOIN content AS h ON h.key = a.content
WHERE a.session = :session
ORDER BY a.label, a.name;

-- name: put_attachment
-- An attachment of a checkpoint, in the place of what has its name.
INSERT OR REPLACE INTO attachment (session, seq, name, content_type, size, chunk_size, content, seal)
VALUES (:session, :seq, :name, :content_type, :size, :chunk_size, :content, :seal);

-- name: put_attachment_waiting
-- The same for a label.
INSERT OR REPLACE INTO waiting_attachment (session, label, name, content_type, size, chunk_size, content, seal)
VALUES (:session, :label, :name, :content_type, :size, :chunk_size, :content, :seal);

-- name: end_waiting
-- What waited for a label has got its checkpoint.
DELETE FROM waiting_attachment WHERE session = :session AND label = :label;

-- name: insert_chunk
-- A piece of a long attachment. Where the same bytes are there already it is, too, unless that piece is damaged.
INSERT INTO chunk (whole, position, content) VALUES (:whole, :position, :content)
ON CONFLICT (whole, position) DO UPDATE SET content = excluded.content WHERE content <> excluded.content;

-- name: read_chunks
-- A range of the pieces of a long attachment.
SELECT h.hash, CAST(h.body AS BLOB) FROM chunk AS k LEFT JOIN content AS h ON h.key = k.content
WHERE k.whole = :whole AND k.position >= :start AND k.position < :stop
ORDER BY k.position;

-- name: delete_attachment
-- One attachment of a checkpoint.
DELETE FROM attachment WHERE session = :session AND seq = :seq AND name = :name;

-- name: delete_attachment_waiting
-- One attachment of a label.
DELETE FROM waiting_attachment WHERE session = :session AND label = :label AND name = :name;

-- name: delete_attachments_of_checkpoint
-- The attachments of a deleted checkpoint.
DELETE FROM attachment WHERE session = :session AND seq = :seq;

-- name: delete_attachments_of_session
-- The attachments of a purged session.
DELETE FROM attachment WHERE session = :session;

-- name: delete_waiting_of_session
-- What waited in a purged session.
DELETE FROM waiting_attachment WHERE session = :session;

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

-- name: remember_purged
-- A session that is gone, for those who watch. Its name begins so that no name of another counter comes after it.
INSERT INTO counter (name, value)
SELECT 'purged ' || hex(:id), coalesce(max(key), 0) + (SELECT value FROM counter WHERE name = 'CHANGES') FROM content WHERE true
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

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

-- name: delete_unreached_chunks
-- The pieces of long attachments of a family that no checkpoint has and no label waits for.
DELETE FROM chunk WHERE whole IN (
    SELECT k.whole FROM chunk AS k JOIN content AS h ON h.key = k.whole WHERE h.family = :family
) AND whole NOT IN (
    SELECT a.content FROM session AS s JOIN attachment AS a ON a.session = s.key
    WHERE s.family = :family AND a.chunk_size IS NOT NULL
    UNION ALL
    SELECT w.content FROM session AS s JOIN waiting_attachment AS w ON w.session = s.key
    WHERE s.family = :family AND w.chunk_size IS NOT NULL
);

-- name: delete_unreached_content
-- Content that no entry, checkpoint, session, attachment or piece of one in the family refers to.
DELETE FROM content WHERE family = :family AND key NOT IN (
    SELECT e.content FROM timeline AS t JOIN entry AS e ON e.timeline = t.key WHERE t.family = :family
    UNION ALL
    SELECT c.metadata FROM session AS s JOIN checkpoint AS c ON c.session = s.key
    WHERE s.family = :family AND c.metadata IS NOT NULL
    UNION ALL
    SELECT s.metadata FROM session AS s WHERE s.family = :family AND s.metadata IS NOT NULL
    UNION ALL
    SELECT a.content FROM session AS s JOIN attachment AS a ON a.session = s.key WHERE s.family = :family
    UNION ALL
    SELECT w.content FROM session AS s JOIN waiting_attachment AS w ON w.session = s.key WHERE s.family = :family
    UNION ALL
    SELECT k.content FROM content AS h JOIN chunk AS k ON k.whole = h.key WHERE h.family = :family
);

-- name: session_families
-- The families that have sessions, and how many each.
SELECT family, count(*) FROM session GROUP BY family;

-- name: timeline_families
-- The families that have timelines.
SELECT DISTINCT family, 0 FROM timeline;

-- name: content_families
-- The families that have content.
SELECT DISTINCT family, 0 FROM content;

-- name: sessions_of_family
-- The sessions of a family.
SELECT s.key, s.id, s.family, CAST(s.title AS BLOB), CAST(s.visibility AS BLOB), CAST(s.status AS BLOB),
    CAST(s.cwd AS BLOB), CAST(s.source AS BLOB), CAST(s.source_id AS BLOB), s.parent_session_id, s.forked_from, sm.hash,
    s.created_at, s.fingerprint, CAST(s.owner AS BLOB), s.active, s.next_seq, s.checkpoint_count, s.revision, s.updated_at, s.last_message_at,
    s.seal, s.tip_seal, s.metadata, CAST(sm.body AS BLOB), CAST(s.title_folded AS BLOB)
FROM session AS s LEFT JOIN content AS sm ON sm.key = s.metadata
WHERE s.family = :family
ORDER BY s.key;

-- name: session_ids_of_family
-- The ids of the sessions of a family.
SELECT id FROM session WHERE family = :family ORDER BY key;

-- name: anything_of_family
-- Whether a family has content or timelines.
SELECT 1 FROM content WHERE family = :family UNION ALL SELECT 1 FROM timeline WHERE family = :family LIMIT 1;

-- name: content_of_family
-- All content of a family.
SELECT key, hash, CAST(body AS BLOB) FROM content WHERE family = :family;

-- name: owned_timelines_of_family
-- The timelines of a family, ancestors before their descendants, with the family of their owner.
SELECT t.key, t.session, o.family, t.ancestor, t.ancestor_length, t.seal
FROM timeline AS t LEFT JOIN session AS o ON o.key = t.session
WHERE t.family = :family
ORDER BY t.key;

-- name: entries_of_timeline
-- The entries of a timeline with the hash and family of their content.
SELECT e.position, e.content, e.seal, h.hash, h.family FROM entry AS e LEFT JOIN content AS h ON h.key = e.content
WHERE e.timeline = :timeline
ORDER BY e.position;

-- name: points_of_family
-- Every checkpoint of a family as a point, in the order of their sessions.
SELECT s.id, c.id, c.timeline, c.length, c.chain FROM session AS s JOIN checkpoint AS c ON c.session = s.key
WHERE s.family = :family
ORDER BY s.key, c.seq;

-- name: chunks_of_whole
-- The pieces of a long attachment: the hash and length of each.
SELECT k.content, k.position, h.hash, length(CAST(h.body AS BLOB)) FROM chunk AS k LEFT JOIN content AS h ON h.key = k.content
WHERE k.whole = :whole
ORDER BY k.position;

-- name: count_sessions
-- How many sessions there are of each status, by looking at each, and as counted.
WITH known (status) AS (VALUES ('ACTIVE'), ('DELETED'))
SELECT known.status, c.value, (SELECT count(*) FROM session AS s WHERE s.status = known.status)
FROM known LEFT JOIN counter AS c ON c.name = known.status;

-- name: count_change
-- A change that brings no content gets a number of its own; as many go by as keys of content have gone.
UPDATE counter SET value = value + :by WHERE name = 'CHANGES';

-- name: newest_content
-- The greatest key of any content.
SELECT coalesce(max(key), 0) FROM content;

-- name: newest_change
-- The number up to which every change is decided, and that of the newest one: the same, because one writes after the other.
SELECT newest.number, newest.number FROM (
    SELECT coalesce(max(key), 0) + (SELECT value FROM counter WHERE name = 'CHANGES') AS number FROM content
) AS newest;

-- name: changes_are_given
-- Whether no session or purge has a greater number than was given out.
SELECT max((SELECT coalesce(max(changed), 0) FROM session), (SELECT coalesce(max(value), 0) FROM counter WHERE name > 'purged '))
    <= coalesce(max(key), 0) + (SELECT value FROM counter WHERE name = 'CHANGES') FROM content;

-- name: changes
-- The last change of each session after a number, in order. One that is purged has no revision.
SELECT s.id, s.changed, s.revision, s.updated_at, c.id
FROM session AS s LEFT JOIN checkpoint AS c ON c.session = s.key AND c.seq = s.active
WHERE s.changed > :after AND (:owner IS NULL OR s.owner = :owner)
UNION ALL
SELECT unhex(substr(p.name, 8)), p.value, NULL, NULL, NULL FROM counter AS p
WHERE p.name > 'purged ' AND p.value > :after AND :owner IS NULL
ORDER BY 2
LIMIT :limit;

-- name: changes_of_session
-- The same of one session.
SELECT s.id, s.changed, s.revision, s.updated_at, c.id
FROM session AS s LEFT JOIN checkpoint AS c ON c.session = s.key AND c.seq = s.active
WHERE s.id = :id AND s.changed > :after AND (:owner IS NULL OR s.owner = :owner)
UNION ALL
SELECT :id, p.value, NULL, NULL, NULL FROM counter AS p
WHERE p.name = 'purged ' || hex(:id) AND p.value > :after AND :owner IS NULL
ORDER BY 2;

-- name: insert_key
-- An API key that nobody has used yet.
INSERT INTO api_key (id, digest, name, role, created_at, last_used_at, revoked_at, seal)
VALUES (:id, :digest, :name, :role, :created_at, :last_used_at, :revoked_at, :seal);

-- name: list_keys
-- Every API key, oldest first.
SELECT id, digest, CAST(name AS BLOB), CAST(role AS BLOB), created_at, last_used_at, revoked_at, seal FROM api_key ORDER BY created_at, id;

-- name: key_by_id
-- An API key.
SELECT id, digest, CAST(name AS BLOB), CAST(role AS BLOB), created_at, last_used_at, revoked_at, seal FROM api_key WHERE id = :id;

-- name: key_by_digest
-- The API key whose token has this hash.
SELECT id, digest, CAST(name AS BLOB), CAST(role AS BLOB), created_at, last_used_at, revoked_at, seal FROM api_key WHERE digest = :digest;

-- name: update_key
-- What may change of an API key.
UPDATE api_key SET last_used_at = :last_used_at, revoked_at = :revoked_at, seal = :seal WHERE id = :id;

-- name: former_directories
-- Where a session was before, and the seal of each.
SELECT CAST(cwd AS BLOB), seal FROM former_directory WHERE session = :session ORDER BY cwd;

-- name: add_former_directory
-- That a session was in a directory.
INSERT INTO former_directory (session, cwd, seal) VALUES (:session, :cwd, :seal) ON CONFLICT DO NOTHING;

-- name: delete_former_directories
-- What a purged session leaves of where it was.
DELETE FROM former_directory WHERE session = :session;

-- name: sessions_in_directory
-- The sessions whose directory begins with these bytes.
SELECT id FROM session
WHERE substr(CAST(cwd AS BLOB), 1, length(:beginning)) = :beginning AND (:owner IS NULL OR owner = :owner)
ORDER BY key;

-- name: stats_sessions
-- How many sessions there are of each status and source.
SELECT CAST(status AS BLOB), CAST(source AS BLOB), count(*) FROM session
WHERE :owner IS NULL OR owner = :owner
GROUP BY status, source;

-- name: stats_days
-- How many checkpoints were created on each day since 1970, and in how many sessions.
SELECT (c.created_at - (c.created_at % 86400000000 + 86400000000) % 86400000000) / 86400000000, count(*), count(DISTINCT c.session)
FROM session AS s CROSS JOIN checkpoint AS c ON c.session = s.key
WHERE :owner IS NULL OR s.owner = :owner
GROUP BY 1
ORDER BY 1;

-- name: stats_stored
-- The messages that checkpoints reach, each once, and their bytes. A timeline is read as far as somebody stands on it, or
-- branches off it: that is its part.
WITH RECURSIVE
point (timeline, length, checkpoints) AS MATERIALIZED (
    SELECT c.timeline, c.length, count(*) FROM session AS s CROSS JOIN checkpoint AS c ON c.session = s.key
    WHERE c.timeline IS NOT NULL AND (:owner IS NULL OR s.owner = :owner)
    GROUP BY c.timeline, c.length
),
above (timeline, checkpoints) AS (
    SELECT timeline, sum(checkpoints) FROM point GROUP BY timeline
    UNION ALL
    SELECT t.ancestor, above.checkpoints FROM above JOIN timeline AS t ON t.key = above.timeline WHERE t.ancestor < t.key
),
part (timeline, stop, checkpoints) AS MATERIALIZED (
    SELECT timeline, stop, sum(checkpoints) FROM (
        SELECT timeline, length AS stop, checkpoints FROM point
        UNION ALL
        SELECT t.ancestor, t.ancestor_length, above.checkpoints
        FROM above JOIN timeline AS t ON t.key = above.timeline
        WHERE t.ancestor < t.key
    )
    GROUP BY timeline, stop
),
reach (timeline, stop) AS MATERIALIZED (
    SELECT timeline, max(stop) FROM part GROUP BY timeline
)
SELECT count(*), coalesce(sum(octet_length(m.body)), 0)
FROM (
    SELECT DISTINCT e.content FROM reach CROSS JOIN entry AS e ON e.timeline = reach.timeline AND e.position < reach.stop
) AS held
CROSS JOIN content AS m ON m.key = held.content;

-- name: stats_copied
-- The bytes of the conversations of all checkpoints: of each part of a timeline, as often as checkpoints have it.
WITH RECURSIVE
point (timeline, length, checkpoints) AS MATERIALIZED (
    SELECT c.timeline, c.length, count(*) FROM session AS s CROSS JOIN checkpoint AS c ON c.session = s.key
    WHERE c.timeline IS NOT NULL AND (:owner IS NULL OR s.owner = :owner)
    GROUP BY c.timeline, c.length
),
above (timeline, checkpoints) AS (
    SELECT timeline, sum(checkpoints) FROM point GROUP BY timeline
    UNION ALL
    SELECT t.ancestor, above.checkpoints FROM above JOIN timeline AS t ON t.key = above.timeline WHERE t.ancestor < t.key
),
part (timeline, stop, checkpoints) AS MATERIALIZED (
    SELECT timeline, stop, sum(checkpoints) FROM (
        SELECT timeline, length AS stop, checkpoints FROM point
        UNION ALL
        SELECT t.ancestor, t.ancestor_length, above.checkpoints
        FROM above JOIN timeline AS t ON t.key = above.timeline
        WHERE t.ancestor < t.key
    )
    GROUP BY timeline, stop
),
reach (timeline, stop) AS MATERIALIZED (
    SELECT timeline, max(stop) FROM part GROUP BY timeline
),
line (timeline, position, so_far) AS (
    SELECT e.timeline, e.position, sum(octet_length(m.body)) OVER (PARTITION BY e.timeline ORDER BY e.position)
    FROM reach
    CROSS JOIN entry AS e ON e.timeline = reach.timeline AND e.position < reach.stop
    CROSS JOIN content AS m ON m.key = e.content
)
SELECT coalesce(sum(part.checkpoints * line.so_far), 0)
FROM line CROSS JOIN part ON part.timeline = line.timeline AND part.stop = line.position + 1;

-- name: stats_biggest
-- The sessions whose checkpoints have the most bytes of messages, each message once.
WITH RECURSIVE
span (session, timeline, stop) AS (
    SELECT c.session, c.timeline, max(c.length) FROM session AS s CROSS JOIN checkpoint AS c ON c.session = s.key
    WHERE c.timeline IS NOT NULL AND (:owner IS NULL OR s.owner = :owner)
    GROUP BY c.session, c.timeline
    UNION
    SELECT span.session, t.ancestor, t.ancestor_length FROM span JOIN timeline AS t ON t.key = span.timeline
    WHERE t.ancestor < t.key
),
reach (session, timeline, stop) AS MATERIALIZED (
    SELECT session, timeline, max(stop) FROM span GROUP BY session, timeline
),
size (session, bytes) AS MATERIALIZED (
    SELECT held.session, sum(octet_length(m.body))
    FROM (
        SELECT DISTINCT reach.session, e.content
        FROM reach CROSS JOIN entry AS e ON e.timeline = reach.timeline AND e.position < reach.stop
    ) AS held
    CROSS JOIN content AS m ON m.key = held.content
    GROUP BY held.session
    ORDER BY 2 DESC, 1
    LIMIT :limit
)
SELECT s.id, CAST(s.title AS BLOB), size.bytes, s.checkpoint_count
FROM size CROSS JOIN session AS s ON s.key = size.session
ORDER BY size.bytes DESC, s.key;

-- name: search_state
-- What the search index knows: the words of which version, of changes up to which number.
SELECT version, changed FROM search_state;

-- name: changes_without_content
-- A number that grows with each change that brings no content: where it is the same as before, nothing was deleted.
SELECT value FROM counter WHERE name = 'CHANGES';

-- name: set_search_state
-- The same, to be known from now on.
UPDATE search_state SET version = :version, changed = :changed WHERE true;

-- name: anything_unindexed
-- Whether there are changes that the index does not know.
SELECT coalesce(max(key), 0) + (SELECT value FROM counter WHERE name = 'CHANGES') > :changed FROM content;

-- name: unindexed_families
-- The families of sessions that have changed after a number, each with the number, in order.
SELECT changed, family FROM session WHERE changed > :changed ORDER BY changed;

-- name: families_to_index
-- The families that are looked at again, whatever has changed.
SELECT f.family FROM family_to_index AS f ORDER BY f.family;

-- name: add_family_to_index
-- A family is looked at again.
INSERT OR IGNORE INTO family_to_index (family) VALUES (:family);

-- name: remove_family_to_index
-- A family has been looked at, or is gone.
DELETE FROM family_to_index WHERE family = :family;

-- name: forget_families_to_index
-- All of them are looked at anyway.
DELETE FROM family_to_index WHERE true;

-- name: forget_indexed_of_family
-- Nothing of a family's timelines is in the index, as far as it knows.
DELETE FROM indexed_timeline WHERE timeline IN (SELECT t.key FROM timeline AS t WHERE t.family = :family);

-- name: is_unmerged
-- Whether the index still has words that were taken out.
SELECT unmerged FROM search_state;

-- name: set_unmerged
-- The same, to be known from now on.
UPDATE search_state SET unmerged = :unmerged WHERE true;

-- name: indexed_of_session
-- What is in the index of the messages that a session has written.
SELECT DISTINCT s.family, e.content FROM session AS s
CROSS JOIN timeline AS t ON t.family = s.family AND t.session = s.key
CROSS JOIN entry AS e ON e.timeline = t.key
CROSS JOIN message_index_docsize AS d ON d.id = e.content
WHERE s.id = :id
ORDER BY e.content;

-- name: indexed_messages
-- Messages of a family by their keys, as far as they are in the index.
SELECT c.key, c.hash, CAST(c.body AS BLOB) FROM json_each(:keys) AS wanted
CROSS JOIN message_index_docsize AS d ON d.id = wanted.value
CROSS JOIN content AS c ON c.key = wanted.value
WHERE c.family = :family;

-- name: count_indexed
-- How many messages are in the index.
SELECT count(*) FROM message_index_docsize;

-- name: erase_quickly
-- What is taken out now is only marked, and gone once the parts of the index are merged.
INSERT INTO message_index (message_index, rank) VALUES ('secure-delete', 0);

-- name: erase_securely
-- What is taken out now is gone at once.
INSERT INTO message_index (message_index, rank) VALUES ('secure-delete', 1);

-- name: merge_index
-- A step on the way to an index of one piece, of so many pages.
INSERT INTO message_index (message_index, rank) VALUES ('merge', :pages);

-- name: unindexed_timelines
-- The timelines of a family that are longer than the index knows, ancestors first.
SELECT t.key, t.session, t.ancestor_length, i.length, i.seq, t.ends FROM (
    SELECT t.key, t.session, t.ancestor_length,
        (SELECT max(e.position) + 1 FROM entry AS e WHERE e.timeline = t.key) AS ends
    FROM timeline AS t WHERE t.family = :family
) AS t
LEFT JOIN indexed_timeline AS i ON i.timeline = t.key
WHERE t.ends > coalesce(i.length, t.ancestor_length)
ORDER BY t.key;

-- name: unindexed_entries
-- A range of a timeline's own entries, with the body of each message that is not in the index.
SELECT e.position, e.content, c.hash, CASE WHEN d.id IS NULL THEN CAST(c.body AS BLOB) END
FROM entry AS e
LEFT JOIN content AS c ON c.key = e.content
LEFT JOIN message_index_docsize AS d ON d.id = e.content
WHERE e.timeline = :timeline AND e.position >= :start AND e.position < :stop
ORDER BY e.position;

-- name: writers_of_entries
-- The checkpoints of a session from one on that reach further on a timeline than a length.
SELECT c.seq, c.length FROM checkpoint AS c
WHERE c.session = :session AND c.seq >= :seq AND c.timeline = :timeline AND c.length > :start
ORDER BY c.seq
LIMIT :limit;

-- name: insert_place
-- Where a message stands.
INSERT OR IGNORE INTO message_place (content, timeline, position, seq) VALUES (:content, :timeline, :position, :seq);

-- name: set_indexed
-- How much of a timeline is in the index.
INSERT INTO indexed_timeline (timeline, length, seq) VALUES (:timeline, :length, :seq)
ON CONFLICT (timeline) DO UPDATE SET length = excluded.length, seq = excluded.seq;

-- name: index_message
-- The words and facts of a message.
INSERT INTO message_index (rowid, words, facts) VALUES (:content, :words, :facts);

-- name: unindex_message
-- The same are taken out of the index again; they must be what was put in.
INSERT INTO message_index (message_index, rowid, words, facts) VALUES ('delete', :content, :words, :facts);

-- name: empty_index
-- No message is in the index any more.
INSERT INTO message_index (message_index) VALUES ('delete-all');

-- name: optimize_index
-- The index as one piece, without what is left of others.
INSERT INTO message_index (message_index) VALUES ('optimize');

-- name: check_index
-- Fails where the index is not what FTS5 made of it.
INSERT INTO message_index (message_index) VALUES ('integrity-check');

-- name: forget_places
-- No message stands anywhere, as far as the index knows.
DELETE FROM message_place WHERE true;

-- name: forget_indexed
-- Nothing of any timeline is in the index.
DELETE FROM indexed_timeline WHERE true;

-- name: cut_places
-- The places of entries that are about to go.
DELETE FROM message_place WHERE (content, timeline, position) IN (
    SELECT e.content, e.timeline, e.position FROM entry AS e WHERE e.timeline = :timeline AND e.position >= :length
);

-- name: cut_indexed
-- A timeline gets shorter.
UPDATE indexed_timeline SET length = min(length, :length) WHERE timeline = :timeline;

-- name: delete_indexed
-- A timeline goes.
DELETE FROM indexed_timeline WHERE timeline = :timeline;

-- name: unreached_messages
-- What is in the index of the content that delete_unreached_content is about to delete.
SELECT h.key, h.hash, CAST(h.body AS BLOB) FROM content AS h
WHERE h.family = :family AND h.key IN (SELECT d.id FROM message_index_docsize AS d) AND h.key NOT IN (
    SELECT e.content FROM timeline AS t JOIN entry AS e ON e.timeline = t.key WHERE t.family = :family
    UNION ALL
    SELECT c.metadata FROM session AS s JOIN checkpoint AS c ON c.session = s.key
    WHERE s.family = :family AND c.metadata IS NOT NULL
    UNION ALL
    SELECT s.metadata FROM session AS s WHERE s.family = :family AND s.metadata IS NOT NULL
    UNION ALL
    SELECT a.content FROM session AS s JOIN attachment AS a ON a.session = s.key WHERE s.family = :family
    UNION ALL
    SELECT w.content FROM session AS s JOIN waiting_attachment AS w ON w.session = s.key WHERE s.family = :family
    UNION ALL
    SELECT k.content FROM content AS h JOIN chunk AS k ON k.whole = h.key WHERE h.family = :family
);

-- name: match_messages
-- The newest messages below a key, and not below another, that a query finds, each with its score.
SELECT i.rowid, clew_rank(i.message_index, :weights) FROM message_index AS i
WHERE i.message_index MATCH :query AND i.rowid < :below AND i.rowid >= :floor
ORDER BY i.rowid DESC
LIMIT :limit;

-- name: count_matches
-- How many of the newest messages hold a term, and the key of the oldest of these.
SELECT count(*), min(found.key) FROM (
    SELECT i.rowid AS key FROM message_index AS i WHERE i.message_index MATCH :query ORDER BY i.rowid DESC LIMIT :limit
) AS found;

-- name: mean_length
-- How many words a message in the index has. It takes a query, and a message that the query finds, to be told.
SELECT clew_rank(i.message_index, NULL) FROM message_index AS i WHERE i.message_index MATCH :query AND i.rowid = :key;

-- name: newest_indexed
-- The greatest key of any message in the index, and how many there are at most.
SELECT max(id) FROM message_index_docsize;

-- name: places_of_messages
-- Where messages stand (as their keys, with the family of none), by the order of the keys.
SELECT wanted.key, p.timeline, p.position, p.seq, t.family, t.session
FROM json_each(:keys) AS wanted
JOIN message_place AS p ON p.content = wanted.value
JOIN timeline AS t ON t.key = p.timeline
ORDER BY wanted.key, p.timeline, p.position;

-- name: sessions_by_key
-- Sessions by their keys.
SELECT s.key, s.id, s.family, CAST(s.title AS BLOB), CAST(s.visibility AS BLOB), CAST(s.status AS BLOB),
    CAST(s.cwd AS BLOB), CAST(s.source AS BLOB), CAST(s.source_id AS BLOB), s.parent_session_id, s.forked_from, sm.hash,
    s.created_at, s.fingerprint, CAST(s.owner AS BLOB), s.active, s.next_seq, s.checkpoint_count, s.revision, s.updated_at, s.last_message_at,
    s.seal, s.tip_seal, s.metadata, CAST(sm.body AS BLOB)
FROM json_each(:keys) AS wanted
JOIN session AS s ON s.key = wanted.value
LEFT JOIN content AS sm ON sm.key = s.metadata;

-- name: families_searched
-- The families of sessions that a search is about.
SELECT DISTINCT s.family FROM session AS s
WHERE (s.status = 'ACTIVE' AND :active OR s.status = 'DELETED' AND :deleted)
    AND (:source IS NULL OR s.source = :source)
    AND (:cwd IS NULL OR s.cwd = :cwd OR EXISTS (SELECT 1 FROM former_directory AS f WHERE f.session = s.key AND f.cwd = :cwd))
LIMIT :limit;

-- name: families_searched_of_owner
-- The same of the sessions of one owner.
SELECT DISTINCT s.family FROM session AS s
WHERE s.owner = :owner AND (s.status = 'ACTIVE' AND :active OR s.status = 'DELETED' AND :deleted)
    AND (:source IS NULL OR s.source = :source)
    AND (:cwd IS NULL OR s.cwd = :cwd OR EXISTS (SELECT 1 FROM former_directory AS f WHERE f.session = s.key AND f.cwd = :cwd))
LIMIT :limit;

-- name: first_holder
-- The first checkpoint of a session, from one on, whose conversation has a message at a place: it lies on the timeline and
-- reaches further, or on one that continues it from there on.
SELECT s.id, c.seq, c.id, p.id, c.timeline, c.length, c.chain, m.hash, CAST(c.label AS BLOB), c.created_at, c.updated_at,
    c.fingerprint, c.attachment_count, c.metadata, c.seal, s.family
FROM checkpoint AS c
JOIN session AS s ON s.key = c.session
LEFT JOIN checkpoint AS p ON p.session = c.session AND p.seq = c.parent
LEFT JOIN content AS m ON m.key = c.metadata
WHERE c.session = :session AND c.seq BETWEEN :seq AND :until
    AND (c.timeline = :timeline AND c.length > :position OR c.timeline IN (SELECT value FROM json_each(:timelines)))
ORDER BY c.seq
LIMIT 1;

-- name: unindexed_of_family
-- How many messages of a family should be in the index, and are not.
SELECT count(*) FROM timeline AS t
JOIN indexed_timeline AS i ON i.timeline = t.key
JOIN entry AS e ON e.timeline = t.key AND e.position < i.length
LEFT JOIN message_place AS p ON p.content = e.content AND p.timeline = e.timeline AND p.position = e.position
LEFT JOIN message_index_docsize AS d ON d.id = e.content
WHERE t.family = :family AND (p.content IS NULL OR d.id IS NULL);

-- name: stray_indexed
-- How many messages are in the index, or have a place there, that are not there at all.
SELECT (SELECT count(*) FROM message_index_docsize AS d LEFT JOIN content AS c ON c.key = d.id WHERE c.key IS NULL)
    + (SELECT count(*) FROM message_place AS p
        LEFT JOIN entry AS e ON e.timeline = p.timeline AND e.position = p.position AND e.content = p.content
        WHERE e.timeline IS NULL)
    + (SELECT count(*) FROM indexed_timeline AS i LEFT JOIN timeline AS t ON t.key = i.timeline WHERE t.key IS NULL);
