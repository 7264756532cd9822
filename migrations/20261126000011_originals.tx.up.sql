-- What documents were made from, in parts, so that nobody has to hold a large file in memory: the text of a text
-- document and, on PostgreSQL, the file of any other, where every node can read it. SQLite's files lie in a folder.
CREATE TABLE document_files (
  document_id BIGINT NOT NULL REFERENCES documents (id),
  version INTEGER NOT NULL,
  part INTEGER NOT NULL,
  body {{.Bytes}} NOT NULL,
  PRIMARY KEY (document_id, version, part)
);
{{if .PG}}
-- Most files are compressed already.
ALTER TABLE document_files ALTER COLUMN body SET STORAGE EXTERNAL;
{{end}}
INSERT INTO document_files (document_id, version, part, body) SELECT document_id, 1, 0, body FROM document_originals;
DROP TABLE document_originals;
