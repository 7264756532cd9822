ALTER TABLE messages DROP COLUMN feedback;
