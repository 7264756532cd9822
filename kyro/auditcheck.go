package kyro

// AuditMark is the end of the audit log at some time.
type AuditMark struct {
	Lines int64
	Hash  string // in hexadecimal; "" of an empty log
}

// AuditCheck is what a check of the whole audit log found. Its mark is of the lines that fit.
type AuditCheck struct {
	AuditMark
	Broken int64  // the first line that does not fit; 0 where all do
	Why    string // what is wrong with it
}

// Intact reports whether the whole log fits together.
func (c AuditCheck) Intact() bool { return c.Broken == 0 }
