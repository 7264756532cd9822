DROP TABLE indexings;
DROP INDEX documents_by_embedding;
ALTER TABLE documents DROP COLUMN refreshing_with;
ALTER TABLE documents DROP COLUMN embedded_with;
