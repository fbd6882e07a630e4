-- Removes everything that is stored: refused unless the file is empty or the caller says to discard.
DROP TRIGGER session_count_update;
DROP TRIGGER session_count_delete;
DROP TRIGGER session_count_insert;
DROP TABLE session_count;
DROP TABLE entry;
DROP TABLE timeline;
DROP TABLE content;
UPDATE session SET active = NULL;
DROP TABLE checkpoint;
DROP TABLE session;
