package ai

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/internal/pinecone"
	"kyrochat/kyro"
)

// failing is a row of the table of misbehaviours: what is given, what comes of it, and how often the index is asked.
type failing struct {
	name  string
	fault pinecone.Fault
	away  bool
	short bool // with limits of time that are over soon, because something hangs

	code   kyro.Code     // "": it succeeds
	after  time.Duration // what the error says to wait
	calls  int
	waits  []time.Duration // what the index said to wait, for each pause
	logged string
}

const (
	again   = 5 * time.Second        // what errors say that may pass
	shortly = 400 * time.Millisecond // limits where something hangs: enough to ask it
)

func TestPineconeMisbehavesInQueries(t *testing.T) {
	const refused = "Pinecone refuses what it is asked"
	tables := []failing{
		{name: "well", calls: 1},
		{name: "slow", fault: pinecone.Fault{LatencyMS: 30}, calls: 1},
		{name: "unavailable once", fault: pinecone.Fault{Code: "Unavailable", Calls: 1}, calls: 2},
		{name: "internal once", fault: pinecone.Fault{Code: "Internal", Calls: 1}, calls: 2},
		{name: "aborted once", fault: pinecone.Fault{Code: "Aborted", Calls: 1}, calls: 2},
		{name: "its deadline once", fault: pinecone.Fault{Code: "DeadlineExceeded", Calls: 1}, calls: 2},
		{name: "rate once", fault: pinecone.Fault{Code: "ResourceExhausted", Calls: 1}, calls: 2},
		{name: "rate once, a wait", fault: pinecone.Fault{Code: "ResourceExhausted", Calls: 1, RetryMS: 50}, calls: 2, waits: []time.Duration{50 * time.Millisecond}},
		{name: "cut once", fault: pinecone.Fault{Cut: true, Calls: 1}, calls: 2},
		{name: "unavailable", fault: pinecone.Fault{Code: "Unavailable"}, code: kyro.CodeUpstreamFailed, after: again, calls: 2},
		{name: "internal", fault: pinecone.Fault{Code: "Internal"}, code: kyro.CodeUpstreamFailed, after: again, calls: 2},
		{name: "its deadline", fault: pinecone.Fault{Code: "DeadlineExceeded"}, code: kyro.CodeTimeout, after: again, calls: 2},
		{name: "unknown", fault: pinecone.Fault{Code: "Unknown"}, code: kyro.CodeUpstreamFailed, after: again, calls: 1},
		{name: "rate", fault: pinecone.Fault{Code: "ResourceExhausted"}, code: kyro.CodeUpstreamQuota, after: 10 * time.Second, calls: 2},
		{name: "rate, a long wait", fault: pinecone.Fault{Code: "ResourceExhausted", RetryMS: 60_000}, code: kyro.CodeUpstreamQuota, after: time.Minute, calls: 1},
		{name: "the month's units", fault: pinecone.Fault{Code: "ResourceExhausted", Message: "You've reached your read unit limit for the current month"},
			code: kyro.CodeUpstreamQuota, after: time.Hour, calls: 1, logged: "used up for this month"},
		{name: "cut", fault: pinecone.Fault{Cut: true}, code: kyro.CodeUpstreamFailed, after: again, calls: 2},
		{name: "hangs", fault: pinecone.Fault{Hang: true}, short: true, code: kyro.CodeTimeout, after: again, calls: 1},
		{name: "away", away: true, code: kyro.CodeUpstreamFailed, after: again},
		{name: "the key is refused", fault: pinecone.Fault{Code: "Unauthenticated", Message: "Invalid key " + pineconeTestKey},
			code: kyro.CodeUpstreamFailed, calls: 1, logged: refused},
		{name: "forbidden", fault: pinecone.Fault{Code: "PermissionDenied"}, code: kyro.CodeUpstreamFailed, calls: 1, logged: refused},
		{name: "invalid", fault: pinecone.Fault{Code: "InvalidArgument", Message: "line\nbreak " + strings.Repeat("é", 400)},
			code: kyro.CodeUpstreamFailed, calls: 1, logged: refused},
		{name: "no index", fault: pinecone.Fault{Code: "NotFound"}, code: kyro.CodeUpstreamFailed, calls: 1, logged: refused},
	}
	inModes(t, func(t *testing.T, l *lab) {
		l.fill(1, 7, 1, 3)
		breaker, limits := l.queries.breaker, l.queries
		for _, row := range tables {
			l.queries = limits
			if l.queries.breaker = newBreaker("fresh", "vector index", l.Pinecone.log); row.short {
				l.queries.whole = shortly
			}
			l.check(row, "Query", func() error {
				found, err := l.query(1)
				if err == nil && len(found) != 3 {
					t.Errorf("%s: found %v", row.name, found)
				}
				return err
			})
		}
		l.queries.breaker = breaker
		l.at.Misbehave(pinecone.Fault{Code: "NotFound", Message: "Namespace not found"})
		if got, err := l.query(1); len(got) != 0 || err != nil {
			t.Errorf("a namespace that is not there: %v, %v", got, err)
		}
		if there, err := l.Visible(t.Context(), versionOf(1, 7, 1, 3)); there || l.say(err) != nil {
			t.Errorf("a namespace that is not there: visible %t, %v", there, err)
		}
	})
}

