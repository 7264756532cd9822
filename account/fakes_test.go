package account_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kyrochat/account"
	"kyrochat/kyro"
	"kyrochat/live"
)

// memory is a Store with the rules of the port. before runs, without the lock, ahead of every rotation.
type memory struct {
	mu       sync.Mutex
	users    map[string]kyro.Credentials
	sessions map[kyro.ID]kyro.Session
	clock    func() time.Time // by which sessions are rotated
	reads    int
	looks    int // for sessions from a network
	before   func()
	failing  error     // of reads and of the end of a session
	readOnly error     // of a new hash, and of a line of the audit log by itself
	evicted  []kyro.ID // by every new session
	letters  []kyro.Letter
	deeds    []kyro.AuditEntry
	signIns  []kyro.AuditEntry // the deeds that new sessions came with
	vault
	changes
	mails
}

func newMemory() *memory {
	return &memory{
		users: map[string]kyro.Credentials{}, sessions: map[kyro.ID]kyro.Session{}, changes: changes{tokens: map[string]kyro.AccountChange{}},
	}
}

func (m *memory) CreateUser(_ context.Context, u kyro.NewUser, s kyro.Session, deeds ...kyro.AuditEntry) (kyro.User, kyro.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.users[u.Email]; taken {
		return kyro.User{}, kyro.Session{}, kyro.Errorf(kyro.CodeEmailTaken, "taken").At("email")
	}
	user := kyro.User{ID: kyro.UserID(int64(len(m.users) + 1)), Email: u.Email, Name: u.Name, CreatedAt: u.CreatedAt}
	m.users[u.Email] = kyro.Credentials{User: user, PasswordHash: u.PasswordHash}
	for _, letter := range u.Letters {
		letter.UserID = user.ID
		m.addLetter(letter)
	}
	s.UserID = user.ID
	s = m.add(s)
	m.note(user.ID, s.ID, deeds)
	return user, s, nil
}

// note keeps deeds that were done with a new session.
func (m *memory) note(user, session kyro.ID, deeds []kyro.AuditEntry) {
	for _, e := range deeds {
		e.UserID, e.By = user, session
		m.signIns = append(m.signIns, e)
	}
}

func (m *memory) add(s kyro.Session) kyro.Session {
	s.ID = kyro.SessionID(int64(len(m.sessions) + 1))
	m.sessions[s.ID] = s
	return s
}

func (m *memory) CredentialsByEmail(_ context.Context, email string) (kyro.Credentials, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing != nil {
		return kyro.Credentials{}, m.failing
	}
	if c, found := m.users[email]; found {
		return c, nil
	}
	return kyro.Credentials{}, kyro.NotFound(kyro.KindUser)
}

func (m *memory) KnownNetwork(_ context.Context, user kyro.ID, prefix string, now time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.looks++
	for _, s := range m.sessions {
		if s.UserID == user && prefix != "" && s.Device.AddressPrefix == prefix && s.Live(now) {
			return true, nil
		}
	}
	return false, nil
}

func (m *memory) SetPasswordHash(_ context.Context, user kyro.ID, old, hash string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for email, c := range m.users {
		if c.User.ID == user && c.PasswordHash == old {
			c.PasswordHash = hash
			m.users[email] = c
		}
	}
	return m.readOnly
}

func (m *memory) Users(_ context.Context, ids []kyro.ID) ([]kyro.User, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	var found []kyro.User
	for _, c := range m.users {
		for _, id := range ids {
			if c.User.ID == id {
				found = append(found, c.User)
			}
		}
	}
	return found, nil
}

