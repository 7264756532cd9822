-- Pages. page_url is the address that was asked for, which is fetched; url what the page calls its own. title_given: the
-- owner named the document. lead is what the chunks stand under where that is not the title, claimed the Content-Type of
-- what was fetched last, fetched_type what it is by its content, fetched_run the run that stored it, fetch_tries how often that failed in this run, sync_failures how many
-- scheduled runs failed in a row.
ALTER TABLE documents ADD COLUMN page_url TEXT NOT NULL DEFAULT '';
ALTER TABLE documents ADD COLUMN title_given BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE documents ADD COLUMN lead TEXT NOT NULL DEFAULT '';
ALTER TABLE documents ADD COLUMN claimed TEXT NOT NULL DEFAULT '';
ALTER TABLE documents ADD COLUMN fetched_type TEXT NOT NULL DEFAULT '';
ALTER TABLE documents ADD COLUMN fetched_run BIGINT NOT NULL DEFAULT 0;
ALTER TABLE documents ADD COLUMN fetch_tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE documents ADD COLUMN sync_failures INTEGER NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX documents_by_page ON documents (bot_id, page_url) WHERE deleted_at IS NULL AND page_url <> '';

-- Of the first part of a text: the SHA-256 of the whole text, in hex.
ALTER TABLE document_texts ADD COLUMN hash TEXT;
CREATE INDEX document_texts_by_hash ON document_texts (hash) WHERE hash IS NOT NULL;

-- Walks through sites. begun: it has a job; at most a few of a user do, the others wait for these. deed is the line of the
-- audit log for each document that it adds.
CREATE TABLE crawls (
  id {{.PK}},
  bot_id BIGINT NOT NULL REFERENCES bots (id),
  owner_id BIGINT NOT NULL REFERENCES users (id),
  url TEXT NOT NULL,
  status TEXT NOT NULL,
  status_reason TEXT NOT NULL,
  max_pages INTEGER NOT NULL,
  max_depth INTEGER NOT NULL,
  include {{.JSON}} NOT NULL,
  exclude {{.JSON}} NOT NULL,
  deed {{.JSON}} NOT NULL,
  pages_found INTEGER NOT NULL,
  pages_done INTEGER NOT NULL,
  pages_added INTEGER NOT NULL,
  pages_unchanged INTEGER NOT NULL,
  pages_skipped INTEGER NOT NULL,
  pages_failed INTEGER NOT NULL,
  begun BOOLEAN NOT NULL,
  run BIGINT NOT NULL,
  created_at {{.TS}} NOT NULL,
  updated_at {{.TS}} NOT NULL,
  finished_at {{.TS}}
);
CREATE INDEX crawls_by_creation ON crawls (bot_id, created_at, id);
CREATE INDEX crawls_of_owner ON crawls (owner_id, id);
CREATE INDEX crawls_unfinished ON crawls (owner_id, id) WHERE finished_at IS NULL;

-- The pages that a crawl knows of, in the order they were found. A page waits until its status says what became of it.
CREATE TABLE crawl_pages (
  id {{.PK}},
  crawl_id BIGINT NOT NULL REFERENCES crawls (id),
  place INTEGER NOT NULL,
  url TEXT NOT NULL,
  depth INTEGER NOT NULL,
  status TEXT NOT NULL,
  reason TEXT NOT NULL,
  document_id BIGINT,
  text_hash TEXT NOT NULL,
  tries INTEGER NOT NULL,
  retry_at {{.TS}}
);
CREATE UNIQUE INDEX crawl_pages_once ON crawl_pages (crawl_id, url);
CREATE INDEX crawl_pages_in_order ON crawl_pages (crawl_id, id);
CREATE INDEX crawl_pages_waiting ON crawl_pages (crawl_id, id) WHERE status = 'WAITING';
CREATE INDEX crawl_pages_by_text ON crawl_pages (crawl_id, text_hash) WHERE text_hash <> '';
