package live_test

import (
	"strconv"
	"testing"
	"time"

	"kyrochat/kyro"
	"kyrochat/live"
)

// BenchmarkCacheRead reads bots that are remembered, one and fifty at once.
func BenchmarkCacheRead(b *testing.B) {
	for _, n := range []int{1, 50} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			c := live.NewCache(live.CacheConfig[kyro.Bot]{TTL: time.Hour, ID: (*kyro.Bot).NodeID, Clone: (*kyro.Bot).Clone})
			defer c.Close()
			ids, keys := make([]kyro.ID, n), make([]int64, n)
			for i := range ids {
				keys[i], ids[i] = int64(i+1), kyro.BotID(int64(i+1))
			}
			s := newShelf(ada, keys...)
			b.ReportAllocs()
			for b.Loop() {
				if rows, err := c.Read(b.Context(), ada, ids, s.read); err != nil || len(rows) != n {
					b.Fatal(err)
				}
			}
		})
	}
}
