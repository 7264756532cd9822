package kyro

import "time"

// KeptMail is a mail that was kept in the outbox instead of being sent. Its texts hold tokens: it is for whoever
// develops on this machine, and shown to nobody else.
type KeptMail struct {
	Name    string // of its file
	At      time.Time
	Kind    LetterKind
	To      string
	Subject string
	Text    string // these two only where the mail itself is read, not in a list
	HTML    string
}
