package account_test

import (
	"context"
	"slices"
	"time"

	"kyrochat/kyro"
)

// vault is the part of memory that keeps API keys, and what is stored with the end of sessions and keys. Its rows are
// guarded by memory.
type vault struct {
	keys    map[string]kyro.APIKey // by the hash of the secret
	finds   int                    // of keys by their hash
	keyRead int                    // of keys by id
	touched []kyro.ID
	minute  time.Time
	lost    error // instead of the writes of uses
}

func (m *memory) SessionsOf(_ context.Context, user kyro.ID, since, now time.Time) (found []kyro.Session, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.sessions {
		if s.UserID == user && s.Live(now) && !s.LastUsedAt.Before(since) {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b kyro.Session) int { return b.LastUsedAt.Compare(a.LastUsedAt) })
	return found, nil
}

func (m *memory) SessionsByID(ctx context.Context, user kyro.ID, ids []kyro.ID, since, now time.Time) ([]kyro.Session, error) {
	all, err := m.SessionsOf(ctx, user, since, now)
	return slices.DeleteFunc(all, func(s kyro.Session) bool { return !slices.Contains(ids, s.ID) }), err
}

func (m *memory) RevokeSession(_ context.Context, user, id kyro.ID, now time.Time, deeds ...kyro.AuditEntry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing != nil {
		return m.failing
	}
	if !m.endSession(user, id, now) {
		return kyro.NotFound(kyro.KindSession)
	}
	m.deeds = append(m.deeds, deeds...)
	return nil
}

func (m *memory) endSession(user, id kyro.ID, now time.Time) bool {
	s, found := m.sessions[id]
	if !found || s.UserID != user || !s.Live(now) {
		return false
	}
	s.RevokedAt = now
	m.sessions[id] = s
	return true
}

func (m *memory) EndReusedSession(
	_ context.Context, user, id kyro.ID, now time.Time, letter kyro.Letter, deeds ...kyro.AuditEntry,
) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.endSession(user, id, now) {
		return false, nil
	}
	m.letters, m.deeds = append(m.letters, letter), append(m.deeds, deeds...)
	return true, nil
}

func (m *memory) RevokeOtherSessions(
	_ context.Context, user, except kyro.ID, now time.Time, deeds ...kyro.AuditEntry,
) (ended []kyro.ID, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.sessions {
		if id != except && m.endSession(user, id, now) {
			ended = append(ended, id)
		}
	}
	m.deeds = append(m.deeds, deeds...)
	return ended, nil
}

func (m *memory) EndedCredentials(_ context.Context, ids []kyro.ID, now time.Time) (ended []kyro.ID, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		s, session := m.sessions[id]
		_, key, found := m.key(id)
		if !(session && s.Live(now)) && !(found && key.RevokedAt == nil) {
			ended = append(ended, id)
		}
	}
	return ended, nil
}

func (m *memory) key(id kyro.ID) (hash string, key kyro.APIKey, found bool) {
	for hash, key := range m.keys {
		if key.ID == id {
			return hash, key, true
		}
	}
	return "", kyro.APIKey{}, false
}

func (m *memory) CreateAPIKey(
	_ context.Context, _ kyro.Credentials, key kyro.APIKey, hash string, most int, letter kyro.Letter, deeds ...kyro.AuditEntry,
) (kyro.APIKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keys == nil {
		m.keys = map[string]kyro.APIKey{}
	}
	if len(m.keys) >= most {
		return kyro.APIKey{}, kyro.Errorf(kyro.CodeLimitReached, "too many")
	}
	key.ID = kyro.APIKeyID(int64(len(m.keys) + 1))
	m.keys[hash] = key
	m.letters, m.deeds = append(m.letters, letter), append(m.deeds, deeds...)
	return key, nil
}

func (m *memory) FindAPIKey(_ context.Context, hash string) (kyro.APIKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.finds++
	if m.failing != nil {
		return kyro.APIKey{}, m.failing
	}
	if key, found := m.keys[hash]; found {
		return key, nil
	}
	return kyro.APIKey{}, kyro.NotFound(kyro.KindAPIKey)
}

func (m *memory) APIKeys(_ context.Context, user kyro.ID, ids []kyro.ID) (found []kyro.APIKey, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keyRead++
	for _, id := range ids {
		if _, key, there := m.key(id); there && key.UserID == user {
			found = append(found, key)
		}
	}
	return found, nil
}

func (m *memory) APIKeysOf(_ context.Context, user kyro.ID) (found []kyro.APIKey, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range m.keys {
		if key.UserID == user && key.RevokedAt == nil {
			found = append(found, key)
		}
	}
	return found, nil
}

func (m *memory) RevokeAPIKey(_ context.Context, user, id kyro.ID, now time.Time, deeds ...kyro.AuditEntry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	hash, key, found := m.key(id)
	if !found || key.UserID != user || key.RevokedAt != nil {
		return kyro.NotFound(kyro.KindAPIKey)
	}
	key.RevokedAt = &now
	m.keys[hash] = key
	m.deeds = append(m.deeds, deeds...)
	return nil
}

func (m *memory) TouchAPIKeys(_ context.Context, ids []kyro.ID, minute time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lost != nil {
		return m.lost
	}
	m.touched, m.minute = append(m.touched, ids...), minute
	return nil
}
