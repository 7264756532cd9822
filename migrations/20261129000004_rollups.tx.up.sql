-- What was said to each bot, counted by the hour and by quarters of hours: for time zones that are off by less than an hour.
CREATE TABLE rollups (
  bot_id BIGINT NOT NULL,
  minutes INTEGER NOT NULL,    -- 60 or 15
  slot BIGINT NOT NULL,        -- when it began, in minutes since 1970 in UTC
  figures {{.Bytes}} NOT NULL,
  PRIMARY KEY (bot_id, minutes, slot)
);

-- Hours of which something changed after they were counted.
CREATE TABLE rollups_due (
  bot_id BIGINT NOT NULL,
  hour BIGINT NOT NULL,        -- as slot
  changes BIGINT NOT NULL,     -- so that whoever changes something once more waits for whoever counts it
  PRIMARY KEY (bot_id, hour)
);

-- Up to when all hours are counted.
CREATE TABLE rollups_until (
  hour BIGINT NOT NULL         -- as slot
);
INSERT INTO rollups_until (hour) VALUES (0);

CREATE INDEX messages_by_time ON messages (created_at);
