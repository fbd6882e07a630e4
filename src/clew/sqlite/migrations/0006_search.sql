-- Full text search. The index is made of what is stored, by whoever searches (see relational/indexing.py): no write but one
-- that deletes touches it. It can be thrown away at any time, and the next search builds it anew.

-- The words of messages by content.key, and facts of each: its role, its tools, its family. There are no texts in it: what
-- is deleted is taken out with the words of the text that goes with it, so that none stays behind.
CREATE VIRTUAL TABLE message_index USING fts5(words, facts, content = '', tokenize = 'ascii');

INSERT INTO message_index (message_index, rank) VALUES ('secure-delete', 1);

-- Where the messages in the index stand. `seq` is the checkpoint of the timeline's owner that wrote it there, 0 if unknown.
CREATE TABLE message_place (
    content  INTEGER NOT NULL,             -- content.key
    timeline INTEGER NOT NULL,             -- timeline.key
    position INTEGER NOT NULL,
    seq      INTEGER NOT NULL,             -- checkpoint.seq
    PRIMARY KEY (content, timeline, position)
) STRICT, WITHOUT ROWID;

-- How much of each timeline is in the index.
CREATE TABLE indexed_timeline (
    timeline INTEGER PRIMARY KEY,          -- timeline.key
    length   INTEGER NOT NULL,
    seq      INTEGER NOT NULL              -- message_place.seq of the last message of these, or of one before it
) STRICT;

-- Every session whose last change has a number up to `changed` is in the index, whose words are those of `version`.
-- `unmerged` is 1 while the index still has words that were taken out: they go when its parts are merged.
CREATE TABLE search_state (
    version  INTEGER NOT NULL,
    changed  INTEGER NOT NULL,
    unmerged INTEGER NOT NULL
) STRICT;

INSERT INTO search_state (version, changed, unmerged) VALUES (0, 0, 0);

-- Families to be looked at again whatever has changed, because messages of theirs were taken out to be purged.
CREATE TABLE family_to_index (
    family INTEGER PRIMARY KEY             -- session.family
) STRICT;
