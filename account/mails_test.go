package account_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"
	"time"

	"kyrochat/kyro"
)

// mails are the letters, tokens and lines of the audit log of a memory.
type mails struct {
	ended    map[int64]time.Time
	issued   []token
	keyNames []string // names of the API keys that live, of everybody
	seeds    int
	marking  error // of the end of a letter
}

type token struct {
	kyro.MailToken
	used, voided bool
}

func (m *mails) newSeed() string { m.seeds++; return fmt.Sprintf("seed%d", m.seeds) }

func (m *memory) addLetter(letter kyro.Letter) {
	letter.Key = int64(len(m.letters) + 1)
	m.letters = append(m.letters, letter)
}

func (m *memory) audit(user kyro.ID, deeds []kyro.AuditEntry) {
	for _, deed := range deeds {
		if deed.UserID.IsZero() {
			deed.UserID = user
		}
		m.deeds = append(m.deeds, deed)
	}
}

func (m *memory) AddLetter(_ context.Context, letter kyro.Letter, deeds ...kyro.AuditEntry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing != nil {
		return m.failing
	}
	m.addLetter(letter)
	m.audit(kyro.ID{}, deeds)
	return nil
}

func (m *memory) Letter(_ context.Context, key int64) (kyro.Letter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing != nil {
		return kyro.Letter{}, m.failing
	}
	if _, over := m.mails.ended[key]; over || key > int64(len(m.letters)) {
		return kyro.Letter{}, kyro.Errorf(kyro.CodeNotFound, "Letter not found.")
	}
	return m.letters[key-1], nil
}

func (m *memory) EndLetter(_ context.Context, key int64, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.marking != nil {
		return m.marking
	}
	if m.mails.ended == nil {
		m.mails.ended = map[int64]time.Time{}
	}
	m.mails.ended[key] = now
	return nil
}

func (m *memory) IssueMailToken(
	_ context.Context, _ int64, t kyro.MailToken, former []string, now time.Time, deeds ...kyro.AuditEntry,
) (kyro.MailToken, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, known := range m.issued {
		if known.Hash == t.Hash || slices.Contains(former, known.Hash) {
			return known.MailToken, !known.used && !known.voided && known.ExpiresAt.After(now), nil
		}
	}
	for i, known := range m.issued {
		if known.Purpose != t.Purpose || known.UserID != t.UserID || t.UserID.IsZero() && (known.Email != t.Email || known.PasswordHash != t.PasswordHash) {
			continue
		}
		if known.CreatedAt.After(t.CreatedAt) {
			return t, false, nil
		}
		m.issued[i].voided = true
	}
	m.issued = append(m.issued, token{MailToken: t})
	m.audit(t.UserID, deeds)
	return t, true, nil
}

func (m *memory) MailTokenIssued(_ context.Context, hashes ...string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.issued, func(t token) bool { return slices.Contains(hashes, t.Hash) }), nil
}

func (m *memory) PendingRegistrations(_ context.Context, email string, now time.Time) (pending []kyro.MailToken, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.issued {
		if t.Purpose == kyro.TokenVerifyEmail && t.UserID.IsZero() && t.Email == email && !t.used && !t.voided && t.CreatedAt.After(now.Add(-kyro.RegistrationTTL)) {
			pending = append(pending, t.MailToken)
		}
	}
	slices.Reverse(pending)
	return pending, nil
}

func (m *memory) LiveKeyNames(context.Context, kyro.ID, time.Time) ([]string, error) {
	return m.keyNames, nil
}

func (m *memory) SweepMails(context.Context, time.Time) error { return nil }

// change changes an account past the use cases.
func (m *memory) change(email string, change func(*kyro.Credentials)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.users[email]
	delete(m.users, email)
	change(&c)
	m.users[c.User.Email] = c
}

func (m *memory) good(purpose kyro.TokenPurpose, hash string, now time.Time) *token {
	for i := range m.issued {
		t := &m.issued[i]
		if t.Purpose == purpose && t.Hash == hash && !t.used && !t.voided && t.ExpiresAt.After(now) {
			return t
		}
	}
	return nil
}

