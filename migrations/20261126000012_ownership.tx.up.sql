-- An answer that was lost with its process after it wrote text, and was begun again for that: this happens once.
ALTER TABLE messages ADD COLUMN restarted BOOLEAN NOT NULL DEFAULT FALSE;

-- The running answers of a node that were asked to stop, which every node looks for all the time.
CREATE INDEX messages_to_stop ON messages (lease_owner) WHERE stop_requested AND status IN ('RETRIEVING', 'STREAMING');
