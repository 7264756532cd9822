package chunk

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"kyrochat/kyro"
)

// longestTitle is how much of a heading, in bytes, enters the path of the chunks below it.
const longestTitle = 160

// heading is one level of the path to a section.
type heading struct {
	level int
	title string
}

// enter gives the path once a heading is read: it replaces those of its level and below.
func enter(path []heading, h heading) []heading {
	n := len(path)
	for n > 0 && path[n-1].level >= h.level {
		n--
	}
	return append(path[:n:n], h)
}

// common is the path that two sections share.
func common(a, b []heading) []heading {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return a[:n:n]
}

func titles(path []heading) []string {
	out := make([]string, len(path))
	for i, h := range path {
		out[i] = h.title
	}
	return out
}

var (
	inlineLink = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
	emphasis   = regexp.MustCompile("\\*{1,3}([^*]+)\\*{1,3}|_{2}([^_]+)_{2}|`([^`]+)`")
	closing    = regexp.MustCompile(`\s+#+\s*$`)
)

// readHeading gives a heading as a reader sees it: one line, without the marks that make it a heading.
func readHeading(source string, b kyro.Block, markdown bool) heading {
	s := strings.TrimSpace(source[b.Start:min(b.End, b.Start+4*longestTitle)])
	if i := strings.LastIndexByte(s, '\n'); i >= 0 && strings.Trim(s[i:], "=-~ \t\n") == "" {
		s = s[:i]
	}
	if markdown {
		if rest := strings.TrimLeft(s, "#"); len(rest) < len(s) {
			s = closing.ReplaceAllString(rest, "")
		}
		s = inlineLink.ReplaceAllString(s, "$1")
		s = emphasis.ReplaceAllString(s, "$1$2$3")
	}
	s = shortened(strings.Join(strings.Fields(s), " "), longestTitle)
	return heading{level: max(b.Level, 1), title: strings.ToValidUTF8(s, "")}
}

// shortened is at most so many bytes of a text, and a sign that there was more.
func shortened(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for !utf8.RuneStart(s[most]) {
		most--
	}
	return strings.TrimSpace(s[:most]) + "…"
}
