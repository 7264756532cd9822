package fetch

import (
	"bytes"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// MaxRobots is how much of a robots.txt is read, in bytes; the rest is ignored. RFC 9309 asks for 500 KiB at least.
const MaxRobots = 512 << 10

// maxCrawlDelay is the longest Crawl-delay that is kept to.
const maxCrawlDelay = 10 * time.Second

// robots is what a robots.txt says to us.
type robots struct {
	rules    []rule
	delay    time.Duration // between two requests, where it asks for one
	sitemaps []string      // as they are written
}

// rule is an Allow or Disallow line.
type rule struct {
	pattern string // in the one form of percent-encoding; * is any text, $ at the end the end
	allow   bool
}

// parseRobots reads a robots.txt as RFC 9309 has it: the groups that name the agent count together, or those of * where
// none does. Everything that it does not know is ignored, and no line makes others invalid. A Crawl-delay, which the RFC
// does not know and which must not change what other lines mean, counts for those who are named just before it.
func parseRobots(text []byte, agent string) *robots {
	if len(text) > MaxRobots {
		text = text[:MaxRobots]
		text = text[:bytes.LastIndexAny(text, "\r\n")+1] // half a line might say something else
	}
	r := &robots{}
	var ours, everybody robots
	var group, slow struct{ named, all, begun bool } // whom rules are for, and a delay; begun: the next user-agent begins anew
	known := false                                   // there is a group for us
	for line := range strings.FieldsFuncSeq(strings.TrimPrefix(string(text), "\ufeff"), func(c rune) bool { return c == '\n' || c == '\r' }) {
		line, _, _ = strings.Cut(line, "#")
		key, value, found := strings.Cut(line, ":")
		if !found {
			continue
		}
		value = strings.TrimSpace(value)
		switch key = strings.ToLower(strings.TrimSpace(key)); key {
		case "user-agent":
			if group.begun {
				group.named, group.all, group.begun = false, false, false
			}
			if slow.begun {
				slow.named, slow.all, slow.begun = false, false, false
			}
			if strings.HasPrefix(value, "*") {
				group.all, slow.all = true, true
			} else if ProductToken(value) == agent {
				group.named, slow.named, known = true, true, true
			}
		case "allow", "disallow":
			group.begun, slow.begun = true, true
			if value == "" {
				continue
			}
			line := rule{pattern: encoded(value, patternSigns), allow: key == "allow"}
			if group.named {
				ours.rules = append(ours.rules, line)
			}
			if group.all {
				everybody.rules = append(everybody.rules, line)
			}
		case "crawl-delay":
			slow.begun = true
			if seconds, err := strconv.ParseFloat(value, 64); err == nil && seconds > 0 {
				delay := time.Duration(min(seconds, maxCrawlDelay.Seconds()) * float64(time.Second))
				if slow.named {
					ours.delay = delay
				}
				if slow.all {
					everybody.delay = delay
				}
			}
		case "sitemap":
			if len(r.sitemaps) < maxSitemaps {
				r.sitemaps = append(r.sitemaps, value)
			}
		}
	}
	if !known {
		ours = everybody
	}
	r.rules, r.delay = ours.rules, ours.delay
	return r
}

// ProductToken is the name of an agent, as the beginning of a User-Agent has it, in lower case.
func ProductToken(s string) string {
	end := strings.IndexFunc(s, func(c rune) bool { return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-' || c == '_') })
	if end >= 0 {
		s = s[:end]
	}
	return strings.ToLower(s)
}

// What stands for itself in a path that rules are held against, and in a rule: there * and $ have a meaning, so that in a
// path they are encoded, as a rule names them.
const (
	matchedSigns = "/!&'()+,;=:@?"
	patternSigns = matchedSigns + "*$"
)

// allows reports whether an address may be read: the longest rule that fits decides, Allow where two are as long.
// robots.txt itself always may.
func (r *robots) allows(at *url.URL) bool {
	path := encoded(at.EscapedPath(), matchedSigns)
	if path == robotsPath {
		return true
	}
	if at.RawQuery != "" {
		path += "?" + encoded(at.RawQuery, matchedSigns)
	}
	longest, allowed := -1, true
	for _, each := range r.rules {
		if n := len(each.pattern); (n > longest || n == longest && each.allow) && matches(each.pattern, path) {
			longest, allowed = n, each.allow
		}
	}
	return allowed
}

// matches reports whether a pattern fits the beginning of a path, or all of it where it ends in $. Each part between two *
// is taken where it comes first, which finds a fit wherever there is one: the effort is that of reading both once.
func matches(pattern, path string) bool {
	pattern, whole := strings.CutSuffix(pattern, "$")
	first, rest, several := strings.Cut(pattern, "*")
	if !strings.HasPrefix(path, first) {
		return false
	}
	path = path[len(first):]
	for several {
		var part string
		part, rest, several = strings.Cut(rest, "*")
		if !several && whole {
			return strings.HasSuffix(path, part)
		}
		i := strings.Index(path, part)
		if i < 0 {
			return false
		}
		path = path[i+len(part):]
	}
	return !whole || path == ""
}

// size is about how much memory it takes, in bytes.
func (r *robots) size() int {
	n := 256
	for _, each := range r.rules {
		n += len(each.pattern) + 24
	}
	for _, s := range r.sitemaps {
		n += len(s) + 16
	}
	return n
}
