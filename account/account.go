// Package account lets people sign up, sign in and stay signed in: users, their passwords, their sessions and their API
// keys.
package account

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"kyrochat/kyro"
)

// Store keeps users and sessions.
type Store interface {
	// CreateUser stores a user and their first session in one fact. EMAIL_TAKEN where the address has an account.
	CreateUser(ctx context.Context, user kyro.NewUser, session kyro.Session) (kyro.User, kyro.Session, error)
	// CredentialsByEmail finds by the normalised address; NOT_FOUND where there is none.
	CredentialsByEmail(ctx context.Context, email string) (kyro.Credentials, error)
	// SetPasswordHash replaces a hash, if it is still the old one, by one with newer parameters.
	SetPasswordHash(ctx context.Context, user kyro.ID, old, hash string) error
	// Users reads users by id, in any order; ids without a user are left out.
	Users(ctx context.Context, ids []kyro.ID) ([]kyro.User, error)
	// CreateSession stores a session and revokes the user's oldest live ones beyond keep, whose ids it gives.
	CreateSession(ctx context.Context, session kyro.Session, keep int) (created kyro.Session, revoked []kyro.ID, err error)
	// Session reads one session; NOT_FOUND where there is none.
	Session(ctx context.Context, id kyro.ID) (kyro.Session, error)
	// RotateSession raises the counter by one if it is still from and the session lives. won is false where
	// another call was first; the session is given as it is afterwards either way.
	RotateSession(ctx context.Context, id kyro.ID, from int64, now time.Time) (session kyro.Session, won bool, err error)
	// RevokeSession ends a session of the user. NOT_FOUND where the user has none that lives.
	RevokeSession(ctx context.Context, user, id kyro.ID, now time.Time, deeds ...kyro.AuditEntry) error

	Devices
	Keys
	Changes
	Purges
}

// Devices keeps sessions as their users see them.
type Devices interface {
	// Credentials reads those of a user; NOT_FOUND where there is none.
	Credentials(ctx context.Context, user kyro.ID) (kyro.Credentials, error)
	// SessionsOf are the user's sessions that live and were used since, the one used last first.
	SessionsOf(ctx context.Context, user kyro.ID, since, now time.Time) ([]kyro.Session, error)
	// SessionsByID reads those of SessionsOf that have the ids, in any order.
	SessionsByID(ctx context.Context, user kyro.ID, ids []kyro.ID, since, now time.Time) ([]kyro.Session, error)
	// RevokeOtherSessions ends all of the user's sessions but one, and gives the ids of those it ended.
	RevokeOtherSessions(ctx context.Context, user, except kyro.ID, now time.Time, deeds ...kyro.AuditEntry) ([]kyro.ID, error)
	// EndReusedSession ends a session of the user and stores the letter that tells why. ended is false, and nothing is
	// stored, where it was over already.
	EndReusedSession(
		ctx context.Context, user, id kyro.ID, now time.Time, letter kyro.Letter, deeds ...kyro.AuditEntry,
	) (ended bool, err error)
	// EndedCredentials gives those of the sessions and API keys that are good no more, or never were.
	EndedCredentials(ctx context.Context, ids []kyro.ID, now time.Time) ([]kyro.ID, error)
}

// Keys keeps API keys.
type Keys interface {
	// CreateAPIKey stores a key with the hash of its secret and the letter that tells of it; the deeds' target is the
	// key. LIMIT_REACHED where the user has so many that are not revoked.
	CreateAPIKey(
		ctx context.Context, key kyro.APIKey, secretHash string, most int, letter kyro.Letter, deeds ...kyro.AuditEntry,
	) (kyro.APIKey, error)
	// FindAPIKey finds a key by the hash of its secret. NOT_FOUND where there is none, or its account is out of use.
	FindAPIKey(ctx context.Context, secretHash string) (kyro.APIKey, error)
	// APIKeys reads keys of the user, in any order, revoked and expired ones too; none of an account that is out of use.
	APIKeys(ctx context.Context, user kyro.ID, ids []kyro.ID) ([]kyro.APIKey, error)
	// APIKeysOf are the user's keys that are not revoked, newest first.
	APIKeysOf(ctx context.Context, user kyro.ID) ([]kyro.APIKey, error)
	// RevokeAPIKey ends a key of the user. NOT_FOUND where the user has none that is not revoked.
	RevokeAPIKey(ctx context.Context, user, id kyro.ID, now time.Time, deeds ...kyro.AuditEntry) error
	// TouchAPIKeys notes that keys were used in the minute, unless that or a later one is noted.
	TouchAPIKeys(ctx context.Context, ids []kyro.ID, minute time.Time) error
}

// Hasher hashes passwords. Both methods may wait for a free processor and answer UNAVAILABLE when too many wait.
type Hasher interface {
	Hash(ctx context.Context, password string) (string, error)
	// Verify compares in constant time. An empty hash is compared with a fixed dummy, at the same cost, and never
	// matches. stale says that the hash should be made anew with today's parameters.
	Verify(ctx context.Context, hash, password string) (ok, stale bool, err error)
}

// Tokens makes and reads the two tokens of a session, and makes the secrets of API keys.
type Tokens interface {
	Access(user, session kyro.ID, now time.Time) (token string, expires time.Time, err error)
	// Refresh is the refresh token of a session at a counter: the same each time it is asked.
	Refresh(session kyro.ID, counter int64) string
	// ParseRefresh reads a refresh token this server made; INVALID_TOKEN for anything else.
	ParseRefresh(token string) (session kyro.ID, counter int64, err error)
	// NewAPIKey makes the secret of an API key, and what is kept of it: how it begins, and its hash.
	NewAPIKey() (secret, prefix, hash string)
}

// Service holds the use cases. Make it with New.
type Service struct {
	store     Store
	users     Cache[kyro.User]
	sessions  Cache[kyro.Session]
	keys      Cache[kyro.APIKey]
	places    *lru.Cache[string, keyPlace] // of API keys, by the hash of their secrets
	uses      uses                         // of API keys
	hasher    Hasher
	tokens    Tokens
	signUp    kyro.SignUpMode
	idle      time.Duration
	now       func() time.Time
	log       *slog.Logger
	seed      func() string
	ended     func(credential kyro.ID)
	documents Documents
}

// Options are what an operator decides about accounts. Zero fields take the defaults named.
type Options struct {
	SignUp     kyro.SignUpMode  // who may register; CLOSED
	RefreshTTL time.Duration    // how long a session may stay unused; 14 days
	Now        func() time.Time // time.Now
	Log        *slog.Logger     // nothing is logged
	NewSeed    func() string    // of the tokens of mails; 128 random bits at least
	// Ended hears of every session and API key that a use case ended, after it is stored, so that what it has open can
	// be closed at once. It must not wait.
	Ended func(credential kyro.ID)
	// Documents removes what deleted accounts leave; without it none is deleted.
	Documents Documents
}

// DefaultRefreshTTL is how long a session may stay unused where nothing is configured.
const DefaultRefreshTTL = 14 * 24 * time.Hour

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
	if o.NewSeed == nil {
		o.NewSeed = rand.Text
	}
	places, _ := lru.New[string, keyPlace](rememberedKeys) // fails for sizes below 1 only
	return &Service{
		store: store, users: caches.Users, sessions: caches.Sessions, keys: caches.Keys, places: places, hasher: hasher, tokens: tokens,
		signUp: o.SignUp, idle: o.RefreshTTL, seed: o.NewSeed,
		now: func() time.Time { return kyro.Moment(o.Now()) },
		log: o.Log.With("part", "account"), ended: o.Ended,
		documents: o.Documents,
	}
}
