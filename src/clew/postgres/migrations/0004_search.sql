-- Full text search. The index is made of what is stored, by whoever searches (see relational/indexing.py): no write but one
-- that deletes touches it. It can be thrown away at any time, and the next search builds it anew.

-- The words of messages, and facts of each: its role, its tools, its family. They are cut by clew, whatever the server is
-- set to. Not partitioned: a search asks one index.
CREATE TABLE clew_message_index (
    key     bigint   GENERATED ALWAYS AS IDENTITY,
    family  bigint   NOT NULL,
    content bytea    NOT NULL,            -- clew_content.key
    words   tsvector NOT NULL,
    PRIMARY KEY (family, content)
);

CREATE INDEX clew_message_index_words ON clew_message_index USING gin (words);

-- Where the messages in the index stand. `seq` is the checkpoint of the timeline's owner that wrote it there, 0 if unknown.
CREATE TABLE clew_message_place (
    family   bigint NOT NULL,
    content  bytea  NOT NULL,             -- clew_content.key
    timeline bigint NOT NULL,             -- clew_timeline.key
    position bigint NOT NULL,
    seq      bigint NOT NULL,             -- clew_checkpoint.seq
    PRIMARY KEY (family, content, timeline, position)
);

-- How much of each timeline is in the index.
CREATE TABLE clew_indexed_timeline (
    family   bigint NOT NULL,
    timeline bigint NOT NULL,             -- clew_timeline.key
    length   bigint NOT NULL,
    seq      bigint NOT NULL,             -- clew_message_place.seq of the last message of these, or of one before it
    PRIMARY KEY (family, timeline)
);

-- Every session whose last change has a number up to `changed` is in the index, whose words are those of `version`.
CREATE TABLE clew_search_state (
    version bigint NOT NULL,
    changed bigint NOT NULL
);

INSERT INTO clew_search_state (version, changed) VALUES (0, 0);
