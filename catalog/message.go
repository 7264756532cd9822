package catalog

import (
	"context"

	"kyrochat/kyro"
)

// Message reads one message of the viewer's conversations, or NOT_FOUND.
func (s *Service) Message(ctx context.Context, v kyro.Viewer, id kyro.ID) (kyro.Message, error) {
	if err := v.MustFor(id, kyro.KindMessage, kyro.ScopeRead, kyro.ScopeChat); err != nil {
		return kyro.Message{}, err
	}
	rows, err := s.store.Messages(ctx, v.UserID, []kyro.ID{id})
	return kyro.One(rows, err, kyro.KindMessage)
}

// Messages reads messages of the viewer's conversations in any order and leaves out what is not the viewer's.
func (s *Service) Messages(ctx context.Context, v kyro.Viewer, ids []kyro.ID) ([]kyro.Message, error) {
	if err := v.Must(kyro.ScopeRead, kyro.ScopeChat); err != nil {
		return nil, err
	}
	return s.store.Messages(ctx, v.UserID, ids)
}

// ListMessages lists the messages of each conversation, oldest turn first; answers that a newer one replaced only
// where superseded is true. A conversation that is not the viewer's has none.
func (s *Service) ListMessages(
	ctx context.Context, v kyro.Viewer, conversations []kyro.ID, superseded bool, page kyro.PageRequest,
) (map[kyro.ID]kyro.Page[kyro.Message], error) {
	if err := v.Must(kyro.ScopeRead, kyro.ScopeChat); err != nil {
		return nil, err
	}
	return s.store.MessagePages(ctx, v.UserID, conversations, superseded, page)
}

// Siblings gives, for each user message, the answers to it, oldest first.
func (s *Service) Siblings(ctx context.Context, v kyro.Viewer, parents []kyro.ID) (map[kyro.ID][]kyro.Message, error) {
	if err := v.Must(kyro.ScopeRead, kyro.ScopeChat); err != nil {
		return nil, err
	}
	return s.store.Siblings(ctx, v.UserID, parents)
}

// LastMessages gives the newest message of each conversation that has one.
func (s *Service) LastMessages(ctx context.Context, v kyro.Viewer, conversations []kyro.ID) (map[kyro.ID]kyro.Message, error) {
	if err := v.Must(kyro.ScopeRead, kyro.ScopeChat); err != nil {
		return nil, err
	}
	return s.store.LastMessages(ctx, v.UserID, conversations)
}
