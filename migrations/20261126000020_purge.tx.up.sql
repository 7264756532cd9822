-- When the deletion of an account began: from then on nobody takes it back.
ALTER TABLE users ADD COLUMN purge_began_at {{.TS}};

-- What is left of deleted bots, documents and conversations, for the deletion of their owner.
CREATE INDEX bots_deleted ON bots (owner_id, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX documents_deleted ON documents (owner_id, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX conversations_deleted ON conversations (user_id, id) WHERE deleted_at IS NOT NULL;

-- Addresses that an account had until its address was changed: nobody else takes one while that can be undone.
CREATE INDEX letters_old_email ON letters (old_email) WHERE kind = 'email-changed';
