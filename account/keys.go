package account

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"kyrochat/kyro"
)

// Keys keeps API keys.
type Keys interface {
	// CreateAPIKey stores a key with the hash of its secret and the letter that tells of it; the deeds' target is the
	// key. LIMIT_REACHED where the user has so many that are not revoked; INVALID_CREDENTIALS where the owner's credentials
	// count no more.
	CreateAPIKey(
		ctx context.Context, owner kyro.Credentials, key kyro.APIKey, secretHash string, most int, letter kyro.Letter, deeds ...kyro.AuditEntry,
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

// APIKeys are the viewer's keys that are not revoked, newest first; expired ones too.
func (s *Service) APIKeys(ctx context.Context, viewer kyro.Viewer) ([]kyro.APIKey, error) {
	if err := viewer.MustBePerson(); err != nil {
		return nil, err
	}
	return s.store.APIKeysOf(ctx, viewer.UserID)
}

// APIKeysByID reads some of the viewer's keys, in any order. Those of others, and those that are revoked, are left out.
func (s *Service) APIKeysByID(ctx context.Context, viewer kyro.Viewer, ids []kyro.ID) ([]kyro.APIKey, error) {
	if err := viewer.MustBePerson(); err != nil {
		return nil, err
	}
	keys, err := s.store.APIKeys(ctx, viewer.UserID, ids)
	return withoutRevoked(keys), err
}

func withoutRevoked(keys []kyro.APIKey) []kyro.APIKey {
	var left []kyro.APIKey
	for _, key := range keys {
		if key.RevokedAt == nil {
			left = append(left, key)
		}
	}
	return left
}

// CreateAPIKey makes a key and gives its secret, this once; the owner is told by mail. VALIDATION for what is wrong with
// it, all at once, before the password is looked at; then INVALID_CREDENTIALS, and LIMIT_REACHED beyond 20 keys.
func (s *Service) CreateAPIKey(ctx context.Context, viewer kyro.Viewer, wanted kyro.NewAPIKey, password string) (kyro.APIKey, string, error) {
	if err := viewer.MustBePerson(); err != nil {
		return kyro.APIKey{}, "", err
	}
	now := s.now()
	key, err := wanted.Key(viewer.UserID, now)
	if err != nil {
		return kyro.APIKey{}, "", err
	}
	if err := s.limitAPIKeys(ctx, viewer); err != nil {
		return kyro.APIKey{}, "", err
	}
	owner, err := s.confirm(ctx, viewer, kyro.AuditAPIKeyCreated, password, "password")
	if err != nil {
		return kyro.APIKey{}, "", err
	}
	secret, prefix, hash := s.tokens.NewAPIKey()
	key.Prefix = prefix
	letter := s.letter(kyro.LetterAPIKeyCreated, owner.User.Email, viewer.UserID, viewer, now)
	letter.Name = key.Name
	key, err = s.store.CreateAPIKey(
		ctx, owner, key, hash, kyro.MaxAPIKeysPerUser, letter, viewer.Entry(kyro.AuditAPIKeyCreated, kyro.ID{}).Dated(now))
	if kyro.ErrorCode(err) == kyro.CodeNotFound {
		err = sessionEnded()
	}
	if err != nil {
		return kyro.APIKey{}, "", fmt.Errorf("create an API key: %w", err)
	}
	s.log.InfoContext(ctx, "API key made", "user", viewer.UserID.String(), "key", key.ID.String())
	return key, secret, nil
}

// RevokeAPIKey ends one of the viewer's keys. NOT_FOUND where the viewer has none such that is not revoked.
func (s *Service) RevokeAPIKey(ctx context.Context, viewer kyro.Viewer, id kyro.ID) error {
	if err := viewer.MustBePersonFor(id, kyro.KindAPIKey); err != nil {
		return err
	}
	now := s.now()
	err := s.store.RevokeAPIKey(ctx, viewer.UserID, id, now, viewer.Entry(kyro.AuditAPIKeyRevoked, id).Dated(now))
	s.keys.Forget(viewer.UserID, id)
	if err != nil {
		return fmt.Errorf("revoke an API key: %w", err)
	}
	s.ended(id)
	return nil
}

// keyPlace is where the key of a secret is, which never changes.
type keyPlace struct{ user, id kyro.ID }

// rememberedKeys is of how many secrets a process knows whose key it is: those used last.
const rememberedKeys = 10_000

// CheckKey gives the key whose secret has the hash, if it lives, its account is in use, and it may be used from the
// address; all refusals are one UNAUTHENTICATED. It is read through the cache, so that a busy program costs one read a
// second; a key that is revoked on this node is refused at once.
func (s *Service) CheckKey(ctx context.Context, secretHash string, from netip.Addr) (kyro.APIKey, error) {
	key, err := s.keyOf(ctx, secretHash)
	if kyro.ErrorCode(err) == kyro.CodeNotFound {
		return kyro.APIKey{}, kyro.BadCredential()
	}
	if err != nil {
		return kyro.APIKey{}, fmt.Errorf("read an API key: %w", err)
	}
	now := s.now()
	if !key.Live(now) || !key.AllowedFrom(from) {
		return kyro.APIKey{}, kyro.BadCredential()
	}
	s.uses.note(key.ID, now)
	return key, nil
}

func (s *Service) keyOf(ctx context.Context, secretHash string) (kyro.APIKey, error) {
	place, known := s.places.Get(secretHash)
	if !known {
		key, err := s.store.FindAPIKey(ctx, secretHash)
		if err != nil {
			return kyro.APIKey{}, err
		}
		// The row is read again by the cache, which knows whether somebody revokes the key meanwhile.
		place = keyPlace{key.UserID, key.ID}
		s.places.Add(secretHash, place)
	}
	keys, err := s.keys.Read(ctx, place.user, []kyro.ID{place.id}, s.store.APIKeys)
	return kyro.One(keys, err, kyro.KindAPIKey)
}
