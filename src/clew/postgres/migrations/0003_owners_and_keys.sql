-- Whose a session is, and the API keys of a server that stands before the store. Sessions that are there belong to nobody,
-- and their seals stay as they are: an owner is in the seal of a session only where there is one.

ALTER TABLE clew_session ADD COLUMN owner text COLLATE "C";  -- never empty

-- The same once more, for the index; `verify` checks that it is.
ALTER TABLE clew_tip ADD COLUMN owner text COLLATE "C";

-- Two owners may have sessions of one name. Nobody counts as an owner, so NULL, which equals nothing, must not stay one.
DROP INDEX clew_session_source;

CREATE UNIQUE INDEX clew_session_source ON clew_session
    (hashtextextended(source, 0), hashtextextended(source_id, 0), hashtextextended(source_id, 1), coalesce(owner, ''))
    WHERE source IS NOT NULL;

-- The order in which the sessions of one owner are listed. Those of nobody are not in it, and cost nothing here.
CREATE INDEX clew_tip_owner ON clew_tip (owner, status, updated_at, id) WHERE owner IS NOT NULL;

CREATE TABLE clew_api_key (
    id           uuid    PRIMARY KEY,
    digest       bytea   NOT NULL UNIQUE CHECK (octet_length(digest) = 32),  -- SHA-256 of the token, which is kept nowhere
    name         text    COLLATE "C" NOT NULL,                               -- the owner of what is created with it
    role         text    NOT NULL CHECK (role IN ('read', 'write', 'admin')),
    created_at   bigint  NOT NULL,
    last_used_at bigint,
    revoked_at   bigint,
    seal         integer NOT NULL
);

DROP VIEW clew_sessions;

-- One row a session, with the number of messages of its active checkpoint.
CREATE VIEW clew_sessions AS
SELECT s.id, s.title, s.visibility, t.status, s.cwd, s.source, s.source_id, s.parent_session_id, s.forked_from,
    convert_from(m.body, 'UTF8') AS metadata, t.revision, a.length AS message_count, t.checkpoint_count,
    a.id AS active_checkpoint_id,
    timestamptz 'epoch' + s.created_at * interval '1 microsecond' AS created_at,
    timestamptz 'epoch' + t.updated_at * interval '1 microsecond' AS updated_at,
    timestamptz 'epoch' + t.last_message_at * interval '1 microsecond' AS last_message_at,
    s.owner
FROM clew_session AS s
JOIN clew_tip AS t ON t.session = s.key
LEFT JOIN clew_checkpoint AS a ON a.family = s.family AND a.session = s.key AND a.seq = t.active
LEFT JOIN clew_content AS m ON m.family = s.family AND m.key = s.metadata;
