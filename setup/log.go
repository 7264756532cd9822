package setup

import (
	"context"
	"io"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"kyrochat/config"
	"kyrochat/kyro"
	"kyrochat/transport"
)

// NewLogger makes a log as the settings say, with times in UTC. Its lines have the request and the trace that they belong to, and trouble
// that is the same for a minute is told once.
func NewLogger(cfg config.Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel, ReplaceAttr: inUTC}
	if cfg.LogJSON {
		return slog.New(thinned{slog.NewJSONHandler(w, options), &repeats{}})
	}
	return slog.New(thinned{slog.NewTextHandler(w, options), &repeats{}})
}

// thinned is a log that an outage does not fill. A line that tells the same trouble in the same words as one of the
// last minute is left out, whichever answer or document it is about: the row of that has the reason, too. The next line
// after that minute says how many were left out. Errors are never left out, for each may be looked for.
type thinned struct {
	slog.Handler
	repeats *repeats
}

const (
	thinFor     = time.Minute
	mostRepeats = 512 // kinds of trouble that are known at once
)

func (h thinned) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelError {
		if trouble := troubleOf(r); trouble != "" {
			left, out := h.repeats.count(r.Message+"\n"+ownPort.ReplaceAllString(trouble, "->"), r.Time)
			if out {
				return nil
			}
			if left > 0 {
				r.AddAttrs(slog.Int("left_out", left))
			}
		}
	}
	if id := transport.RequestIDFrom(ctx); id != "" && !has(r, requestIDKey) {
		r.AddAttrs(slog.String(requestIDKey, id))
	}
	if trace := kyro.TraceFrom(ctx).TraceID(); trace != "" && !has(r, traceKey) {
		r.AddAttrs(slog.String(traceKey, trace))
	}
	return h.Handler.Handle(ctx, r)
}

// inUTC writes times as lines from all machines can be compared by, whatever time zone each is in.
func inUTC(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindTime {
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	}
	return a
}

// requestIDKey is under what every line that is written for a request has its id, which is the one that clients are told with
// errors and in the header X-Request-Id, and that the audit log has.
const requestIDKey = "requestId"

// traceKey is under what lines have the trace that they belong to, where one is recorded.
const traceKey = "trace"

func has(r slog.Record, key string) (found bool) {
	r.Attrs(func(a slog.Attr) bool {
		found = a.Key == key
		return !found
	})
	return found
}

func (h thinned) WithAttrs(attrs []slog.Attr) slog.Handler {
	return thinned{h.Handler.WithAttrs(attrs), h.repeats}
}

func (h thinned) WithGroup(name string) slog.Handler {
	return thinned{h.Handler.WithGroup(name), h.repeats}
}

// troubleOf is what a line says went wrong; empty where it says of nothing.
func troubleOf(r slog.Record) (trouble string) {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "error" || a.Key == "why" {
			trouble = a.Value.String()
		}
		return trouble == ""
	})
	return trouble
}

// ownPort is the near end of a connection, as errors of the network tell it. It is another one with each try.
var ownPort = regexp.MustCompile(`:\d+->`)

// repeats counts lines that say the same.
type repeats struct {
	mu    sync.Mutex
	known map[string]*repeat
}

type repeat struct {
	written time.Time
	left    int // out, since then
}

// count says whether the line is to be left out, and else how many like it were since one was written.
func (s *repeats) count(line string, now time.Time) (left int, out bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if was := s.known[line]; was != nil {
		if now.Sub(was.written) < thinFor {
			was.left++
			return 0, true
		}
		left = was.left
	}
	if s.known == nil || len(s.known) >= mostRepeats {
		s.known = make(map[string]*repeat)
	}
	s.known[line] = &repeat{written: now}
	return left, false
}
