-- Removes every attachment: refused where there are any, unless the caller says to discard.
DROP VIEW attachments;
DROP TABLE chunk;
DROP TABLE waiting_attachment;
DROP TABLE attachment;
ALTER TABLE entry DROP COLUMN seal;
ALTER TABLE timeline DROP COLUMN seal;
ALTER TABLE checkpoint DROP COLUMN attachment_count;
ALTER TABLE checkpoint DROP COLUMN seal;
ALTER TABLE session DROP COLUMN tip_seal;
ALTER TABLE session DROP COLUMN seal;
