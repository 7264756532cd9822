package jobs

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// quiet is how long River's repetitions of a message are kept back: it looks for jobs many times a second, also
// in a database that is away.
const quiet = 10 * time.Second

// forOperators passes on what concerns an operator of what River has to say: warnings and errors, each message at
// most every ten seconds, without those that only tell that a shutdown cancelled what was under way. A database that is
// away is a warning: River comes back to it by itself, as it does to jobs of which it could not note the end.
type forOperators struct {
	slog.Handler
	said *said
}

// said remembers when each message was last passed on. River has a few dozen messages in all.
type said struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func newForOperators(h slog.Handler) forOperators {
	return forOperators{h, &said{last: map[string]time.Time{}}}
}

// again reports whether the message was passed on within the last ten seconds, and remembers it where it was not.
func (s *said) again(message string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, found := s.last[message]; found && now.Sub(last) < quiet {
		return true
	}
	s.last[message] = now
	return false
}

// Enabled reports whether records of the level may be passed on.
func (h forOperators) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

// resigning is River's word for a leader that could not give its place up while it stopped, as where the one write
// connection was busy. The place becomes free by itself after a few seconds.
const resigning = "Error attempting to resign"

// unnoted is River's word for ends of jobs that it could not write down. The jobs count as those of a dead process a minute
// later, and are done again.
const unnoted = "Too many errors; giving up"

// signs are what is in the texts of errors where a database is away, hangs, starts, stops or has no room: River mostly logs
// the text alone. The states are of the classes 08 (connection), 53 (resources) and 57P (the server starts or stops), and of a
// statement or transaction that took too long.
var signs = []string{
	"failed to connect", "EOF", "conn closed", "connection reset", "broken pipe", "closed network connection", "bad connection",
	"deadline exceeded", "timeout", "SQLSTATE 08", "SQLSTATE 53", "SQLSTATE 57", "SQLSTATE 25P03", "SQLITE_BUSY",
}

func away(trouble string) bool {
	return slices.ContainsFunc(signs, func(sign string) bool { return strings.Contains(trouble, sign) })
}

// Handle passes a record on unless it tells of a cancellation or repeats itself.
func (h forOperators) Handle(ctx context.Context, record slog.Record) error {
	canceled := strings.HasSuffix(record.Message, resigning)
	heals := strings.HasSuffix(record.Message, unnoted)
	record.Attrs(func(a slog.Attr) bool {
		switch v := a.Value.Any().(type) {
		case error:
			canceled = canceled || errors.Is(v, context.Canceled)
			heals = heals || away(v.Error())
		case string:
			canceled = canceled || v == context.Canceled.Error()
			heals = heals || (a.Key == "err" || a.Key == "error") && away(v)
		}
		return !canceled
	})
	if canceled || h.said.again(record.Message, record.Time) {
		return nil
	}
	if heals {
		record.Level = min(record.Level, slog.LevelWarn)
	}
	return h.Handler.Handle(ctx, record)
}

// WithAttrs keeps the rules.
func (h forOperators) WithAttrs(attrs []slog.Attr) slog.Handler {
	return forOperators{h.Handler.WithAttrs(attrs), h.said}
}

// WithGroup keeps the rules.
func (h forOperators) WithGroup(name string) slog.Handler {
	return forOperators{h.Handler.WithGroup(name), h.said}
}
