-- One row: what tells this database from every other one that uses the same Redis.
CREATE TABLE installation (
  name TEXT NOT NULL PRIMARY KEY
);
