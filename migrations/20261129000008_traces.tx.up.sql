-- Where the trace of an answer goes on, whoever makes it; NULL where nobody records one.
ALTER TABLE messages ADD COLUMN trace TEXT;
