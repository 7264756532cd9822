-- People and their signed-in devices.
CREATE TABLE users (
  id {{.PK}},
  email TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  email_verified BOOLEAN NOT NULL,
  created_at {{.TS}} NOT NULL
);

CREATE TABLE sessions (
  id {{.PK}},
  user_id BIGINT NOT NULL REFERENCES users (id),
  counter BIGINT NOT NULL,
  rotated_at {{.TS}} NOT NULL,
  created_at {{.TS}} NOT NULL,
  last_used_at {{.TS}} NOT NULL,
  expires_at {{.TS}} NOT NULL,
  revoked_at {{.TS}},
  user_agent TEXT NOT NULL,
  address_prefix TEXT NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id, id);

-- Bots. name_key is the name folded for search and order, byte by byte on both databases; knowledge grows whenever
-- the live chunks change, so that caches of them notice.
CREATE TABLE bots (
  id {{.PK}},
  owner_id BIGINT NOT NULL REFERENCES users (id),
  name TEXT NOT NULL,
  name_key TEXT{{if .PG}} COLLATE "C"{{end}} NOT NULL,
  description TEXT,
  instructions TEXT,
  welcome_message TEXT,
  suggested_questions {{.JSON}} NOT NULL,
  model TEXT,
  temperature {{.Double}},
  max_output_tokens INTEGER,
  top_k INTEGER NOT NULL,
  min_score {{.Double}},
  no_answer_text TEXT NOT NULL,
  strict BOOLEAN NOT NULL,
  knowledge BIGINT NOT NULL DEFAULT 0,
  created_at {{.TS}} NOT NULL,
  updated_at {{.TS}} NOT NULL,
  deleted_at {{.TS}}
);
CREATE INDEX bots_by_creation ON bots (owner_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX bots_by_name ON bots (owner_id, name_key, id) WHERE deleted_at IS NULL;

-- Documents. version is the one being made, active_version the one that answers use (0: none), run fences workers.
-- active_chunks and active_terms count the chunks of the active version and their terms: a search needs their sums.
CREATE TABLE documents (
  id {{.PK}},
  bot_id BIGINT NOT NULL REFERENCES bots (id),
  owner_id BIGINT NOT NULL REFERENCES users (id),
  kind TEXT NOT NULL,
  title TEXT NOT NULL,
  search_key TEXT NOT NULL,
  file_name TEXT NOT NULL,
  url TEXT NOT NULL,
  mime_type TEXT NOT NULL,
  size_bytes BIGINT,
  version INTEGER NOT NULL,
  active_version INTEGER NOT NULL,
  active_chunks INTEGER NOT NULL DEFAULT 0,
  active_terms BIGINT NOT NULL DEFAULT 0,
  run BIGINT NOT NULL,
  status TEXT NOT NULL,
  status_reason TEXT NOT NULL,
  stage_done INTEGER NOT NULL,
  stage_total INTEGER,
  retry_at {{.TS}},
  page_count INTEGER,
  chunk_count INTEGER NOT NULL,
  char_count INTEGER,
  language TEXT NOT NULL,
  content_hash TEXT NOT NULL,
  warnings {{.JSON}} NOT NULL,
  prepared_version INTEGER NOT NULL,
  created_at {{.TS}} NOT NULL,
  updated_at {{.TS}} NOT NULL,
  ready_at {{.TS}},
  deleted_at {{.TS}}
);
CREATE INDEX documents_by_creation ON documents (bot_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX documents_unfinished ON documents (bot_id, created_at, id)
  WHERE deleted_at IS NULL AND status NOT IN ('READY', 'READY_WITH_WARNINGS', 'NEEDS_OCR', 'FAILED', 'CANCELED');
CREATE INDEX documents_by_content ON documents (bot_id, content_hash) WHERE deleted_at IS NULL;
CREATE INDEX documents_active ON documents (bot_id, id, active_version, active_chunks, active_terms)
  WHERE deleted_at IS NULL AND active_version > 0;

-- The original of a text document, which has no file.
CREATE TABLE document_originals (
  document_id BIGINT PRIMARY KEY REFERENCES documents (id),
  body {{.Bytes}} NOT NULL
);

-- The stored text of a version, in parts, so that a slice of it reads no more than it needs.
CREATE TABLE document_texts (
  document_id BIGINT NOT NULL REFERENCES documents (id),
  version INTEGER NOT NULL,
  char_start INTEGER NOT NULL,
  char_end INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (document_id, version, char_start)
);

-- Chunks of all versions; only those of a live document's active version are ever searched or shown.
CREATE TABLE chunks (
  id {{.PK}},
  document_id BIGINT NOT NULL REFERENCES documents (id),
  bot_id BIGINT NOT NULL,
  version INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  text TEXT NOT NULL,
  heading_path {{.JSON}} NOT NULL,
  page_start INTEGER,
  page_end INTEGER,
  page_turns {{.JSON}},
  char_start INTEGER NOT NULL,
  char_end INTEGER NOT NULL,
  byte_start INTEGER NOT NULL,
  byte_end INTEGER NOT NULL,
  token_count INTEGER NOT NULL,
  term_count INTEGER NOT NULL,
  content_hash TEXT NOT NULL,
  enabled BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX chunks_in_order ON chunks (document_id, version, seq);
CREATE INDEX chunks_by_content ON chunks (content_hash);
CREATE INDEX chunks_disabled ON chunks (bot_id, document_id, version, seq) WHERE NOT enabled;

-- The inverted index: where each search term occurs in a version of a document. chunk_count chunks hold the term;
-- body lists them. The bot stands first in the key, so that a search reads no other bot's postings, and one row
-- covers a whole version, so that a version is made searchable or withdrawn by its document's row alone.
CREATE TABLE postings (
  bot_id BIGINT NOT NULL,
  term TEXT{{if .PG}} COLLATE "C"{{end}} NOT NULL,
  document_id BIGINT NOT NULL,
  version INTEGER NOT NULL,
  chunk_count INTEGER NOT NULL,
  body {{.Bytes}} NOT NULL,
  PRIMARY KEY (bot_id, term, document_id, version)
){{if not .PG}} WITHOUT ROWID{{end}};
CREATE INDEX postings_by_document ON postings (document_id, version);

-- Embeddings by what was embedded: cache and source of every vector index. Little-endian float32, L2-normalised.
CREATE TABLE embeddings (
  content_hash TEXT NOT NULL,
  model TEXT NOT NULL,
  dims INTEGER NOT NULL,
  vector {{.Bytes}} NOT NULL,
  PRIMARY KEY (content_hash, model, dims)
);

-- Conversations and their messages. turn is the id of the turn's user message.
CREATE TABLE conversations (
  id {{.PK}},
  bot_id BIGINT NOT NULL REFERENCES bots (id),
  user_id BIGINT NOT NULL REFERENCES users (id),
  title TEXT NOT NULL,
  title_key TEXT NOT NULL,
  archived BOOLEAN NOT NULL,
  message_count INTEGER NOT NULL,
  last_message_at {{.TS}} NOT NULL,
  created_at {{.TS}} NOT NULL,
  updated_at {{.TS}} NOT NULL,
  deleted_at {{.TS}}
);
CREATE INDEX conversations_by_message ON conversations (user_id, last_message_at, id) WHERE deleted_at IS NULL;
CREATE INDEX conversations_by_creation ON conversations (user_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX conversations_by_bot ON conversations (bot_id, last_message_at, id) WHERE deleted_at IS NULL;

CREATE TABLE messages (
  id {{.PK}},
  conversation_id BIGINT NOT NULL REFERENCES conversations (id),
  turn BIGINT NOT NULL,
  parent_id BIGINT REFERENCES messages (id),
  sender_id BIGINT NOT NULL REFERENCES users (id),
  role TEXT NOT NULL,
  status TEXT NOT NULL,
  text TEXT NOT NULL,
  client_message_id TEXT,
  superseded BOOLEAN NOT NULL,
  attempt BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  lease_owner TEXT NOT NULL,
  lease_until {{.TS}},
  stop_requested BOOLEAN NOT NULL,
  grounding TEXT,
  finish_reason TEXT,
  notices {{.JSON}} NOT NULL,
  usage {{.JSON}},
  error {{.JSON}},
  created_at {{.TS}} NOT NULL,
  completed_at {{.TS}}
);
CREATE INDEX messages_in_order ON messages (conversation_id, turn, id);
CREATE INDEX messages_by_parent ON messages (parent_id);
CREATE UNIQUE INDEX messages_once ON messages (sender_id, client_message_id);
CREATE INDEX messages_unfinished ON messages (conversation_id, id) WHERE status IN ('PENDING', 'RETRIEVING', 'STREAMING');

CREATE TABLE citations (
  message_id BIGINT NOT NULL REFERENCES messages (id),
  seq INTEGER NOT NULL,
  marker INTEGER NOT NULL,
  document_id BIGINT NOT NULL,
  chunk_id BIGINT NOT NULL,
  document_title TEXT NOT NULL,
  document_version INTEGER NOT NULL,
  quote TEXT NOT NULL,
  page_start INTEGER,
  page_end INTEGER,
  char_start INTEGER NOT NULL,
  char_end INTEGER NOT NULL,
  score {{.Double}} NOT NULL,
  similarity {{.Double}},
  verified BOOLEAN NOT NULL,
  PRIMARY KEY (message_id, seq)
);
CREATE INDEX citations_by_document ON citations (document_id);
