package kyro

import "time"

// AuditQuery says which lines of the audit log are wanted, of all accounts. They come newest first.
type AuditQuery struct {
	Before ID          // older than this one; zero: from the end
	Limit  int         // at most so many
	UserID ID          // about this account; zero: all
	Action AuditAction // "": all
	Since  time.Time   // not older; zero: all
}
