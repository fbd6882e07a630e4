-- Attachments, and a seal for every row that leads to what a caller is shown: a hash over its values (see rows.py and
-- timelines.py), so that a changed bit is an error and not another title, parent, time or message. clew_seal is a function
-- of clew's.

ALTER TABLE session ADD COLUMN seal INTEGER NOT NULL DEFAULT 0;      -- of what a session is

ALTER TABLE session ADD COLUMN tip_seal INTEGER NOT NULL DEFAULT 0;  -- of what every write to it changes

ALTER TABLE checkpoint ADD COLUMN seal INTEGER NOT NULL DEFAULT 0;

ALTER TABLE checkpoint ADD COLUMN attachment_count INTEGER NOT NULL DEFAULT 0;

UPDATE session SET
    seal = clew_seal(
        id, family, CAST(title AS BLOB), CAST(visibility AS BLOB), CAST(status AS BLOB), CAST(cwd AS BLOB), CAST(source AS BLOB),
        CAST(source_id AS BLOB), parent_session_id, forked_from,
        (SELECT m.hash FROM content AS m WHERE m.key = session.metadata), created_at, fingerprint
    ),
    tip_seal = clew_seal(id, family, active, next_seq, checkpoint_count, revision, updated_at, last_message_at);

UPDATE checkpoint SET
    seal = clew_seal(
        (SELECT s.id FROM session AS s WHERE s.key = checkpoint.session), seq, id,
        (SELECT p.id FROM checkpoint AS p WHERE p.session = checkpoint.session AND p.seq = checkpoint.parent),
        timeline, length, chain, (SELECT m.hash FROM content AS m WHERE m.key = checkpoint.metadata),
        CAST(label AS BLOB), created_at, updated_at, fingerprint, 0
    );

ALTER TABLE timeline ADD COLUMN seal INTEGER NOT NULL DEFAULT 0;

UPDATE timeline SET seal = clew_seal(key, family, ancestor, ancestor_length);

ALTER TABLE entry ADD COLUMN seal INTEGER NOT NULL DEFAULT 0;        -- 15 bits of one: there are many of these rows

UPDATE entry SET
    seal = clew_seal(timeline, position, (SELECT m.hash FROM content AS m WHERE m.key = entry.content)) >> 16;

-- Named bytes beside a checkpoint. `content` is the bytes themselves, or, where there is a chunk_size, the hashes of the
-- pieces in order, which the table chunk leads to.
CREATE TABLE attachment (
    session      INTEGER NOT NULL,
    seq          INTEGER NOT NULL,         -- checkpoint.seq
    name         TEXT    NOT NULL,
    content_type TEXT,
    size         INTEGER NOT NULL CHECK (size >= 0),
    chunk_size   INTEGER CHECK (chunk_size > 0),
    content      INTEGER NOT NULL,         -- content.key
    seal         INTEGER NOT NULL,
    PRIMARY KEY (session, seq, name),
    FOREIGN KEY (session, seq) REFERENCES checkpoint (session, seq)
) STRICT, WITHOUT ROWID;

-- The same for a label that no checkpoint has yet.
CREATE TABLE waiting_attachment (
    session      INTEGER NOT NULL REFERENCES session (key),
    label        TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    content_type TEXT,
    size         INTEGER NOT NULL CHECK (size >= 0),
    chunk_size   INTEGER CHECK (chunk_size > 0),
    content      INTEGER NOT NULL,
    seal         INTEGER NOT NULL,
    PRIMARY KEY (session, label, name)
) STRICT, WITHOUT ROWID;

-- The pieces of a long attachment, each of its chunk_size but the last.
CREATE TABLE chunk (
    whole    INTEGER NOT NULL,             -- content.key of the hashes of the pieces
    position INTEGER NOT NULL CHECK (position >= 0),
    content  INTEGER NOT NULL,             -- content.key of the piece
    PRIMARY KEY (whole, position)
) STRICT, WITHOUT ROWID;

-- For reading by hand, like the views of migration 2: the attachments of every checkpoint, without their bytes.
CREATE VIEW attachments AS
SELECT substr(lower(hex(c.id)), 1, 8) || '-' || substr(lower(hex(c.id)), 9, 4) || '-' || substr(lower(hex(c.id)), 13, 4) || '-' ||
        substr(lower(hex(c.id)), 17, 4) || '-' || substr(lower(hex(c.id)), 21) AS checkpoint_id,
    a.name, a.content_type, a.size
FROM attachment AS a
JOIN checkpoint AS c ON c.session = a.session AND c.seq = a.seq;
