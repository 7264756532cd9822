DROP INDEX messages_by_change;
ALTER TABLE messages DROP COLUMN changed;
ALTER TABLE messages DROP COLUMN added;
ALTER TABLE conversations DROP COLUMN changed;
ALTER TABLE conversations DROP COLUMN events;
