package insight

import (
	"context"
	"time"

	"kyrochat/kyro"
)

// UsageAsked is for which time usage is asked for, as NewUsageRange reads it, and whether its days are.
type UsageAsked struct {
	From, To *time.Time
	TimeZone string
	Days     bool
}

// Usage gives what the viewer's account, bots or API keys used; targets are all of one kind. Only the owner may see it, in
// person. BAD_USER_INPUT for a time that cannot be asked for.
func (s *Service) Usage(ctx context.Context, v kyro.Viewer, targets []kyro.ID, asked UsageAsked) (map[kyro.ID]kyro.Usage, error) {
	if err := v.MustBePerson(); err != nil {
		return nil, err
	}
	r, err := kyro.NewUsageRange(asked.From, asked.To, asked.TimeZone, s.time())
	if err != nil {
		return nil, err
	}
	found, err := s.store.Usage(ctx, v.UserID, own(v, targets), r, asked.Days)
	for id, usage := range found {
		usage.Currency = s.currency
		found[id] = usage
	}
	return found, err
}
