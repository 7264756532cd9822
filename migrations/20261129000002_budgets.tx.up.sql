-- What was used, summed up by the hour of UTC in which it was asked for. owner_id: whose account it goes on; key_id 0: in
-- person; kind: for an answer, or to take documents in; cost: in millionths of the currency. Rows of bots and keys that are
-- deleted stay as long as the account, whose sums they are part of.
CREATE TABLE usages (
  owner_id BIGINT NOT NULL REFERENCES users (id),
  hour {{.TS}} NOT NULL,
  bot_id BIGINT NOT NULL,
  key_id BIGINT NOT NULL,
  kind TEXT NOT NULL,
  model TEXT NOT NULL,
  messages BIGINT NOT NULL,
  prompt_tokens BIGINT NOT NULL,
  output_tokens BIGINT NOT NULL,
  cost BIGINT NOT NULL,
  PRIMARY KEY (owner_id, hour, bot_id, key_id, kind, model)
);

-- How much may be spent in a day and in a month (period) of UTC by a user, with a bot or by an API key (scope and
-- target_id); null: any amount.
CREATE TABLE budgets (
  id {{.PK}},
  owner_id BIGINT NOT NULL REFERENCES users (id),
  scope TEXT NOT NULL,
  target_id BIGINT NOT NULL,
  period TEXT NOT NULL,
  max_messages BIGINT,
  max_tokens BIGINT,
  max_cost BIGINT
);
CREATE UNIQUE INDEX budgets_once ON budgets (owner_id, scope, target_id, period);

-- What is spent of a budget in the period that begins at start, and what is held for answers that did not end. There is a
-- row from the first answer on that asked for it. warned: bits of the limits that its owner was told are
-- nearly used up: 1 for messages, 2 for tokens, 4 for money.
CREATE TABLE spendings (
  id {{.PK}},
  owner_id BIGINT NOT NULL REFERENCES users (id),
  scope TEXT NOT NULL,
  target_id BIGINT NOT NULL,
  period TEXT NOT NULL,
  start {{.TS}} NOT NULL,
  messages BIGINT NOT NULL,
  tokens BIGINT NOT NULL,
  cost BIGINT NOT NULL,
  held_messages BIGINT NOT NULL,
  held_tokens BIGINT NOT NULL,
  held_cost BIGINT NOT NULL,
  warned BIGINT NOT NULL
);
CREATE UNIQUE INDEX spendings_once ON spendings (owner_id, scope, target_id, period, start);

-- Of an answer: the API key that it was asked for with, and what is held for it until it ends.
ALTER TABLE messages ADD COLUMN key_id BIGINT;
ALTER TABLE messages ADD COLUMN held {{.JSON}};

-- Of a letter that warns: the budget that is nearly used up.
ALTER TABLE letters ADD COLUMN budget {{.JSON}};