func (m *memory) MailToken(_ context.Context, purpose kyro.TokenPurpose, hash string, now time.Time) (kyro.MailToken, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := m.good(purpose, hash, now); t != nil {
		return t.MailToken, nil
	}
	return kyro.MailToken{}, kyro.BadMailToken()
}

func (m *memory) VerifyEmail(_ context.Context, hash string, now time.Time, deeds ...kyro.AuditEntry) (kyro.ID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.good(kyro.TokenVerifyEmail, hash, now)
	if t == nil {
		return kyro.ID{}, kyro.BadMailToken()
	}
	c, exists := m.users[t.Email]
	if t.UserID.IsZero() == exists {
		return kyro.ID{}, kyro.BadMailToken()
	}
	t.used = true
	if !exists {
		c = kyro.Credentials{PasswordHash: t.PasswordHash, User: kyro.User{ID: kyro.UserID(int64(len(m.users) + 1)), Email: t.Email, Name: t.Name, CreatedAt: now}}
	}
	c.User.EmailVerified = true
	m.users[t.Email] = c
	m.audit(c.User.ID, deeds)
	return c.User.ID, nil
}

func (m *memory) ResetPassword(
	_ context.Context, hash, passwordHash string, now time.Time, notice kyro.Letter, deeds ...kyro.AuditEntry,
) (ended []kyro.ID, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.good(kyro.TokenResetPassword, hash, now)
	if t == nil {
		return nil, kyro.BadMailToken()
	}
	t.used = true
	c := m.users[t.Email]
	c.PasswordHash, c.PasswordChangedAt, c.User.EmailVerified = passwordHash, now, true
	m.users[t.Email] = c
	for id, s := range m.sessions {
		if s.UserID == t.UserID && s.RevokedAt.IsZero() {
			s.RevokedAt = now
			m.sessions[id] = s
			ended = append(ended, id)
		}
	}
	m.addLetter(notice)
	m.audit(t.UserID, deeds)
	return ended, nil
}

// Mailed has two secrets, of which the second is a former one.
func (*tokens) Mailed(purpose kyro.TokenPurpose, seed string) []string {
	return []string{fmt.Sprintf("%s of %s", purpose, seed), fmt.Sprintf("former %s of %s", purpose, seed)}
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// outbox is a Post that keeps what it is given, and a limiter that allows as much as is left.
type outbox struct {
	sent    []kyro.Mail
	failing error         // of the mail server
	refuses time.Duration // of the limiter
	taken   []string
	hanging bool
}

func (o *outbox) Send(ctx context.Context, mail kyro.Mail) error {
	if o.hanging {
		<-ctx.Done()
		return ctx.Err()
	}
	if o.failing == nil {
		o.sent = append(o.sent, mail)
	}
	return o.failing
}

func (o *outbox) Take(_ context.Context, key string, rate kyro.Rate) (kyro.Allowance, error) {
	o.taken = append(o.taken, fmt.Sprintf("%s %d", key, rate.Count))
	return kyro.Allowance{Allowed: o.refuses == 0, RetryAfter: o.refuses}, nil
}

// deliver does the job of the newest letter.
func (w *world) deliver(t *testing.T) error {
	t.Helper()
	return w.Deliver(t.Context(), kyro.Job{Kind: kyro.JobMail, Key: int64(len(w.store.letters))})
}

// delivered does it, and gives the one mail that was sent for it; nil where none was.
func (w *world) delivered(t *testing.T) *kyro.Mail {
	t.Helper()
	before := len(w.post.sent)
	if err := w.deliver(t); err != nil {
		t.Fatal(err)
	}
	if _, over := w.store.mails.ended[int64(len(w.store.letters))]; !over {
		t.Error("the letter did not end")
	}
	switch len(w.post.sent) - before {
	case 0:
		return nil
	case 1:
		return &w.post.sent[before]
	}
	t.Fatalf("%d mails of one letter", len(w.post.sent)-before)
	return nil
}

// wanted stores a letter past the use cases.
func (w *world) wanted(letter kyro.Letter) {
	letter.CreatedAt, letter.Seed = w.clock(), w.store.newSeed()
	w.store.addLetter(letter)
}
