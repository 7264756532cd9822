package store_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"kyrochat/kyro"
)

// BenchmarkBots reads one bot by its id, the smallest of the reads that are written by hand.
func BenchmarkBots(b *testing.B) {
	eachBenchmark(b, func(b *testing.B, k *knowledge) {
		for b.Loop() {
			bots, err := k.store.Bots(b.Context(), k.owner, []kyro.ID{k.bot})
			if err != nil || len(bots) != 1 {
				b.Fatal(bots, err)
			}
		}
	})
}

// BenchmarkBotsByHand reads it as pgx alone would.
func BenchmarkBotsByHand(b *testing.B) {
	eachBenchmark(b, func(b *testing.B, k *knowledge) {
		if !k.pools.Postgres() {
			b.Skip("PostgreSQL only")
		}
		for b.Loop() {
			var name string
			err := k.pools.Pgx.QueryRow(b.Context(), "SELECT name FROM bots WHERE id = $1 AND owner_id = $2", pgx.QueryExecModeCacheStatement, k.bot.Key, k.owner.Key).Scan(&name)
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