func TestPineconeMisbehavesInWrites(t *testing.T) {
	tables := []failing{
		{name: "unavailable three times", fault: pinecone.Fault{Code: "Unavailable", Calls: 3}, calls: 4},
		{name: "rates", fault: pinecone.Fault{Code: "ResourceExhausted", Calls: 2, RetryMS: 1500}, calls: 3, waits: []time.Duration{1500 * time.Millisecond, 1500 * time.Millisecond}},
		{name: "cut twice", fault: pinecone.Fault{Cut: true, Calls: 2}, calls: 3},
		{name: "an error after the effect", fault: pinecone.Fault{Code: "Unavailable", Calls: 1, After: true}, calls: 2},
		{name: "cut after the effect", fault: pinecone.Fault{Cut: true, Calls: 1, After: true}, calls: 2},
		{name: "unavailable", fault: pinecone.Fault{Code: "Unavailable"}, code: kyro.CodeUpstreamFailed, after: again, calls: 5},
		{name: "rate", fault: pinecone.Fault{Code: "ResourceExhausted"}, code: kyro.CodeUpstreamQuota, after: 10 * time.Second, calls: 5},
		{name: "rate, a long wait", fault: pinecone.Fault{Code: "ResourceExhausted", RetryMS: 30_000}, code: kyro.CodeUpstreamQuota, after: 30 * time.Second, calls: 1},
		{name: "the month's units", fault: pinecone.Fault{Code: "ResourceExhausted", Message: "write unit limit for the current MONTH"},
			code: kyro.CodeUpstreamQuota, after: time.Hour, calls: 1, logged: "used up for this month"},
		{name: "invalid", fault: pinecone.Fault{Code: "InvalidArgument"}, code: kyro.CodeUpstreamFailed, calls: 1, logged: "waiting does not help"},
		{name: "away", away: true, code: kyro.CodeUpstreamFailed, after: again},
	}
	upserts := append(slices.Clone(tables),
		failing{name: "hangs once", fault: pinecone.Fault{Hang: true, Calls: 1}, short: true, calls: 2},
		failing{name: "hangs", fault: pinecone.Fault{Hang: true}, short: true, code: kyro.CodeTimeout, after: again, calls: 5},
		failing{name: "partial once", fault: pinecone.Fault{Partial: 0.5, Calls: 1}, calls: 2},
		failing{name: "partial", fault: pinecone.Fault{Partial: 0.5}, code: kyro.CodeUpstreamFailed, after: again, calls: 5})
	removals := append(slices.Clone(tables), failing{name: "not there", fault: pinecone.Fault{Code: "NotFound"}, calls: 1})
	inModes(t, func(t *testing.T, l *lab) {
		limits := l.writes
		each := func(rows []failing, method string, do func(document int64) error) {
			for i, row := range rows {
				l.writes = limits
				if l.writes.breaker = newBreaker("fresh", "vector index", l.Pinecone.log); row.short {
					l.writes.each = shortly
				}
				l.check(row, method, func() error { return l.say(do(int64(i + 1))) })
			}
		}
		each(upserts, "Upsert", func(document int64) error {
			err := l.Upsert(t.Context(), chunksOf(3, 1, document, 1, 6))
			if err == nil {
				if there, err := l.Visible(t.Context(), versionOf(1, document, 1, 6)); !there || err != nil {
					t.Errorf("document %d is not there after its upsert, %v", document, err)
				}
			}
			return err
		})
		each(removals, "Delete", func(document int64) error { return l.Remove(t.Context(), versionOf(1, document, 1, 6)) })
		each(tables, "Fetch", func(document int64) error {
			_, err := l.Visible(t.Context(), versionOf(1, document, 1, 6))
			return err
		})
		each(tables, "List", func(int64) error { return l.Walk(t.Context(), func([]kyro.VectorPlace) error { return nil }) })
		method := "DeleteNamespace"
		if l.placing.shared {
			method = "Delete"
		} else {
			each(tables, "ListNamespaces", func(int64) error { return l.Walk(t.Context(), func([]kyro.VectorPlace) error { return nil }) })
		}
		each(removals, method, func(int64) error { return l.RemoveBot(t.Context(), kyro.BotID(1)) })
	})
}

