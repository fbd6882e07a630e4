-- Numbers for changes, so that those who watch a store can go on where they were. The number of a change is the greatest
-- key of any content plus the counter CHANGES, which grows only where a change brings no content (or takes some away): an
-- append costs no page more. Of sessions that are purged, a counter keeps the number of that change.

ALTER TABLE session ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;  -- number of its last change

UPDATE session SET changed = key;

ALTER TABLE session_count RENAME TO counter;

ALTER TABLE counter RENAME COLUMN status TO name;

ALTER TABLE counter RENAME COLUMN sessions TO value;

INSERT INTO counter (name, value) SELECT 'CHANGES', coalesce(max(key), 0) FROM session;
