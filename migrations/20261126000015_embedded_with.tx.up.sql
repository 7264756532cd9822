-- What the vectors of a document's active version were made with and where they are: "model@dims", and "|" with the name
-- of the index where there is one outside of the database. Nothing stands for vectors that nobody vouches for.
-- refreshing_with is the same of a job that is to put that right: so there is one for each document.
ALTER TABLE documents ADD COLUMN embedded_with TEXT{{if .PG}} COLLATE "C"{{end}} NOT NULL DEFAULT '';
ALTER TABLE documents ADD COLUMN refreshing_with TEXT{{if .PG}} COLLATE "C"{{end}} NOT NULL DEFAULT '';
CREATE INDEX documents_by_embedding ON documents (embedded_with, id, refreshing_with)
  WHERE deleted_at IS NULL AND active_version > 0;

-- How far a version is on its way into an index outside of the database: done chunks were put in, from the first on;
-- looked counts how often all of them were looked for in vain. Gone once the version is there.
CREATE TABLE indexings (
  document_id BIGINT NOT NULL REFERENCES documents (id),
  version INTEGER NOT NULL,
  embedded_with TEXT NOT NULL,
  done INTEGER NOT NULL,
  looked INTEGER NOT NULL,
  PRIMARY KEY (document_id, version, embedded_with)
);
