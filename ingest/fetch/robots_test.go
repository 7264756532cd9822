package fetch_test

import (
	"strings"
	"testing"
	"time"

	"kyrochat/ingest/fetch"
)

// TestRobotsSayWhatTheRFCSays has the examples of RFC 9309, sections 2.2 and 5, and what follows from them.
func TestRobotsSayWhatTheRFCSays(t *testing.T) {
	t.Parallel()
	const several = `User-Agent: *
Disallow: *.gif$
Disallow: /example/
Allow: /publications/

User-Agent: foobot
Disallow:/
Allow:/example/page.html
Allow:/example/allowed.gif

User-Agent: barbot
User-Agent: bazbot
Disallow: /example/page.html

User-Agent: quxbot
`
	const longest = "User-Agent: foobot\nAllow: /example/page/\nDisallow: /example/page/disallowed.gif\n"
	for _, c := range []struct {
		name, text, agent, path string
		allowed                 bool
	}{
		{"5.1 everybody", several, "otherbot", "/example/a", false},
		{"5.1 everybody", several, "otherbot", "/publications/a", true},
		{"5.1 everybody", several, "otherbot", "/a.gif", false},
		{"5.1 everybody", several, "otherbot", "/a.gif?b", true},
		{"5.1 everybody", several, "otherbot", "/a.gifs", true},
		{"5.1 foobot", several, "foobot", "/a", false},
		{"5.1 foobot", several, "FooBot/1.0", "/example/page.html", true},
		{"5.1 foobot", several, "foobot", "/example/allowed.gif", true},
		{"5.1 barbot", several, "barbot", "/example/page.html", false},
		{"5.1 barbot", several, "barbot", "/a.gif", true},
		{"5.1 bazbot", several, "bazbot", "/example/page.html", false},
		{"5.1 quxbot has no rules", several, "quxbot", "/example/page.html", true},
		{"5.2 the longest", longest, "foobot", "/example/page/", true},
		{"5.2 the longest", longest, "foobot", "/example/page/disallowed.gif", false},
		{"2.2.1 groups count together", "User-agent: ExampleBot\nDisallow: /foo\nDisallow: /bar\n\nUser-agent: ExampleBot\nDisallow: /baz\n", "examplebot", "/baz", false},
		{"2.2.1 groups count together", "User-agent: ExampleBot\nDisallow: /foo\nDisallow: /bar\n\nUser-agent: ExampleBot\nDisallow: /baz\n", "examplebot", "/foo", false},
		{"2.2.1 a name is a whole name", "User-agent: kyro\nDisallow: /\n", "KyroChatBot", "/", true},
		{"2.2.1 a name is a whole name", "User-agent: kyrochatbots\nDisallow: /\n", "KyroChatBot", "/", true},
		{"2.2.1 what follows the name", "User-agent: KyroChatBot/2.0\nDisallow: /\n", "KyroChatBot", "/", false},
		{"2.2.1 everybody, when nobody is named", "User-agent: other\nDisallow: /a\n\nUser-agent: *\nDisallow: /b\n", "KyroChatBot", "/b", false},
		{"2.2.1 not everybody, when we are named", "User-agent: *\nDisallow: /\nUser-agent: kyrochatbot\nDisallow: /a\n", "KyroChatBot", "/b", true},
		{"2.2.1 no rules without a group", "Disallow: /\n", "KyroChatBot", "/a", true},
		{"2.2.1 nothing", "", "KyroChatBot", "/a", true},
		{"2.2.2 robots.txt itself", "User-agent: *\nDisallow: /\n", "KyroChatBot", "/robots.txt", true},
		{"2.2.2 Allow where both are as long", "User-agent: *\nDisallow: /a\nAllow: /a\n", "KyroChatBot", "/a", true},
		{"2.2.2 case of paths", "User-agent: *\nDisallow: /A\n", "KyroChatBot", "/a", true},
		{"2.2.2 an empty Disallow", "User-agent: *\nDisallow:\n", "KyroChatBot", "/a", true},
		{"2.2.2 encoding", "User-agent: *\nDisallow: /foo/bar?baz=quz\n", "KyroChatBot", "/foo/bar?baz=quz", false},
		{"2.2.2 encoding", "User-agent: *\nDisallow: /foo/bar/ツ\n", "KyroChatBot", "/foo/bar/%E3%83%84", false},
		{"2.2.2 encoding", "User-agent: *\nDisallow: /foo/bar/%E3%83%84\n", "KyroChatBot", "/foo/bar/ツ", false},
		{"2.2.2 encoding", "User-agent: *\nDisallow: /foo/bar/%62%61%7A\n", "KyroChatBot", "/foo/bar/baz", false},
		{"2.2.2 encoding", "User-agent: *\nDisallow: /a%2fb\n", "KyroChatBot", "/a/b", true},
		{"2.2.3 the end", "User-agent: *\nDisallow: /this/path/exactly$\n", "KyroChatBot", "/this/path/exactly", false},
		{"2.2.3 the end", "User-agent: *\nDisallow: /this/path/exactly$\n", "KyroChatBot", "/this/path/exactly/not", true},
		{"2.2.3 any text", "User-agent: *\nDisallow: /this/*/exactly\n", "KyroChatBot", "/this/a/b/exactly/so", false},
		{"2.2.3 any text", "User-agent: *\nDisallow: /this/*/exactly\n", "KyroChatBot", "/that/this/a/exactly", true},
		{"2.2.3 any text, to the end", "User-agent: *\nDisallow: /*.pdf$\n", "KyroChatBot", "/a.pdf.pdf", false},
		{"2.2.3 any text, to the end", "User-agent: *\nDisallow: /a*a$\n", "KyroChatBot", "/a", true},
		{"2.2.3 any text, at the end", "User-agent: *\nDisallow: /a*\n", "KyroChatBot", "/a", false},
		{"2.2.3 only the end", "User-agent: *\nDisallow: /$\n", "KyroChatBot", "/", false},
		{"2.2.3 only the end", "User-agent: *\nDisallow: /$\n", "KyroChatBot", "/a", true},
		{"2.2.3 a star itself", "User-agent: *\nDisallow: /path/file-with-a-%2A.html\n", "KyroChatBot", "/path/file-with-a-*.html", false},
		{"2.2.3 a star itself", "User-agent: *\nDisallow: /path/file-with-a-%2A.html\n", "KyroChatBot", "/path/file-with-a-b.html", true},
		{"2.2.3 a dollar itself", "User-agent: *\nDisallow: /path/foo-%24\n", "KyroChatBot", "/path/foo-$", false},
		{"2.2.4 other records", "User-agent: *\nSitemap: https://example.com/s.xml\nNonsense: a\nDisallow: /a\n", "KyroChatBot", "/a", false},
		{"2.2.4 other records end no group", "User-agent: a\nCrawl-delay: 1\nUser-agent: KyroChatBot\nDisallow: /a\n", "a", "/a", false},
		{"comments and spaces", "\ufeff  USER-AGENT :  *  # all\r\n\tdisallow :/a# no\r", "KyroChatBot", "/a", false},
		{"a line that makes no sense", "Disallow /\n<html>\n:\nUser-agent: *\nCrawl-delay: soon\nDisallow: /a\n", "KyroChatBot", "/a", false},
		{"500 KiB", "User-agent: *\n" + strings.Repeat("# nothing\n", 50*1024) + "Disallow: /a\n", "KyroChatBot", "/a", false},
		{"the rest is ignored", "User-agent: *\n" + strings.Repeat("# nothing\n", 53*1024) + "Disallow: /a\n", "KyroChatBot", "/a", true},
	} {
		got, _, err := fetch.RobotsAllow([]byte(c.text), c.agent, "https://example.com"+c.path)
		if err != nil || got != c.allowed {
			t.Errorf("%s: %s may read %s: %t, %v", c.name, c.agent, c.path, got, err)
		}
	}
}

