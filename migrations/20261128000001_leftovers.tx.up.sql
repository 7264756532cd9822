-- Where the page of a document was found, after redirections: a page that led to another site from the start may do so again.
ALTER TABLE documents ADD COLUMN fetched_url TEXT NOT NULL DEFAULT '';

-- Crawls that ended, the oldest of which are removed.
CREATE INDEX crawls_ended ON crawls (finished_at) WHERE finished_at IS NOT NULL;
