ALTER TABLE messages DROP COLUMN lost;
ALTER TABLE documents DROP COLUMN reached;
