-- Removes everything that is stored: refused unless there is nothing or the caller says to discard.
DROP TABLE clew_chunk;
DROP TABLE clew_waiting_attachment;
DROP TABLE clew_attachment;
DROP TABLE clew_content;
DROP TABLE clew_entry;
DROP TABLE clew_timeline;
DROP TABLE clew_checkpoint;
DROP TABLE clew_tip;
DROP FUNCTION clew_count_sessions();
DROP TABLE clew_session_count;
DROP TABLE clew_purged;
DROP TABLE clew_change_origin;
DROP TABLE clew_session;
DROP SEQUENCE clew_key;
