package account

import (
	"context"
	"fmt"
	"net/netip"

	"kyrochat/kyro"
)

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
	owner, err := s.confirm(ctx, viewer, password, "password")
	if err != nil {
		return kyro.APIKey{}, "", err
	}
	secret, prefix, hash := s.tokens.NewAPIKey()
	key.Prefix = prefix
	letter := s.letter(kyro.LetterAPIKeyCreated, owner.User.Email, viewer.UserID, viewer, now)
	letter.Name = key.Name
	key, err = s.store.CreateAPIKey(
		ctx, key, hash, kyro.MaxAPIKeysPerUser, letter, at(now, viewer.Entry(kyro.AuditAPIKeyCreated, kyro.ID{})))
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
	err := s.store.RevokeAPIKey(ctx, viewer.UserID, id, now, at(now, viewer.Entry(kyro.AuditAPIKeyRevoked, id)))
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
		return kyro.APIKey{}, kyro.BadAPIKey()
	}
	if err != nil {
		return kyro.APIKey{}, fmt.Errorf("read an API key: %w", err)
	}
	now := s.now()
	if !key.Live(now) || !key.AllowedFrom(from) {
		return kyro.APIKey{}, kyro.BadAPIKey()
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
