DROP VIEW messages;
DROP VIEW checkpoints;
DROP VIEW sessions;
