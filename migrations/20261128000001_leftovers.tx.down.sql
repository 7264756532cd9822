DROP INDEX crawls_ended;
ALTER TABLE documents DROP COLUMN fetched_url;
