DROP INDEX letters_old_email;
DROP INDEX conversations_deleted;
DROP INDEX documents_deleted;
DROP INDEX bots_deleted;
ALTER TABLE users DROP COLUMN purge_began_at;
