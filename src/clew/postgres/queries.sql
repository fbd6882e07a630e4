-- Every statement of the PostgreSQL backend but the migrations. `-- name:` begins one; the lines under it say what for.
-- A parameter is written :name::type, so that a plan never depends on what is given; `object` is the JSON of a filter.
-- What is found by key is looked up for each row by itself: in LATERAL subqueries that OFFSET 0 keeps apart, or in those
-- that give one value. A join of tables that nobody has analyzed yet reads them whole, or a session for one checkpoint.
-- The columns of a session and of a checkpoint come in the order of SessionRow and CheckpointRow in relational/rows.py.

-- name: insert_session
-- A session without an active checkpoint yet, under the next key. One that begins a family does not know its number: see begin_family.
WITH added AS (
    INSERT INTO clew_session (
        key, id, family, title, title_folded, visibility, cwd, source, source_id, parent_session_id, forked_from, metadata,
        created_at, fingerprint, seal, owner
    ) VALUES (
        nextval('clew_key'), :id::uuid, :family::bigint, :title::text, :title_folded::text, :visibility::text, :cwd::text,
        :source::text, :source_id::text, :parent_session_id::uuid, :forked_from::uuid, :metadata::bytea, :created_at::bigint,
        :fingerprint::bytea, :seal::integer, :owner::text
    ) RETURNING key
)
INSERT INTO clew_tip (
    session, id, status, active, next_seq, checkpoint_count, revision, updated_at, last_message_at, tip_seal, changed, owner
) SELECT added.key, :id::uuid, 'ACTIVE', NULL, 1, 0, 0, :created_at::bigint, NULL, 0, 0, :owner::text FROM added
RETURNING session;

-- name: begin_family
-- The first session of a family gives it its number.
UPDATE clew_session SET family = key, metadata = :metadata::bytea, seal = :seal::integer WHERE key = :session::bigint;

-- name: lock_session
-- Keeps other writers from a session until the transaction ends, and from deleting anything of its family. Always the
-- family first, so that nobody waits for each other.
WITH found AS MATERIALIZED (
    SELECT key, pg_advisory_xact_lock_shared(hashtextextended(current_schema() || '.' || family, 0))
    FROM clew_session WHERE id = :id::uuid
)
SELECT 1 FROM found JOIN clew_tip AS t ON t.session = found.key FOR UPDATE OF t;

-- name: lock_session_collecting
-- The same where something of the family is deleted: no other writer of the family goes on meanwhile.
WITH found AS MATERIALIZED (
    SELECT key, pg_advisory_xact_lock(hashtextextended(current_schema() || '.' || family, 0))
    FROM clew_session WHERE id = :id::uuid
)
SELECT 1 FROM found JOIN clew_tip AS t ON t.session = found.key FOR UPDATE OF t;

-- name: lock_family
-- The same for a family as a whole.
SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.' || :family::bigint, 0))::text;

-- name: lock_id
-- Keeps others from giving away an id: the index of ids is one for each partition.
SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.' || :id::uuid, 1))::text;

-- name: session_head
-- What a write needs to know of a session, and its active checkpoint as a place to go on from.
SELECT s.key, s.family, t.active, t.next_seq, t.checkpoint_count, t.revision, t.updated_at, t.last_message_at,
    t.tip_seal,
    s.id, c.seq, c.id,
    (SELECT p.id FROM clew_checkpoint AS p WHERE p.family = c.family AND p.session = c.session AND p.seq = c.parent),
    c.timeline, c.length, c.chain,
    (SELECT substring(m.key FOR 16) FROM clew_content AS m WHERE m.family = c.family AND m.key = c.metadata),
    c.label, c.created_at, c.updated_at, c.fingerprint, c.attachment_count, c.metadata, c.seal, c.family,
    (SELECT l.session FROM clew_timeline AS l WHERE l.family = c.family AND l.key = c.timeline) = c.session AND NOT EXISTS (
        SELECT FROM clew_entry AS e WHERE e.family = c.family AND e.timeline = c.timeline AND e.position >= c.length
    )
FROM clew_session AS s
LEFT JOIN clew_tip AS t ON t.session = s.key
LEFT JOIN LATERAL (
    SELECT * FROM clew_checkpoint AS k WHERE k.family = s.family AND k.session = s.key AND k.seq = t.active OFFSET 0
) AS c ON true
WHERE s.id = :id::uuid;

-- name: session_by_id
-- A session with its active checkpoint and the metadata of the session. One whose row in clew_tip is lost is damaged.
SELECT s.key, s.id, s.family, s.title, s.visibility, t.status, s.cwd, s.source, s.source_id, s.parent_session_id, s.forked_from,
    substring(sm.key FOR 16), s.created_at, s.fingerprint, s.owner, t.active, t.next_seq, t.checkpoint_count, t.revision, t.updated_at,
    t.last_message_at, s.seal, t.tip_seal, s.metadata, sm.body,
    s.id, c.seq, c.id,
    (SELECT p.id FROM clew_checkpoint AS p WHERE p.family = c.family AND p.session = c.session AND p.seq = c.parent),
    c.timeline, c.length, c.chain,
    (SELECT substring(m.key FOR 16) FROM clew_content AS m WHERE m.family = c.family AND m.key = c.metadata),
    c.label, c.created_at, c.updated_at, c.fingerprint, c.attachment_count, c.metadata, c.seal, c.family
FROM clew_session AS s
LEFT JOIN clew_tip AS t ON t.session = s.key
LEFT JOIN LATERAL (
    SELECT k.key, k.body FROM clew_content AS k WHERE k.family = s.family AND k.key = s.metadata OFFSET 0
) AS sm ON true
LEFT JOIN LATERAL (
    SELECT * FROM clew_checkpoint AS k WHERE k.family = s.family AND k.session = s.key AND k.seq = t.active OFFSET 0
) AS c ON true
WHERE s.id = :id::uuid;

-- name: session_id_by_source
-- The session that another program knows by this name, among those of an owner.
SELECT id FROM clew_session
WHERE hashtextextended(source, 0) = hashtextextended(:source::text, 0)
    AND hashtextextended(source_id, 0) = hashtextextended(:source_id::text, 0)
    AND hashtextextended(source_id, 1) = hashtextextended(:source_id::text, 1)
    AND coalesce(owner, '') = coalesce(:owner::text, '')
    AND source = :source::text AND source_id = :source_id::text;

-- name: session_exists
-- Whether a session has this id.
SELECT 1 FROM clew_session WHERE id = :id::uuid;

