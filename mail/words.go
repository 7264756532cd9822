package mail

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode"
)

// maxLine is how many characters of what somebody typed are shown. The limits of names and addresses are below it.
const maxLine = 320

// line makes one line of printable text of what somebody typed. What turns the direction of writing, is invisible or breaks
// lines goes: it could make a mail say what it does not.
func line(s string) string {
	var b strings.Builder
	count, gap := 0, false
	for _, r := range strings.ToValidUTF8(s, "�") {
		switch {
		case unicode.IsSpace(r):
			gap = b.Len() > 0
			continue
		case !unicode.IsGraphic(r):
			continue
		}
		if count >= maxLine {
			b.WriteString("…")
			break
		}
		if gap {
			b.WriteByte(' ')
			gap = false
		}
		b.WriteRune(r)
		count++
	}
	return b.String()
}

func hasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }

// maxGreeting is how many characters of a name somebody is greeted by.
const maxGreeting = 40

// greetable gives the name where it reads as one: letters with single spaces, hyphens, apostrophes and dots that do not
// join words. Mail programs make links of what looks like an address, and a name must not be one. "" for every other name.
func greetable(name string) string {
	name = line(name)
	runes := []rune(name)
	if len(runes) > maxGreeting {
		return ""
	}
	for i, r := range runes {
		switch {
		case unicode.IsLetter(r), unicode.IsMark(r), r == ' ', strings.ContainsRune("-'’", r):
		case r == '.' && (i == len(runes)-1 || runes[i+1] == ' '):
		default:
			return ""
		}
	}
	return name
}

// browsers and systems are what a program may call itself in a User-Agent, the more special first: most say they are
// several.
var (
	browsers = [][2]string{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser", "Samsung Internet"}, {"Firefox", "Firefox"}, {"FxiOS", "Firefox"},
		{"CriOS", "Chrome"}, {"Chrom", "Chrome"}, {"Safari", "Safari"}, {"curl/", "curl"}, {"python", "a Python program"}, {"Python", "a Python program"},
		{"node", "a Node program"}, {"Go-http-client", "a Go program"}, {"okhttp", "an Android app"}, {"CFNetwork", "an Apple app"},
		{"Mozilla", "a browser"},
	}
	systems = [][2]string{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"},
		{"Mac OS", "macOS"}, {"Darwin", "macOS"}, {"Linux", "Linux"},
	}
)

// device says what a User-Agent says, in words of our own: the header is free text of whoever sends it.
func device(userAgent string) string {
	if userAgent == "" {
		return ""
	}
	find := func(names [][2]string) string {
		for _, name := range names {
			if strings.Contains(userAgent, name[0]) {
				return name[1]
			}
		}
		return ""
	}
	program, system := find(browsers), find(systems)
	if program == "" {
		program = "a program"
	}
	if system == "" {
		return program
	}
	return program + " on " + system
}

// network says a network as people know addresses: 203.0.113.x for 203.0.113.0/24, 2001:db8:1:x for 2001:db8:1::/48.
func network(prefix string) string {
	p, err := netip.ParsePrefix(prefix)
	if err != nil {
		return line(prefix)
	}
	first := p.Addr().As16()
	switch {
	case p.Addr().Is4() && p.Bits() == 24:
		return fmt.Sprintf("%d.%d.%d.x", first[12], first[13], first[14])
	case p.Addr().Is6() && p.Bits() == 48:
		return fmt.Sprintf("%x:%x:%x:x", uint16(first[0])<<8|uint16(first[1]), uint16(first[2])<<8|uint16(first[3]), uint16(first[4])<<8|uint16(first[5]))
	}
	return prefix
}
