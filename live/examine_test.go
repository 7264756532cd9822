package live_test

import (
	"strings"
	"testing"
	"time"

	"kyrochat/internal/testdb"
	"kyrochat/live"
)

// TestExamineCountsNodes: those that are there, without becoming one of them.
func TestExamineCountsNodes(t *testing.T) {
	t.Parallel()
	server := testdb.Redis(t)
	cfg := live.RedisConfig{URL: server.URL, Prefix: "kyro", Installation: "here", Node: "one"}
	node, err := live.NewRedis(cfg)
	if err != nil {
		t.Fatal(err)
	}
	node.Run()
	defer node.Stop()
	for range 2 {
		var x live.Examined
		for hang := time.Now().Add(5 * time.Minute); x.Nodes == 0; time.Sleep(10 * time.Millisecond) { // until it is counted
			if x, err = live.Examine(t.Context(), cfg); err != nil || time.Now().After(hang) {
				t.Fatalf("%+v, %v", x, err)
			}
		}
		if x.Nodes != 1 || x.Version == "" || x.Replica || x.Cluster || x.Refused != nil || x.Used == 0 || x.Policy == "" || x.Ahead.Abs() > x.Took {
			t.Errorf("%+v, %v", x, err)
		}
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	cfg.URL = strings.Replace(server.URL, "redis://", "redis://:secretOfRedis@", 1)
	if _, err := live.Examine(t.Context(), cfg); err == nil || strings.Contains(err.Error(), "secretOfRedis") {
		t.Error(err)
	}
}
