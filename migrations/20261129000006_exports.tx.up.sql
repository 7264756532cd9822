-- Files that people have made of what is theirs, to be downloaded. attempt fences workers; of an attempt that was cut off
-- nobody sees anything. On PostgreSQL without a bucket the file is in export_parts.
CREATE TABLE exports (
  id {{.PK}},
  owner_id BIGINT NOT NULL REFERENCES users (id),
  bot_id BIGINT REFERENCES bots (id),
  kind TEXT NOT NULL,
  format TEXT NOT NULL,
  from_at {{.TS}},
  to_at {{.TS}},
  status TEXT NOT NULL,
  attempt BIGINT NOT NULL DEFAULT 0,
  done INTEGER NOT NULL DEFAULT 0,
  total INTEGER,
  size_bytes BIGINT,
  hash TEXT NOT NULL DEFAULT '',
  object TEXT UNIQUE,
  error_code TEXT NOT NULL DEFAULT '',
  error_text TEXT NOT NULL DEFAULT '',
  created_at {{.TS}} NOT NULL,
  updated_at {{.TS}} NOT NULL,
  finished_at {{.TS}},
  expires_at {{.TS}} NOT NULL,
  deleted_at {{.TS}}
);
CREATE INDEX exports_owner ON exports (owner_id, id);
CREATE INDEX exports_bot ON exports (bot_id) WHERE bot_id IS NOT NULL;
CREATE INDEX exports_expiry ON exports (expires_at) WHERE deleted_at IS NULL;
CREATE TABLE export_parts (
  export_id BIGINT NOT NULL REFERENCES exports (id),
  attempt BIGINT NOT NULL,
  part INTEGER NOT NULL,
  body {{.Bytes}} NOT NULL,
  PRIMARY KEY (export_id, attempt, part)
);
{{if .PG}}
ALTER TABLE export_parts ALTER COLUMN body SET STORAGE EXTERNAL;
{{end}}
