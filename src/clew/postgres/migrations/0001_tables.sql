-- The tables: those of the SQLite file, with what many machines need. Ids are UUIDs, times whole microseconds since 1970
-- in UTC, JSON the bytes of its own text (text of PostgreSQL cannot hold a NUL). Names begin with clew_, so that clew can
-- share a schema with others. Nothing here needs a superuser.
--
-- Everything but the sessions themselves is partitioned by hash of the family, and every key begins with the family: a
-- family's rows are together, and a sharded PostgreSQL can keep them on one node. There are no foreign keys, because each
-- would cost a lock and a lookup with every row; `verify` checks what they would.

CREATE SEQUENCE clew_key;  -- of sessions and timelines; CACHE 1 (the default): what is younger has the greater key

CREATE TABLE clew_session (
    key               bigint   PRIMARY KEY,
    id                uuid     NOT NULL UNIQUE,
    family            bigint   NOT NULL,
    title             text     NOT NULL,
    title_folded      text,                -- the title casefolded, for search; NULL where that changes nothing
    visibility        text     NOT NULL CHECK (visibility IN ('PRIVATE', 'PUBLIC')),
    cwd               text,
    source            text,
    source_id         text,
    parent_session_id uuid,
    forked_from       uuid,                -- id of the checkpoint it began as
    metadata          bytea,               -- clew_content.key
    created_at        bigint   NOT NULL,
    fingerprint       bytea,               -- of the call, where the caller chose the id
    seal              integer  NOT NULL,
    CHECK ((source IS NULL) = (source_id IS NULL))
);

-- Names of other programs may be longer than what an index takes.
CREATE UNIQUE INDEX clew_session_source ON clew_session
    (hashtextextended(source, 0), hashtextextended(source_id, 0), hashtextextended(source_id, 1)) WHERE source IS NOT NULL;

CREATE INDEX clew_session_family ON clew_session (family);

-- What every write to a session changes, apart from the rest: an update of an indexed column writes to every index of its
-- table, and the rest of a session has four that no write of a checkpoint needs.
CREATE TABLE clew_tip (
    session          bigint   PRIMARY KEY,  -- clew_session.key
    id               uuid     NOT NULL,     -- of the session
    status           text     NOT NULL CHECK (status IN ('ACTIVE', 'DELETED')),
    active           bigint,                -- clew_checkpoint.seq
    next_seq         bigint   NOT NULL,     -- of the next checkpoint; never given twice
    checkpoint_count bigint   NOT NULL,
    revision         bigint   NOT NULL,
    updated_at       bigint   NOT NULL,
    last_message_at  bigint,
    tip_seal         integer  NOT NULL,
    changed          bigint   NOT NULL      -- number of the last change: see clew_change_origin
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);

-- The only order in which sessions are listed; a list of every status merges the two halves.
CREATE INDEX clew_tip_recent ON clew_tip (status, updated_at, id);

CREATE INDEX clew_tip_changed ON clew_tip (changed);

-- The number of a change is that of its transaction, which PostgreSQL gives out in order and keeps across a failover.
-- Restored into another cluster, whose transactions have smaller numbers, `origin` is raised by as much as is missing.
CREATE TABLE clew_change_origin (
    origin bigint NOT NULL
);

INSERT INTO clew_change_origin (origin) VALUES (0);

-- Sessions that are gone for good, for those who watch.
CREATE TABLE clew_purged (
    id      uuid   NOT NULL,
    changed bigint NOT NULL
);

CREATE INDEX clew_purged_changed ON clew_purged (changed);

CREATE INDEX clew_purged_id ON clew_purged (id);

-- How many sessions there are: several counters for each status, so that writers do not wait for each other at one row.
CREATE TABLE clew_session_count (
    status   text     NOT NULL,
    slot     smallint NOT NULL,
    sessions bigint   NOT NULL,
    PRIMARY KEY (status, slot)
);

INSERT INTO clew_session_count (status, slot, sessions)
SELECT status, slot, 0 FROM (VALUES ('ACTIVE'), ('DELETED')) AS known (status), generate_series(0, 15) AS slot;

CREATE FUNCTION clew_count_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    counted_in smallint := coalesce(NEW.session, OLD.session) % 16;
BEGIN
    -- Always in the order of the statuses, so that two writers never wait for each other.
    UPDATE clew_session_count SET sessions = sessions + (coalesce(NEW.status, '') = 'ACTIVE')::int - (coalesce(OLD.status, '') = 'ACTIVE')::int
    WHERE status = 'ACTIVE' AND slot = counted_in AND 'ACTIVE' IN (NEW.status, OLD.status);
    UPDATE clew_session_count SET sessions = sessions + (coalesce(NEW.status, '') = 'DELETED')::int - (coalesce(OLD.status, '') = 'DELETED')::int
    WHERE status = 'DELETED' AND slot = counted_in AND 'DELETED' IN (NEW.status, OLD.status);
    RETURN NULL;
END $$;

CREATE TRIGGER clew_session_count AFTER INSERT OR DELETE OR UPDATE OF status ON clew_tip
    FOR EACH ROW EXECUTE FUNCTION clew_count_sessions();

