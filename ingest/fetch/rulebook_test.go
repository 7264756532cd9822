package fetch_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/ingest/fetch"
	"kyrochat/internal/website"
	"kyrochat/kyro"
)

const refusal = "The site asks programs not to read this page (robots.txt)."

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func TestRobotsAreHeeded(t *testing.T) {
	t.Parallel()
	site, time := startSite(t), newClock()
	f := open(t, fetch.Options{Allow: []fetch.Exception{only(site.Address)}, Now: time.now})
	for _, path := range []string{"/private/a", "/open"} {
		site.Set(path, website.Page{Body: "a"})
	}
	site.Set("/leads", website.Page{Location: "/private/a"})
	site.Robots("User-agent: KyroChatBot\nDisallow: /private/\n")
	_, err := f.Fetch(within(t), kyro.Fetch{URL: site.URL + "/private/a"})
	wantError(t, "a page", err, kyro.CodeFetchFailed, refusal)
	_, err = f.Fetch(within(t), kyro.Fetch{URL: site.URL + "/leads"})
	wantError(t, "a redirection", err, kyro.CodeFetchFailed, refusal)
	if _, _, err := read(t, f, kyro.Fetch{URL: site.URL + "/open"}); err != nil {
		t.Error(err)
	}
	for path, want := range map[string]bool{"/private/a": false, "/open": true, "/private": true} {
		if got, err := f.Allowed(within(t), site.URL+path); err != nil || got != want {
			t.Errorf("%s: %t, %v", path, got, err)
		}
	}
	if hits := site.Hits("/private/a"); len(hits) > 0 {
		t.Errorf("it was read: %+v", hits)
	}
	site.Robots("")
	if got, err := f.Allowed(within(t), site.URL+"/private/a"); err != nil || got {
		t.Errorf("it was forgotten at once: %t, %v", got, err)
	}
	time.move(24 * 60 * 60e9)
	if got, err := f.Allowed(within(t), site.URL+"/private/a"); err != nil || !got {
		t.Errorf("it is still remembered after a day: %t, %v", got, err)
	}
	if n := len(site.Hits("/robots.txt")); n != 2 {
		t.Errorf("robots.txt was read %d times", n)
	}
}

// TestRobotsThatAreNotThere: 4xx allows everything, what a server cannot tell nothing for a while (RFC 9309, 2.3.1).
func TestRobotsThatAreNotThere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		page website.Page
		code kyro.Code // "": allowed
	}{
		{"401", website.Page{Status: 401}, ""}, {"403", website.Page{Status: 403}, ""}, {"404", website.Page{Status: 404}, ""}, {"410", website.Page{Status: 410}, ""}, {"204", website.Page{Status: 204}, ""},
		{"429", website.Page{Status: 429}, kyro.CodeUpstreamFailed}, {"500", website.Page{Status: 500}, kyro.CodeUpstreamFailed}, {"501", website.Page{Status: 501}, kyro.CodeUpstreamFailed},
		{"503", website.Page{Status: 503, Header: http.Header{"Retry-After": {"120"}}}, kyro.CodeUpstreamFailed}, {"a loop", website.Page{Location: "/robots.txt"}, ""},
		{"to what is forbidden", website.Page{Location: "http://10.0.0.1/robots.txt"}, kyro.CodeFetchFailed}, {"no HTTP", website.Page{Raw: "hello"}, kyro.CodeFetchFailed},
		{"a page of HTML", website.Page{Body: "<html>Disallow: /"}, ""}, {"binary", website.Page{Body: "\x00\xff\xfe"}, ""},
		{"too much", website.Page{Type: "text/plain", Body: "User-agent: *\nDisallow: /nothing\n" + strings.Repeat("#", 600<<10) + "\nDisallow: /\n"}, ""},
		{"a bomb", website.Page{Type: "text/plain", Packed: 1, Zeros: 1 << 30}, ""}, {"broken off", website.Page{Body: "User-agent: *", Cut: true}, kyro.CodeUpstreamFailed},
	} {
		site, clock := startSite(t), newClock()
		f := open(t, fetch.Options{Allow: []fetch.Exception{only(site.Address)}, Now: clock.now})
		site.Set("/page", website.Page{Body: "a"})
		site.Set("/robots.txt", c.page)
		_, _, err := read(t, f, kyro.Fetch{URL: site.URL + "/page"})
		allowed, allowedErr := f.Allowed(within(t), site.URL+"/page")
		if c.code == "" {
			if err != nil || !allowed || allowedErr != nil {
				t.Errorf("%s: %v, %t, %v", c.name, err, allowed, allowedErr)
			}
			continue
		}
		text := ""
		if c.code == kyro.CodeFetchFailed {
			text = unreachable
		}
		wantError(t, c.name, err, c.code, text)
		wantError(t, c.name, allowedErr, c.code, text)
		if len(site.Hits("/page")) > 0 {
			t.Errorf("%s: the page was read", c.name)
		}
		asked := len(site.Hits("/robots.txt"))
		site.Robots("")
		clock.move(10 * time.Second)
		if _, err := f.Allowed(within(t), site.URL+"/page"); err == nil || len(site.Hits("/robots.txt")) != asked {
			t.Errorf("%s: it was asked for again at once", c.name)
		}
		clock.move(time.Hour)
		if _, _, err := read(t, f, kyro.Fetch{URL: site.URL + "/page"}); err != nil {
			t.Errorf("%s, later: %v", c.name, err)
		}
	}
}

func TestRobotsMayBeElsewhere(t *testing.T) {
	t.Parallel()
	site := startSite(t)
	for i, next := range []string{"/1", "/2", "/3", "/4", "/rules"} {
		site.Set([]string{"/robots.txt", "/1", "/2", "/3", "/4"}[i], website.Page{Location: next})
	}
	site.Set("/rules", website.Page{Type: "text/plain", Body: "User-agent: *\nDisallow: /a"})
	if got, err := reader(t, site).Allowed(within(t), site.URL+"/a"); err != nil || got {
		t.Errorf("%t, %v", got, err)
	}
}

// TestRobotsAreReadOnce by all who need them at the same time.
func TestRobotsAreReadOnce(t *testing.T) {
	t.Parallel()
	site := startSite(t)
	f := reader(t, site)
	site.Robots("User-agent: *\nDisallow: /a")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if got, err := f.Allowed(t.Context(), site.URL+"/a"); err != nil || got {
				t.Errorf("%t, %v", got, err)
			}
		})
	}
	all.Wait()
	if n := len(site.Hits("/robots.txt")); n != 1 {
		t.Errorf("robots.txt was read %d times", n)
	}
}
