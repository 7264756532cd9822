package fetch_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/ingest/fetch"
	"kyrochat/internal/website"
	"kyrochat/kyro"
)

func TestHostsAreAskedSlowly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pace := fetch.NewPace(time.Now)
		began := time.Now()
		var mu sync.Mutex
		var entered []time.Duration
		running, most := 0, 0
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				leave, err := pace.Enter(t.Context(), "example.com", time.Second, time.Minute)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				entered = append(entered, time.Since(began))
				running++
				most = max(most, running)
				mu.Unlock()
				time.Sleep(5 * time.Second)
				mu.Lock()
				running--
				mu.Unlock()
				leave()
				leave() // does nothing more
			})
		}
		other, err := pace.Enter(t.Context(), "example.org", time.Second, time.Minute)
		if err != nil || time.Since(began) > 0 {
			t.Errorf("another host waits for this one: %s, %v", time.Since(began), err)
		}
		other()
		all.Wait()
		slices.Sort(entered)
		if want := []time.Duration{0, 1e9, 5e9, 6e9, 10e9, 11e9}; !slices.Equal(entered, want) || most != 2 {
			t.Errorf("they came at %v, %d at once", entered, most)
		}
	})
}

func TestWaitingForAHostHasAnEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pace := fetch.NewPace(time.Now)
		enter := func(ctx context.Context, delay time.Duration) (func(), time.Duration, error) {
			began := time.Now()
			leave, err := pace.Enter(ctx, "example.com", delay, 15*time.Second)
			return leave, time.Since(began), err
		}
		first, _, err := enter(t.Context(), 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		second, waited, err := enter(t.Context(), 10*time.Second)
		if err != nil || waited != 10*time.Second {
			t.Fatal(waited, err)
		}
		_, waited, err = enter(t.Context(), 10*time.Second)
		wantError(t, "both places are taken", err, kyro.CodeRateLimited, "")
		if waited != 15*time.Second {
			t.Error(waited)
		}
		first()
		second()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		leave, waited, err := enter(ctx, 100*time.Second)
		if err != nil || waited != 0 {
			t.Fatal(waited, err)
		}
		leave()
		_, waited, err = enter(t.Context(), time.Second)
		wantError(t, "the turn is too far away", err, kyro.CodeRateLimited, "")
		if known, _ := errors.AsType[*kyro.Error](err); waited != 0 || known.RetryAfter != 100*time.Second {
			t.Error(waited, known.RetryAfter)
		}
		time.Sleep(90 * time.Second)
		ctx, cancel = context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if _, waited, err = enter(ctx, 5*time.Second); !errors.Is(err, context.DeadlineExceeded) || waited != 2*time.Second {
			t.Error(waited, err)
		}
		leave, waited, err = enter(t.Context(), 0) // who left gave the moment back
		if err != nil || waited != 8*time.Second {
			t.Error(waited, err)
		}
		leave()
	})
}

// TestManyHostsAreForgotten, so that there may be any number of them.
func TestManyHostsAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pace := fetch.NewPace(time.Now)
		for i := range 20_000 {
			leave, err := pace.Enter(t.Context(), string(rune(i)), time.Second, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			leave()
			time.Sleep(time.Millisecond)
		}
		if n := pace.Hosts(); n > 3_000 {
			t.Errorf("%d hosts are remembered", n)
		}
	})
}

// noted is a pace that says what it was asked.
type noted struct {
	*fetch.Lanes
	mu            sync.Mutex
	entered       []string
	running, most int
}

func (n *noted) Enter(ctx context.Context, host string, delay, most time.Duration) (func(), error) {
	leave, err := n.Lanes.Enter(ctx, host, 0, most)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.entered = append(n.entered, host+" "+delay.String())
	n.running++
	n.most = max(n.most, n.running)
	return sync.OnceFunc(func() {
		n.mu.Lock()
		n.running--
		n.mu.Unlock()
		leave()
	}), nil
}

// TestEverythingCounts for the pace: robots.txt, pages, each redirection and what fails; bodies until they are closed.
func TestEverythingCounts(t *testing.T) {
	t.Parallel()
	site, pace := startSite(t), &noted{Lanes: fetch.NewPace(time.Now)}
	f := open(t, fetch.Options{Allow: []fetch.Exception{only(site.Address)}, Delay: time.Second, Pace: pace})
	site.Robots("User-agent: *\nCrawl-delay: 7\n")
	site.Set("/leads", website.Page{Location: "/page"})
	site.Set("/page", website.Page{Body: "a", ETag: `"e"`})
	if _, _, err := read(t, f, kyro.Fetch{URL: site.URL + "/leads"}); err != nil {
		t.Error(err)
	}
	if _, _, err := read(t, f, kyro.Fetch{URL: site.URL + "/missing"}); err == nil {
		t.Error("there is a page")
	}
	if _, _, err := read(t, f, kyro.Fetch{URL: site.URL + "/page", ETag: `"e"`}); err != nil {
		t.Error(err)
	}
	site.Set("/image", website.Page{Type: "image/png"})
	if _, _, err := read(t, f, kyro.Fetch{URL: site.URL + "/image"}); err == nil {
		t.Error("there is a page")
	}
	want := []string{"127.0.0.1 1s", "127.0.0.1 7s", "127.0.0.1 7s", "127.0.0.1 7s", "127.0.0.1 7s", "127.0.0.1 7s"}
	if !slices.Equal(pace.entered, want) || pace.running != 0 {
		t.Errorf("%q, %d are still in", pace.entered, pace.running)
	}
	open, err := f.Fetch(within(t), kyro.Fetch{URL: site.URL + "/page"})
	if err != nil || pace.running != 1 {
		t.Errorf("%d are in while a body is open, %v", pace.running, err)
	}
	_ = open.Body.Close()
	if pace.running != 0 {
		t.Errorf("%d are in after it was closed", pace.running)
	}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if _, _, err := read(t, f, kyro.Fetch{URL: site.URL + "/leads"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if pace.most > 2 || pace.running != 0 {
		t.Errorf("%d at once, %d are still in", pace.most, pace.running)
	}
}
