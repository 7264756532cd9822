-- What keeps the audit log one of lines that are only added, against every statement of the program and of whoever has
-- its rights. An owner of the database can take triggers away; what is done then, the hashes show.
--
-- A line is the one after the last, and moves the head itself. Of what is there, only the device can be taken away.
{{if .PG}}
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'lines are only added to the audit log';
END $$;

CREATE FUNCTION audit_head_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE audit_head SET lines = NEW.id, hash = NEW.hash WHERE id = 1 AND lines = NEW.id - 1;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'lines are only added to the audit log, one after another';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER audit_log_added AFTER INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_head_moves();
CREATE TRIGGER audit_log_emptied BEFORE TRUNCATE ON audit_log EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_head_emptied BEFORE TRUNCATE ON audit_head EXECUTE FUNCTION audit_refuse();
{{else}}
CREATE TRIGGER audit_log_added AFTER INSERT ON audit_log
BEGIN
  UPDATE audit_head SET lines = NEW.id, hash = NEW.hash WHERE id = 1 AND lines = NEW.id - 1;
  SELECT RAISE(ABORT, 'lines are only added to the audit log, one after another') WHERE changes() = 0;
END;
-- INSERT OR REPLACE takes a row out without a word to the trigger of deletes.
CREATE TRIGGER audit_log_replaced BEFORE INSERT ON audit_log WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'lines are only added to the audit log'); END;
CREATE TRIGGER audit_head_replaced BEFORE INSERT ON audit_head WHEN EXISTS (SELECT 1 FROM audit_head WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'lines are only added to the audit log'); END;
{{end}}
CREATE TRIGGER audit_log_changed BEFORE UPDATE ON audit_log {{if .PG}}FOR EACH ROW{{end}}
WHEN (NEW.device IS NOT NULL OR NEW.device_salt IS NOT NULL OR
  (NEW.id, NEW.at, NEW.user_id, NEW.action, NEW.succeeded, NEW.actor, NEW.by_id, NEW.target_id,
  NEW.request_id, NEW.detail, NEW.device_hash, NEW.hash) IS DISTINCT FROM
  (OLD.id, OLD.at, OLD.user_id, OLD.action, OLD.succeeded, OLD.actor, OLD.by_id, OLD.target_id,
  OLD.request_id, OLD.detail, OLD.device_hash, OLD.hash))
{{if .PG}}EXECUTE FUNCTION audit_refuse(){{else}}BEGIN SELECT RAISE(ABORT, 'lines are only added to the audit log'); END{{end}};

CREATE TRIGGER audit_log_removed BEFORE DELETE ON audit_log
{{if .PG}}FOR EACH ROW EXECUTE FUNCTION audit_refuse(){{else}}BEGIN SELECT RAISE(ABORT, 'lines are only added to the audit log'); END{{end}};

CREATE TRIGGER audit_head_changed BEFORE UPDATE ON audit_head {{if .PG}}FOR EACH ROW{{end}}
WHEN ((NEW.id, NEW.lines) IS DISTINCT FROM (OLD.id, OLD.lines + 1))
{{if .PG}}EXECUTE FUNCTION audit_refuse(){{else}}BEGIN SELECT RAISE(ABORT, 'lines are only added to the audit log'); END{{end}};

CREATE TRIGGER audit_head_removed BEFORE DELETE ON audit_head
{{if .PG}}FOR EACH ROW EXECUTE FUNCTION audit_refuse(){{else}}BEGIN SELECT RAISE(ABORT, 'lines are only added to the audit log'); END{{end}};
