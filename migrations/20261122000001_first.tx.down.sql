DROP TABLE citations;
DROP TABLE messages;
DROP TABLE conversations;
DROP TABLE embeddings;
{{if not .PG}}DROP TABLE chunk_terms;{{end}}
DROP TABLE chunks;
DROP TABLE document_texts;
DROP TABLE document_originals;
DROP TABLE documents;
DROP TABLE bots;
DROP TABLE sessions;
DROP TABLE users;
