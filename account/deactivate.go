package account

import (
	"context"

	"kyrochat/kyro"
)

// Deactivate takes the viewer's account out of use: all sessions end, API keys work no more, documents that are being
// processed are canceled and answers stopped. A mail brings the link that takes it back within kyro.AccountGrace; then
// everything is deleted. INVALID_CREDENTIALS.
func (s *Service) Deactivate(ctx context.Context, viewer kyro.Viewer, password string) error {
	known, err := s.confirm(ctx, viewer, kyro.AuditDeactivated, password, "password")
	if err != nil {
		return err
	}
	now := s.now()
	until, user := now.Add(kyro.AccountGrace), known.User.ID
	letter := s.letter(kyro.LetterDeactivated, "", user, viewer, now)
	ended, err := s.store.Deactivate(ctx, user, &until, now, []kyro.Letter{letter}, viewer.Entry(kyro.AuditDeactivated, kyro.ID{}).Dated(now))
	s.changed(user, ended)
	switch kyro.ErrorCode(err) {
	case kyro.CodeNotFound, kyro.CodeConflict: // by another request
		return sessionEnded()
	}
	if err == nil {
		s.log.InfoContext(ctx, "account deactivated", "user", user.String())
	}
	return err
}

// Reactivate takes a deactivated account back by the token of the mail. It signs nobody in. INVALID_TOKEN also once the
// account is being deleted.
func (s *Service) Reactivate(ctx context.Context, viewer kyro.Viewer, token string) error {
	if err := s.limitLinks(ctx, viewer); err != nil {
		return err
	}
	now := s.now()
	done, err := s.store.RedeemReactivation(ctx, hashOf(token), now,
		s.letter(kyro.LetterReactivated, "", kyro.ID{}, viewer, now), byLink(viewer, kyro.AuditReactivated, now))
	return s.opened(ctx, "account reactivated", done, err)
}
