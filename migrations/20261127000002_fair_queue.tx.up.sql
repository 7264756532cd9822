-- The run of a document that a job was enqueued for: the others of its owner wait in line without one. What is unfinished
-- now has a job already.
ALTER TABLE documents ADD COLUMN queued_run BIGINT NOT NULL DEFAULT 0;
UPDATE documents SET queued_run = run;
CREATE INDEX documents_in_work ON documents (owner_id)
  WHERE deleted_at IS NULL AND queued_run = run AND status NOT IN ('READY', 'READY_WITH_WARNINGS', 'NEEDS_OCR', 'FAILED', 'CANCELED');
CREATE INDEX documents_in_line ON documents (owner_id, id)
  WHERE deleted_at IS NULL AND queued_run <> run AND status NOT IN ('READY', 'READY_WITH_WARNINGS', 'NEEDS_OCR', 'FAILED', 'CANCELED');
-- What a user has, for the limits.
CREATE INDEX documents_by_owner ON documents (owner_id, size_bytes) WHERE deleted_at IS NULL;
