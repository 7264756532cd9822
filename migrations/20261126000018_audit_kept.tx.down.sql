{{if .PG}}
DROP TRIGGER audit_log_added ON audit_log;
DROP TRIGGER audit_log_emptied ON audit_log;
DROP TRIGGER audit_log_changed ON audit_log;
DROP TRIGGER audit_log_removed ON audit_log;
DROP TRIGGER audit_head_emptied ON audit_head;
DROP TRIGGER audit_head_changed ON audit_head;
DROP TRIGGER audit_head_removed ON audit_head;
DROP FUNCTION audit_head_moves();
DROP FUNCTION audit_refuse();
{{else}}
DROP TRIGGER audit_log_added;
DROP TRIGGER audit_log_replaced;
DROP TRIGGER audit_log_changed;
DROP TRIGGER audit_log_removed;
DROP TRIGGER audit_head_replaced;
DROP TRIGGER audit_head_changed;
DROP TRIGGER audit_head_removed;
{{end}}
