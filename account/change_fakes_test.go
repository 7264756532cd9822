package account_test

import (
	"context"
	"slices"
	"strings"
	"time"

	"kyrochat/kyro"
)

// changes is the part of memory for what people change about their accounts: what is wanted of it, and what it was told.
type changes struct {
	tokens  map[string]kyro.AccountChange // by hash: what comes of them
	asked   []string                      // hashes
	away    error                         // of every change
	purging []kyro.Purging                // what the steps of a deletion give
	purged  [][]kyro.ID                   // what they were given
	during  func()                        // runs ahead of a change

	starting func() // runs ahead of a new session
}

func (m *memory) told(letter *kyro.Letter, deeds []kyro.AuditEntry) {
	if letter != nil {
		m.letters = append(m.letters, *letter)
	}
	m.deeds = append(m.deeds, deeds...)
}

func (m *memory) ahead() {
	if m.during != nil {
		m.during()
	}
}

// known is where a user is, with their address; nil where there is none. The caller holds mu.
func (m *memory) known(user kyro.ID) (*kyro.Credentials, string) {
	for email, c := range m.users {
		if c.User.ID == user {
			return &c, email
		}
	}
	return nil, ""
}

func (m *memory) Credentials(_ context.Context, user kyro.ID) (kyro.Credentials, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing != nil {
		return kyro.Credentials{}, m.failing
	}
	if c, _ := m.known(user); c != nil {
		return *c, nil
	}
	return kyro.Credentials{}, kyro.NotFound(kyro.KindUser)
}

func (m *memory) UpdateProfile(_ context.Context, user kyro.ID, name string, deeds ...kyro.AuditEntry) (kyro.User, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, email := m.known(user)
	if c == nil {
		return kyro.User{}, kyro.NotFound(kyro.KindUser)
	}
	c.User.Name = name
	m.users[email] = *c
	m.told(nil, deeds)
	return c.User, m.away
}

func (m *memory) ChangePassword(_ context.Context, p kyro.PasswordChange, letter kyro.Letter, deeds ...kyro.AuditEntry) (kyro.User, []kyro.ID, error) {
	m.ahead()
	m.mu.Lock()
	defer m.mu.Unlock()
	c, email := m.known(p.UserID)
	if c.PasswordHash != p.Old {
		return kyro.User{}, nil, kyro.Errorf(kyro.CodeConflict, "changed")
	}
	c.PasswordHash, c.PasswordChangedAt = p.Hash, p.At
	m.users[email] = *c
	m.told(&letter, deeds)
	return c.User, m.endAll(p.UserID, p.SessionID, p.At), nil
}

// endAll ends sessions of the user but one. The caller holds mu.
func (m *memory) endAll(user, but kyro.ID, now time.Time) (ended []kyro.ID) {
	for id, s := range m.sessions {
		if s.UserID == user && id != but && s.Live(now) {
			s.RevokedAt = now
			m.sessions[id] = s
			ended = append(ended, id)
		}
	}
	slices.SortFunc(ended, func(a, b kyro.ID) int { return int(a.Key - b.Key) })
	return ended
}

func (m *memory) RequestEmailChange(_ context.Context, known kyro.Credentials, letter kyro.Letter, deeds ...kyro.AuditEntry) error {
	m.ahead()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away != nil {
		return m.away
	}
	m.told(&letter, deeds)
	return nil
}

func (m *memory) redeemed(hash string, letter kyro.Letter, deeds []kyro.AuditEntry) (kyro.AccountChange, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, hash)
	done, good := m.tokens[hash]
	if !good {
		return kyro.AccountChange{}, kyro.BadMailToken()
	}
	m.told(&letter, deeds)
	return done, nil
}

func (m *memory) ConfirmEmailChange(_ context.Context, hash string, _ time.Time, letter kyro.Letter, deeds ...kyro.AuditEntry) (kyro.AccountChange, error) {
	return m.redeemed(hash, letter, deeds)
}

func (m *memory) RevertEmailChange(_ context.Context, hash string, _ time.Time, letter kyro.Letter, deeds ...kyro.AuditEntry) (kyro.AccountChange, error) {
	return m.redeemed(hash, letter, deeds)
}

func (m *memory) RedeemReactivation(_ context.Context, hash string, _ time.Time, letter kyro.Letter, deeds ...kyro.AuditEntry) (kyro.AccountChange, error) {
	return m.redeemed(hash, letter, deeds)
}

func (m *memory) Deactivate(
	_ context.Context, user kyro.ID, purgeAfter *time.Time, now time.Time, letters []kyro.Letter, deeds ...kyro.AuditEntry,
) ([]kyro.ID, error) {
	m.ahead()
	m.mu.Lock()
	defer m.mu.Unlock()
	c, email := m.known(user)
	if c.DeactivatedAt != nil {
		return nil, kyro.Errorf(kyro.CodeConflict, "already")
	}
	if purgeAfter == nil || !purgeAfter.Equal(now.Add(kyro.AccountGrace)) {
		return nil, kyro.Errorf(kyro.CodeInternal, "deleted after %v", purgeAfter)
	}
	c.DeactivatedAt, c.PurgeAfter = &now, purgeAfter
	m.users[email] = *c
	for _, letter := range letters {
		m.told(&letter, nil)
	}
	m.told(nil, deeds)
	return append(m.endAll(user, kyro.ID{}, now), kyro.APIKeyID(7)), nil
}

func (m *memory) Record(_ context.Context, entries ...kyro.AuditEntry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told(nil, entries)
	return m.readOnly
}

func (m *memory) SweepUsers(context.Context, time.Time) error { return m.away }

func (m *memory) PurgeUser(_ context.Context, _ kyro.ID, purged []kyro.ID, _ time.Time, deeds ...kyro.AuditEntry) (kyro.Purging, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.purged = append(m.purged, purged)
	if m.away != nil {
		return kyro.Purging{}, m.away
	}
	step := m.purging[0]
	m.purging = m.purging[1:]
	if step.Gone {
		m.told(nil, deeds)
	}
	return step, nil
}

// said are the lines of the audit log in short: what, whether it was done, and by whom.
func (m *memory) said() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var lines []string
	for _, d := range m.deeds {
		line := string(d.Action)
		if !d.Succeeded {
			line += " refused: " + d.Detail
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}

// mailed are the letters in short.
func (m *memory) mailed() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var lines []string
	for _, l := range m.letters {
		lines = append(lines, strings.TrimSpace(string(l.Kind)+" "+l.To))
	}
	return strings.Join(lines, "; ")
}