// check does something while a method misbehaves, and compares what comes of it with the row.
func (l *lab) check(row failing, method string, do func() error) {
	l.t.Helper()
	what := method + ", " + row.name
	row.fault.Method = method
	script := pinecone.Script{Away: row.away}
	if !row.away {
		script.Faults = []pinecone.Fault{row.fault}
		if _, err := l.Visible(l.t.Context(), versionOf(1, 999, 1, 1)); err != nil { // the connection is there
			l.t.Fatalf("before %s: %v", what, err)
		}
	}
	l.script(script)
	l.at.Forget()
	l.pauses = nil
	before := len(l.log.text())
	err := do()
	l.at.Behave()
	if row.away {
		l.await("it is back", func() bool {
			_, err := l.Visible(l.t.Context(), versionOf(1, 999, 1, 1))
			l.writes.breaker = newBreaker("fresh", "vector index", l.Pinecone.log)
			return err == nil
		})
	}
	var typed *kyro.Error
	if errors.As(err, &typed) {
		if typed.RetryAfter != row.after {
			l.t.Errorf("%s: says to wait %s, want %s", what, typed.RetryAfter, row.after)
		}
		if strings.Contains(typed.Message, "scripted") || strings.ContainsAny(err.Error(), "\n") {
			l.t.Errorf("%s: says %q, because of %q", what, typed.Message, err)
		}
	}
	if got := kyro.ErrorCode(err); got != row.code {
		l.t.Errorf("%s: %v, want %s", what, err, row.code)
	}
	if got := len(l.at.Calls(method)); !row.away && got != row.calls {
		l.t.Errorf("%s: asked %d times, want %d", what, got, row.calls)
	}
	if row.waits != nil && !slices.Equal(l.pauses, row.waits) {
		l.t.Errorf("%s: waits at least %v, want %v", what, l.pauses, row.waits)
	}
	if log := l.log.text()[before:]; !strings.Contains(log, row.logged) || row.logged == "" && strings.Contains(log, "level=ERROR") {
		l.t.Errorf("%s: logs %q, want %q", what, log, row.logged)
	}
}

// TestPineconeFailsNowAndThen asks an index that fails 30 % of all calls: writes come through, queries mostly, and none
// finds anything wrong.
func TestPineconeFailsNowAndThen(t *testing.T) {
	inModes(t, func(t *testing.T, l *lab) {
		l.script(pinecone.Script{Faults: []pinecone.Fault{{Share: 0.3, Code: "Unavailable"}}, Seed: 7})
		for document := range int64(30) {
			l.fill(1, document+1, 1, 3)
			if document%2 == 0 {
				if err := l.say(l.Remove(t.Context(), versionOf(1, document+1, 1, 3))); err != nil {
					t.Fatal(err)
				}
			}
		}
		failed := 0
		for range 100 {
			got, err := l.query(1)
			switch {
			case err != nil && kyro.ErrorCode(err) != kyro.CodeUpstreamFailed:
				t.Fatalf("a query fails with %v", err)
			case err != nil:
				failed++
				l.queries.breaker = newBreaker("fresh", "vector index", l.Pinecone.log)
			case len(got) != 45:
				t.Fatalf("a query finds %d chunks", len(got))
			}
		}
		if failed == 0 || failed > 30 {
			t.Errorf("%d of 100 queries fail, want about 9", failed)
		}
	})
}

// TestPineconeManyAtOnce puts, asks and removes from many goroutines, while calls fail now and then.
func TestPineconeManyAtOnce(t *testing.T) {
	inModes(t, func(t *testing.T, l *lab) {
		l.script(pinecone.Script{Faults: []pinecone.Fault{{Share: 0.1, Code: "Aborted"}}, Seed: 3})
		var all sync.WaitGroup
		for bot := range int64(8) {
			all.Go(func() {
				for version := range 5 {
					if err := l.say(l.Upsert(t.Context(), chunksOf(3, bot+1, bot+1, version+1, 3))); err != nil {
						t.Errorf("bot %d: %v", bot+1, err)
					}
					if got, err := l.query(bot + 1); err == nil && len(got) != 3 {
						t.Errorf("bot %d finds %v", bot+1, got)
					}
					if err := l.say(l.Remove(t.Context(), versionOf(bot+1, bot+1, version+1, 3))); err != nil {
						t.Errorf("bot %d: %v", bot+1, err)
					}
				}
			})
		}
		all.Wait()
		if n := len(l.at.Records()); n != 0 {
			t.Errorf("%d vectors are left", n)
		}
	})
}

