package kyro

import (
	"net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of an account.
const (
	MaxUserName        = 100 // characters
	MaxEmailBytes      = 254 // RFC 5321 §4.5.3.1.3, less the angle brackets
	MinPassword        = 12  // code points
	MaxPassword        = 128 // code points
	MaxPasswordBytes   = 512
	MaxSessionsPerUser = 20 // the oldest goes when one more signs in
)

// User is a person with an account.
type User struct {
	ID            ID
	Email         string
	Name          string
	EmailVerified bool
	CreatedAt     time.Time
}

// AccountGrace is how long a deactivated account can be taken back; then it is purged.
const AccountGrace = 30 * 24 * time.Hour

// NodeID makes User a Node.
func (u *User) NodeID() ID { return u.ID }

// Credentials are what signing in is checked against.
type Credentials struct {
	User              User
	PasswordHash      string     // a PHC string
	PasswordChangedAt time.Time  // device tokens from before count for nothing
	DeactivatedAt     *time.Time // nil while the account is in use
	PurgeAfter        *time.Time // when a deactivated account is deleted; nil: not by itself
	EmailLockedUntil  time.Time  // before this the address cannot be changed; zero where it can
}

// Doubted reports whether the password is one that somebody else knows, too: that of an account whose change of the address
// was undone, for RevertEmailTTL, until a new one is set.
func (c Credentials) Doubted(now time.Time) bool {
	return now.Before(c.EmailLockedUntil) && !c.PasswordChangedAt.After(c.EmailLockedUntil.Add(-RevertEmailTTL))
}

// PasswordChange is a new password of a user who gave the one before.
type PasswordChange struct {
	UserID    ID
	Old, Hash string // PHC strings: the hash that the former one was checked against, and the new one
	SessionID ID     // that asks, and lives on
	At        time.Time
}

// AccountChange is what a change by the link of a mail was about, and what ended with it.
type AccountChange struct {
	UserID ID
	Ended  []ID // sessions and API keys
}

// Purging is how far the deletion of an account has come.
type Purging struct {
	Done      bool // there is nothing to do any more
	Gone      bool // nothing is left of it, since now
	Documents []ID // deleted ones, whose files and vectors have to go before their rows
	Exports   []ID // deleted ones, whose files have to go with their rows
}

// NewUser is an account about to be stored.
type NewUser struct {
	Email, Name, PasswordHash string
	EmailVerified             bool
	CreatedAt                 time.Time
	Letters                   []Letter // stored with the account, which they are about
}

// NormalizeEmail checks an address and gives its canonical form: trimmed and in lower case, which is also what
// makes it unique. It answers VALIDATION for anything that is not one plain address of at most 254 bytes.
func NormalizeEmail(s string) (string, error) {
	s = strings.TrimSpace(s)
	bad := Invalid("email", "%s is not an email address.", quoteShort(s))
	if s == "" || len(s) > MaxEmailBytes || !utf8.ValidString(s) {
		return "", bad
	}
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) || isBidiControl(r) }) {
		return "", bad
	}
	parsed, err := mail.ParseAddress(s)
	if err != nil || parsed.Name != "" || parsed.Address != s {
		return "", bad
	}
	return strings.ToLower(s), nil
}

// CheckUserName trims a name and checks that it has 1 to 100 characters on one line.
func CheckUserName(s string) (string, error) {
	return checkLine("name", "The name", s, MaxUserName)
}

// CheckPassword checks the length of a new password: 12 to 128 code points and at most 512 bytes of any valid
// UTF-8, spaces included; it is used exactly as sent. There are no composition rules (ASVS 5.0, 6.2.5).
func CheckPassword(s string) error {
	n := utf8.RuneCountInString(s)
	switch {
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return Errorf(CodeWeakPassword, "The password is not valid text.").At("password")
	case n < MinPassword:
		return Errorf(CodeWeakPassword,
			"The password needs at least %d characters; a few unrelated words do well.", MinPassword).At("password")
	case n > MaxPassword || len(s) > MaxPasswordBytes:
		return Errorf(CodeWeakPassword, "The password may have at most %d characters.", MaxPassword).At("password")
	}
	return nil
}

// UserPatch changes a profile: a field left out stays.
type UserPatch struct {
	Name Opt[string]
}
