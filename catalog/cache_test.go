package catalog_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"kyrochat/catalog"
	"kyrochat/kyro"
	"kyrochat/live"
)

// counting is careless with a count of its reads. Its writes are stored and may say that they failed all the same.
type counting struct {
	careless
	reads   int
	failing error
}

func (c *counting) Bots(context.Context, kyro.ID, []kyro.ID) ([]kyro.Bot, error) {
	c.reads++
	return c.bots, nil
}

func (c *counting) UpdateBot(_ context.Context, _, _ kyro.ID, change func(*kyro.Bot) error) (kyro.Bot, error) {
	bot := c.bots[0]
	if err := change(&bot); err != nil {
		return kyro.Bot{}, err
	}
	c.bots = []kyro.Bot{bot}
	return bot, c.failing
}

func (c *counting) DeleteBot(context.Context, kyro.ID, kyro.ID, time.Time, ...kyro.AuditEntry) error {
	c.bots = nil
	return c.failing
}

// forgotten notes whose documents were forgotten.
type forgotten struct{ owners []kyro.ID }

func (f *forgotten) ForgetAll(owner kyro.ID) { f.owners = append(f.owners, owner) }

// TestBotsAreRemembered until they are written, whatever the write says.
func TestBotsAreRemembered(t *testing.T) {
	t.Parallel()
	for name, failing := range map[string]error{"written": nil, "perhaps written": errors.New("connection reset")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, documents := &counting{careless: careless{bots: []kyro.Bot{adas}}, failing: failing}, &forgotten{}
			bots := live.NewCache(live.CacheConfig[kyro.Bot]{TTL: time.Hour, ID: (*kyro.Bot).NodeID, Clone: (*kyro.Bot).Clone})
			t.Cleanup(bots.Close)
			s, ctx := catalog.New(store, catalog.Caches{Bots: bots, Documents: documents}, &live.Wakes{}, fixed), t.Context()
			for range 3 {
				if bot, err := s.Bot(ctx, ada, adas.ID); err != nil || bot.Name != "Helper" {
					t.Fatalf("%+v, %v", bot, err)
				}
			}
			if store.reads != 1 {
				t.Errorf("%d reads, want 1", store.reads)
			}
			if _, err := s.UpdateBot(ctx, ada, adas.ID, kyro.BotPatch{Name: kyro.Some("New")}); err != failing {
				t.Fatal(err)
			}
			if bot, err := s.Bot(ctx, ada, adas.ID); err != nil || bot.Name != "New" {
				t.Errorf("after a change: %+v, %v", bot, err)
			}
			if err := s.DeleteBot(ctx, ada, adas.ID); err != failing {
				t.Fatal(err)
			}
			_, err := s.Bot(ctx, ada, adas.ID)
			wantCode(t, "a deleted bot", err, kyro.CodeNotFound)
			if len(documents.owners) != 1 || documents.owners[0] != ada.UserID {
				t.Errorf("the documents of %v were forgotten", documents.owners)
			}
		})
	}
}

// TestRememberedBotsAreTheirOwners: what one person has read, another does not see, and the use case looks again at
// what a cache gives.
func TestRememberedBotsAreTheirOwners(t *testing.T) {
	t.Parallel()
	s, _ := newService()
	_, err := s.Bot(t.Context(), eve, adas.ID)
	wantCode(t, "the bot of another", err, kyro.CodeNotFound)
	if bots, err := s.Bots(t.Context(), eve, []kyro.ID{adas.ID}); err != nil || len(bots) != 0 {
		t.Errorf("%v, %v", bots, err)
	}
}
