-- What the person of the conversation says of an answer.
ALTER TABLE messages ADD COLUMN feedback {{.JSON}};