func TestCrawlDelay(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"User-agent: *\nCrawl-delay: 2.5\n":                                              2500 * time.Millisecond,
		"User-agent: *\nCrawl-delay: 86400\n":                                            10 * time.Second,
		"User-agent: *\nCrawl-delay: 1e300\n":                                            10 * time.Second,
		"User-agent: *\nCrawl-delay: -1\n":                                               0,
		"User-agent: *\nCrawl-delay: NaN\n":                                              0,
		"User-agent: other\nCrawl-delay: 5\n":                                            0,
		"User-agent: KyroChatBot\nDisallow: /a\nUser-agent: *\nCrawl-delay: 5\n":         0,
		"User-agent: KyroChatBot\nCrawl-delay: 3\n\nUser-agent: *\nCrawl-delay: 5\n":     3 * time.Second,
		"User-agent: *\nUser-agent: KyroChatBot\nDisallow: /\nCrawl-delay: 4 # slowly\n": 4 * time.Second,
	} {
		if _, got, err := fetch.RobotsAllow([]byte(text), "KyroChatBot/1.0", "https://example.com/"); err != nil || got != want {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
}

// TestRobotsAreReadInTime: rules that are made to be slow are not.
func TestRobotsAreReadInTime(t *testing.T) {
	t.Parallel()
	text := "User-agent: *\n" + strings.Repeat("Disallow: /"+strings.Repeat("*a", 200)+"b$\n", 1_200)
	if got, _, err := fetch.RobotsAllow([]byte(text), "KyroChatBot", "https://example.com/"+strings.Repeat("a", 2_000)); err != nil || !got {
		t.Error(got, err)
	}
}

func FuzzRobots(f *testing.F) {
	f.Add([]byte("User-agent: *\nDisallow: /a*b$\nAllow: /a/b\nCrawl-delay: 3\nSitemap: /s.xml\n"), "/a/b")
	f.Add([]byte("/*a*b$"), "/ab/a/b")
	f.Add([]byte("\ufeffUser-agent: KyroChatBot\rDisallow:%\r\n"), "/%25?a=b")
	f.Fuzz(func(t *testing.T, text []byte, path string) {
		got, delay, err := fetch.RobotsAllow(text, "KyroChatBot/1.0", "https://example.com/"+path)
		if err != nil {
			return
		}
		if delay < 0 || delay > 10*time.Second {
			t.Fatal(delay)
		}
		if !got && !strings.Contains(strings.ToLower(string(text)), "disallow") {
			t.Fatal("refused without a rule")
		}
		commented, _, err := fetch.RobotsAllow(append(append([]byte(nil), text...), "\n# the end"...), "KyroChatBot/1.0", "https://example.com/"+path)
		if len(text) < fetch.MaxRobots-100 && (err != nil || commented != got) {
			t.Fatalf("with a comment: %t, without: %t, %v", commented, got, err)
		}
		if pattern := string(text); len(pattern) < 50 && len(path) < 50 && fetch.Matches(pattern, path) != fits(pattern, path) {
			t.Fatalf("%q fits %q: %t", pattern, path, fits(pattern, path))
		}
	})
}

// fits is what matches means, tried one by one.
func fits(pattern, path string) bool {
	switch {
	case pattern == "":
		return true
	case pattern == "$":
		return path == ""
	case pattern[0] == '*':
		return fits(pattern[1:], path) || path != "" && fits(pattern, path[1:])
	}
	return path != "" && pattern[0] == path[0] && fits(pattern[1:], path[1:])
}
