package ingest_test

import (
	"errors"
	"testing"
	"testing/iotest"
	"time"

	"kyrochat/ingest"
	"kyrochat/kyro"
	"kyrochat/live"
)

// All ways to add a document share a rate, and one too many costs nothing more.
func TestAddingIsLimited(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *ingest.Config) {
		c.Limiter, c.Rate = live.NewRates(live.RatesConfig{Now: c.Now}), kyro.Rate{Count: 3, Per: 100 * time.Hour}
	})
	d := h.upload(t, "a.txt", "one")
	if _, err := h.AddText(t.Context(), alice, bot, "Two", "two"); err != nil {
		t.Fatal(err)
	}
	_, err := h.Retry(t.Context(), alice, d.ID)
	if kyro.ErrorCode(err) != kyro.CodeConflict {
		t.Fatalf("got %v", err)
	}
	refusals := map[string]error{}
	_, refusals["upload"] = h.Upload(t.Context(), alice, bot, nil, "b.txt", iotest.ErrReader(errors.New("the body was read")))
	_, refusals["text"] = h.AddText(t.Context(), alice, bot, "Three", "three")
	_, refusals["retry"] = h.Retry(t.Context(), alice, d.ID)
	for name, err := range refusals {
		if known, ok := err.(*kyro.Error); !ok || known.Code != kyro.CodeRateLimited || known.RetryAfter <= 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(h.rows) != 2 {
		t.Errorf("%d documents", len(h.rows))
	}
	if _, err := h.AddText(t.Context(), bob, bot, "Four", "four"); kyro.ErrorCode(err) != kyro.CodeNotFound {
		t.Errorf("somebody else: %v", err)
	}
}