func TestPineconeIsLeftAloneWhenItFails(t *testing.T) {
	l := newLab(t, PineconeConfig{Dims: 3})
	l.fill(1, 7, 1, 1)
	l.at.Misbehave(pinecone.Fault{Method: "Query", Code: "Unavailable"})
	for range 5 {
		if err := l.Away(); err != nil {
			t.Errorf("it is away too early: %v", err)
		}
		_, _ = l.query(1)
	}
	asked := len(l.at.Calls("Query"))
	var typed *kyro.Error
	for range 20 {
		if _, err := l.query(1); !errors.As(err, &typed) || typed.Code != kyro.CodeUpstreamFailed || typed.RetryAfter <= 0 {
			t.Fatalf("with the breaker open: %v", err)
		}
	}
	if n := len(l.at.Calls("Query")); n != asked {
		t.Errorf("%d queries reach it though it fails", n-asked)
	}
	if err := l.Away(); kyro.ErrorCode(err) != kyro.CodeUpstreamFailed {
		t.Errorf("it is not away: %v", err)
	}
	l.fill(1, 7, 2, 1) // writes have a breaker of their own
}

func TestPineconeCallersMayLeave(t *testing.T) {
	l := newLab(t, PineconeConfig{Dims: 3})
	l.at.Misbehave(pinecone.Fault{Hang: true})
	for i := range 10 { // none of them says anything about the index
		ctx, leave := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := l.SearchVectors(ctx, kyro.BotID(1), axis(0), 1)
			done <- err
		}()
		l.await("the query is asked", func() bool { return len(l.at.Calls("Query")) > i })
		leave()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Fatalf("a query whose caller left: %v", err)
		}
	}
	if err := l.Away(); err != nil {
		t.Errorf("it is away: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := l.Upsert(ctx, chunksOf(3, 1, 7, 1, 1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an upsert whose caller has no more time: %v", err)
	}
}

// TestPineconePauses waits as long as it is told to, and a random part of the rest.
func TestPineconePauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := make(map[time.Duration]bool)
		for range 20 {
			began := time.Now()
			if err := pineconePause(t.Context(), time.Second, time.Second); err != nil {
				t.Error(err)
			}
			took := time.Since(began)
			if took < time.Second || took > 2*time.Second {
				t.Errorf("waited %s", took)
			}
			seen[took] = true
		}
		if len(seen) < 10 {
			t.Errorf("20 pauses are %d different ones", len(seen))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := pineconePause(ctx, time.Hour, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a pause whose time is over: %v", err)
		}
	})
}

// TestPineconeWalksNoCircles ends where an index gives one page for ever.
func TestPineconeWalksNoCircles(t *testing.T) {
	token, pages := "same", 0
	err := (&Pinecone{}).pages(func(*string) (*string, error) {
		pages++
		return &token, nil
	})
	if kyro.ErrorCode(err) != kyro.CodeUpstreamFailed || pages != 2 {
		t.Errorf("%d pages, %v", pages, err)
	}
}

func TestPineconeClosed(t *testing.T) {
	l := newLab(t, PineconeConfig{Dims: 3})
	l.at.Misbehave(pinecone.Fault{Hang: true})
	done := make(chan error, 1)
	go func() { done <- l.Remove(t.Context(), versionOf(1, 7, 1, 1)) }()
	l.await("it is asked", func() bool { return len(l.at.Calls("Delete")) > 0 })
	l.Close()
	if err := l.say(<-done); kyro.ErrorCode(err) != kyro.CodeUpstreamFailed {
		t.Errorf("a removal in the middle of which it ends: %v", err)
	}
	if _, err := l.query(1); kyro.ErrorCode(err) != kyro.CodeUpstreamFailed {
		t.Errorf("a query after the end: %v", err)
	}
	l.Close()
}

func TestPineconeComesBack(t *testing.T) {
	l := newLab(t, PineconeConfig{Dims: 3})
	l.fill(1, 7, 1, 1)
	for i := range 3 {
		l.script(pinecone.Script{Away: true})
		if _, err := l.query(1); kyro.ErrorCode(err) != kyro.CodeUpstreamFailed {
			t.Fatalf("round %d: a query of what is away: %v", i, err)
		}
		l.at.Behave()
		l.await("a query is answered again", func() bool {
			got, err := l.query(1)
			l.queries.breaker = newBreaker("fresh", "vector index", l.Pinecone.log)
			return err == nil && fmt.Sprint(got) == "[7000]"
		})
	}
}
