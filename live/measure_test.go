package live_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"kyrochat/internal/testdb"
	"kyrochat/live"
)

func TestCacheCountsRequests(t *testing.T) {
	t.Parallel()
	c, s := newBots(t), newShelf(ada, 1, 2, 3)
	names(t, c, s, 1)       // read
	names(t, c, s, 1)       // there
	names(t, c, s, 1, 2, 3) // one there, two read
	names(t, c, s, 2, 3)
	if hits, misses := c.Requests(); hits != 4 || misses != 3 {
		t.Errorf("%d there and %d read, want 4 and 3", hits, misses)
	}
}

// TestCommandsAreMeasured while Redis is there and when it goes; what is refused at once then is no call.
func TestCommandsAreMeasured(t *testing.T) {
	t.Parallel()
	server := testdb.Redis(t)
	var mu sync.Mutex
	codes := map[string]int{}
	n := joinAs(t, live.RedisConfig{URL: server.URL, Node: "a", Measure: func(call, code string, took time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		if took < 0 || took > time.Minute || !slices.Contains([]string{"command", "pipeline"}, call) {
			t.Errorf("%s took %v", call, took)
		}
		codes[code]++
	}}, nil)
	told := func(code string) int {
		mu.Lock()
		defer mu.Unlock()
		return codes[code]
	}
	until(t, "commands are told", func() bool { return n.Connected() && told("OK") > 0 })
	if p := n.Stats(); p.Max < 1 || p.InUse+p.Idle < 1 {
		t.Errorf("the pool is %+v", p)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	until(t, "it is away", func() bool { return !n.Connected() })
	before := told("OK")
	time.Sleep(50 * time.Millisecond) // in which the node goes on to say that it is there, to nobody
	if told("OK") != before {
		t.Error("a command is told as if Redis had taken it")
	}
}
