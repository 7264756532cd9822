package live_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"kyrochat/internal/testdb"
	"kyrochat/live"
)

func TestTextsAreKnownToEveryNode(t *testing.T) {
	t.Parallel()
	server := testdb.Redis(t)
	a, b := join(t, server, "a", nil), join(t, server, "b", nil)
	from, to := live.NewSharedTexts(a.Redis), live.NewSharedTexts(b.Redis)
	sum := sha256.Sum256([]byte("{ viewer { id } }"))
	hash := hex.EncodeToString(sum[:])
	if text, found := to.Get(t.Context(), hash); found {
		t.Errorf("found %q before it was added", text)
	}
	from.Add(t.Context(), hash, "{ viewer { id } }")
	until(t, "the text is there", func() bool {
		text, found := to.Get(t.Context(), hash)
		return found && text == "{ viewer { id } }"
	})
	sameSlot := hash[:8] + "0000000000000000000000000000000000000000000000000000000" + "0"
	from.Add(t.Context(), sameSlot, "somebody's own words")
	until(t, "the text has made way", func() bool { _, found := to.Get(t.Context(), hash); return !found })
	if text, found := to.Get(t.Context(), sameSlot); found {
		t.Errorf("%q is given under a hash that is not its own", text)
	}
	for _, bad := range []string{"", "ab", hash + "00"} {
		to.Add(t.Context(), bad, "x")
		if _, found := to.Get(t.Context(), bad); found {
			t.Errorf("found something under %q", bad)
		}
	}
	fine(t, server.Stop())
	if _, found := to.Get(t.Context(), hash); found {
		t.Error("found without Redis")
	}
}
