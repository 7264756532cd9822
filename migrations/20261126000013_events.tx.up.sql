-- What followers of a conversation have seen. events counts all changes that they are told of: a write that makes some
-- takes the next numbers, in its own transaction. changed is the number of the last change of the row itself; added is
-- that of the storing of a message. 0 is before all of it.
ALTER TABLE conversations ADD COLUMN events BIGINT NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN changed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN added BIGINT NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN changed BIGINT NOT NULL DEFAULT 0;
CREATE INDEX messages_by_change ON messages (conversation_id, changed);
