package store_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/internal/testdb"
	"kyrochat/kyro"
	"kyrochat/store"
)

// TestStatementsAreMeasured by words of a short list, failures and all, and told as often as OnQuery is.
func TestStatementsAreMeasured(t *testing.T) {
	t.Parallel()
	run := func(name string, open func(testing.TB, ...testdb.Option) *store.Pools) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			said, told, failed := 0, map[string]int{}, 0
			pools := open(t, testdb.Also(jobTable), testdb.OnQuery(func(context.Context, string) {
				mu.Lock()
				defer mu.Unlock()
				said++
			}), testdb.Measure(func(statement string, took time.Duration, fails bool) {
				mu.Lock()
				defer mu.Unlock()
				if took < 0 || took > time.Minute {
					t.Errorf("%s took %v", statement, took)
				}
				told[statement]++
				if fails {
					failed++
				}
			}))
			w := &world{pools: pools, Store: store.New(pools, rowQueue{})}
			w.setClock(start)
			w.SetClock(func() time.Time { return *w.now.Load() })
			mu.Lock()
			clear(told)
			said, failed = 0, 0
			mu.Unlock()

			user, _, conversation := w.talk(t)
			w.say(t, user, conversation, "Hello?")
			claim := w.claim(t, conversation, "here")
			w.keep(t, claim, kyro.Checkpoint{Status: kyro.MessageStreaming, Text: "Hel", Seq: 2})
			w.finish(t, claim, "Hello.")
			if _, err := w.Bots(t.Context(), user, []kyro.ID{kyro.BotID(77)}); err != nil {
				t.Fatal(err)
			}
			if failed != 0 {
				t.Errorf("%d statements failed", failed)
			}
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			_, _ = w.Bots(gone, user, []kyro.ID{kyro.BotID(77)})
			if failed != 0 {
				t.Error("what its caller gave up counts as failed")
			}

			mu.Lock()
			defer mu.Unlock()
			all := 0
			for statement, n := range told {
				if statement == "OTHER" || strings.ToUpper(statement) != statement || strings.Contains(statement, " ") {
					t.Errorf("a statement is measured as %q", statement)
				}
				all += n
			}
			for _, statement := range []string{"SELECT", "COMMIT"} {
				if told[statement] == 0 {
					t.Errorf("no %s is measured: %v", statement, told)
				}
			}
			if all < said/2 || all > said {
				t.Errorf("%d statements are measured, and %d were run: %v", all, said, told)
			}
			stats := pools.Stats()
			if len(stats) == 0 || stats[0].Max < 1 || stats[0].InUse+stats[0].Idle < 1 {
				t.Errorf("the pools are %+v", stats)
			}
		})
	}
	run("sqlite", testdb.SQLite)
	run("postgres", testdb.Postgres)
}
