DROP TABLE document_objects;
DROP TABLE upload_parts;
DROP TABLE upload_slots;
