-- What documents know of their pages, of how they are cut, and of what was last done about them. last_run is a
-- kyro.DocumentRun; page_chars the characters found on each page. etag and last_modified are those of the page as it was
-- last fetched; sync_hours says how often it is looked at, sync_at when next, checked_at when last.
ALTER TABLE documents ADD COLUMN page_chars {{.JSON}};
ALTER TABLE documents ADD COLUMN chunk_tokens INTEGER;
ALTER TABLE documents ADD COLUMN overlap_tokens INTEGER;
ALTER TABLE documents ADD COLUMN last_run {{.JSON}};
ALTER TABLE documents ADD COLUMN crawl_id BIGINT;
ALTER TABLE documents ADD COLUMN etag TEXT NOT NULL DEFAULT '';
ALTER TABLE documents ADD COLUMN last_modified TEXT NOT NULL DEFAULT '';
ALTER TABLE documents ADD COLUMN sync_hours INTEGER;
ALTER TABLE documents ADD COLUMN sync_at {{.TS}};
ALTER TABLE documents ADD COLUMN checked_at {{.TS}};
-- What is known of a version that is made beside the active one: a kyro.VersionFacts.
ALTER TABLE documents ADD COLUMN making {{.JSON}};
CREATE INDEX documents_by_url ON documents (bot_id, url) WHERE deleted_at IS NULL AND url <> '';
CREATE INDEX documents_by_sync ON documents (sync_at) WHERE deleted_at IS NULL AND sync_at IS NOT NULL;
