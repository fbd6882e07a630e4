-- The tables. Ids are the 16 bytes of a UUID, times whole microseconds since 1970 in UTC, JSON is its own text.
--
-- A family is a session and all its forks; its number is the key of the session that began it. Content (messages,
-- metadata) is stored once a family. A conversation is a timeline: a growing run of entries that may continue an ancestor
-- timeline from a length on. A checkpoint is a point on a timeline, so that it costs a row, however long it is.

CREATE TABLE session (
    key               INTEGER PRIMARY KEY,
    id                BLOB    NOT NULL CHECK (length(id) = 16),
    family            INTEGER NOT NULL,
    title             TEXT    NOT NULL,
    title_folded      TEXT,                -- the title casefolded, for search; NULL where that changes nothing
    visibility        TEXT    NOT NULL CHECK (visibility IN ('PRIVATE', 'PUBLIC')),
    status            TEXT    NOT NULL CHECK (status IN ('ACTIVE', 'DELETED')),
    cwd               TEXT,
    source            TEXT,
    source_id         TEXT,
    parent_session_id BLOB,
    forked_from       BLOB,                -- id of the checkpoint it began as
    metadata          INTEGER,             -- content.key
    revision          INTEGER NOT NULL,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    last_message_at   INTEGER,
    active            INTEGER,             -- checkpoint.seq
    next_seq          INTEGER NOT NULL,    -- of the next checkpoint; never given twice
    checkpoint_count  INTEGER NOT NULL,
    fingerprint       BLOB,                -- of the call, where the caller chose the id
    CHECK ((source IS NULL) = (source_id IS NULL)),
    FOREIGN KEY (key, active) REFERENCES checkpoint (session, seq) DEFERRABLE INITIALLY DEFERRED
) STRICT;

CREATE UNIQUE INDEX session_id ON session (id);

-- The only order in which sessions are listed; a list of every status merges the two halves.
CREATE INDEX session_recent ON session (status, updated_at, id);

CREATE UNIQUE INDEX session_source ON session (source, source_id) WHERE source IS NOT NULL;

-- For purge: the sessions of a family.
CREATE INDEX session_family ON session (family);

CREATE TABLE checkpoint (
    session     INTEGER NOT NULL REFERENCES session (key),
    seq         INTEGER NOT NULL,          -- order of creation within the session
    id          BLOB    NOT NULL CHECK (length(id) = 16),
    parent      INTEGER,                   -- checkpoint.seq of the same session
    timeline    INTEGER,                   -- NULL where there are no messages
    length      INTEGER NOT NULL CHECK (length >= 0),
    chain       BLOB    NOT NULL CHECK (length(chain) = 16),  -- chained hash of the messages in order
    metadata    INTEGER,                   -- content.key
    label       TEXT,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER,                   -- NULL while it is created_at
    fingerprint BLOB,
    PRIMARY KEY (session, seq),
    CHECK ((timeline IS NULL) = (length = 0))
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX checkpoint_id ON checkpoint (id);

CREATE UNIQUE INDEX checkpoint_label ON checkpoint (session, label) WHERE label IS NOT NULL;

CREATE TABLE timeline (
    key             INTEGER PRIMARY KEY,
    family          INTEGER NOT NULL,
    session         INTEGER,               -- the owner, the only one that extends it; NULL once that is purged
    ancestor        INTEGER REFERENCES timeline (key),
    ancestor_length INTEGER NOT NULL,      -- how much of the conversation is the ancestor's; 0 without one
    CHECK ((ancestor IS NULL) = (ancestor_length = 0))
) STRICT;

CREATE INDEX timeline_family ON timeline (family);

CREATE INDEX timeline_ancestor ON timeline (ancestor) WHERE ancestor IS NOT NULL;

-- Positions count from the start of the conversation, so a timeline's own entries begin at its ancestor_length.
CREATE TABLE entry (
    timeline INTEGER NOT NULL REFERENCES timeline (key),
    position INTEGER NOT NULL,
    content  INTEGER NOT NULL,             -- content.key
    PRIMARY KEY (timeline, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE content (
    key    INTEGER PRIMARY KEY,
    family INTEGER NOT NULL,
    hash   BLOB    NOT NULL CHECK (length(hash) = 16),        -- XXH3-128 of the body
    tie    INTEGER NOT NULL,               -- 0; should two bodies ever share a hash, both are kept, the second as 1
    body   ANY     NOT NULL                -- JSON as TEXT
) STRICT;

CREATE UNIQUE INDEX content_hash ON content (family, hash, tie);

CREATE TABLE session_count (
    status   TEXT PRIMARY KEY,
    sessions INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO session_count (status, sessions) VALUES ('ACTIVE', 0), ('DELETED', 0);

CREATE TRIGGER session_count_insert AFTER INSERT ON session BEGIN
    UPDATE session_count SET sessions = sessions + 1 WHERE status = NEW.status;
END;

CREATE TRIGGER session_count_delete AFTER DELETE ON session BEGIN
    UPDATE session_count SET sessions = sessions - 1 WHERE status = OLD.status;
END;

CREATE TRIGGER session_count_update AFTER UPDATE OF status ON session BEGIN
    UPDATE session_count SET sessions = sessions - 1 WHERE status = OLD.status;
    UPDATE session_count SET sessions = sessions + 1 WHERE status = NEW.status;
END;
