package fetch

import (
	"context"
	"io"
	"net"
	"net/netip"
	"net/url"
	"time"
)

// Public reports whether an address is one of the public internet.
func Public(addr netip.Addr) bool { return public(addr.Unmap()) && addr.Zone() == "" }

// RobotsAllow reports whether a robots.txt lets an agent read an address, and how slowly.
func RobotsAllow(text []byte, agent, address string) (bool, time.Duration, error) {
	u, err := parse(address)
	if err != nil {
		return false, 0, err
	}
	r := parseRobots(text, ProductToken(agent))
	return r.allows(u), r.delay, nil
}

// ReadSitemap gives up to most entries of a sitemap.
func ReadSitemap(r io.Reader, most int) (pages []string, err error) {
	root, _ := url.Parse("https://example.com/")
	w := &walk{f: &Fetcher{}, root: root, most: most, seen: map[string]bool{}, named: map[string]bool{}}
	err = readSitemap(r, func(e entry) bool {
		if e.index {
			w.add(root, e.Location, 0)
		} else {
			w.page(e)
		}
		return len(w.pages) < most
	})
	return w.pages, err
}

// Hosts is how many hosts the pace remembers.
func (l *Lanes) Hosts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.hosts)
}

// Matches reports whether the pattern of a rule fits a path.
func Matches(pattern, path string) bool { return matches(pattern, path) }

// UsesProxies reports whether a proxy of the environment could be connected to in the place of what was asked for.
func (f *Fetcher) UsesProxies() bool { return f.transport.Proxy != nil }

// DialBy lets connections be made in another way, without any check.
func (f *Fetcher) DialBy(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	f.transport.DialContext = dial
}
