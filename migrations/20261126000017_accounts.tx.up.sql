-- When the password was last set (never since the account was made: null), until when the account is out of use, and
-- until when its address stays as it is. purge_after is set where the owner deactivated the account: then it is deleted.
ALTER TABLE users ADD COLUMN password_changed_at {{.TS}};
ALTER TABLE users ADD COLUMN deactivated_at {{.TS}};
ALTER TABLE users ADD COLUMN purge_after {{.TS}};
ALTER TABLE users ADD COLUMN email_locked_until {{.TS}};
CREATE INDEX users_to_purge ON users (purge_after) WHERE purge_after IS NOT NULL;

-- API keys. secret_hash is the SHA-256 of the whole secret, in hexadecimal.
CREATE TABLE api_keys (
  id {{.PK}},
  user_id BIGINT NOT NULL REFERENCES users (id),
  name TEXT NOT NULL,
  prefix TEXT NOT NULL,
  secret_hash TEXT NOT NULL UNIQUE,
  scopes {{.JSON}} NOT NULL,
  networks {{.JSON}} NOT NULL,
  created_at {{.TS}} NOT NULL,
  expires_at {{.TS}},
  last_used_at {{.TS}},
  revoked_at {{.TS}}
);
CREATE INDEX api_keys_user ON api_keys (user_id, id);

-- Mails that are wanted. A job sends each, and ended_at tells that it was sent, or that nobody was to have it. seed is
-- what the token of a mail is made from, under a secret that the database does not have.
CREATE TABLE letters (
  id {{.PK}},
  kind TEXT NOT NULL,
  recipient TEXT NOT NULL,
  user_id BIGINT REFERENCES users (id),
  session_id BIGINT,
  seed TEXT NOT NULL,
  user_agent TEXT NOT NULL,
  address_prefix TEXT NOT NULL,
  name TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  old_email TEXT NOT NULL,
  new_email TEXT NOT NULL,
  created_at {{.TS}} NOT NULL,
  ended_at {{.TS}}
);
CREATE INDEX letters_by_creation ON letters (created_at);
CREATE INDEX letters_user ON letters (user_id) WHERE user_id IS NOT NULL;

-- Tokens that were mailed, by the SHA-256 of each, in hexadecimal. Good until used_at, voided_at or expires_at.
CREATE TABLE mail_tokens (
  id {{.PK}},
  hash TEXT NOT NULL UNIQUE,
  purpose TEXT NOT NULL,
  user_id BIGINT REFERENCES users (id),
  email TEXT NOT NULL,
  new_email TEXT NOT NULL,
  session_id BIGINT,
  name TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  created_at {{.TS}} NOT NULL,
  expires_at {{.TS}} NOT NULL,
  used_at {{.TS}},
  voided_at {{.TS}}
);
CREATE INDEX mail_tokens_user ON mail_tokens (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX mail_tokens_email ON mail_tokens (email, purpose);
CREATE INDEX mail_tokens_by_expiry ON mail_tokens (expires_at);

-- The audit log: lines are only added. hash is the SHA-256, in hexadecimal, over the hash of the line before and all
-- that the line says; of the device it says only device_hash, the SHA-256 of a random salt and of device, so that both
-- can be taken away when a person is to be forgotten, and the chain still holds.
CREATE TABLE audit_log (
  id BIGINT PRIMARY KEY,
  at {{.TS}} NOT NULL,
  user_id BIGINT,
  action TEXT NOT NULL,
  succeeded BOOLEAN NOT NULL,
  actor TEXT NOT NULL,
  by_id TEXT NOT NULL,
  target_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  detail TEXT NOT NULL,
  device TEXT,
  device_salt TEXT,
  device_hash TEXT NOT NULL,
  hash TEXT NOT NULL
);
CREATE INDEX audit_log_user ON audit_log (user_id, id);

-- The end of the chain, in its one row, which whoever adds a line locks: so there is always one line after another.
CREATE TABLE audit_head (
  id INTEGER PRIMARY KEY,
  lines BIGINT NOT NULL,
  hash TEXT NOT NULL
);
INSERT INTO audit_head (id, lines, hash) VALUES (1, 0, '');