CREATE TABLE clew_checkpoint (
    family           bigint   NOT NULL,
    session          bigint   NOT NULL,
    seq              bigint   NOT NULL,    -- order of creation within the session
    id               uuid     NOT NULL,
    parent           bigint,               -- clew_checkpoint.seq of the same session
    timeline         bigint,               -- NULL where there are no messages
    length           bigint   NOT NULL CHECK (length >= 0),
    chain            bytea    NOT NULL,    -- chained hash of the messages in order
    metadata         bytea,                -- clew_content.key
    label            text     COLLATE "C",
    created_at       bigint   NOT NULL,
    updated_at       bigint,               -- NULL while it is created_at
    fingerprint      bytea,
    attachment_count integer  NOT NULL,
    seal             integer  NOT NULL,
    PRIMARY KEY (family, session, seq),
    UNIQUE (id, family),
    CHECK ((timeline IS NULL) = (length = 0))
) PARTITION BY HASH (family);

-- A label may be longer than what an index takes; the beginnings give the order, and nearly always decide.
CREATE INDEX clew_checkpoint_label ON clew_checkpoint (family, session, left(label, 600)) WHERE label IS NOT NULL;

CREATE TABLE clew_timeline (
    family          bigint   NOT NULL,
    key             bigint   NOT NULL,
    session         bigint,               -- the owner, the only one that extends it; NULL once that is purged
    ancestor        bigint,               -- clew_timeline.key
    ancestor_length bigint   NOT NULL,    -- how much of the conversation is the ancestor's; 0 without one
    seal            integer  NOT NULL,
    PRIMARY KEY (family, key),
    CHECK ((ancestor IS NULL) = (ancestor_length = 0))
) PARTITION BY HASH (family);

-- Positions count from the start of the conversation, so a timeline's own entries begin at its ancestor_length.
CREATE TABLE clew_entry (
    family   bigint   NOT NULL,
    timeline bigint   NOT NULL,
    position bigint   NOT NULL,
    seal     smallint NOT NULL,
    content  bytea    NOT NULL,           -- clew_content.key
    PRIMARY KEY (family, timeline, position)
) PARTITION BY HASH (family);

-- The key is the XXH3-128 hash of the body; should several bodies share a hash, or text and bytes be the same, a number
-- follows it: even for text, odd for bytes.
CREATE TABLE clew_content (
    family bigint NOT NULL,
    key    bytea  NOT NULL,
    body   bytea  NOT NULL,
    object jsonb,                         -- metadata as what filters look into: see objects.py
    PRIMARY KEY (family, key)
) PARTITION BY HASH (family);

-- Named bytes beside a checkpoint. `content` is the bytes themselves, or, where there is a chunk_size, the hashes of the
-- pieces in order, which clew_chunk leads to.
CREATE TABLE clew_attachment (
    family       bigint  NOT NULL,
    session      bigint  NOT NULL,
    seq          bigint  NOT NULL,        -- clew_checkpoint.seq
    name         text    COLLATE "C" NOT NULL,
    content_type text,
    size         bigint  NOT NULL CHECK (size >= 0),
    chunk_size   bigint  CHECK (chunk_size > 0),
    content      bytea   NOT NULL,        -- clew_content.key
    seal         integer NOT NULL
) PARTITION BY HASH (family);

CREATE UNIQUE INDEX clew_attachment_name ON clew_attachment
    (family, session, seq, hashtextextended(name, 0), hashtextextended(name, 1));

-- The same for a label that no checkpoint has yet.
CREATE TABLE clew_waiting_attachment (
    family       bigint  NOT NULL,
    session      bigint  NOT NULL,
    label        text    COLLATE "C" NOT NULL,
    name         text    COLLATE "C" NOT NULL,
    content_type text,
    size         bigint  NOT NULL CHECK (size >= 0),
    chunk_size   bigint  CHECK (chunk_size > 0),
    content      bytea   NOT NULL,
    seal         integer NOT NULL
) PARTITION BY HASH (family);

CREATE UNIQUE INDEX clew_waiting_attachment_name ON clew_waiting_attachment
    (family, session, hashtextextended(label, 0), hashtextextended(label, 1), hashtextextended(name, 0), hashtextextended(name, 1));

-- The pieces of a long attachment, each of its chunk_size but the last.
CREATE TABLE clew_chunk (
    family   bigint NOT NULL,
    whole    bytea  NOT NULL,             -- clew_content.key of the hashes of the pieces
    position bigint NOT NULL CHECK (position >= 0),
    content  bytea  NOT NULL,             -- clew_content.key of the piece
    PRIMARY KEY (family, whole, position)
) PARTITION BY HASH (family);

DO $$
DECLARE
    parent text;
    part int;
BEGIN
    FOREACH parent IN ARRAY ARRAY['checkpoint', 'timeline', 'entry', 'content', 'attachment', 'waiting_attachment', 'chunk'] LOOP
        FOR part IN 0..15 LOOP
            EXECUTE format('CREATE TABLE clew_%s_%s PARTITION OF clew_%s FOR VALUES WITH (MODULUS 16, REMAINDER %s)', parent, part, parent, part);
        END LOOP;
    END LOOP;
END $$;
