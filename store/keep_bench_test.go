package store_test

import (
	"strings"
	"testing"

	"kyrochat/internal/testdb"
	"kyrochat/kyro"
	"kyrochat/store"
)

// BenchmarkKeep saves 200 answers of 4 KB, as many as a node has due in a round where it makes 2,000 at once.
func BenchmarkKeep(b *testing.B) {
	for name, open := range map[string]func(testing.TB, ...testdb.Option) *store.Pools{"sqlite": testdb.SQLite, "postgres": testdb.Postgres} {
		b.Run(name, func(b *testing.B) {
			w := &world{pools: open(b, testdb.Also(jobTable))}
			w.Store = store.New(w.pools, rowQueue{})
			_, list := w.running(b, "n1", 200)
			text := strings.Repeat("word ", 800)
			for b.Loop() {
				for i := range list {
					list[i].State = &kyro.Checkpoint{Status: kyro.MessageStreaming, Text: text, Seq: list[i].State.Seq + 1}
				}
				if _, err := w.Keep(b.Context(), lease, list); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
