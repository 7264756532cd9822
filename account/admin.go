package account

import (
	"context"
	"crypto/rand"
	"time"

	"kyrochat/kyro"
)

// Admin holds what whoever runs the server may do with accounts, past their owners. No viewer can: it is reached from
// the machine alone. Every deed is a line of the audit log, by an ADMIN, with the operating system's user in it. Make it
// with NewAdmin.
type Admin struct {
	store  AdminStore
	hasher Hasher
	o      AdminOptions
}

// AdminStore keeps what an Admin changes.
type AdminStore interface {
	// Account and AccountByEmail give NOT_FOUND where there is none; addresses are normalised.
	Account(ctx context.Context, id kyro.ID, now time.Time) (kyro.Account, error)
	AccountByEmail(ctx context.Context, email string, now time.Time) (kyro.Account, error)
	Accounts(ctx context.Context, want kyro.AccountQuery, now time.Time) ([]kyro.Account, error)
	// AddUser stores a user without a session, and puts the id into all that goes with it. EMAIL_TAKEN where the address
	// has an account.
	AddUser(ctx context.Context, user kyro.NewUser, letters []kyro.Letter, tokens []kyro.MailToken, deeds ...kyro.AuditEntry) (kyro.User, error)
	// OverwritePassword sets a password whatever it was, ends all sessions and voids links.
	OverwritePassword(ctx context.Context, user kyro.ID, hash string, now time.Time, letters []kyro.Letter, deeds ...kyro.AuditEntry) (ended []kyro.ID, err error)
	// EndAccess ends all sessions, and all API keys if they are to go too.
	EndAccess(ctx context.Context, user kyro.ID, keys bool, now time.Time, deeds ...kyro.AuditEntry) (ended []kyro.ID, err error)
	Deactivate(ctx context.Context, user kyro.ID, purgeAfter *time.Time, now time.Time, letters []kyro.Letter, deeds ...kyro.AuditEntry) (ended []kyro.ID, err error)
	Reactivate(ctx context.Context, user kyro.ID, now time.Time, letters []kyro.Letter, deeds ...kyro.AuditEntry) error
	// PurgeNow has a deactivated account deleted by a job. CONFLICT where it is in use.
	PurgeNow(ctx context.Context, user kyro.ID, now time.Time, deeds ...kyro.AuditEntry) error
	// Remains is what is there of an account; nothing, where it is gone.
	Remains(ctx context.Context, user kyro.ID) (kyro.Remains, error)
	AuditLines(ctx context.Context, want kyro.AuditQuery) ([]kyro.AuditEntry, error)
	Record(ctx context.Context, entries ...kyro.AuditEntry) error
}

// MailedTokens makes the tokens of links, one for each secret of the server; the first is today's.
type MailedTokens interface {
	Mailed(purpose kyro.TokenPurpose, seed string) []string
}

// AdminOptions are what an Admin works with. By is required; other zero fields take the defaults named.
type AdminOptions struct {
	By      string           // the operating system's user, for the audit log
	LinkTTL time.Duration    // how long the link of an invitation is good that is not mailed; 30 minutes
	Now     func() time.Time // time.Now
	NewSeed func() string    // rand.Text
	// Check refuses passwords that are too short or too easy to guess, by WEAK_PASSWORD; kyro.CheckPassword. about is what
	// a good one does not repeat.
	Check func(password string, about ...string) error
	// Ended hears of every session and API key that was ended, after it is stored. It must not wait.
	Ended func(credential kyro.ID)
}

// NewAdmin makes the use cases on their ports.
func NewAdmin(store AdminStore, hasher Hasher, o AdminOptions) *Admin {
	if o.LinkTTL <= 0 {
		o.LinkTTL = DefaultResetTTL
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewSeed == nil {
		o.NewSeed = rand.Text
	}
	if o.Check == nil {
		o.Check = func(password string, _ ...string) error { return kyro.CheckPassword(password) }
	}
	if o.Ended == nil {
		o.Ended = func(kyro.ID) {}
	}
	return &Admin{store: store, hasher: hasher, o: o}
}

// Find gives the account of an address, or of an id such as user_7. NOT_FOUND says which there is none of.
func (a *Admin) Find(ctx context.Context, who string) (kyro.Account, error) {
	if id, err := kyro.ParseID(who); err == nil {
		if err := id.Expect(kyro.KindUser); err != nil {
			return kyro.Account{}, err
		}
		account, err := a.store.Account(ctx, id, a.now())
		return account, missing(err, "There is no account %s.", id)
	}
	address, err := NormalizeEmail(who)
	if err != nil {
		return kyro.Account{}, err
	}
	account, err := a.store.AccountByEmail(ctx, address, a.now())
	return account, missing(err, "There is no account with the address %s.", address)
}

// missing says of what there is none, where an error is NOT_FOUND.
func missing(err error, format string, args ...any) error {
	if kyro.ErrorCode(err) != kyro.CodeNotFound {
		return err
	}
	return kyro.Errorf(kyro.CodeNotFound, format, args...)
}

// List gives accounts in the order of their ids, as many as are asked for.
func (a *Admin) List(ctx context.Context, want kyro.AccountQuery) ([]kyro.Account, error) {
	return a.store.Accounts(ctx, want, a.now())
}

// AuditLog gives lines of the audit log, newest first.
func (a *Admin) AuditLog(ctx context.Context, want kyro.AuditQuery) ([]kyro.AuditEntry, error) {
	return a.store.AuditLines(ctx, want)
}

// RotatedSecret writes down that the server's secret was renewed.
func (a *Admin) RotatedSecret(ctx context.Context) error {
	return a.store.Record(ctx, a.deed(kyro.AuditSecretRotated, kyro.ID{}, ""))
}

// Restored writes down from which backup everything was restored.
func (a *Admin) Restored(ctx context.Context, from string) error {
	return a.store.Record(ctx, a.deed(kyro.AuditBackupRestored, kyro.ID{}, from))
}

// Repaired writes down what was wrong in the database and was repaired.
func (a *Admin) Repaired(ctx context.Context, what string) error {
	return a.store.Record(ctx, a.deed(kyro.AuditDataRepaired, kyro.ID{}, what))
}

func (a *Admin) now() time.Time { return kyro.Moment(a.o.Now()) }

// deed is the line of something that was done to an account.
func (a *Admin) deed(action kyro.AuditAction, user kyro.ID, detail string) kyro.AuditEntry {
	by := "by " + a.o.By
	if detail != "" {
		by = detail + ", " + by
	}
	return kyro.AuditEntry{At: a.now(), UserID: user, Action: action, Succeeded: true, Actor: kyro.ActorAdmin, Detail: by}
}

// letter is a mail to the owner of an account.
func (a *Admin) letter(kind kyro.LetterKind, to string, user kyro.ID, now time.Time) kyro.Letter {
	return kyro.Letter{Kind: kind, To: to, UserID: user, Seed: a.o.NewSeed(), CreatedAt: now}
}
