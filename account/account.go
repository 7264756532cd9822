// Package account lets people sign up, sign in and stay signed in: users, their passwords, their sessions and API keys, and
// the mails that prove an address.
package account

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"kyrochat/kyro"
)

// Store keeps users and sessions. The deeds of a write are its lines in the audit log: they are stored with it or not at
// all.
type Store interface {
	Networks
	Devices
	Keys
	Letters
	Verifications
	Changes
	Purges
	AuditLog

	// CreateUser stores a user, their first session and their letters in one fact, and deeds as theirs. EMAIL_TAKEN where
	// the address has an account.
	CreateUser(ctx context.Context, user kyro.NewUser, session kyro.Session, deeds ...kyro.AuditEntry) (kyro.User, kyro.Session, error)
	// CredentialsByEmail finds by the normalised address; NOT_FOUND where there is none.
	CredentialsByEmail(ctx context.Context, email string) (kyro.Credentials, error)
	// Credentials finds by the user; NOT_FOUND where there is none.
	Credentials(ctx context.Context, user kyro.ID) (kyro.Credentials, error)
	// SetPasswordHash replaces a hash, if it is still the old one, by one with newer parameters.
	SetPasswordHash(ctx context.Context, user kyro.ID, old, hash string) error
	// Users reads users by id, in any order; ids without a user are left out.
	Users(ctx context.Context, ids []kyro.ID) ([]kyro.User, error)
	// CreateSession stores a session and revokes the user's oldest live ones beyond keep, whose ids it gives. The deeds
	// are done with the new session, and each that is revoked has a line of its own.
	CreateSession(
		ctx context.Context, session kyro.Session, keep int, deeds ...kyro.AuditEntry,
	) (created kyro.Session, revoked []kyro.ID, err error)
	// Session reads one session; NOT_FOUND where there is none.
	Session(ctx context.Context, id kyro.ID) (kyro.Session, error)
	// RotateSession raises the counter by one if it is still from and the session lives. won is false where
	// another call was first; the session is given as it is afterwards either way.
	RotateSession(ctx context.Context, id kyro.ID, from int64, now time.Time) (session kyro.Session, won bool, err error)
	// RevokeSession ends a session of the user. NOT_FOUND where the user has none that lives.
	RevokeSession(ctx context.Context, user, id kyro.ID, now time.Time, deeds ...kyro.AuditEntry) error
}

// Hasher hashes passwords. Both methods may wait for a free processor and answer UNAVAILABLE when too many wait.
type Hasher interface {
	Hash(ctx context.Context, password string) (string, error)
	// Verify compares in constant time. An empty hash is compared with a fixed dummy, at the same cost, and never
	// matches. stale says that the hash should be made anew with today's parameters.
	Verify(ctx context.Context, hash, password string) (ok, stale bool, err error)
}

// Tokens makes and reads the two tokens of a session and those of devices, and makes those of mails, the secrets of API keys, and
// pseudonyms.
type Tokens interface {
	Access(user, session kyro.ID, now time.Time) (token string, expires time.Time, err error)
	// Refresh is the refresh token of a session at a counter: the same each time it is asked.
	Refresh(session kyro.ID, counter int64) string
	// ParseRefresh reads a refresh token this server made; INVALID_TOKEN for anything else.
	ParseRefresh(token string) (session kyro.ID, counter int64, err error)
	// Device makes the token by which a device of the user is known again.
	Device(user kyro.ID, now time.Time) string
	// ParseDevice reads one that this server made; known is false for anything else.
	ParseDevice(token string) (device kyro.DeviceToken, known bool)
	// Pseudonym stands for a text where nobody is to read it, the same each time.
	Pseudonym(text string) string
	// NewAPIKey makes the secret of an API key, and what is kept of it: how it begins, and its hash.
	NewAPIKey() (secret, prefix, hash string)
	// Mailed is the token of a mail: the same each time for a purpose and a seed, under the server's secret. There is one
	// for each secret of the server, today's first.
	Mailed(purpose kyro.TokenPurpose, seed string) []string
}

