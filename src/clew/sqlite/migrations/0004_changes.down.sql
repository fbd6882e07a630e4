-- Forgets the numbers of changes, and which sessions were purged.
DELETE FROM counter WHERE name NOT IN ('ACTIVE', 'DELETED');
ALTER TABLE counter RENAME COLUMN value TO sessions;
ALTER TABLE counter RENAME COLUMN name TO status;
ALTER TABLE counter RENAME TO session_count;
ALTER TABLE session DROP COLUMN changed;