func (m *memory) CreateSession(
	_ context.Context, s kyro.Session, keep int, deeds ...kyro.AuditEntry,
) (kyro.Session, []kyro.ID, error) {
	if m.starting != nil {
		m.starting()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if keep != kyro.MaxSessionsPerUser {
		return s, nil, fmt.Errorf("keep is %d", keep)
	}
	for _, id := range m.evicted {
		former := m.sessions[id]
		former.RevokedAt = s.CreatedAt
		m.sessions[id] = former
	}
	s = m.add(s)
	m.note(s.UserID, s.ID, deeds)
	return s, m.evicted, nil
}

func (m *memory) Session(_ context.Context, id kyro.ID) (kyro.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	if m.failing != nil {
		return kyro.Session{}, m.failing
	}
	if s, found := m.sessions[id]; found {
		s.RotatedAgo = m.clock().Sub(s.RotatedAt)
		return s, nil
	}
	return kyro.Session{}, kyro.NotFound(kyro.KindSession)
}

func (m *memory) RotateSession(_ context.Context, id kyro.ID, from int64, now time.Time) (kyro.Session, bool, error) {
	if m.before != nil {
		m.before()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.sessions[id]
	if s.Counter != from || !s.Live(now) {
		s.RotatedAgo = m.clock().Sub(s.RotatedAt)
		return s, false, nil
	}
	s.Counter, s.RotatedAt, s.LastUsedAt = s.Counter+1, m.clock(), now
	m.sessions[id] = s
	return s, true, nil
}

func (m *memory) AuditPage(_ context.Context, user kyro.ID, page kyro.PageRequest) (result kyro.Page[kyro.AuditEntry], err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range append(slices.Clone(m.signIns), m.deeds...) {
		if e.UserID == user && len(result.Nodes) < page.Limit {
			result.Nodes = append(result.Nodes, e)
		}
	}
	return result, m.failing
}

// hashes is a Hasher that writes down what it was asked.
type hashes struct {
	mu       sync.Mutex
	verified []string
	stale    bool
	failing  error
	during   func() // what happens while a password is verified
}

func (h *hashes) Hash(_ context.Context, password string) (string, error) {
	return "hash:" + password, h.failing
}

func (h *hashes) Verify(_ context.Context, hash, password string) (bool, bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.verified = append(h.verified, hash)
	if h.during != nil {
		h.during()
	}
	return hash == "hash:"+password || hash == "old:"+password, h.stale, h.failing
}

// tokens makes readable tokens.
type tokens struct{ keys atomic.Int64 }

func (*tokens) Access(user, session kyro.ID, now time.Time) (string, time.Time, error) {
	return "access " + user.String() + " " + session.String(), now.Add(10 * time.Minute), nil
}

func (*tokens) Refresh(session kyro.ID, counter int64) string {
	return fmt.Sprintf("%d.%d", session.Key, counter)
}

func (*tokens) ParseRefresh(token string) (kyro.ID, int64, error) {
	key, counter, _ := strings.Cut(token, ".")
	k, err1 := strconv.ParseInt(key, 10, 64)
	c, err2 := strconv.ParseInt(counter, 10, 64)
	if errors.Join(err1, err2) != nil {
		return kyro.ID{}, 0, kyro.Errorf(kyro.CodeInvalidToken, "no token")
	}
	return kyro.SessionID(k), c, nil
}

func (*tokens) Device(user kyro.ID, now time.Time) string {
	return fmt.Sprintf("device %d %d", user.Key, now.UnixMicro())
}

func (*tokens) ParseDevice(token string) (d kyro.DeviceToken, known bool) {
	var user, micros int64
	if n, _ := fmt.Sscanf(token, "device %d %d", &user, &micros); n != 2 {
		return kyro.DeviceToken{}, false
	}
	return kyro.DeviceToken{UserID: kyro.UserID(user), ID: token, Issued: time.UnixMicro(micros).UTC()}, true
}

func (*tokens) Pseudonym(text string) string { return "<" + text + ">" }

func (t *tokens) NewAPIKey() (secret, prefix, hash string) {
	secret = fmt.Sprint("secret ", t.keys.Add(1))
	return secret, secret[:3], "hash of " + secret
}

// world is a service with a clock that the test moves.
type world struct {
	*account.Service
	store *memory
	hash  *hashes
	docs  *documents
	ended []kyro.ID
	post  *outbox
	mu    sync.Mutex
	now   time.Time
}

func newWorld(t *testing.T, mode kyro.SignUpMode) *world {
	t.Helper()
	w := &world{store: newMemory(), hash: &hashes{}, docs: &documents{}, post: &outbox{}, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	w.store.clock = w.clock
	caches := account.Caches{
		Users:    remembering(t, live.CacheConfig[kyro.User]{ID: (*kyro.User).NodeID}),
		Sessions: remembering(t, live.CacheConfig[kyro.Session]{ID: (*kyro.Session).NodeID}),
		Keys:     remembering(t, live.CacheConfig[kyro.APIKey]{ID: (*kyro.APIKey).NodeID, Clone: (*kyro.APIKey).Clone}),
	}
	w.Service = account.New(w.store, caches, w.hash, &tokens{}, account.Options{
		SignUp: mode, Now: w.clock, Ended: w.heard, Documents: w.docs, Exports: (*dropped)(w.docs),
		Attempts: live.NewAttempts(live.AttemptsConfig{Now: w.clock}), Scale: 1,
		Limiter: limiters{w.post, live.NewRates(live.RatesConfig{Now: w.clock})}, Rates: account.DefaultRates(), Strength: common{},
		Post: w.post, Seed: w.store.newSeed, MailRate: kyro.Rate{Count: 1, Per: time.Minute},
	})
	return w
}

// limiters counts all mails together as the outbox says, and everything else as it is.
type limiters struct {
	mails *outbox
	rates *live.Rates
}

func (l limiters) Take(ctx context.Context, key string, rate kyro.Rate) (kyro.Allowance, error) {
	if key == "mails" {
		return l.mails.Take(ctx, key, rate)
	}
	return l.rates.Take(ctx, key, rate)
}

func (w *world) heard(ended kyro.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = append(w.ended, ended)
}

// remembering is a cache that forgets nothing by itself as long as a test runs.
func remembering[T any](t *testing.T, c live.CacheConfig[T]) *live.Cache[T] {
	c.TTL = time.Hour
	cache := live.NewCache(c)
	t.Cleanup(cache.Close)
	return cache
}

// common is a Strength that knows one weak password.
type common struct{}

func (common) Weak(password string, about ...string) error {
	if password == "password password" {
		return kyro.Errorf(kyro.CodeWeakPassword, "weak for %v", about).At("password")
	}
	return nil
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

const goodPassword = "correct horse battery"

// register makes an account, of which the letters and the audit log say no more than of one that was made long ago.
func (w *world) register(t *testing.T) account.SignedIn {
	t.Helper()
	defer func() { w.store.letters, w.store.deeds = nil, nil }()
	return w.newcomer(t)
}

// newcomer makes an account.
func (w *world) newcomer(t *testing.T) account.SignedIn {
	t.Helper()
	in, err := w.Register(t.Context(), kyro.Viewer{}, "ada@example.org", goodPassword, "Ada")
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// sessionOf is the session of the only registration.
func (w *world) sessionOf(in account.SignedIn) kyro.Viewer {
	return kyro.Viewer{UserID: in.User.ID, SessionID: kyro.SessionID(1)}
}

func wantCode(t *testing.T, err error, code kyro.Code) {
	t.Helper()
	if got := kyro.ErrorCode(err); got != code {
		t.Fatalf("got %q (%v), want %q", got, err, code)
	}
}
