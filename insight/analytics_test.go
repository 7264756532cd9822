package insight_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"kyrochat/insight"
	"kyrochat/kyro"
)

// counter is a store that counts one message in each span.
type counter struct {
	insight.Store // is asked for nothing else

	rolled []time.Time
	more   bool
	err    error
}

func (c *counter) Bots(_ context.Context, owner kyro.ID, ids []kyro.ID) (bots []kyro.Bot, err error) {
	for _, id := range ids {
		if owner == kyro.UserID(1) && id == kyro.BotID(1) {
			bots = append(bots, kyro.Bot{ID: id, OwnerID: owner})
		}
	}
	return bots, nil
}

func (c *counter) Figures(_ context.Context, bot kyro.ID, spans []kyro.Span) (figures []*kyro.Figures, err error) {
	if bot != kyro.BotID(1) {
		return nil, errors.New("counts what nobody may see")
	}
	for range spans {
		f := kyro.NewFigures()
		f.Messages = 1
		figures = append(figures, f)
	}
	return figures, nil
}

func (c *counter) RollUp(_ context.Context, at time.Time) (bool, error) {
	c.rolled = append(c.rolled, at)
	return c.more, c.err
}

func TestAnalytics(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }
	ada := kyro.Viewer{UserID: kyro.UserID(1), SessionID: kyro.SessionID(1)}
	writes := kyro.Viewer{UserID: kyro.UserID(1), KeyID: kyro.APIKeyID(3), Scopes: []kyro.Scope{kyro.ScopeChat}}
	week := insight.Asked{Span: kyro.Span{From: day(2), To: day(9)}, Interval: kyro.IntervalDay, TimeZone: "Europe/Berlin"}
	in := func(zone string) insight.Asked { asked := week; asked.TimeZone = zone; return asked }
	back := week
	back.Span = kyro.Span{From: week.Span.To, To: week.Span.From}
	for _, tt := range []struct {
		name  string
		v     kyro.Viewer
		bot   kyro.ID
		asked insight.Asked
		code  kyro.Code
		days  int
	}{
		{"the owner", ada, kyro.BotID(1), week, "", 8}, // the first and the last are parts of days in Berlin
		{"by the calendar of UTC", ada, kyro.BotID(1), in("UTC"), "", 7},
		{"nobody", kyro.Viewer{}, kyro.BotID(1), week, kyro.CodeUnauthenticated, 0},
		{"a key that may only chat", writes, kyro.BotID(1), week, kyro.CodeForbidden, 0},
		{"another one's bot", kyro.Viewer{UserID: kyro.UserID(2), SessionID: kyro.SessionID(2)}, kyro.BotID(1), week, kyro.CodeNotFound, 0},
		{"no bot at all", ada, kyro.BotID(9), week, kyro.CodeNotFound, 0},
		{"an id of something else", ada, kyro.UserID(1), week, kyro.CodeBadUserInput, 0},
		{"no zone", ada, kyro.BotID(1), in(""), kyro.CodeBadUserInput, 0},
		{"the zone of the machine", ada, kyro.BotID(1), in("Local"), kyro.CodeBadUserInput, 0},
		{"a file", ada, kyro.BotID(1), in("../../etc/passwd"), kyro.CodeBadUserInput, 0},
		{"from the end to the beginning", ada, kyro.BotID(1), back, kyro.CodeBadUserInput, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := insight.New(&counter{}, "", nil).Analytics(t.Context(), tt.v, tt.bot, tt.asked)
			if kyro.ErrorCode(err) != tt.code || len(got.Series) != tt.days {
				t.Fatalf("%d days, %v", len(got.Series), err)
			}
			if tt.code == "" && got.Total.Messages != int64(tt.days) {
				t.Errorf("%d in all", got.Total.Messages)
			}
		})
	}
}

// A turn that leaves something to do has another one follow at once.
func TestRollUp(t *testing.T) {
	broken := errors.New("the database is away")
	for _, tt := range []struct {
		more      bool
		err, want error
	}{{}, {more: true, want: kyro.ErrJobAgain}, {err: broken, want: broken}, {true, broken, broken}} {
		c := &counter{more: tt.more, err: tt.err}
		err := insight.New(c, "", func() time.Time { return now }).RollUp(t.Context())
		if !errors.Is(err, tt.want) || fmt.Sprint(c.rolled) != fmt.Sprint([]time.Time{now}) {
			t.Errorf("%v and %v: %v at %v", tt.more, tt.err, err, c.rolled)
		}
	}
}
