package jobs

import (
	"context"
	"errors"
	"log/slog"
)

// forOperators passes on what concerns an operator of what River has to say: warnings and errors, without those
// that only tell that a shutdown cancelled what was under way.
type forOperators struct{ slog.Handler }

// Enabled reports whether records of the level may be passed on.
func (h forOperators) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

// Handle passes a record on unless it tells of a cancellation.
func (h forOperators) Handle(ctx context.Context, record slog.Record) error {
	canceled := false
	record.Attrs(func(a slog.Attr) bool {
		switch v := a.Value.Any().(type) {
		case error:
			canceled = errors.Is(v, context.Canceled)
		case string:
			canceled = v == context.Canceled.Error()
		}
		return !canceled
	})
	if canceled {
		return nil
	}
	return h.Handler.Handle(ctx, record)
}

// WithAttrs keeps the rule.
func (h forOperators) WithAttrs(attrs []slog.Attr) slog.Handler {
	return forOperators{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the rule.
func (h forOperators) WithGroup(name string) slog.Handler {
	return forOperators{h.Handler.WithGroup(name)}
}
