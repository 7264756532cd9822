package kyro_test

import (
	"strings"
	"testing"
	"time"

	"kyrochat/kyro"
)

func TestMatchPath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, path string
		matches       bool
	}{
		{"/docs/*", "/docs/", true}, {"/docs/*", "/docs/a/b", true}, {"/docs/*", "/docs", false}, {"/docs", "/docs/a", false},
		{"*", "/", true}, {"*.html", "/a/b.html", true}, {"*.html", "/a.html/b", false}, {"/a*b*c", "/abc", true},
		{"/a*b*c", "/a-b-b-c", true}, {"/a*b*c", "/acb", false}, {"/aba*aba", "/aba", false}, {"/x**y", "/xy", true},
		{"/tags/*/page", "/tags/one/two/page", true}, {"/*a", "/ba", true}, {"/%C3%A9*", "/%C3%A9t%C3%A9", true},
	} {
		if got := kyro.MatchPath(c.pattern, c.path); got != c.matches {
			t.Errorf("%q matches %q: %t", c.pattern, c.path, got)
		}
	}
}

// What makes others try every way takes one pass here.
func TestMatchPathTakesNoTime(t *testing.T) {
	t.Parallel()
	pattern, path := "/"+strings.Repeat("*a", 99)+"*b", "/"+strings.Repeat("a", kyro.MaxURL)
	done := make(chan bool)
	go func() {
		for range 1_000 {
			kyro.MatchPath(pattern, path)
		}
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("a pattern is matched for a minute")
	}
}

func TestCrawlsTakePaths(t *testing.T) {
	t.Parallel()
	c := kyro.Crawl{Include: []string{"/docs/*", "/faq"}, Exclude: []string{"/docs/old/*"}}
	for path, takes := range map[string]bool{"/docs/new": true, "/docs/old/one": false, "/faq": true, "/": false} {
		if got := c.Takes(path); got != takes {
			t.Errorf("%s is taken: %t", path, got)
		}
	}
}
