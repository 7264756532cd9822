DROP TABLE rollups;
CREATE TABLE rollups (
  bot_id BIGINT NOT NULL,
  minutes INTEGER NOT NULL,
  slot BIGINT NOT NULL,
  figures {{.Bytes}} NOT NULL,
  PRIMARY KEY (bot_id, minutes, slot)
);
DELETE FROM rollups_due;
UPDATE rollups_until SET hour = 0;
