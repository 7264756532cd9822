package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"kyrochat/kyro"
	"kyrochat/store"
)

// TestSelectionsDoNotFillTheMemory: whatever clients select, of which there are thousands of sets, few statements stay
// prepared, and those that are given up meanwhile are read to their end.
func TestSelectionsDoNotFillTheMemory(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user := w.user(t)
		for i := range 3 {
			w.bot(t, user, fmt.Sprint("Bot ", i), start.Add(time.Duration(i)*time.Second))
		}
		fields := []string{"description", "instructions", "welcomeMessage", "suggestedQuestions", "model", "temperature", "maxOutputTokens", "topK", "noAnswerText", "strict"}
		var readers sync.WaitGroup
		for reader := range 4 {
			readers.Go(func() {
				for set := range 80 {
					req := kyro.PageRequest{Limit: 100, Fields: map[string]bool{"id": true}}
					for i, field := range fields {
						req.Fields[field] = (set*4+reader)>>i&1 == 1
					}
					order := kyro.BotOrder{By: kyro.BotsByCreation, Direction: kyro.Desc}
					if p, err := w.BotPage(t.Context(), user, kyro.BotFilter{}, order, req); err != nil || len(p.Nodes) != 3 || p.Nodes[2].Name != "Bot 0" {
						t.Errorf("%v: %d bots, %v", req.Fields, len(p.Nodes), err)
						return
					}
				}
			})
		}
		readers.Wait()
		if !w.pools.Postgres() && w.pools.Prepared() > store.MaxStatements {
			t.Errorf("%d statements are prepared", w.pools.Prepared())
		}
	})
}

// TestMigrationBesideReads: a column that changes its type under a server that has its reads prepared is not noticed.
func TestMigrationBesideReads(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		if !w.pools.Postgres() {
			t.Skip("SQLite is used by one process, which migrates before it reads")
		}
		user := w.user(t)
		w.bot(t, user, "Tea", start)
		look := func() {
			t.Helper()
			p, err := w.BotPage(t.Context(), user, kyro.BotFilter{}, kyro.BotOrder{By: kyro.BotsByCreation, Direction: kyro.Desc}, kyro.PageRequest{Limit: 20})
			if err != nil || len(p.Nodes) != 1 || p.Nodes[0].TopK == 0 {
				t.Errorf("%+v, %v", p.Nodes, err)
			}
		}
		look()
		_, err := w.pools.Pgx.Exec(t.Context(), "ALTER TABLE bots ALTER COLUMN top_k TYPE bigint")
		fine(t, err)
		look()
		look()
	})
}
