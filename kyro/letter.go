package kyro

import "time"

// LetterKind says what a mail is about.
type LetterKind string

// The kinds of letters. Those with a purpose bring a token, if it turns out that somebody is to have it.
const (
	LetterRegistration  LetterKind = "registration"   // to whoever signed up: the link that makes the account, or "you have one"
	LetterVerification  LetterKind = "verification"   // the link that confirms the address of an account
	LetterPasswordReset LetterKind = "password-reset" // the link for a new password
	LetterEmailChange   LetterKind = "email-change"   // to the new address: the link that makes it the account's

	LetterHasAccount      LetterKind = "has-account"      // what a registration becomes where the address has an account
	LetterPasswordChanged LetterKind = "password-changed" // by the old one, or by a link
	LetterEmailChanged    LetterKind = "email-changed"    // to the old address: with the link that undoes it
	LetterEmailReverted   LetterKind = "email-reverted"   // to the old address that is the account's again: with a link for a new password
	LetterDeactivated     LetterKind = "deactivated"      // with the link that takes the account back
	LetterReactivated     LetterKind = "reactivated"
	LetterAPIKeyCreated   LetterKind = "api-key-created"
	LetterRefreshReused   LetterKind = "refresh-reused" // a session was ended since its refresh token came twice
	LetterExportRequested LetterKind = "export-requested"
	LetterBudgetWarning   LetterKind = "budget-warning" // most of a hard budget is used
)

// Letter is a mail that is wanted. It is stored in the transaction of what it is about, with a job that sends it; only
// then is it found out whether the address has an account, so that asking for it takes the same time for every address.
// It has no secret: the token is made from Seed under the server's secret when the mail is written, the same each time.
type Letter struct {
	Key       int64
	Kind      LetterKind
	To        string // the address
	UserID    ID     // zero where nobody has looked yet whose address it is
	SessionID ID     // that asked for it; zero where none did
	Seed      string // random, for the token
	Device    Device // where it was asked for
	CreatedAt time.Time

	Name         string // of a registration, and of an API key
	PasswordHash string // of a registration
	OldEmail     string // of changes of the address
	NewEmail     string

	Budget *BudgetNotice // of a warning
}

// Mail is a letter that is ready to be sent: what its text says. Address, name and token are in it, so that it is never
// logged, and stored nowhere but in an outbox; see KeptMail.
type Mail struct {
	ID      string // the same each time it is sent: the local part of the Message-ID
	Kind    LetterKind
	To      string
	Name    string    // of the person; empty where there is none
	Token   string    // of the link; empty where the mail has none
	Expires time.Time // of the token
	At      time.Time // when what it tells of happened
	Device  Device    // where that was asked for

	OldEmail, NewEmail string   // of changes of the address
	KeyName            string   // of the API key that was made
	Keys               []string // names of the API keys that live on

	Budget *BudgetNotice // of a warning
}

// TokenPurpose is what the token of a mail is for. A token for one is none for another.
type TokenPurpose string

// The purposes.
const (
	TokenVerifyEmail   TokenPurpose = "verify-email"
	TokenResetPassword TokenPurpose = "reset-password"
	TokenChangeEmail   TokenPurpose = "change-email"
	TokenRevertEmail   TokenPurpose = "revert-email"
	TokenReactivate    TokenPurpose = "reactivate"
)

// How long tokens are good that no setting is for.
const (
	ChangeEmailTTL  = 30 * time.Minute
	RevertEmailTTL  = 72 * time.Hour     // and for so long the address cannot be changed again after it
	RegistrationTTL = 7 * 24 * time.Hour // after which a registration that was never confirmed is forgotten
)

// LetterTTL is how old a letter may be when it is sent: who asked for it has forgotten it later, or asked again.
const LetterTTL = 24 * time.Hour

// MailsKept is how long letters and tokens are kept after their end, for whoever looks into what happened.
const MailsKept = 30 * 24 * time.Hour

// MailToken is what is kept of a token that was mailed: its hash, whom and what it is for. It is good once, until it
// expires, for as long as Email is still the account's address.
type MailToken struct {
	Hash      string // SHA-256 of the token, in hexadecimal
	Purpose   TokenPurpose
	UserID    ID     // zero for a registration
	Email     string // the account's address when it was made
	NewEmail  string // of a change; of a revert, the address that is to be the account's again
	SessionID ID     // that asked for a change of the address, and lives on
	CreatedAt time.Time
	ExpiresAt time.Time

	Name         string // of a registration
	PasswordHash string // of a registration; empty where several have been made with the address, and the password is to be set by a link
}

// BadMailToken is the one answer to every token that is not good, whatever is wrong with it.
func BadMailToken() *Error {
	return Errorf(CodeInvalidToken, "This link is wrong, was used, is too old, or a newer one was sent. Open the newest mail, or ask for another.").At("token")
}
