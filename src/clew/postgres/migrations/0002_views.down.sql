DROP VIEW clew_attachments;
DROP VIEW clew_messages;
DROP VIEW clew_checkpoints;
DROP VIEW clew_sessions;