// Service holds the use cases. Make it with New.
type Service struct {
	store    Store
	users    Cache[kyro.User]
	sessions Cache[kyro.Session]
	keys     Cache[kyro.APIKey]
	places   *lru.Cache[string, keyPlace] // of API keys, by the hash of their secrets
	uses     uses                         // of API keys
	denials  denials                      // of API keys
	hasher   Hasher
	tokens   Tokens
	signUp   kyro.SignUpMode
	idle     time.Duration
	now      func() time.Time
	log      *slog.Logger
	ended    func(credential kyro.ID)

	strength Strength // nil: length alone counts
	attempts Attempts // nil: nothing is counted
	scale    float64  // of the policies of attempts
	limiter  Limiter  // nil: nothing is counted
	rates    Rates

	post      Post
	seed      func() string
	mailRate  kyro.Rate
	verifyTTL time.Duration
	resetTTL  time.Duration

	documents Documents
	exports   Exports
}

// Options are what an operator decides about accounts. Zero fields take the defaults named.
type Options struct {
	SignUp     kyro.SignUpMode  // who may register; CLOSED
	RefreshTTL time.Duration    // how long a session may stay unused; 14 days
	Now        func() time.Time // time.Now
	Log        *slog.Logger     // nothing is logged
	// Ended hears of every session and API key that a use case ended, after it is stored, so that what it has open can
	// be closed at once. It must not wait.
	Ended func(credential kyro.ID)

	Strength Strength // of new passwords; nil: their length alone counts
	// Attempts counts tries at passwords, under the policies of kyro (AttemptsOfDevice and so on); nil: nobody counts them.
	Attempts Attempts
	Scale    float64 // multiplies how often those policies allow; 0 switches them off
	Limiter  Limiter // counts by Rates; nil: nobody does
	Rates    Rates

	Post      Post          // sends mails; needed by Deliver alone
	Seed      func() string // random text that tokens of mails are made from; 128 random bits
	MailRate  kyro.Rate     // of all mails of the installation; the zero Rate is no limit
	VerifyTTL time.Duration // how long a link that confirms an address is good; 24 hours
	ResetTTL  time.Duration // how long a link for a new password is good; 30 minutes

	Documents Documents // removes what the documents of deleted accounts leave; needed by PurgeUser alone
	Exports   Exports   // removes their exports; likewise
}

// How long things are good where nothing is configured.
const (
	DefaultRefreshTTL = 14 * 24 * time.Hour // a session that is not used
	DefaultVerifyTTL  = 24 * time.Hour
	DefaultResetTTL   = 30 * time.Minute
)

// New makes the service on its ports.
func New(store Store, caches Caches, hasher Hasher, tokens Tokens, o Options) *Service {
	if o.SignUp == "" {
		o.SignUp = kyro.SignUpClosed
	}
	if o.RefreshTTL <= 0 {
		o.RefreshTTL = DefaultRefreshTTL
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Ended == nil {
		o.Ended = func(kyro.ID) {}
	}
	if o.Seed == nil {
		o.Seed = rand.Text
	}
	places, _ := lru.New[string, keyPlace](rememberedKeys) // fails for sizes below 1 only
	return &Service{
		store: store, users: caches.Users, sessions: caches.Sessions, keys: caches.Keys, places: places, hasher: hasher, tokens: tokens,
		signUp: o.SignUp, idle: o.RefreshTTL,
		now: func() time.Time { return kyro.Moment(o.Now()) },
		log: o.Log.With("part", "account"), ended: o.Ended,
		strength: o.Strength, attempts: o.Attempts, scale: o.Scale, limiter: o.Limiter, rates: o.Rates,
		post: o.Post, seed: o.Seed, mailRate: o.MailRate,
		verifyTTL: cmp.Or(o.VerifyTTL, DefaultVerifyTTL), resetTTL: cmp.Or(o.ResetTTL, DefaultResetTTL),
		documents: o.Documents, exports: o.Exports,
	}
}
