package store_test

import (
	"testing"
	"time"

	"kyrochat/internal/testdb"
	"kyrochat/kyro"
)

// TestAFullDiskIsTold, and that there is room again.
func TestAFullDiskIsTold(t *testing.T) {
	t.Parallel()
	pools := testdb.SQLite(t)
	k := newKnowledge(t, pools)
	k.exec(t, "PRAGMA max_page_count = 1") // as many as there are
	var err error
	for i := 0; err == nil && i < 1000; i++ {
		err = k.store.AddLetter(t.Context(), kyro.Letter{Kind: kyro.LetterPasswordReset, To: "somebody@example.com", Seed: "seed", CreatedAt: k.now})
	}
	if kyro.ErrorCode(err) != kyro.CodeUnavailable {
		t.Fatalf("at a full disk: %v", err)
	}
	if pools.Ping(t.Context()) == nil {
		t.Error("the database counts as ready")
	}
	k.exec(t, "PRAGMA max_page_count = 1000000")
	for end := time.Now().Add(time.Minute); pools.Ping(t.Context()) != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(pools.Ping(t.Context()))
		}
	}
}
