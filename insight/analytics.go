package insight

import (
	"context"
	"time"

	"kyrochat/kyro"
)

// Asked is what analytics are wanted of.
type Asked struct {
	Span     kyro.Span
	Interval kyro.Interval
	TimeZone string // of the IANA database, such as Europe/Berlin
	// NoFigures: neither the total nor the series is wanted, so that they need not be there.
	NoFigures bool
}

// Analytics counts what was said to the viewer's bot, in each interval by the calendar of a time zone and in all. Errors:
// BAD_USER_INPUT for a time that is none, a zone that is not known, and too many intervals; NOT_FOUND.
func (s *Service) Analytics(ctx context.Context, v kyro.Viewer, bot kyro.ID, asked Asked) (kyro.BotAnalytics, error) {
	if err := s.mustOwn(ctx, v, bot); err != nil {
		return kyro.BotAnalytics{}, err
	}
	zone, err := time.LoadLocation(asked.TimeZone)
	if err != nil || asked.TimeZone == "" || asked.TimeZone == "Local" { // which is the machine's
		return kyro.BotAnalytics{}, kyro.Errorf(kyro.CodeBadUserInput, "%.60q is no time zone. Name one as the IANA database does, such as Europe/Berlin.", asked.TimeZone)
	}
	spans, err := asked.Interval.Spans(asked.Span, zone)
	if err != nil {
		return kyro.BotAnalytics{}, err
	}
	told := kyro.BotAnalytics{BotID: bot, Span: asked.Span, Interval: asked.Interval, TimeZone: asked.TimeZone}
	if asked.NoFigures {
		return told, nil
	}
	figures, err := s.store.Figures(ctx, bot, spans)
	if err != nil {
		return kyro.BotAnalytics{}, err
	}
	told.Total = kyro.NewFigures()
	told.Total.Currency = s.currency
	for i, f := range figures {
		f.Currency = s.currency
		told.Total.Add(f)
		told.Series = append(told.Series, kyro.FiguresOf{Span: spans[i], Figures: f})
	}
	return told, nil
}

// mustOwn sees that the viewer may read analytics of the bot.
func (s *Service) mustOwn(ctx context.Context, v kyro.Viewer, bot kyro.ID) error {
	if err := v.MustFor(bot, kyro.KindBot, kyro.ScopeRead); err != nil {
		return err
	}
	rows, err := s.store.Bots(ctx, v.UserID, []kyro.ID{bot})
	_, err = kyro.One(rows, err, kyro.KindBot)
	return err
}

// RollUp is the job that counts hours which are over. It answers kyro.ErrJobAgain while there is more to do.
func (s *Service) RollUp(ctx context.Context) error {
	more, err := s.store.RollUp(ctx, s.now())
	if err == nil && more {
		return kyro.ErrJobAgain
	}
	return err
}
