package catalog

import (
	"context"
	"reflect"
	"slices"

	"kyrochat/kyro"
)

// CreateBot makes a bot of the viewer. VALIDATION where the patch breaks a limit.
func (s *Service) CreateBot(ctx context.Context, v kyro.Viewer, patch kyro.BotPatch) (kyro.Bot, error) {
	if err := v.MustBePerson(); err != nil {
		return kyro.Bot{}, err
	}
	now := s.time()
	bot := kyro.NewBot(v.UserID, now)
	if err := bot.Apply(patch); err != nil {
		return kyro.Bot{}, err
	}
	return s.store.CreateBot(ctx, *bot, v.Entry(kyro.AuditBotCreated, kyro.ID{}).Dated(now))
}

// UpdateBot changes a bot. Only its owner may; for everybody else it is NOT_FOUND.
func (s *Service) UpdateBot(ctx context.Context, v kyro.Viewer, id kyro.ID, patch kyro.BotPatch) (kyro.Bot, error) {
	if err := v.MustBePersonFor(id, kyro.KindBot); err != nil {
		return kyro.Bot{}, err
	}
	changed, err := s.store.UpdateBot(ctx, v.UserID, id, func(bot *kyro.Bot) error {
		if !bot.EditableBy(v) {
			return kyro.NotFound(kyro.KindBot)
		}
		before := *bot
		if err := bot.Apply(patch); err != nil {
			return err
		}
		if !reflect.DeepEqual(*bot, before) {
			bot.UpdatedAt = s.time()
		}
		return nil
	})
	s.bots.Forget(v.UserID, id)
	return changed, err
}

// DeleteBot deletes a bot with its documents and conversations. Only its owner may.
func (s *Service) DeleteBot(ctx context.Context, v kyro.Viewer, id kyro.ID) error {
	if err := v.MustBePersonFor(id, kyro.KindBot); err != nil {
		return err
	}
	now := s.time()
	err := s.store.DeleteBot(ctx, v.UserID, id, now, v.Entry(kyro.AuditBotDeleted, id).Dated(now))
	s.bots.Forget(v.UserID, id)
	s.documents.ForgetAll(v.UserID)
	return err
}

// Bot reads one bot of the viewer, or NOT_FOUND.
func (s *Service) Bot(ctx context.Context, v kyro.Viewer, id kyro.ID) (kyro.Bot, error) {
	if err := v.MustSignInFor(id, kyro.KindBot); err != nil {
		return kyro.Bot{}, err
	}
	bots, err := s.Bots(ctx, v, []kyro.ID{id})
	return kyro.One(bots, err, kyro.KindBot)
}

// Bots reads bots of the viewer in any order and leaves out what is not the viewer's.
func (s *Service) Bots(ctx context.Context, v kyro.Viewer, ids []kyro.ID) ([]kyro.Bot, error) {
	if err := v.MustSignIn(); err != nil {
		return nil, err
	}
	bots, err := s.bots.Read(ctx, v.UserID, ids, s.store.Bots)
	return slices.DeleteFunc(bots, func(bot kyro.Bot) bool { return !bot.ReadableBy(v) }), err
}

// ListBots lists the viewer's bots.
func (s *Service) ListBots(
	ctx context.Context, v kyro.Viewer, filter kyro.BotFilter, order kyro.BotOrder, page kyro.PageRequest,
) (kyro.Page[kyro.Bot], error) {
	if err := v.MustSignIn(); err != nil {
		return kyro.Page[kyro.Bot]{}, err
	}
	return s.store.BotPage(ctx, v.UserID, filter, order, page)
}
