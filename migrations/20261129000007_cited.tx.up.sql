-- What was said to each bot is counted anew, with what it cost and what answers cite. Nodes of before cannot write such rows.
DROP TABLE rollups;
CREATE TABLE rollups (
  bot_id BIGINT NOT NULL,
  minutes INTEGER NOT NULL,    -- 60 or 15
  slot BIGINT NOT NULL,        -- when it began, in minutes since 1970 in UTC
  figures {{.Bytes}} NOT NULL,
  cited {{.Bytes}} NOT NULL,   -- the documents and passages that answers cite
  PRIMARY KEY (bot_id, minutes, slot)
);
DELETE FROM rollups_due;
UPDATE rollups_until SET hour = 0;
