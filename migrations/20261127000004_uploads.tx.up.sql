-- Files that are sent in parts, before they are documents. received says how much is there; on PostgreSQL it is in
-- upload_parts, where every node can go on with it, each part with the offset at which it begins. SQLite's is in a folder.
CREATE TABLE upload_slots (
  id {{.PK}},
  owner_id BIGINT NOT NULL REFERENCES users (id),
  bot_id BIGINT NOT NULL REFERENCES bots (id),
  file_name TEXT NOT NULL,
  title TEXT NOT NULL,
  size_bytes BIGINT,
  received BIGINT NOT NULL DEFAULT 0,
  document_id BIGINT REFERENCES documents (id),
  created_at {{.TS}} NOT NULL,
  expires_at {{.TS}} NOT NULL
);
CREATE INDEX upload_slots_owner ON upload_slots (owner_id, id);
CREATE INDEX upload_slots_bot ON upload_slots (bot_id);
CREATE INDEX upload_slots_document ON upload_slots (document_id) WHERE document_id IS NOT NULL;
CREATE INDEX upload_slots_expiry ON upload_slots (expires_at);
CREATE TABLE upload_parts (
  slot_id BIGINT NOT NULL REFERENCES upload_slots (id),
  at BIGINT NOT NULL,
  body {{.Bytes}} NOT NULL,
  PRIMARY KEY (slot_id, at)
);
{{if .PG}}
-- Most files are compressed already.
ALTER TABLE upload_parts ALTER COLUMN body SET STORAGE EXTERNAL;
{{end}}
-- Where originals are that lie in a bucket.
CREATE TABLE document_objects (
  document_id BIGINT NOT NULL REFERENCES documents (id),
  version INTEGER NOT NULL,
  object TEXT NOT NULL UNIQUE,
  PRIMARY KEY (document_id, version)
);