-- name: list_sessions
-- A page of sessions, newest first. Both halves of the union walk clew_tip_recent from its end, and only as far as the
-- page goes: whoever reads them stops there. Their own limit is none at all, but the planner cannot know, and takes it
-- for a part; and behind it, or OFFSET 0, no filter changes what it thinks of the walk.
WITH page AS MATERIALIZED (
    SELECT t.session, t.updated_at, t.id
    FROM (
        (
            SELECT session, updated_at, id FROM clew_tip
            WHERE status = 'ACTIVE' AND :active::boolean
                AND (updated_at, id) < (coalesce(:cursor_at::bigint, 9223372036854775807), coalesce(:cursor_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
            ORDER BY updated_at DESC, id DESC
            LIMIT nullif(:limit::bigint, :limit::bigint)
        )
        UNION ALL
        (
            SELECT session, updated_at, id FROM clew_tip
            WHERE status = 'DELETED' AND :deleted::boolean
                AND (updated_at, id) < (coalesce(:cursor_at::bigint, 9223372036854775807), coalesce(:cursor_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
            ORDER BY updated_at DESC, id DESC
            LIMIT nullif(:limit::bigint, :limit::bigint)
        )
        ORDER BY 2 DESC, 3 DESC
        LIMIT nullif(:limit::bigint, :limit::bigint)
    ) AS t
    CROSS JOIN LATERAL (
        SELECT FROM clew_session AS s
        WHERE s.key = t.session
            AND (:visibility::text IS NULL OR s.visibility = :visibility::text)
            AND (:cwd::text IS NULL OR s.cwd = :cwd::text OR EXISTS (
                SELECT FROM clew_former_directory AS f
                WHERE f.session = s.key AND hashtextextended(f.cwd, 0) = hashtextextended(:cwd::text COLLATE "C", 0)
                    AND f.cwd = :cwd::text OFFSET 0
            ))
            AND (:source::text IS NULL OR s.source = :source::text)
            AND (:parent_session_id::uuid IS NULL OR s.parent_session_id = :parent_session_id::uuid)
            AND (:search::text IS NULL OR strpos(coalesce(s.title_folded, s.title), :search::text) > 0)
            AND (:metadata::object IS NULL OR coalesce((
                SELECT coalesce(m.object @> :metadata::object, false) AND NOT EXISTS (
                    SELECT FROM jsonb_each(:metadata::object) AS w WHERE m.object -> w.key IS DISTINCT FROM w.value
                )
                FROM clew_content AS m WHERE m.family = s.family AND m.key = s.metadata
            ), s.metadata IS NOT NULL OR :metadata::object = '{}'))
        OFFSET 0
    ) AS fitting
    ORDER BY t.updated_at DESC, t.id DESC
    LIMIT :limit::bigint OFFSET :offset::bigint
)
SELECT found.* FROM page CROSS JOIN LATERAL (
    SELECT s.key, s.id, s.family, s.title, s.visibility, t.status, s.cwd, s.source, s.source_id, s.parent_session_id, s.forked_from,
        substring(sm.key FOR 16), s.created_at, s.fingerprint, s.owner, t.active, t.next_seq, t.checkpoint_count, t.revision, t.updated_at,
        t.last_message_at, s.seal, t.tip_seal, s.metadata, sm.body,
        s.id, c.seq, c.id,
        (SELECT p.id FROM clew_checkpoint AS p WHERE p.family = c.family AND p.session = c.session AND p.seq = c.parent),
        c.timeline, c.length, c.chain,
        (SELECT substring(m.key FOR 16) FROM clew_content AS m WHERE m.family = c.family AND m.key = c.metadata),
        c.label, c.created_at, c.updated_at, c.fingerprint, c.attachment_count, c.metadata, c.seal, c.family
    FROM clew_session AS s
    LEFT JOIN clew_tip AS t ON t.session = s.key
    LEFT JOIN LATERAL (
        SELECT k.key, k.body FROM clew_content AS k WHERE k.family = s.family AND k.key = s.metadata OFFSET 0
    ) AS sm ON true
    LEFT JOIN LATERAL (
        SELECT * FROM clew_checkpoint AS k WHERE k.family = s.family AND k.session = s.key AND k.seq = t.active OFFSET 0
    ) AS c ON true
    WHERE s.key = page.session
    OFFSET 0
) AS found
ORDER BY page.updated_at DESC, page.id DESC;

-- name: list_sessions_of_owner
-- The same of the sessions of one owner, along clew_tip_owner. What is no longer theirs in both tables is not shown.
WITH page AS MATERIALIZED (
    SELECT t.session, t.updated_at, t.id
    FROM (
        (
            SELECT session, updated_at, id FROM clew_tip
            WHERE owner = :owner::text AND status = 'ACTIVE' AND :active::boolean
                AND (updated_at, id) < (coalesce(:cursor_at::bigint, 9223372036854775807), coalesce(:cursor_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
            ORDER BY updated_at DESC, id DESC
            LIMIT nullif(:limit::bigint, :limit::bigint)
        )
        UNION ALL
        (
            SELECT session, updated_at, id FROM clew_tip
            WHERE owner = :owner::text AND status = 'DELETED' AND :deleted::boolean
                AND (updated_at, id) < (coalesce(:cursor_at::bigint, 9223372036854775807), coalesce(:cursor_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
            ORDER BY updated_at DESC, id DESC
            LIMIT nullif(:limit::bigint, :limit::bigint)
        )
        ORDER BY 2 DESC, 3 DESC
        LIMIT nullif(:limit::bigint, :limit::bigint)
    ) AS t
    CROSS JOIN LATERAL (
        SELECT FROM clew_session AS s
        WHERE s.key = t.session AND s.owner = :owner::text
            AND (:visibility::text IS NULL OR s.visibility = :visibility::text)
            AND (:cwd::text IS NULL OR s.cwd = :cwd::text OR EXISTS (
                SELECT FROM clew_former_directory AS f
                WHERE f.session = s.key AND hashtextextended(f.cwd, 0) = hashtextextended(:cwd::text COLLATE "C", 0)
                    AND f.cwd = :cwd::text OFFSET 0
            ))
            AND (:source::text IS NULL OR s.source = :source::text)
            AND (:parent_session_id::uuid IS NULL OR s.parent_session_id = :parent_session_id::uuid)
            AND (:search::text IS NULL OR strpos(coalesce(s.title_folded, s.title), :search::text) > 0)
            AND (:metadata::object IS NULL OR coalesce((
                SELECT coalesce(m.object @> :metadata::object, false) AND NOT EXISTS (
                    SELECT FROM jsonb_each(:metadata::object) AS w WHERE m.object -> w.key IS DISTINCT FROM w.value
                )
                FROM clew_content AS m WHERE m.family = s.family AND m.key = s.metadata
            ), s.metadata IS NOT NULL OR :metadata::object = '{}'))
        OFFSET 0
    ) AS fitting
    ORDER BY t.updated_at DESC, t.id DESC
    LIMIT :limit::bigint OFFSET :offset::bigint
)
SELECT found.* FROM page CROSS JOIN LATERAL (
    SELECT s.key, s.id, s.family, s.title, s.visibility, t.status, s.cwd, s.source, s.source_id, s.parent_session_id, s.forked_from,
        substring(sm.key FOR 16), s.created_at, s.fingerprint, s.owner, t.active, t.next_seq, t.checkpoint_count, t.revision, t.updated_at,
        t.last_message_at, s.seal, t.tip_seal, s.metadata, sm.body,
        s.id, c.seq, c.id,
        (SELECT p.id FROM clew_checkpoint AS p WHERE p.family = c.family AND p.session = c.session AND p.seq = c.parent),
        c.timeline, c.length, c.chain,
        (SELECT substring(m.key FOR 16) FROM clew_content AS m WHERE m.family = c.family AND m.key = c.metadata),
        c.label, c.created_at, c.updated_at, c.fingerprint, c.attachment_count, c.metadata, c.seal, c.family
    FROM clew_session AS s
    LEFT JOIN clew_tip AS t ON t.session = s.key
    LEFT JOIN LATERAL (
        SELECT k.key, k.body FROM clew_content AS k WHERE k.family = s.family AND k.key = s.metadata OFFSET 0
    ) AS sm ON true
    LEFT JOIN LATERAL (
        SELECT * FROM clew_checkpoint AS k WHERE k.family = s.family AND k.session = s.key AND k.seq = t.active OFFSET 0
    ) AS c ON true
    WHERE s.key = page.session
    OFFSET 0
) AS found
ORDER BY page.updated_at DESC, page.id DESC;

-- name: list_sessions_of_name
-- The same of the sessions that a program knows by a name, one of each owner, along clew_session_source. One whose row in
-- clew_tip is lost has neither status nor time: it is shown whatever is asked for, after the others.
WITH page AS MATERIALIZED (
    SELECT s.key AS session, coalesce(t.updated_at, :earliest::bigint) AS updated_at, s.id
    FROM (
        SELECT s.key, s.id FROM clew_session AS s
        WHERE hashtextextended(s.source, 0) = hashtextextended(:source::text, 0)
            AND hashtextextended(s.source_id, 0) = hashtextextended(:source_id::text, 0)
            AND hashtextextended(s.source_id, 1) = hashtextextended(:source_id::text, 1)
            AND s.source = :source::text AND s.source_id = :source_id::text
            AND (:owner::text IS NULL OR s.owner = :owner::text)
            AND (:visibility::text IS NULL OR s.visibility = :visibility::text)
            AND (:cwd::text IS NULL OR s.cwd = :cwd::text OR EXISTS (
                SELECT FROM clew_former_directory AS f
                WHERE f.session = s.key AND hashtextextended(f.cwd, 0) = hashtextextended(:cwd::text COLLATE "C", 0)
                    AND f.cwd = :cwd::text OFFSET 0
            ))
            AND (:parent_session_id::uuid IS NULL OR s.parent_session_id = :parent_session_id::uuid)
            AND (:search::text IS NULL OR strpos(coalesce(s.title_folded, s.title), :search::text) > 0)
            AND (:metadata::object IS NULL OR coalesce((
                SELECT coalesce(m.object @> :metadata::object, false) AND NOT EXISTS (
                    SELECT FROM jsonb_each(:metadata::object) AS w WHERE m.object -> w.key IS DISTINCT FROM w.value
                )
                FROM clew_content AS m WHERE m.family = s.family AND m.key = s.metadata
            ), s.metadata IS NOT NULL OR :metadata::object = '{}'))
        OFFSET 0
    ) AS s
    LEFT JOIN LATERAL (
        SELECT k.status, k.updated_at FROM clew_tip AS k WHERE k.session = s.key OFFSET 0
    ) AS t ON true
    WHERE (t.status IS NULL OR t.status = 'ACTIVE' AND :active::boolean OR t.status = 'DELETED' AND :deleted::boolean)
        AND (coalesce(t.updated_at, :earliest::bigint), s.id)
            < (coalesce(:cursor_at::bigint, 9223372036854775807), coalesce(:cursor_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
    ORDER BY 2 DESC, 3 DESC
    LIMIT :limit::bigint OFFSET :offset::bigint
)
SELECT found.* FROM page CROSS JOIN LATERAL (
    SELECT s.key, s.id, s.family, s.title, s.visibility, t.status, s.cwd, s.source, s.source_id, s.parent_session_id, s.forked_from,
        substring(sm.key FOR 16), s.created_at, s.fingerprint, s.owner, t.active, t.next_seq, t.checkpoint_count, t.revision, t.updated_at,
        t.last_message_at, s.seal, t.tip_seal, s.metadata, sm.body,
        s.id, c.seq, c.id,
        (SELECT p.id FROM clew_checkpoint AS p WHERE p.family = c.family AND p.session = c.session AND p.seq = c.parent),
        c.timeline, c.length, c.chain,
        (SELECT substring(m.key FOR 16) FROM clew_content AS m WHERE m.family = c.family AND m.key = c.metadata),
        c.label, c.created_at, c.updated_at, c.fingerprint, c.attachment_count, c.metadata, c.seal, c.family
    FROM clew_session AS s
    LEFT JOIN clew_tip AS t ON t.session = s.key
    LEFT JOIN LATERAL (
        SELECT k.key, k.body FROM clew_content AS k WHERE k.family = s.family AND k.key = s.metadata OFFSET 0
    ) AS sm ON true
    LEFT JOIN LATERAL (
        SELECT * FROM clew_checkpoint AS k WHERE k.family = s.family AND k.session = s.key AND k.seq = t.active OFFSET 0
    ) AS c ON true
    WHERE s.key = page.session
    OFFSET 0
) AS found
ORDER BY page.updated_at DESC, page.id DESC;

-- name: count_sessions_kept
-- How many sessions there are, from the counters.
SELECT coalesce(sum(sessions), 0)::bigint FROM clew_session_count
WHERE status = 'ACTIVE' AND :active::boolean OR status = 'DELETED' AND :deleted::boolean;

-- name: count_sessions_filtered
-- How many sessions a filtered list has, by looking at each.
SELECT count(*) FROM clew_tip AS t JOIN clew_session AS s ON s.key = t.session
WHERE (t.status = 'ACTIVE' AND :active::boolean OR t.status = 'DELETED' AND :deleted::boolean)
    AND (:visibility::text IS NULL OR s.visibility = :visibility::text)
    AND (:cwd::text IS NULL OR s.cwd = :cwd::text OR EXISTS (
                SELECT FROM clew_former_directory AS f
                WHERE f.session = s.key AND hashtextextended(f.cwd, 0) = hashtextextended(:cwd::text COLLATE "C", 0)
                    AND f.cwd = :cwd::text OFFSET 0
            ))
    AND (:source::text IS NULL OR s.source = :source::text)
    AND (:parent_session_id::uuid IS NULL OR s.parent_session_id = :parent_session_id::uuid)
    AND (:search::text IS NULL OR strpos(coalesce(s.title_folded, s.title), :search::text) > 0)
    AND (:metadata::object IS NULL OR coalesce((
        SELECT coalesce(m.object @> :metadata::object, false) AND NOT EXISTS (
            SELECT FROM jsonb_each(:metadata::object) AS w WHERE m.object -> w.key IS DISTINCT FROM w.value
        )
        FROM clew_content AS m WHERE m.family = s.family AND m.key = s.metadata
    ), s.metadata IS NOT NULL OR :metadata::object = '{}'));

-- name: count_sessions_of_owner
-- The same of the sessions of one owner.
SELECT count(*) FROM clew_tip AS t JOIN clew_session AS s ON s.key = t.session
WHERE t.owner = :owner::text AND s.owner = :owner::text
    AND (t.status = 'ACTIVE' AND :active::boolean OR t.status = 'DELETED' AND :deleted::boolean)
    AND (:visibility::text IS NULL OR s.visibility = :visibility::text)
    AND (:cwd::text IS NULL OR s.cwd = :cwd::text OR EXISTS (
                SELECT FROM clew_former_directory AS f
                WHERE f.session = s.key AND hashtextextended(f.cwd, 0) = hashtextextended(:cwd::text COLLATE "C", 0)
                    AND f.cwd = :cwd::text OFFSET 0
            ))
    AND (:source::text IS NULL OR s.source = :source::text)
    AND (:parent_session_id::uuid IS NULL OR s.parent_session_id = :parent_session_id::uuid)
    AND (:search::text IS NULL OR strpos(coalesce(s.title_folded, s.title), :search::text) > 0)
    AND (:metadata::object IS NULL OR coalesce((
        SELECT coalesce(m.object @> :metadata::object, false) AND NOT EXISTS (
            SELECT FROM jsonb_each(:metadata::object) AS w WHERE m.object -> w.key IS DISTINCT FROM w.value
        )
        FROM clew_content AS m WHERE m.family = s.family AND m.key = s.metadata
    ), s.metadata IS NOT NULL OR :metadata::object = '{}'));

-- name: count_sessions_of_name
-- The same of the sessions that a program knows by a name.
SELECT count(*) FROM (
    SELECT s.key FROM clew_session AS s
    WHERE hashtextextended(s.source, 0) = hashtextextended(:source::text, 0)
        AND hashtextextended(s.source_id, 0) = hashtextextended(:source_id::text, 0)
        AND hashtextextended(s.source_id, 1) = hashtextextended(:source_id::text, 1)
        AND s.source = :source::text AND s.source_id = :source_id::text
        AND (:owner::text IS NULL OR s.owner = :owner::text)
        AND (:visibility::text IS NULL OR s.visibility = :visibility::text)
        AND (:cwd::text IS NULL OR s.cwd = :cwd::text OR EXISTS (
                SELECT FROM clew_former_directory AS f
                WHERE f.session = s.key AND hashtextextended(f.cwd, 0) = hashtextextended(:cwd::text COLLATE "C", 0)
                    AND f.cwd = :cwd::text OFFSET 0
            ))
        AND (:parent_session_id::uuid IS NULL OR s.parent_session_id = :parent_session_id::uuid)
        AND (:search::text IS NULL OR strpos(coalesce(s.title_folded, s.title), :search::text) > 0)
        AND (:metadata::object IS NULL OR coalesce((
            SELECT coalesce(m.object @> :metadata::object, false) AND NOT EXISTS (
                SELECT FROM jsonb_each(:metadata::object) AS w WHERE m.object -> w.key IS DISTINCT FROM w.value
            )
            FROM clew_content AS m WHERE m.family = s.family AND m.key = s.metadata
        ), s.metadata IS NOT NULL OR :metadata::object = '{}'))
    OFFSET 0
) AS s
LEFT JOIN LATERAL (SELECT k.status FROM clew_tip AS k WHERE k.session = s.key OFFSET 0) AS t ON true
WHERE t.status IS NULL OR t.status = 'ACTIVE' AND :active::boolean OR t.status = 'DELETED' AND :deleted::boolean;

-- name: session_row
-- A session on its own.
SELECT s.key, s.id, s.family, s.title, s.visibility, t.status, s.cwd, s.source, s.source_id, s.parent_session_id, s.forked_from,
    substring(sm.key FOR 16), s.created_at, s.fingerprint, s.owner, t.active, t.next_seq, t.checkpoint_count, t.revision, t.updated_at,
    t.last_message_at, s.seal, t.tip_seal, s.metadata, sm.body
FROM clew_session AS s LEFT JOIN clew_tip AS t ON t.session = s.key
LEFT JOIN LATERAL (
    SELECT k.key, k.body FROM clew_content AS k WHERE k.family = s.family AND k.key = s.metadata OFFSET 0
) AS sm ON true
WHERE s.id = :id::uuid;

-- name: update_session
-- New values of the fields that a user can change.
WITH fields AS (
    UPDATE clew_session SET title = :title::text, title_folded = :title_folded::text, visibility = :visibility::text,
        cwd = :cwd::text, metadata = :metadata::bytea, owner = :owner::text, seal = :seal::integer
    WHERE key = :session::bigint
)
UPDATE clew_tip SET status = :status::text, owner = :owner::text
WHERE session = :session::bigint AND (status <> :status::text OR owner IS DISTINCT FROM :owner::text);

-- name: insert_checkpoint
-- A checkpoint at a point of a timeline.
INSERT INTO clew_checkpoint (
    family, session, seq, id, parent, timeline, length, chain, metadata, label, created_at, updated_at, fingerprint,
    attachment_count, seal
) VALUES (
    :family::bigint, :session::bigint, :seq::bigint, :id::uuid, :parent::bigint, :timeline::bigint, :length::bigint,
    :chain::bytea, :metadata::bytea, :label::text, :created_at::bigint, :updated_at::bigint, :fingerprint::bytea,
    :attachment_count::integer, :seal::integer
);

-- name: set_tip
-- What every write to a session changes.
UPDATE clew_tip SET active = :active::bigint, next_seq = :next_seq::bigint, checkpoint_count = :checkpoint_count::bigint,
    revision = :revision::bigint, updated_at = :updated_at::bigint, last_message_at = :last_message_at::bigint,
    tip_seal = :tip_seal::integer,
    changed = (SELECT origin FROM clew_change_origin) + pg_current_xact_id()::text::bigint
WHERE session = :session::bigint;

-- name: append
-- A checkpoint with its messages at the end of its session's timeline, in one statement, where the session is still as
-- this process left it; otherwise nothing happens and no row is returned. Should a key lead to other content, or to a
-- message that becomes metadata, the division by zero takes everything back.
WITH family AS MATERIALIZED (
    SELECT pg_advisory_xact_lock_shared(hashtextextended(current_schema() || '.' || :family::bigint, 0))
), tip AS (
    UPDATE clew_tip AS t SET active = :seq::bigint, next_seq = :seq::bigint + 1, checkpoint_count = :checkpoint_count::bigint + 1,
        revision = :revision::bigint + 1, updated_at = :tip_updated_at::bigint, last_message_at = :last_message_at::bigint,
        tip_seal = :tip_seal::integer,
        changed = (SELECT origin FROM clew_change_origin) + pg_current_xact_id()::text::bigint
    FROM family
    WHERE t.session = :session::bigint AND t.tip_seal = :old_seal::integer AND t.next_seq = :seq::bigint
        AND t.active = :parent::bigint AND t.revision = :revision::bigint AND t.checkpoint_count = :checkpoint_count::bigint
        AND t.updated_at = :old_updated_at::bigint AND t.last_message_at IS NOT DISTINCT FROM :old_last_message_at::bigint
    RETURNING t.session
), stored AS (
    INSERT INTO clew_content AS k (family, key, body, object)
    SELECT :family::bigint, n.key, n.body, n.object::jsonb
    FROM tip, unnest(:keys::bytea[], :bodies::bytea[], :objects::text[]) AS n (key, body, object)
    ON CONFLICT (family, key) DO UPDATE SET body = k.body
        WHERE CASE WHEN k.body <> excluded.body OR k.object IS NULL AND excluded.object IS NOT NULL
            THEN 1 / (octet_length(k.key) - octet_length(excluded.key)) = 0 ELSE false END
), placed AS (
    INSERT INTO clew_entry (family, timeline, position, seal, content)
    SELECT :family::bigint, :timeline::bigint, :start::bigint + n.place - 1, n.seal, n.content
    FROM tip, unnest(:seals::smallint[], :contents::bytea[]) WITH ORDINALITY AS n (seal, content, place)
)
INSERT INTO clew_checkpoint (
    family, session, seq, id, parent, timeline, length, chain, metadata, label, created_at, updated_at, fingerprint,
    attachment_count, seal
)
SELECT :family::bigint, tip.session, :seq::bigint, :id::uuid, :parent::bigint, :timeline::bigint, :length::bigint,
    :chain::bytea, :metadata::bytea, NULL, :created_at::bigint, NULL, NULL, 0,
    :seal::integer
FROM tip
RETURNING seq;

-- name: checkpoint_in_session
-- A checkpoint of this session, as a place to go on from.
SELECT s.id, c.seq, c.id,
    (SELECT p.id FROM clew_checkpoint AS p WHERE p.family = :family::bigint AND p.session = :session::bigint AND p.seq = c.parent),
    c.timeline, c.length, c.chain, (SELECT substring(m.key FOR 16) FROM clew_content AS m WHERE m.family = :family::bigint AND m.key = c.metadata),
    c.label, c.created_at, c.updated_at,
    c.fingerprint, c.attachment_count, c.metadata, c.seal, c.family,
    (SELECT l.session FROM clew_timeline AS l WHERE l.family = :family::bigint AND l.key = c.timeline) = c.session AND NOT EXISTS (
        SELECT FROM clew_entry AS e WHERE e.family = :family::bigint AND e.timeline = c.timeline AND e.position >= c.length
    )
FROM clew_session AS s
CROSS JOIN LATERAL (
    SELECT * FROM clew_checkpoint AS o WHERE o.id = :id::uuid AND o.family = :family::bigint AND o.session = s.key
    OFFSET 0
) AS c
WHERE s.key = :session::bigint;

-- name: checkpoint_claim
-- Which session holds a checkpoint id, and the fingerprint of the call that wrote it.
SELECT session, fingerprint FROM clew_checkpoint WHERE id = :id::uuid;

-- name: session_claim
-- The fingerprint of the call that created a session.
SELECT fingerprint FROM clew_session WHERE id = :id::uuid;

-- name: label_holder
-- The checkpoint of this session that has a label.
SELECT id FROM clew_checkpoint
WHERE family = :family::bigint AND session = :session::bigint AND left(label, 600) = left(:label::text, 600) AND label = :label::text;

-- name: checkpoint_by_id
-- A checkpoint.
SELECT (SELECT s.id FROM clew_session AS s WHERE s.key = c.session), c.seq, c.id,
    (SELECT p.id FROM clew_checkpoint AS p WHERE p.family = c.family AND p.session = c.session AND p.seq = c.parent),
    c.timeline, c.length, c.chain, (SELECT substring(m.key FOR 16) FROM clew_content AS m WHERE m.family = c.family AND m.key = c.metadata),
    c.label, c.created_at, c.updated_at,
    c.fingerprint, c.attachment_count, c.metadata, c.seal, c.family
FROM clew_checkpoint AS c
WHERE c.id = :id::uuid;

-- name: checkpoints_of_session
-- Every checkpoint of a session, with its parent, oldest first.
SELECT c.parent, s.id, c.seq, c.id,
    (SELECT p.id FROM clew_checkpoint AS p WHERE p.family = :family::bigint AND p.session = :session::bigint AND p.seq = c.parent),
    c.timeline, c.length, c.chain, (SELECT substring(m.key FOR 16) FROM clew_content AS m WHERE m.family = :family::bigint AND m.key = c.metadata),
    c.label, c.created_at, c.updated_at,
    c.fingerprint, c.attachment_count, c.metadata, c.seal, c.family
FROM clew_session AS s JOIN clew_checkpoint AS c ON c.family = :family::bigint AND c.session = :session::bigint
WHERE s.key = :session::bigint
ORDER BY c.seq;

-- name: touch_checkpoint
-- What may change of a checkpoint but its parent: the label, how many attachments there are, and when that was.
UPDATE clew_checkpoint SET label = :label::text, updated_at = :updated_at::bigint,
    attachment_count = :attachment_count::integer, seal = :seal::integer
WHERE family = :family::bigint AND session = :session::bigint AND seq = :seq::bigint;

-- name: reparent_checkpoint
-- Another parent, where the one before is deleted.
UPDATE clew_checkpoint SET parent = :parent::bigint, seal = :seal::integer
WHERE family = :family::bigint AND session = :session::bigint AND seq = :seq::bigint;

-- name: delete_checkpoint
-- One checkpoint of a session.
DELETE FROM clew_checkpoint WHERE family = :family::bigint AND session = :session::bigint AND seq = :seq::bigint;

-- name: page_created
-- A page of the checkpoints of one session in the order in which they were written.
SELECT c.session, c.seq, c.seq FROM clew_checkpoint AS c
WHERE c.family = :family::bigint AND c.session = :session::bigint AND c.seq > :lower::bigint
    AND (:before_label::text IS NULL OR c.label < :before_label::text)
    AND (:metadata::object IS NULL OR coalesce((
        SELECT coalesce(m.object @> :metadata::object, false) AND NOT EXISTS (
            SELECT FROM jsonb_each(:metadata::object) AS w WHERE m.object -> w.key IS DISTINCT FROM w.value
        )
        FROM clew_content AS m WHERE m.family = :family::bigint AND m.key = c.metadata
    ), c.metadata IS NOT NULL OR :metadata::object = '{}'))
ORDER BY c.seq
LIMIT :limit::bigint OFFSET :offset::bigint;

-- name: page_created_desc
-- The same, the newest first.
SELECT c.session, c.seq, c.seq FROM clew_checkpoint AS c
WHERE c.family = :family::bigint AND c.session = :session::bigint AND c.seq < :upper::bigint
    AND (:before_label::text IS NULL OR c.label < :before_label::text)
    AND (:metadata::object IS NULL OR coalesce((
        SELECT coalesce(m.object @> :metadata::object, false) AND NOT EXISTS (
            SELECT FROM jsonb_each(:metadata::object) AS w WHERE m.object -> w.key IS DISTINCT FROM w.value
        )
        FROM clew_content AS m WHERE m.family = :family::bigint AND m.key = c.metadata
    ), c.metadata IS NOT NULL OR :metadata::object = '{}'))
ORDER BY c.seq DESC
LIMIT :limit::bigint OFFSET :offset::bigint;

-- name: page_label
-- A page of the checkpoints of one session that have a label, in the order of the labels.
SELECT c.session, c.seq, c.label FROM clew_checkpoint AS c
WHERE c.family = :family::bigint AND c.session = :session::bigint AND c.label IS NOT NULL AND left(c.label, 600) >= left(:lower::text, 600) AND c.label > :lower::text
    AND (:upper::text IS NULL OR left(c.label, 600) <= left(:upper::text, 600) AND c.label < :upper::text)
    AND (:metadata::object IS NULL OR coalesce((
        SELECT coalesce(m.object @> :metadata::object, false) AND NOT EXISTS (
            SELECT FROM jsonb_each(:metadata::object) AS w WHERE m.object -> w.key IS DISTINCT FROM w.value
        )
        FROM clew_content AS m WHERE m.family = :family::bigint AND m.key = c.metadata
    ), c.metadata IS NOT NULL OR :metadata::object = '{}'))
ORDER BY left(c.label, 600), c.label
LIMIT :limit::bigint OFFSET :offset::bigint;

-- name: page_label_desc
-- The same, the last label first.
SELECT c.session, c.seq, c.label FROM clew_checkpoint AS c
WHERE c.family = :family::bigint AND c.session = :session::bigint AND c.label IS NOT NULL AND left(c.label, 600) >= left(:lower::text, 600) AND c.label > :lower::text
    AND (:upper::text IS NULL OR left(c.label, 600) <= left(:upper::text, 600) AND c.label < :upper::text)
    AND (:metadata::object IS NULL OR coalesce((
        SELECT coalesce(m.object @> :metadata::object, false) AND NOT EXISTS (
            SELECT FROM jsonb_each(:metadata::object) AS w WHERE m.object -> w.key IS DISTINCT FROM w.value
        )
        FROM clew_content AS m WHERE m.family = :family::bigint AND m.key = c.metadata
    ), c.metadata IS NOT NULL OR :metadata::object = '{}'))
ORDER BY left(c.label, 600) DESC, c.label DESC
LIMIT :limit::bigint OFFSET :offset::bigint;

-- name: pages_created
-- A page of the checkpoints of several sessions, by time.
SELECT c.session, c.seq, c.created_at
FROM json_array_elements_text(:sessions::json) AS w (session)
CROSS JOIN LATERAL (
    SELECT c.session, c.seq, c.created_at
    FROM clew_session AS s JOIN clew_checkpoint AS c ON c.family = s.family AND c.session = s.key
    WHERE s.key = w.session::bigint
        AND (:after_key::bigint IS NULL OR (c.created_at, c.session, c.seq) > (:after_key::bigint, :after_session::bigint, :after_seq::bigint))
        AND (:before_label::text IS NULL OR c.label < :before_label::text)
        AND (:metadata::object IS NULL OR coalesce((
            SELECT coalesce(m.object @> :metadata::object, false) AND NOT EXISTS (
                SELECT FROM jsonb_each(:metadata::object) AS w WHERE m.object -> w.key IS DISTINCT FROM w.value
            )
            FROM clew_content AS m WHERE m.family = c.family AND m.key = c.metadata
        ), c.metadata IS NOT NULL OR :metadata::object = '{}'))
    OFFSET 0
) AS c
ORDER BY c.created_at, c.session, c.seq
LIMIT :limit::bigint OFFSET :offset::bigint;

-- name: pages_created_desc
-- The same, the last one first.
SELECT c.session, c.seq, c.created_at
FROM json_array_elements_text(:sessions::json) AS w (session)
CROSS JOIN LATERAL (
    SELECT c.session, c.seq, c.created_at
    FROM clew_session AS s JOIN clew_checkpoint AS c ON c.family = s.family AND c.session = s.key
    WHERE s.key = w.session::bigint
        AND (:after_key::bigint IS NULL OR (c.created_at, c.session, c.seq) < (:after_key::bigint, :after_session::bigint, :after_seq::bigint))
        AND (:before_label::text IS NULL OR c.label < :before_label::text)
        AND (:metadata::object IS NULL OR coalesce((
            SELECT coalesce(m.object @> :metadata::object, false) AND NOT EXISTS (
                SELECT FROM jsonb_each(:metadata::object) AS w WHERE m.object -> w.key IS DISTINCT FROM w.value
            )
            FROM clew_content AS m WHERE m.family = c.family AND m.key = c.metadata
        ), c.metadata IS NOT NULL OR :metadata::object = '{}'))
    OFFSET 0
) AS c
ORDER BY c.created_at DESC, c.session DESC, c.seq DESC
LIMIT :limit::bigint OFFSET :offset::bigint;

-- name: pages_label
-- A page of the checkpoints of several sessions that have a label, by label.
SELECT c.session, c.seq, c.label
FROM json_array_elements_text(:sessions::json) AS w (session)
CROSS JOIN LATERAL (
    SELECT c.session, c.seq, c.label
    FROM clew_session AS s JOIN clew_checkpoint AS c ON c.family = s.family AND c.session = s.key
    WHERE s.key = w.session::bigint
        AND c.label IS NOT NULL AND (:after_key::text IS NULL OR (c.label, c.session, c.seq) > (:after_key::text, :after_session::bigint, :after_seq::bigint))
        AND (:before_label::text IS NULL OR c.label < :before_label::text)
        AND (:metadata::object IS NULL OR coalesce((
            SELECT coalesce(m.object @> :metadata::object, false) AND NOT EXISTS (
                SELECT FROM jsonb_each(:metadata::object) AS w WHERE m.object -> w.key IS DISTINCT FROM w.value
            )
            FROM clew_content AS m WHERE m.family = c.family AND m.key = c.metadata
        ), c.metadata IS NOT NULL OR :metadata::object = '{}'))
    OFFSET 0
) AS c
ORDER BY c.label, c.session, c.seq
LIMIT :limit::bigint OFFSET :offset::bigint;

-- name: pages_label_desc
-- The same, the last one first.
SELECT c.session, c.seq, c.label
FROM json_array_elements_text(:sessions::json) AS w (session)
CROSS JOIN LATERAL (
    SELECT c.session, c.seq, c.label
    FROM clew_session AS s JOIN clew_checkpoint AS c ON c.family = s.family AND c.session = s.key
    WHERE s.key = w.session::bigint
        AND c.label IS NOT NULL AND (:after_key::text IS NULL OR (c.label, c.session, c.seq) < (:after_key::text, :after_session::bigint, :after_seq::bigint))
        AND (:before_label::text IS NULL OR c.label < :before_label::text)
        AND (:metadata::object IS NULL OR coalesce((
            SELECT coalesce(m.object @> :metadata::object, false) AND NOT EXISTS (
                SELECT FROM jsonb_each(:metadata::object) AS w WHERE m.object -> w.key IS DISTINCT FROM w.value
            )
            FROM clew_content AS m WHERE m.family = c.family AND m.key = c.metadata
        ), c.metadata IS NOT NULL OR :metadata::object = '{}'))
    OFFSET 0
) AS c
ORDER BY c.label DESC, c.session DESC, c.seq DESC
LIMIT :limit::bigint OFFSET :offset::bigint;

-- name: checkpoints_on_page
-- The checkpoints of a page, which is pairs of session and seq, in its order.
SELECT found.*
FROM json_array_elements(:page::json) WITH ORDINALITY AS page (value, place)
CROSS JOIN LATERAL (
    SELECT c.session, s.id, c.seq, c.id,
        (SELECT p.id FROM clew_checkpoint AS p WHERE p.family = c.family AND p.session = c.session AND p.seq = c.parent),
        c.timeline, c.length, c.chain, substring(m.key FOR 16), c.label, c.created_at, c.updated_at,
        c.fingerprint, c.attachment_count, c.metadata, c.seal, c.family, CASE WHEN :with_metadata::boolean THEN m.body END
    FROM clew_session AS s
    CROSS JOIN LATERAL (
        SELECT * FROM clew_checkpoint AS k
        WHERE k.family = s.family AND k.session = s.key AND k.seq = (page.value ->> 1)::bigint
        OFFSET 0
    ) AS c
    LEFT JOIN LATERAL (
        SELECT k.key, k.body FROM clew_content AS k WHERE k.family = c.family AND k.key = c.metadata OFFSET 0
    ) AS m ON true
    WHERE s.key = (page.value ->> 0)::bigint
    OFFSET 0
) AS found
ORDER BY page.place;

-- name: find_checkpoints
-- A page of the checkpoints of all sessions whose metadata has some values. The limit within is as in list_sessions.
SELECT c.session, c.seq
FROM (
    SELECT key, family, owner FROM clew_session
    WHERE key >= :after_session::bigint AND (:source::text IS NULL OR source = :source::text)
    ORDER BY key
    LIMIT nullif(:limit::bigint, :limit::bigint)
) AS s
CROSS JOIN LATERAL (
    SELECT c.session, c.seq FROM clew_checkpoint AS c
    WHERE c.family = s.family AND c.session = s.key AND (c.session > :after_session::bigint OR c.seq > :after_seq::bigint)
        AND (:owner::text IS NULL OR s.owner = :owner::text)
        AND (:metadata::object IS NULL OR coalesce((
            SELECT coalesce(m.object @> :metadata::object, false) AND NOT EXISTS (
                SELECT FROM jsonb_each(:metadata::object) AS w WHERE m.object -> w.key IS DISTINCT FROM w.value
            )
            FROM clew_content AS m WHERE m.family = c.family AND m.key = c.metadata
        ), c.metadata IS NOT NULL OR :metadata::object = '{}'))
    ORDER BY c.seq
    OFFSET 0
) AS c
ORDER BY s.key, c.seq
LIMIT :limit::bigint;

-- name: page_children
-- The checkpoints under one.
SELECT c.session, c.seq FROM clew_checkpoint AS o
CROSS JOIN LATERAL (
    SELECT c.session, c.seq FROM clew_checkpoint AS c
    WHERE c.family = o.family AND c.session = o.session AND c.parent = o.seq
    OFFSET 0
) AS c
WHERE o.id = :id::uuid
ORDER BY c.seq;

-- name: page_branches
-- The checkpoints of a session that have no child, newest first.
SELECT c.session, c.seq FROM clew_checkpoint AS c
WHERE c.family = :family::bigint AND c.session = :session::bigint AND c.seq NOT IN (
    SELECT b.parent FROM clew_checkpoint AS b
    WHERE b.family = :family::bigint AND b.session = :session::bigint AND b.parent IS NOT NULL
)
ORDER BY c.seq DESC;

-- name: sessions_by_id
-- Sessions (hexadecimal ids) in the order in which they are asked for.
SELECT wanted.id::uuid, found.*
FROM json_array_elements_text(:ids::json) WITH ORDINALITY AS wanted (id, place)
LEFT JOIN LATERAL (
    SELECT s.key, s.id, s.family, s.title, s.visibility, t.status, s.cwd, s.source, s.source_id, s.parent_session_id, s.forked_from,
        substring(sm.key FOR 16), s.created_at, s.fingerprint, s.owner, t.active, t.next_seq, t.checkpoint_count, t.revision, t.updated_at,
        t.last_message_at, s.seal, t.tip_seal, s.metadata, sm.body
    FROM clew_session AS s
    LEFT JOIN clew_tip AS t ON t.session = s.key
    LEFT JOIN LATERAL (
        SELECT k.key, k.body FROM clew_content AS k WHERE k.family = s.family AND k.key = s.metadata OFFSET 0
    ) AS sm ON true
    WHERE s.id = wanted.id::uuid
    OFFSET 0
) AS found ON true
ORDER BY wanted.place;

-- name: page_ancestry
-- A checkpoint, its parent, and so on to the root. A parent is always older, so that damage cannot lead in circles.
WITH RECURSIVE line (family, session, seq, parent, depth) AS (
    SELECT family, session, seq, parent, 0 FROM clew_checkpoint WHERE id = :id::uuid
    UNION ALL
    SELECT c.family, c.session, c.seq, c.parent, depth + 1
    FROM line
    CROSS JOIN LATERAL (
        SELECT p.family, p.session, p.seq, p.parent FROM clew_checkpoint AS p
        WHERE p.family = line.family AND p.session = line.session AND p.seq = line.parent AND p.seq < line.seq
        OFFSET 0
    ) AS c
)
SELECT session, seq FROM line ORDER BY depth;

-- name: page_descent
-- The same across forks: the first checkpoint of a fork goes on to the one that it began as, in an older session.
WITH RECURSIVE line (family, session, seq, parent, depth) AS (
    SELECT family, session, seq, parent, 0 FROM clew_checkpoint WHERE id = :id::uuid
    UNION ALL
    SELECT c.family, c.session, c.seq, c.parent, depth + 1
    FROM line
    CROSS JOIN LATERAL (
        SELECT p.family, p.session, p.seq, p.parent FROM clew_checkpoint AS p
        WHERE line.parent IS NOT NULL AND p.family = line.family AND p.session = line.session
            AND p.seq = line.parent AND p.seq < line.seq
        UNION ALL
        SELECT o.family, o.session, o.seq, o.parent FROM clew_checkpoint AS o
        WHERE line.parent IS NULL AND line.seq = 1 AND o.session < line.session
            AND o.id = (SELECT s.forked_from FROM clew_session AS s WHERE s.key = line.session)
        OFFSET 0
    ) AS c
)
SELECT session, seq FROM line ORDER BY depth;

-- name: timeline_parts
-- The timelines that hold a conversation from a position on, last part first: where the entries of each begin and end.
-- An ancestor is always older, so that damage cannot lead in circles.
WITH RECURSIVE part (timeline, family, ancestor, seal, start, stop, depth) AS (
    SELECT key, family, ancestor, seal, ancestor_length, :length::bigint, 0
    FROM clew_timeline WHERE family = :family::bigint AND key = :timeline::bigint
    UNION ALL
    SELECT t.key, t.family, t.ancestor, t.seal, t.ancestor_length, part.start, depth + 1
    FROM part
    CROSS JOIN LATERAL (
        SELECT l.key, l.family, l.ancestor, l.seal, l.ancestor_length FROM clew_timeline AS l
        WHERE l.family = :family::bigint AND l.key = part.ancestor AND l.key < part.timeline
        OFFSET 0
    ) AS t
    WHERE part.start > :from::bigint
)
SELECT timeline, family, ancestor, start, seal, stop FROM part ORDER BY depth;

-- name: read_bodies
-- The bodies of a range of one timeline's own entries.
SELECT c.body FROM clew_entry AS e
CROSS JOIN LATERAL (
    SELECT k.key, k.body FROM clew_content AS k WHERE k.family = :family::bigint AND k.key = e.content
    OFFSET 0
) AS c
WHERE e.family = :family::bigint AND e.timeline = :timeline::bigint AND e.position >= :start::bigint AND e.position < :stop::bigint
ORDER BY e.position;

-- name: read_scattered_bodies
-- The bodies, by position, of ranges of timelines' own entries (each as timeline, start and stop), as they come.
SELECT e.position, c.body FROM json_array_elements(:stretches::json) AS wanted (value)
CROSS JOIN LATERAL (
    SELECT k.timeline, k.position, k.seal, k.content FROM clew_entry AS k
    WHERE k.family = :family::bigint AND k.timeline = (wanted.value ->> 0)::bigint
        AND k.position >= (wanted.value ->> 1)::bigint AND k.position < (wanted.value ->> 2)::bigint
    OFFSET 0
) AS e
CROSS JOIN LATERAL (
    SELECT k.key, k.body FROM clew_content AS k WHERE k.family = :family::bigint AND k.key = e.content
    OFFSET 0
) AS c;

-- name: read_hashed_bodies
-- The same with what each must be: its place, the seal of its place, and the hash of the body.
SELECT e.position, e.timeline, e.seal, substring(c.key FOR 16), c.body FROM json_array_elements(:stretches::json) AS wanted (value)
CROSS JOIN LATERAL (
    SELECT k.timeline, k.position, k.seal, k.content FROM clew_entry AS k
    WHERE k.family = :family::bigint AND k.timeline = (wanted.value ->> 0)::bigint
        AND k.position >= (wanted.value ->> 1)::bigint AND k.position < (wanted.value ->> 2)::bigint
    OFFSET 0
) AS e
CROSS JOIN LATERAL (
    SELECT k.key, k.body FROM clew_content AS k WHERE k.family = :family::bigint AND k.key = e.content
    OFFSET 0
) AS c;

-- name: read_hashes
-- The hashes of such ranges.
SELECT e.position, substring(e.content FOR 16) FROM json_array_elements(:stretches::json) AS wanted (value)
CROSS JOIN LATERAL (
    SELECT k.position, k.content FROM clew_entry AS k
    WHERE k.family = :family::bigint AND k.timeline = (wanted.value ->> 0)::bigint
        AND k.position >= (wanted.value ->> 1)::bigint AND k.position < (wanted.value ->> 2)::bigint
    OFFSET 0
) AS e;

-- name: points_before
-- Where a checkpoint of a session (as its number) and those before it lie, up to so many that are not longer than a length.
WITH RECURSIVE line (seq, parent, id, timeline, length, chain, short, depth) AS (
    SELECT seq, parent, id, timeline, length, chain, 0, 0
    FROM clew_checkpoint WHERE family = :family::bigint AND session = :session::bigint AND seq = :seq::bigint
    UNION ALL
    SELECT c.seq, c.parent, c.id, c.timeline, c.length, c.chain,
        line.short + (c.length <= :length::bigint)::integer, line.depth + 1
    FROM line
    CROSS JOIN LATERAL (
        SELECT k.seq, k.parent, k.id, k.timeline, k.length, k.chain FROM clew_checkpoint AS k
        WHERE k.family = :family::bigint AND k.session = :session::bigint AND k.seq = line.parent AND k.seq < line.seq
        OFFSET 0
    ) AS c
    WHERE line.short < :short::bigint AND line.depth < :most::bigint
)
SELECT id, timeline, length, chain FROM line WHERE depth > 0 ORDER BY depth;

-- name: insert_timeline
-- A new run of messages under the next key, after a length of an ancestor where there is one.
INSERT INTO clew_timeline (family, key, session, ancestor, ancestor_length, seal)
VALUES (:family::bigint, nextval('clew_key'), :session::bigint, :ancestor::bigint, :ancestor_length::bigint, 0)
RETURNING key;

-- name: seal_timeline
-- The seal of a timeline, once it has its key.
UPDATE clew_timeline SET seal = :seal::integer WHERE family = :family::bigint AND key = :timeline::bigint;

-- name: insert_entries
-- The messages from a position on.
INSERT INTO clew_entry (family, timeline, position, seal, content)
SELECT :family::bigint, :timeline::bigint, :start::bigint + n.place - 1, n.seal, n.content
FROM unnest(:seals::smallint[], :contents::bytea[]) WITH ORDINALITY AS n (seal, content, place);

-- name: insert_contents
-- Content that is new to a family; the keys of what is not.
WITH given (key, body) AS MATERIALIZED (
    SELECT * FROM unnest(:keys::bytea[], :bodies::bytea[])
), added AS (
    INSERT INTO clew_content (family, key, body) SELECT :family::bigint, key, body FROM given
    ON CONFLICT (family, key) DO NOTHING
    RETURNING key
)
SELECT key FROM given EXCEPT SELECT key FROM added;

-- name: insert_content
-- One content, unless something in the family has its key.
INSERT INTO clew_content (family, key, body, object) VALUES (:family::bigint, :key::bytea, :body::bytea, :object::text::jsonb)
ON CONFLICT (family, key) DO NOTHING
RETURNING key;

-- name: find_content
-- The body under a key.
SELECT body, object IS NULL FROM clew_content WHERE family = :family::bigint AND key = :key::bytea;

-- name: set_object
-- A message has become metadata too.
UPDATE clew_content SET object = :object::text::jsonb WHERE family = :family::bigint AND key = :key::bytea;

-- name: read_content
-- One value with the hash that it must have.
SELECT substring(key FOR 16), body FROM clew_content WHERE family = :family::bigint AND key = :key::bytea;

-- name: checkpoints_by_id
-- Checkpoints (hexadecimal ids) in the order in which they are asked for, with the keys of their sessions.
SELECT wanted.id::uuid, found.*
FROM json_array_elements_text(:ids::json) WITH ORDINALITY AS wanted (id, place)
LEFT JOIN LATERAL (
    SELECT c.session, (SELECT s.id FROM clew_session AS s WHERE s.key = c.session), c.seq, c.id,
        (SELECT p.id FROM clew_checkpoint AS p WHERE p.family = c.family AND p.session = c.session AND p.seq = c.parent),
        c.timeline, c.length, c.chain,
        (SELECT substring(m.key FOR 16) FROM clew_content AS m WHERE m.family = c.family AND m.key = c.metadata), c.label, c.created_at, c.updated_at,
        c.fingerprint, c.attachment_count, c.metadata, c.seal, c.family
    FROM clew_checkpoint AS c
    WHERE c.id = wanted.id::uuid
    OFFSET 0
) AS found ON true
ORDER BY wanted.place;

-- name: attachments_on_page
-- The attachments of the checkpoints of a page, which is pairs of session and seq, in its order and that of their names.
SELECT page.place - 1, found.*
FROM json_array_elements(:page::json) WITH ORDINALITY AS page (value, place)
JOIN LATERAL (
    SELECT a.name, a.content_type, a.size, a.chunk_size, a.content, a.seal, substring(h.key FOR 16)
    FROM clew_session AS s
    JOIN clew_attachment AS a ON a.family = s.family AND a.session = s.key AND a.seq = (page.value ->> 1)::bigint
    LEFT JOIN LATERAL (
        SELECT k.key FROM clew_content AS k WHERE k.family = a.family AND k.key = a.content OFFSET 0
    ) AS h ON true
    WHERE s.key = (page.value ->> 0)::bigint
    OFFSET 0
) AS found ON true
ORDER BY page.place, found.name;

-- name: bodies_by_key
-- The bytes of some content: families and keys in the same order.
SELECT h.family, h.key, h.body
FROM unnest(:families::bigint[], :keys::bytea[]) AS wanted (family, key)
CROSS JOIN LATERAL (
    SELECT k.family, k.key, k.body FROM clew_content AS k WHERE k.family = wanted.family AND k.key = wanted.key
    OFFSET 0
) AS h;

-- name: attachment_at
-- The attachment of a checkpoint that has a name.
SELECT a.name, a.content_type, a.size, a.chunk_size, a.content, a.seal,
    (SELECT substring(h.key FOR 16) FROM clew_content AS h WHERE h.family = :family::bigint AND h.key = a.content)
FROM clew_attachment AS a
WHERE a.family = :family::bigint AND a.session = :session::bigint AND a.seq = :seq::bigint
    AND hashtextextended(a.name, 0) = hashtextextended(:name::text, 0) AND hashtextextended(a.name, 1) = hashtextextended(:name::text, 1) AND a.name = :name::text;

-- name: attachment_at_waiting
-- The attachment of a label that has a name.
SELECT a.name, a.content_type, a.size, a.chunk_size, a.content, a.seal,
    (SELECT substring(h.key FOR 16) FROM clew_content AS h WHERE h.family = :family::bigint AND h.key = a.content)
FROM clew_waiting_attachment AS a
WHERE a.family = :family::bigint AND a.session = :session::bigint
    AND hashtextextended(a.label, 0) = hashtextextended(:label::text, 0) AND hashtextextended(a.label, 1) = hashtextextended(:label::text, 1) AND a.label = :label::text
    AND hashtextextended(a.name, 0) = hashtextextended(:name::text, 0) AND hashtextextended(a.name, 1) = hashtextextended(:name::text, 1) AND a.name = :name::text;

-- name: attachments_of_session
-- The attachments of all checkpoints of a session, without their bytes.
SELECT a.seq, a.name, a.content_type, a.size, a.chunk_size, a.content, a.seal,
    (SELECT substring(h.key FOR 16) FROM clew_content AS h WHERE h.family = :family::bigint AND h.key = a.content)
FROM clew_attachment AS a
WHERE a.family = :family::bigint AND a.session = :session::bigint;

-- name: waiting_attachments
-- What waits for a label.
SELECT a.name, a.content_type, a.size, a.chunk_size, a.content, a.seal,
    (SELECT substring(h.key FOR 16) FROM clew_content AS h WHERE h.family = :family::bigint AND h.key = a.content)
FROM clew_waiting_attachment AS a
WHERE a.family = :family::bigint AND a.session = :session::bigint
    AND hashtextextended(a.label, 0) = hashtextextended(:label::text, 0) AND hashtextextended(a.label, 1) = hashtextextended(:label::text, 1) AND a.label = :label::text
ORDER BY a.name;

-- name: waiting_attachments_of_session
-- What waits for any label of a session.
SELECT a.label, a.name, a.content_type, a.size, a.chunk_size, a.content, a.seal,
    (SELECT substring(h.key FOR 16) FROM clew_content AS h WHERE h.family = :family::bigint AND h.key = a.content)
FROM clew_waiting_attachment AS a
WHERE a.family = :family::bigint AND a.session = :session::bigint
ORDER BY a.label, a.name;

-- name: put_attachment
-- An attachment of a checkpoint, in the place of what has its name.
INSERT INTO clew_attachment (family, session, seq, name, content_type, size, chunk_size, content, seal)
VALUES (:family::bigint, :session::bigint, :seq::bigint, :name::text, :content_type::text, :size::bigint, :chunk_size::bigint, :content::bytea, :seal::integer)
ON CONFLICT (family, session, seq, hashtextextended(name, 0), hashtextextended(name, 1)) DO UPDATE SET
    content_type = excluded.content_type, size = excluded.size, chunk_size = excluded.chunk_size, content = excluded.content,
    seal = excluded.seal;

-- name: put_attachment_waiting
-- The same for a label.
INSERT INTO clew_waiting_attachment (family, session, label, name, content_type, size, chunk_size, content, seal)
VALUES (:family::bigint, :session::bigint, :label::text, :name::text, :content_type::text, :size::bigint, :chunk_size::bigint, :content::bytea, :seal::integer)
ON CONFLICT (
    family, session, hashtextextended(label, 0), hashtextextended(label, 1), hashtextextended(name, 0), hashtextextended(name, 1)
) DO UPDATE SET
    content_type = excluded.content_type, size = excluded.size, chunk_size = excluded.chunk_size, content = excluded.content,
    seal = excluded.seal;

-- name: end_waiting
-- What waited for a label has got its checkpoint.
DELETE FROM clew_waiting_attachment WHERE family = :family::bigint AND session = :session::bigint AND hashtextextended(label, 0) = hashtextextended(:label::text, 0) AND hashtextextended(label, 1) = hashtextextended(:label::text, 1) AND label = :label::text;

-- name: insert_chunk
-- A piece of a long attachment. Where the same bytes are there already it is, too, unless that piece is damaged.
INSERT INTO clew_chunk (family, whole, position, content)
VALUES (:family::bigint, :whole::bytea, :position::bigint, :content::bytea)
ON CONFLICT (family, whole, position) DO UPDATE SET content = excluded.content WHERE clew_chunk.content <> excluded.content;

-- name: read_chunks
-- A range of the pieces of a long attachment.
SELECT substring(h.key FOR 16), h.body FROM clew_chunk AS k
LEFT JOIN LATERAL (
    SELECT c.key, c.body FROM clew_content AS c WHERE c.family = :family::bigint AND c.key = k.content OFFSET 0
) AS h ON true
WHERE k.family = :family::bigint AND k.whole = :whole::bytea AND k.position >= :start::bigint AND k.position < :stop::bigint
ORDER BY k.position;

-- name: delete_attachment
-- One attachment of a checkpoint.
DELETE FROM clew_attachment WHERE family = :family::bigint AND session = :session::bigint AND seq = :seq::bigint AND hashtextextended(name, 0) = hashtextextended(:name::text, 0) AND hashtextextended(name, 1) = hashtextextended(:name::text, 1) AND name = :name::text;

-- name: delete_attachment_waiting
-- One attachment of a label.
DELETE FROM clew_waiting_attachment WHERE family = :family::bigint AND session = :session::bigint AND hashtextextended(label, 0) = hashtextextended(:label::text, 0) AND hashtextextended(label, 1) = hashtextextended(:label::text, 1) AND label = :label::text AND hashtextextended(name, 0) = hashtextextended(:name::text, 0) AND hashtextextended(name, 1) = hashtextextended(:name::text, 1) AND name = :name::text;

-- name: delete_attachments_of_checkpoint
-- The attachments of a deleted checkpoint.
DELETE FROM clew_attachment WHERE family = :family::bigint AND session = :session::bigint AND seq = :seq::bigint;

-- name: delete_attachments_of_session
-- The attachments of a purged session.
DELETE FROM clew_attachment WHERE family = :family::bigint AND session = :session::bigint;

-- name: delete_waiting_of_session
-- What waited in a purged session.
DELETE FROM clew_waiting_attachment WHERE family = :family::bigint AND session = :session::bigint;

-- name: detach_session
-- Before its checkpoints go, a purged session lets go of the active one.
UPDATE clew_tip SET active = NULL WHERE session = :session::bigint;

-- name: delete_checkpoints_of_session
-- The tree of a purged session.
DELETE FROM clew_checkpoint WHERE family = :family::bigint AND session = :session::bigint;

-- name: disown_timelines
-- What others still need of a purged session's timelines stays, but nobody extends it.
UPDATE clew_timeline SET session = NULL WHERE family = :family::bigint AND session = :session::bigint;

-- name: delete_session
-- The rows of a purged session.
WITH gone AS (
    DELETE FROM clew_session WHERE key = :session::bigint
)
DELETE FROM clew_tip WHERE session = :session::bigint;

-- name: remember_purged
-- A session that is gone, for those who watch.
INSERT INTO clew_purged (id, changed)
SELECT :id::uuid, origin + pg_current_xact_id()::text::bigint FROM clew_change_origin;

-- name: reached_lengths
-- How far the checkpoints of a family reach on each timeline.
SELECT c.timeline, max(c.length)
FROM clew_session AS s JOIN clew_checkpoint AS c ON c.family = s.family AND c.session = s.key
WHERE s.family = :family::bigint AND c.timeline IS NOT NULL
GROUP BY c.timeline;

-- name: family_timelines
-- The timelines of a family, descendants before their ancestors.
SELECT key, ancestor, ancestor_length FROM clew_timeline WHERE family = :family::bigint ORDER BY key DESC;

-- name: cut_timeline
-- Entries that no checkpoint reaches.
DELETE FROM clew_entry WHERE family = :family::bigint AND timeline = :timeline::bigint AND position >= :length::bigint;

-- name: delete_timeline
-- A timeline of which nothing is reached.
DELETE FROM clew_timeline WHERE family = :family::bigint AND key = :timeline::bigint;

-- name: delete_unreached_chunks
-- The pieces of long attachments of a family that no checkpoint has and no label waits for.
DELETE FROM clew_chunk AS k WHERE k.family = :family::bigint AND NOT EXISTS (
    SELECT FROM clew_attachment AS a WHERE a.family = :family::bigint AND a.content = k.whole AND a.chunk_size IS NOT NULL
) AND NOT EXISTS (
    SELECT FROM clew_waiting_attachment AS w
    WHERE w.family = :family::bigint AND w.content = k.whole AND w.chunk_size IS NOT NULL
);

-- name: delete_unreached_content
-- Content that no entry, checkpoint, session, attachment or piece of one in the family refers to.
DELETE FROM clew_content AS h WHERE h.family = :family::bigint AND NOT EXISTS (
    SELECT FROM (
        SELECT e.content AS key FROM clew_entry AS e WHERE e.family = :family::bigint
        UNION ALL
        SELECT c.metadata FROM clew_checkpoint AS c WHERE c.family = :family::bigint AND c.metadata IS NOT NULL
        UNION ALL
        SELECT s.metadata FROM clew_session AS s WHERE s.family = :family::bigint AND s.metadata IS NOT NULL
        UNION ALL
        SELECT a.content FROM clew_attachment AS a WHERE a.family = :family::bigint
        UNION ALL
        SELECT w.content FROM clew_waiting_attachment AS w WHERE w.family = :family::bigint
        UNION ALL
        SELECT k.content FROM clew_chunk AS k WHERE k.family = :family::bigint
    ) AS reached WHERE reached.key = h.key
);

-- name: session_families
-- The families that have sessions, and how many each.
SELECT family, count(*) FROM clew_session GROUP BY family;

-- name: timeline_families
-- The families that have timelines, from one to the next: far fewer than there are rows.
WITH RECURSIVE known (family) AS (
    SELECT min(family) FROM clew_timeline
    UNION ALL
    SELECT (SELECT min(t.family) FROM clew_timeline AS t WHERE t.family > known.family) FROM known WHERE known.family IS NOT NULL
)
SELECT family, 0::bigint FROM known WHERE family IS NOT NULL;

-- name: content_families
-- The families that have content.
WITH RECURSIVE known (family) AS (
    SELECT min(family) FROM clew_content
    UNION ALL
    SELECT (SELECT min(t.family) FROM clew_content AS t WHERE t.family > known.family) FROM known WHERE known.family IS NOT NULL
)
SELECT family, 0::bigint FROM known WHERE family IS NOT NULL;

-- name: checkpoint_families
-- The families that have checkpoints.
WITH RECURSIVE known (family) AS (
    SELECT min(family) FROM clew_checkpoint
    UNION ALL
    SELECT (SELECT min(t.family) FROM clew_checkpoint AS t WHERE t.family > known.family) FROM known WHERE known.family IS NOT NULL
)
SELECT family, 0::bigint FROM known WHERE family IS NOT NULL;

-- name: entry_families
-- The families that have messages.
WITH RECURSIVE known (family) AS (
    SELECT min(family) FROM clew_entry
    UNION ALL
    SELECT (SELECT min(t.family) FROM clew_entry AS t WHERE t.family > known.family) FROM known WHERE known.family IS NOT NULL
)
SELECT family, 0::bigint FROM known WHERE family IS NOT NULL;

-- name: attachment_families
-- The families that have attachments.
WITH RECURSIVE known (family) AS (
    SELECT min(family) FROM clew_attachment
    UNION ALL
    SELECT (SELECT min(t.family) FROM clew_attachment AS t WHERE t.family > known.family) FROM known WHERE known.family IS NOT NULL
)
SELECT family, 0::bigint FROM known WHERE family IS NOT NULL;

-- name: waiting_families
-- The families in which attachments wait.
WITH RECURSIVE known (family) AS (
    SELECT min(family) FROM clew_waiting_attachment
    UNION ALL
    SELECT (SELECT min(t.family) FROM clew_waiting_attachment AS t WHERE t.family > known.family) FROM known WHERE known.family IS NOT NULL
)
SELECT family, 0::bigint FROM known WHERE family IS NOT NULL;

-- name: chunk_families
-- The families that have pieces of attachments.
WITH RECURSIVE known (family) AS (
    SELECT min(family) FROM clew_chunk
    UNION ALL
    SELECT (SELECT min(t.family) FROM clew_chunk AS t WHERE t.family > known.family) FROM known WHERE known.family IS NOT NULL
)
SELECT family, 0::bigint FROM known WHERE family IS NOT NULL;

-- name: sessions_of_family
-- The sessions of a family.
SELECT s.key, s.id, s.family, s.title, s.visibility, t.status, s.cwd, s.source, s.source_id, s.parent_session_id, s.forked_from,
    substring(sm.key FOR 16), s.created_at, s.fingerprint, s.owner, t.active, t.next_seq, t.checkpoint_count, t.revision, t.updated_at,
    t.last_message_at, s.seal, t.tip_seal, s.metadata, sm.body, s.title_folded
FROM clew_session AS s LEFT JOIN clew_tip AS t ON t.session = s.key LEFT JOIN clew_content AS sm ON sm.family = s.family AND sm.key = s.metadata
WHERE s.family = :family::bigint
ORDER BY s.key;

-- name: session_ids_of_family
-- The ids of the sessions of a family.
SELECT id FROM clew_session WHERE family = :family::bigint ORDER BY key;

-- name: anything_of_family
-- Whether a family has content or timelines.
(SELECT 1 FROM clew_content WHERE family = :family::bigint ORDER BY key LIMIT 1)
UNION ALL
(SELECT 1 FROM clew_timeline WHERE family = :family::bigint ORDER BY key LIMIT 1)
LIMIT 1;

-- name: content_of_family
-- All content of a family.
SELECT key, substring(key FOR 16), body FROM clew_content WHERE family = :family::bigint;

-- name: owned_timelines_of_family
-- The timelines of a family, ancestors before their descendants, with the family of their owner.
SELECT t.key, t.session, (SELECT o.family FROM clew_session AS o WHERE o.key = t.session), t.ancestor, t.ancestor_length, t.seal
FROM clew_timeline AS t
WHERE t.family = :family::bigint
ORDER BY t.key;

-- name: entries_of_timeline
-- The entries of a timeline with the hash and family of their content.
SELECT e.position, e.content, e.seal, substring(h.key FOR 16), h.family
FROM clew_entry AS e LEFT JOIN clew_content AS h ON h.family = e.family AND h.key = e.content
WHERE e.family = :family::bigint AND e.timeline = :timeline::bigint
ORDER BY e.position;

-- name: points_of_family
-- Every checkpoint of a family as a point, in the order of their sessions.
SELECT s.id, c.id, c.timeline, c.length, c.chain
FROM clew_session AS s JOIN clew_checkpoint AS c ON c.family = s.family AND c.session = s.key
WHERE s.family = :family::bigint
ORDER BY s.key, c.seq;

-- name: chunks_of_whole
-- The pieces of a long attachment: the hash and length of each.
SELECT k.content, k.position, substring(h.key FOR 16), octet_length(h.body)
FROM clew_chunk AS k LEFT JOIN clew_content AS h ON h.family = k.family AND h.key = k.content
WHERE k.family = :family::bigint AND k.whole = :whole::bytea
ORDER BY k.position;

-- name: no_time_limit
-- A statement may take as long as it does, until the transaction ends.
SET LOCAL statement_timeout = 0;

-- name: stray_tips
-- How many sessions would be listed that are not there.
SELECT count(*) FROM clew_tip AS t WHERE NOT EXISTS (SELECT FROM clew_session AS s WHERE s.key = t.session);

-- name: stray_directories
-- How many former directories belong to sessions that are not there.
SELECT count(*) FROM clew_former_directory AS f
WHERE NOT EXISTS (SELECT FROM clew_session AS s WHERE s.key = f.session);

-- name: strays_of_family
-- How many rows of a family lead nowhere or are there twice, by what they are.
SELECT 'checkpoint', count(*) FROM clew_checkpoint AS c WHERE c.family = :family::bigint
    AND NOT EXISTS (SELECT FROM clew_session AS s WHERE s.key = c.session AND s.family = c.family)
UNION ALL
SELECT 'entry', count(*) FROM clew_entry AS e WHERE e.family = :family::bigint
    AND NOT EXISTS (SELECT FROM clew_timeline AS l WHERE l.family = e.family AND l.key = e.timeline)
UNION ALL
SELECT 'attachment', count(*) FROM clew_attachment AS a WHERE a.family = :family::bigint
    AND NOT EXISTS (SELECT FROM clew_session AS s WHERE s.key = a.session AND s.family = a.family)
UNION ALL
SELECT 'waiting', count(*) FROM clew_waiting_attachment AS a WHERE a.family = :family::bigint
    AND NOT EXISTS (SELECT FROM clew_session AS s WHERE s.key = a.session AND s.family = a.family)
UNION ALL
SELECT 'chunk', count(*) FROM clew_chunk AS k WHERE k.family = :family::bigint
    AND NOT EXISTS (SELECT FROM clew_attachment AS a WHERE a.family = k.family AND a.content = k.whole)
    AND NOT EXISTS (SELECT FROM clew_waiting_attachment AS a WHERE a.family = k.family AND a.content = k.whole)
    AND NOT (
        EXISTS (SELECT FROM clew_content AS h WHERE h.family = k.family AND h.key = k.whole)
        AND EXISTS (SELECT FROM clew_content AS h WHERE h.family = k.family AND h.key = k.content)
    )
UNION ALL
SELECT 'tip', count(*) FROM clew_session AS s JOIN clew_tip AS t ON t.session = s.key
WHERE s.family = :family::bigint AND t.id <> s.id
UNION ALL
SELECT 'id', count(*) FROM clew_checkpoint AS c
CROSS JOIN LATERAL (SELECT FROM clew_checkpoint AS o WHERE o.id = c.id AND o.family <> c.family OFFSET 0) AS others
WHERE c.family = :family::bigint
UNION ALL
SELECT 'label', count(*) FROM (
    SELECT FROM clew_checkpoint AS c WHERE c.family = :family::bigint AND c.label IS NOT NULL
    GROUP BY c.session, c.label HAVING count(*) > 1
) AS twice;

-- name: disowned_of_family
-- The sessions of a family that are not listed as those of their owner.
SELECT s.id FROM clew_session AS s JOIN clew_tip AS t ON t.session = s.key
WHERE s.family = :family::bigint AND t.owner IS DISTINCT FROM s.owner;

-- name: searched_of_family
-- All of a family that filters look into and all metadata: its hash, itself, what filters see, and one who has it.
WITH held (key, session, checkpoint) AS (
    SELECT s.metadata, s.id, NULL::uuid FROM clew_session AS s WHERE s.family = :family::bigint AND s.metadata IS NOT NULL
    UNION ALL
    (
        SELECT DISTINCT ON (c.metadata) c.metadata, s.id, c.id
        FROM clew_checkpoint AS c
        CROSS JOIN LATERAL (SELECT o.id FROM clew_session AS o WHERE o.key = c.session OFFSET 0) AS s
        WHERE c.family = :family::bigint AND c.metadata IS NOT NULL
        ORDER BY c.metadata, c.session, c.seq
    )
)
SELECT substring(m.key FOR 16), m.body, m.object::text, held.session, held.checkpoint
FROM clew_content AS m LEFT JOIN held ON held.key = m.key
WHERE m.family = :family::bigint AND (m.object IS NOT NULL OR held.key IS NOT NULL);

-- name: count_sessions
-- How many sessions there are of each status, by looking at each, and as counted: unknown where a counter is lost.
SELECT known.status, (SELECT CASE count(*) WHEN 16 THEN sum(c.sessions)::bigint END FROM clew_session_count AS c WHERE c.status = known.status),
    (SELECT count(*) FROM clew_tip AS t WHERE t.status = known.status)
FROM (VALUES ('ACTIVE'), ('DELETED')) AS known (status);

-- name: size
-- The bytes that the rows of the store and their indexes take.
WITH ours AS (
    SELECT oid, reltoastrelid FROM pg_class
    WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND relkind = 'r' AND relname LIKE 'clew\_%'
), kept AS (
    SELECT oid FROM ours UNION ALL SELECT reltoastrelid FROM ours WHERE reltoastrelid <> 0
)
SELECT coalesce(sum(pg_relation_size(oid)), 0)::bigint FROM (
    SELECT oid FROM kept UNION ALL SELECT i.indexrelid FROM kept JOIN pg_index AS i ON i.indrelid = kept.oid
) AS parts;

-- name: newest_change
-- The number up to which every change is decided, that of the transaction before the oldest that goes on; and the greatest
-- up to there that is there. Others were of transactions that changed nothing, and a crash may give them out again.
SELECT d.number, greatest(
    (SELECT t.changed FROM clew_tip AS t WHERE t.changed <= d.number ORDER BY t.changed DESC LIMIT 1),
    (SELECT p.changed FROM clew_purged AS p WHERE p.changed <= d.number ORDER BY p.changed DESC LIMIT 1),
    0
)
FROM (SELECT origin + pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1 AS number FROM clew_change_origin) AS d;

-- name: changes_are_given
-- Whether no session or purge has a greater number than was given out, be it decided or not.
SELECT greatest((SELECT max(changed) FROM clew_tip), (SELECT max(changed) FROM clew_purged), 0)
    < origin + pg_snapshot_xmax(pg_current_snapshot())::text::bigint
FROM clew_change_origin;

-- name: changes
-- The last change of each session after a number, in order. One that is purged has no revision.
WITH told AS MATERIALIZED (
    (
        SELECT t.session, t.id, t.changed, t.revision, t.updated_at, t.active FROM clew_tip AS t
        WHERE t.changed > :after::bigint AND (:owner::text IS NULL OR t.owner = :owner::text)
        ORDER BY t.changed LIMIT :limit::bigint
    )
    UNION ALL
    (
        SELECT NULL, p.id, p.changed, NULL, NULL, NULL FROM clew_purged AS p
        WHERE p.changed > :after::bigint AND :owner::text IS NULL ORDER BY p.changed LIMIT :limit::bigint
    )
)
SELECT told.id, told.changed, told.revision, told.updated_at, c.id
FROM told
LEFT JOIN LATERAL (SELECT s.family FROM clew_session AS s WHERE s.key = told.session OFFSET 0) AS s ON true
LEFT JOIN LATERAL (
    SELECT c.id FROM clew_checkpoint AS c WHERE c.family = s.family AND c.session = told.session AND c.seq = told.active
    OFFSET 0
) AS c ON true
ORDER BY 2
LIMIT :limit::bigint;

-- name: changes_of_session
-- The same of one session.
SELECT t.id, t.changed, t.revision, t.updated_at, c.id
FROM clew_session AS s
JOIN clew_tip AS t ON t.session = s.key
LEFT JOIN clew_checkpoint AS c ON c.family = s.family AND c.session = s.key AND c.seq = t.active
WHERE s.id = :id::uuid AND t.changed > :after::bigint AND (:owner::text IS NULL OR s.owner = :owner::text)
UNION ALL
SELECT p.id, p.changed, NULL, NULL, NULL FROM clew_purged AS p
WHERE p.id = :id::uuid AND p.changed > :after::bigint AND :owner::text IS NULL
ORDER BY 2;

-- name: insert_key
-- An API key that nobody has used yet.
INSERT INTO clew_api_key (id, digest, name, role, created_at, last_used_at, revoked_at, seal)
VALUES (
    :id::uuid, :digest::bytea, :name::text, :role::text, :created_at::bigint, :last_used_at::bigint, :revoked_at::bigint,
    :seal::integer
);

-- name: list_keys
-- Every API key, oldest first.
SELECT id, digest, name, role, created_at, last_used_at, revoked_at, seal FROM clew_api_key ORDER BY created_at, id;

-- name: key_by_id
-- An API key.
SELECT id, digest, name, role, created_at, last_used_at, revoked_at, seal FROM clew_api_key WHERE id = :id::uuid;

-- name: key_by_digest
-- The API key whose token has this hash.
SELECT id, digest, name, role, created_at, last_used_at, revoked_at, seal FROM clew_api_key WHERE digest = :digest::bytea;

-- name: update_key
-- What may change of an API key.
UPDATE clew_api_key SET last_used_at = :last_used_at::bigint, revoked_at = :revoked_at::bigint, seal = :seal::integer
WHERE id = :id::uuid;

-- name: former_directories
-- Where a session was before, and the seal of each.
SELECT cwd, seal FROM clew_former_directory WHERE session = :session::bigint ORDER BY cwd;

-- name: add_former_directory
-- That a session was in a directory.
INSERT INTO clew_former_directory (session, cwd, seal) VALUES (:session::bigint, :cwd::text, :seal::integer)
ON CONFLICT DO NOTHING;

-- name: delete_former_directories
-- What a purged session leaves of where it was.
DELETE FROM clew_former_directory WHERE session = :session::bigint;

-- name: sessions_in_directory
-- The sessions whose directory begins with these bytes.
SELECT id FROM clew_session
WHERE substring(convert_to(cwd, 'UTF8') FOR octet_length(:beginning::bytea)) = :beginning::bytea
    AND (:owner::text IS NULL OR owner = :owner::text)
ORDER BY key;

-- name: stats_sessions
-- How many sessions there are of each status and source.
SELECT t.status, s.source, count(*) FROM clew_session AS s JOIN clew_tip AS t ON t.session = s.key
WHERE :owner::text IS NULL OR s.owner = :owner::text
GROUP BY t.status, s.source;

-- name: stats_days
-- How many checkpoints were created on each day since 1970, and in how many sessions.
SELECT floor(c.created_at / 86400000000.0)::bigint, count(*), count(DISTINCT c.session)
FROM clew_session AS s JOIN clew_checkpoint AS c ON c.family = s.family AND c.session = s.key
WHERE :owner::text IS NULL OR s.owner = :owner::text
GROUP BY 1
ORDER BY 1;

-- name: stats_stored
-- The messages that checkpoints reach, each once, and their bytes. A timeline is read as far as somebody stands on it, or
-- branches off it: that is its part.
WITH RECURSIVE
point (family, timeline, length, checkpoints) AS MATERIALIZED (
    SELECT c.family, c.timeline, c.length, count(*)
    FROM clew_session AS s JOIN clew_checkpoint AS c ON c.family = s.family AND c.session = s.key
    WHERE c.timeline IS NOT NULL AND (:owner::text IS NULL OR s.owner = :owner::text)
    GROUP BY c.family, c.timeline, c.length
),
above (family, timeline, checkpoints) AS (
    SELECT family, timeline, sum(checkpoints) FROM point GROUP BY family, timeline
    UNION ALL
    SELECT t.family, t.ancestor, above.checkpoints
    FROM above JOIN clew_timeline AS t ON t.family = above.family AND t.key = above.timeline
    WHERE t.ancestor < t.key
),
part (family, timeline, stop, checkpoints) AS MATERIALIZED (
    SELECT family, timeline, stop, sum(checkpoints) FROM (
        SELECT family, timeline, length AS stop, checkpoints FROM point
        UNION ALL
        SELECT t.family, t.ancestor, t.ancestor_length, above.checkpoints
        FROM above JOIN clew_timeline AS t ON t.family = above.family AND t.key = above.timeline
        WHERE t.ancestor < t.key
    ) AS parts
    GROUP BY family, timeline, stop
),
reach (family, timeline, stop) AS MATERIALIZED (
    SELECT family, timeline, max(stop) FROM part GROUP BY family, timeline
)
SELECT count(*), coalesce(sum(octet_length(m.body)), 0)::bigint
FROM (SELECT DISTINCT e.family, e.content FROM reach JOIN clew_entry AS e ON e.family = reach.family AND e.timeline = reach.timeline AND e.position < reach.stop) AS held
JOIN clew_content AS m ON m.family = held.family AND m.key = held.content;

-- name: stats_copied
-- The bytes of the conversations of all checkpoints: of each part of a timeline, as often as checkpoints have it.
WITH RECURSIVE
point (family, timeline, length, checkpoints) AS MATERIALIZED (
    SELECT c.family, c.timeline, c.length, count(*)
    FROM clew_session AS s JOIN clew_checkpoint AS c ON c.family = s.family AND c.session = s.key
    WHERE c.timeline IS NOT NULL AND (:owner::text IS NULL OR s.owner = :owner::text)
    GROUP BY c.family, c.timeline, c.length
),
above (family, timeline, checkpoints) AS (
    SELECT family, timeline, sum(checkpoints) FROM point GROUP BY family, timeline
    UNION ALL
    SELECT t.family, t.ancestor, above.checkpoints
    FROM above JOIN clew_timeline AS t ON t.family = above.family AND t.key = above.timeline
    WHERE t.ancestor < t.key
),
part (family, timeline, stop, checkpoints) AS MATERIALIZED (
    SELECT family, timeline, stop, sum(checkpoints) FROM (
        SELECT family, timeline, length AS stop, checkpoints FROM point
        UNION ALL
        SELECT t.family, t.ancestor, t.ancestor_length, above.checkpoints
        FROM above JOIN clew_timeline AS t ON t.family = above.family AND t.key = above.timeline
        WHERE t.ancestor < t.key
    ) AS parts
    GROUP BY family, timeline, stop
),
reach (family, timeline, stop) AS MATERIALIZED (
    SELECT family, timeline, max(stop) FROM part GROUP BY family, timeline
),
line (family, timeline, position, so_far) AS (
    SELECT e.family, e.timeline, e.position, sum(octet_length(m.body)) OVER (PARTITION BY e.family, e.timeline ORDER BY e.position)
    FROM reach
    JOIN clew_entry AS e ON e.family = reach.family AND e.timeline = reach.timeline AND e.position < reach.stop
    JOIN clew_content AS m ON m.family = e.family AND m.key = e.content
)
SELECT coalesce(sum(part.checkpoints * line.so_far), 0)::bigint
FROM line JOIN part ON part.family = line.family AND part.timeline = line.timeline AND part.stop = line.position + 1;

-- name: stats_biggest
-- The sessions whose checkpoints have the most bytes of messages, each message once.
WITH RECURSIVE
span (family, session, timeline, stop) AS (
    (
        SELECT c.family, c.session, c.timeline, max(c.length)
        FROM clew_session AS s JOIN clew_checkpoint AS c ON c.family = s.family AND c.session = s.key
        WHERE c.timeline IS NOT NULL AND (:owner::text IS NULL OR s.owner = :owner::text)
        GROUP BY c.family, c.session, c.timeline
    )
    UNION
    SELECT t.family, span.session, t.ancestor, t.ancestor_length
    FROM span JOIN clew_timeline AS t ON t.family = span.family AND t.key = span.timeline
    WHERE t.ancestor < t.key
),
reach (family, session, timeline, stop) AS MATERIALIZED (
    SELECT family, session, timeline, max(stop) FROM span GROUP BY family, session, timeline
),
size (session, bytes) AS MATERIALIZED (
    SELECT held.session, sum(octet_length(m.body))::bigint
    FROM (SELECT DISTINCT e.family, reach.session, e.content FROM reach JOIN clew_entry AS e ON e.family = reach.family AND e.timeline = reach.timeline AND e.position < reach.stop) AS held
    JOIN clew_content AS m ON m.family = held.family AND m.key = held.content
    GROUP BY held.session
    ORDER BY 2 DESC, 1
    LIMIT :limit::bigint
)
SELECT s.id, s.title, size.bytes, t.checkpoint_count
FROM size JOIN clew_session AS s ON s.key = size.session JOIN clew_tip AS t ON t.session = s.key
ORDER BY size.bytes DESC, s.key;

-- name: search_state
-- What the search index knows: the words of which version, of changes up to which number.
SELECT version, changed FROM clew_search_state;

-- name: set_search_state
-- The same, to be known from now on.
UPDATE clew_search_state SET version = :version::bigint, changed = :changed::bigint;

-- name: lock_index
-- Keeps others from changing the search index.
SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.clew_message_index', 0))::text;

-- name: anything_unindexed
-- Whether there are changes that the index does not know, be they decided or not.
SELECT EXISTS (
    SELECT FROM (
        SELECT t.changed FROM clew_tip AS t WHERE t.changed > :changed::bigint ORDER BY t.changed DESC LIMIT 1
    ) AS newest
);

-- name: unindexed_families
-- The families of sessions that have changed after a number, each with the number, in order.
SELECT t.changed, s.family
FROM (
    SELECT k.changed, k.session FROM clew_tip AS k WHERE k.changed > :changed::bigint ORDER BY k.changed LIMIT :limit::bigint
) AS t
CROSS JOIN LATERAL (SELECT k.family FROM clew_session AS k WHERE k.key = t.session OFFSET 0) AS s
ORDER BY t.changed;

-- name: unindexed_timelines
-- The timelines of a family that are longer than the index knows, ancestors first.
SELECT t.key, t.session, t.ancestor_length, i.length, i.seq, e.ends
FROM clew_timeline AS t
LEFT JOIN LATERAL (
    SELECT k.length, k.seq FROM clew_indexed_timeline AS k WHERE k.family = t.family AND k.timeline = t.key OFFSET 0
) AS i ON true
CROSS JOIN LATERAL (
    SELECT k.position + 1 AS ends FROM clew_entry AS k WHERE k.family = t.family AND k.timeline = t.key
    ORDER BY k.position DESC LIMIT 1
) AS e
WHERE t.family = :family::bigint AND e.ends > coalesce(i.length, t.ancestor_length)
ORDER BY t.key;

-- name: unindexed_entries
-- A range of a timeline's own entries, with the body of each message that is not in the index.
SELECT e.position, e.content, substring(e.content FOR 16), CASE WHEN d.content IS NULL THEN c.body END
FROM clew_entry AS e
LEFT JOIN LATERAL (
    SELECT k.content FROM clew_message_index AS k WHERE k.family = :family::bigint AND k.content = e.content OFFSET 0
) AS d ON true
LEFT JOIN LATERAL (
    SELECT k.body FROM clew_content AS k WHERE k.family = :family::bigint AND k.key = e.content OFFSET 0
) AS c ON true
WHERE e.family = :family::bigint AND e.timeline = :timeline::bigint AND e.position >= :start::bigint AND e.position < :stop::bigint
ORDER BY e.position;

-- name: writers_of_entries
-- The checkpoints of a session from one on that reach further on a timeline than a length.
SELECT c.seq, c.length FROM clew_checkpoint AS c
WHERE c.family = :family::bigint AND c.session = :session::bigint AND c.seq >= :seq::bigint AND c.timeline = :timeline::bigint AND c.length > :start::bigint
ORDER BY c.seq
LIMIT :limit::bigint;

-- name: insert_places
-- Where messages stand on a timeline.
INSERT INTO clew_message_place (family, content, timeline, position, seq)
SELECT :family::bigint, n.content, :timeline::bigint, n.position, n.seq
FROM unnest(:contents::bytea[], :positions::bigint[], :seqs::bigint[]) AS n (content, position, seq)
ON CONFLICT DO NOTHING;

-- name: set_indexed
-- How much of a timeline is in the index.
INSERT INTO clew_indexed_timeline (family, timeline, length, seq)
VALUES (:family::bigint, :timeline::bigint, :length::bigint, :seq::bigint)
ON CONFLICT (family, timeline) DO UPDATE SET length = excluded.length, seq = excluded.seq;

-- name: index_messages
-- The words and facts of messages.
INSERT INTO clew_message_index (family, content, words)
SELECT n.family, n.content, n.document::tsvector
FROM unnest(:families::bigint[], :contents::bytea[], :documents::text[]) AS n (family, content, document)
ON CONFLICT DO NOTHING;

-- name: empty_index
-- No message is in the index any more.
DELETE FROM clew_message_index;

-- name: forget_places
-- No message stands anywhere, as far as the index knows.
DELETE FROM clew_message_place;

-- name: forget_indexed
-- Nothing of any timeline is in the index.
DELETE FROM clew_indexed_timeline;

-- name: cut_places
-- The places of entries that are about to go.
DELETE FROM clew_message_place AS p USING clew_entry AS e
WHERE e.family = :family::bigint AND e.timeline = :timeline::bigint AND e.position >= :length::bigint
    AND p.family = :family::bigint AND p.content = e.content AND p.timeline = :timeline::bigint AND p.position = e.position;

-- name: cut_indexed
-- A timeline gets shorter.
UPDATE clew_indexed_timeline SET length = least(length, :length::bigint) WHERE family = :family::bigint AND timeline = :timeline::bigint;

-- name: delete_indexed
-- A timeline goes.
DELETE FROM clew_indexed_timeline WHERE family = :family::bigint AND timeline = :timeline::bigint;

-- name: forget_documents
-- Messages of a family that no timeline has any more.
DELETE FROM clew_message_index AS i WHERE i.family = :family::bigint
    AND NOT EXISTS (SELECT FROM clew_entry AS e WHERE e.family = :family::bigint AND e.content = i.content);

-- name: match_messages
-- A page of the messages that a query finds, none newer than one, the best first, of equal ones the newest.
SELECT found.family, found.content, found.key, found.score
FROM (
    SELECT m.family, m.content, m.key, ts_rank_cd(m.words, :ranked::text::tsquery, 1)::float8 AS score
    FROM clew_message_index AS m
    WHERE m.words @@ :query::text::tsquery AND m.key <= :newest::bigint
) AS found
WHERE :after_key::bigint IS NULL OR found.score < :after_score::text::float8
    OR found.score = :after_score::text::float8 AND found.key < :after_key::bigint
ORDER BY found.score DESC, found.key DESC
LIMIT :limit::bigint;

-- name: newest_indexed
-- The key that the newest message in the index has at most; where that may not be read, one that none has.
SELECT coalesce(
    CASE WHEN has_sequence_privilege(known.keys, 'USAGE, SELECT') THEN pg_sequence_last_value(known.keys::regclass) END,
    9223372036854775807
)
FROM pg_get_serial_sequence('clew_message_index', 'key') AS known (keys);

-- name: places_of_messages
-- Where messages stand, by their order.
SELECT wanted.place - 1, p.timeline, p.position, p.seq, wanted.family, t.session
FROM unnest(:families::bigint[], :keys::bytea[]) WITH ORDINALITY AS wanted (family, key, place)
CROSS JOIN LATERAL (
    SELECT k.timeline, k.position, k.seq FROM clew_message_place AS k
    WHERE k.family = wanted.family AND k.content = wanted.key
    OFFSET 0
) AS p
CROSS JOIN LATERAL (
    SELECT k.session FROM clew_timeline AS k WHERE k.family = wanted.family AND k.key = p.timeline OFFSET 0
) AS t
ORDER BY wanted.place, p.timeline, p.position;

-- name: sessions_by_key
-- Sessions by their keys.
SELECT found.*
FROM json_array_elements_text(:keys::json) AS wanted (key)
CROSS JOIN LATERAL (
    SELECT s.key, s.id, s.family, s.title, s.visibility, t.status, s.cwd, s.source, s.source_id, s.parent_session_id, s.forked_from,
        (SELECT substring(m.key FOR 16) FROM clew_content AS m WHERE m.family = s.family AND m.key = s.metadata),
        s.created_at, s.fingerprint, s.owner, t.active, t.next_seq, t.checkpoint_count, t.revision, t.updated_at,
        t.last_message_at, s.seal, t.tip_seal, s.metadata,
        (SELECT m.body FROM clew_content AS m WHERE m.family = s.family AND m.key = s.metadata)
    FROM clew_session AS s
    LEFT JOIN LATERAL (SELECT * FROM clew_tip AS k WHERE k.session = s.key OFFSET 0) AS t ON true
    WHERE s.key = wanted.key::bigint
    OFFSET 0
) AS found;

-- name: families_searched
-- The families of sessions that a search is about.
SELECT DISTINCT s.family FROM clew_session AS s JOIN clew_tip AS t ON t.session = s.key
WHERE (t.status = 'ACTIVE' AND :active::boolean OR t.status = 'DELETED' AND :deleted::boolean)
    AND (:source::text IS NULL OR s.source = :source::text)
    AND (:cwd::text IS NULL OR s.cwd = :cwd::text
        OR EXISTS (SELECT FROM clew_former_directory AS f WHERE f.session = s.key AND f.cwd = :cwd::text))
LIMIT :limit::bigint;

-- name: families_searched_of_owner
-- The same of the sessions of one owner.
SELECT DISTINCT s.family FROM clew_tip AS t
CROSS JOIN LATERAL (SELECT * FROM clew_session AS k WHERE k.key = t.session OFFSET 0) AS s
WHERE t.owner = :owner::text
    AND (t.status = 'ACTIVE' AND :active::boolean OR t.status = 'DELETED' AND :deleted::boolean)
    AND (:source::text IS NULL OR s.source = :source::text)
    AND (:cwd::text IS NULL OR s.cwd = :cwd::text
        OR EXISTS (SELECT FROM clew_former_directory AS f WHERE f.session = s.key AND f.cwd = :cwd::text))
LIMIT :limit::bigint;

-- name: first_holder
-- The first checkpoint of a session, from one on, whose conversation has a message at a place: it lies on the timeline and
-- reaches further, or on one that continues it from there on.
SELECT (SELECT s.id FROM clew_session AS s WHERE s.key = c.session), c.seq, c.id,
    (SELECT p.id FROM clew_checkpoint AS p WHERE p.family = c.family AND p.session = c.session AND p.seq = c.parent),
    c.timeline, c.length, c.chain,
    (SELECT substring(m.key FOR 16) FROM clew_content AS m WHERE m.family = c.family AND m.key = c.metadata), c.label,
    c.created_at, c.updated_at, c.fingerprint, c.attachment_count, c.metadata, c.seal, c.family
FROM clew_checkpoint AS c
WHERE c.family = :family::bigint AND c.session = :session::bigint AND c.seq BETWEEN :seq::bigint AND :until::bigint
    AND (c.timeline = :timeline::bigint AND c.length > :position::bigint
        OR c.timeline = ANY (ARRAY(SELECT l.key::bigint FROM json_array_elements_text(:timelines::json) AS l (key))))
ORDER BY c.seq
LIMIT 1;

-- name: unindexed_of_family
-- How many messages of a family should be in the index, and are not.
SELECT count(*) FROM clew_indexed_timeline AS i
JOIN clew_entry AS e ON e.family = i.family AND e.timeline = i.timeline AND e.position < i.length
LEFT JOIN clew_message_place AS p ON p.family = e.family AND p.content = e.content AND p.timeline = e.timeline AND p.position = e.position
LEFT JOIN clew_message_index AS d ON d.family = e.family AND d.content = e.content
WHERE i.family = :family::bigint AND (p.content IS NULL OR d.content IS NULL);

-- name: stray_indexed
-- How many messages are in the index, or have a place there, that are not there at all.
SELECT (SELECT count(*) FROM clew_message_index AS d
        WHERE NOT EXISTS (SELECT FROM clew_content AS c WHERE c.family = d.family AND c.key = d.content))
    + (SELECT count(*) FROM clew_message_place AS p WHERE NOT EXISTS (
        SELECT FROM clew_entry AS e
        WHERE e.family = p.family AND e.timeline = p.timeline AND e.position = p.position AND e.content = p.content))
    + (SELECT count(*) FROM clew_indexed_timeline AS i
        WHERE NOT EXISTS (SELECT FROM clew_timeline AS t WHERE t.family = i.family AND t.key = i.timeline));
