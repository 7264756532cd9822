package catalog

import (
	"context"

	"kyrochat/kyro"
)

// RateMessage says what the viewer thinks of a final answer, in place of what they said before; without a rating, it takes
// that back. Whoever sees the answer may rate it. Errors: VALIDATION, CONFLICT while the answer is not final, NOT_FOUND.
func (s *Service) RateMessage(ctx context.Context, v kyro.Viewer, id kyro.ID, said kyro.Feedback) (kyro.Message, error) {
	if err := v.MustFor(id, kyro.KindMessage, kyro.ScopeChat); err != nil {
		return kyro.Message{}, err
	}
	rows, err := s.store.Messages(ctx, v.UserID, []kyro.ID{id})
	message, err := kyro.One(rows, err, kyro.KindMessage)
	if err != nil {
		return kyro.Message{}, err
	}
	if message.Role == kyro.RoleUser {
		return kyro.Message{}, kyro.Invalid("messageId", "Only answers can be rated; this message is your own.")
	}
	if err := said.Validate(); err != nil {
		return kyro.Message{}, err
	}
	feedback := &said
	if feedback.RatedAt = s.time(); said.Rating == "" {
		feedback = nil
	}
	if message, err = s.store.RateMessage(ctx, v.UserID, id, feedback); err == nil {
		s.wakes.Wake(message.ConversationID)
	}
	return message, err
}
