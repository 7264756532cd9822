package kyro_test

import (
	"errors"
	"slices"
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
		{"/é*", "/%C3%A9t%C3%A9", true}, {"/%c3%a9*", "/%C3%A9t%C3%A9", true}, {"/e*", "/%C3%A9t%C3%A9", false}, {"/a b", "/a%20b", true},
		{"/a/b", "/a%2Fb", false}, {"/a%2fb", "/a%2Fb", true}, {"/a%2Ab", "/a*b", true}, {"/a%2Ab", "/axb", false}, {"/a*b", "/a*b", true},
		{"/100%*", "/100%25-wool", true}, {"/100%25*", "/100%25-wool", true}, {"/%2520", "/%20", false}, {"/%C3*", "/%C3%A9", true},
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

func TestPatternsAreOfOneLine(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"/docs/*\n/faq", "/docs/*\r", "/a\tb", "/a\x00", "/a\u0085"} {
		for field, c := range map[string]kyro.NewCrawl{"include": {Include: []string{pattern}}, "exclude": {Exclude: []string{"/", pattern}}} {
			c.MaxPages = 1
			err := c.Check()
			if known, ok := errors.AsType[*kyro.Error](err); !ok || known.Code != kyro.CodeValidation || !slices.Contains(known.Field, field) {
				t.Errorf("%q in %s: %+v", pattern, field, err)
			}
		}
	}
	if err := (kyro.NewCrawl{MaxPages: 1, Include: []string{"/ü*", "/%0A*"}}).Check(); err != nil {
		t.Error(err)
	}
}

func TestCrawlsHaveLimits(t *testing.T) {
	t.Parallel()
	patterns := func(n int) []string { return slices.Repeat([]string{"/a"}, n) }
	for name, c := range map[string]struct {
		crawl kyro.NewCrawl
		field string // that is wrong; "": none is
	}{
		"the least":               {kyro.NewCrawl{MaxPages: 1}, ""},
		"the most":                {kyro.NewCrawl{MaxPages: kyro.MaxCrawlPages, MaxDepth: kyro.MaxCrawlDepth, Include: patterns(kyro.MaxCrawlPatterns), Exclude: patterns(kyro.MaxCrawlPatterns)}, ""},
		"no page":                 {kyro.NewCrawl{}, "maxPages"},
		"too many pages":          {kyro.NewCrawl{MaxPages: kyro.MaxCrawlPages + 1}, "maxPages"},
		"less deep than the page": {kyro.NewCrawl{MaxPages: 1, MaxDepth: -1}, "maxDepth"},
		"too deep":                {kyro.NewCrawl{MaxPages: 1, MaxDepth: kyro.MaxCrawlDepth + 1}, "maxDepth"},
		"too many to include":     {kyro.NewCrawl{MaxPages: 1, Include: patterns(kyro.MaxCrawlPatterns + 1)}, "include"},
		"too many to exclude":     {kyro.NewCrawl{MaxPages: 1, Exclude: patterns(kyro.MaxCrawlPatterns + 1)}, "exclude"},
		"a pattern of nothing":    {kyro.NewCrawl{MaxPages: 1, Include: []string{""}}, "include"},
		"a pattern of no path":    {kyro.NewCrawl{MaxPages: 1, Exclude: []string{"docs/*"}}, "exclude"},
		"a pattern of an ending":  {kyro.NewCrawl{MaxPages: 1, Exclude: []string{"*.pdf"}}, ""},
		"a long pattern":          {kyro.NewCrawl{MaxPages: 1, Include: []string{"/" + strings.Repeat("x", 199)}}, ""},
		"too long a pattern":      {kyro.NewCrawl{MaxPages: 1, Include: []string{"/" + strings.Repeat("x", 200)}}, "include"},
	} {
		err := c.crawl.Check()
		known, _ := errors.AsType[*kyro.Error](err)
		if (err == nil) != (c.field == "") || err != nil && (known == nil || known.Code != kyro.CodeValidation || !slices.Equal(known.Field, []string{c.field})) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for status, final := range map[kyro.CrawlStatus]bool{
		kyro.CrawlQueued: false, kyro.CrawlRunning: false, kyro.CrawlCompleted: true, kyro.CrawlFailed: true, kyro.CrawlCanceled: true,
	} {
		if status.Final() != final {
			t.Errorf("%s: %t", status, status.Final())
		}
	}
}
