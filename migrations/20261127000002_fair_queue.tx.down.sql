DROP INDEX documents_by_owner;
DROP INDEX documents_in_line;
DROP INDEX documents_in_work;
ALTER TABLE documents DROP COLUMN queued_run;
