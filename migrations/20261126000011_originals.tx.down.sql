-- Texts go back to where they were; files have no place there and are lost.
CREATE TABLE document_originals (
  document_id BIGINT PRIMARY KEY REFERENCES documents (id),
  body {{.Bytes}} NOT NULL
);
INSERT INTO document_originals (document_id, body)
  SELECT f.document_id, {{if .PG}}string_agg(f.body, ''::bytea ORDER BY f.part){{else}}CAST(group_concat(f.body, '' ORDER BY f.part) AS BLOB){{end}}
  FROM document_files f JOIN documents d ON d.id = f.document_id WHERE d.kind = 'TEXT' GROUP BY f.document_id;
DROP TABLE document_files;
