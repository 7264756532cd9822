DROP INDEX messages_to_stop;
ALTER TABLE messages DROP COLUMN restarted;
