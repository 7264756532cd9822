-- How far an ingestion had come, in percent, when it ended without success.
ALTER TABLE documents ADD COLUMN reached {{.Double}} NOT NULL DEFAULT 0;

-- How many attempts at an answer were lost with their process before they wrote a word.
ALTER TABLE messages ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;

-- For databases that were made before the index was.
CREATE INDEX IF NOT EXISTS documents_unfinished ON documents (bot_id, created_at, id)
  WHERE deleted_at IS NULL AND status NOT IN ('READY', 'READY_WITH_WARNINGS', 'NEEDS_OCR', 'FAILED', 'CANCELED');
