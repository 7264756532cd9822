package ai

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestShareOfPassages: documents take what they like until a question is refused, then three quarters of what they took,
// less where that was still too much, and again what they like ten minutes later.
func TestShareOfPassages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s share
		take := func() (n int) { // as many as there are within a minute, by tens
			for n < 1_000 && s.take(10) == 0 {
				n += 10
			}
			return n
		}
		s.yield() // nothing was taken: that was not for documents
		if n := take(); n != 1_000 {
			t.Errorf("at first there are %d", n)
		}
		s.back(200)   // were refused
		for range 5 { // several at once, here and on other nodes
			s.yield()
		}
		if s.whole() != 600 {
			t.Errorf("of 800 there are %d", s.whole())
		}
		if wait := s.take(10); wait != time.Minute {
			t.Errorf("more than there are: to wait for %v", wait)
		}
		time.Sleep(time.Minute)
		if n := take(); n != 600 {
			t.Errorf("in the next minute there are %d", n)
		}
		s.yield()
		time.Sleep(time.Minute)
		if n := take(); n != 450 {
			t.Errorf("after another refusal there are %d", n)
		}
		time.Sleep(8 * time.Minute)
		if n := take(); n != 450 {
			t.Errorf("nine minutes later there are %d", n)
		}
		time.Sleep(time.Minute)
		if n := take(); n != 1_000 || s.whole() != mostBatch {
			t.Errorf("ten minutes later there are %d", n)
		}
		time.Sleep(time.Hour)
		s.take(12)
		s.yield()
		if s.whole() != leastShare || s.take(1) == 0 {
			t.Errorf("of 12 there are %d", s.whole())
		}
		time.Sleep(time.Minute)
		if s.take(2*leastShare) != 0 {
			t.Error("what is larger than the whole share never goes")
		}
	})
}
