package store

import (
	"context"
	"time"

	"kyrochat/kyro"
)

// KnownNetwork reports whether the user has a live session that was begun from the network, as Device.AddressPrefix names
// it. It asks the same of the database for no user, and for no network.
func (s *Store) KnownNetwork(ctx context.Context, user kyro.ID, prefix string, now time.Time) (bool, error) {
	known, err := s.read().NewSelect().Table("sessions").
		Where("user_id = ? AND address_prefix = ? AND address_prefix <> '' AND revoked_at IS NULL AND expires_at > ?", user.Key, clean(prefix), kyro.Moment(now)).
		Exists(ctx)
	return known, failed("look for sessions from a network", err)
}
