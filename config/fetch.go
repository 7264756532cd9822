package config

import (
	"net/netip"
	"strings"
	"time"

	"kyrochat/ingest/fetch"
)

// Fetch is what pages are fetched with, and from where.
type Fetch struct {
	Allow    []fetch.Exception // what may be reached besides the public internet
	DNS      string            // host:port of the name server; empty: the system's
	Agent    string
	Timeout  time.Duration // for one page
	MaxBytes int           // of one page
	Delay    time.Duration // between two requests to a host
}

// readFetch reads how pages of the web are fetched.
func (r *reader) readFetch(c *Config) {
	f := &c.Fetch
	*f = Fetch{
		Agent:    r.text("KYRO_FETCH_AGENT", fetch.DefaultUserAgent),
		Timeout:  r.duration("KYRO_FETCH_TIMEOUT", 30*time.Second),
		MaxBytes: r.integer("KYRO_FETCH_MAX_BYTES", fetch.DefaultMaxPage, 1, 1<<31-1),
		Delay:    r.durationOrZero("KYRO_FETCH_DELAY", time.Second),
	}
	for _, s := range r.list("KYRO_FETCH_ALLOW") {
		exceptions, err := fetch.ParseException(s)
		if err != nil {
			r.wrong("KYRO_FETCH_ALLOW", "has %q: use addresses or networks with ports, such as 10.0.0.0/8:80-90 or [::1]:8080, separated by commas", s)
		}
		f.Allow = append(f.Allow, exceptions...)
	}
	if f.DNS = r.text("KYRO_FETCH_DNS", ""); f.DNS != "" {
		if at, err := netip.ParseAddrPort(f.DNS); err != nil || at.Port() == 0 {
			r.wrong("KYRO_FETCH_DNS", "is %q: use the address and the port of a name server, such as 192.0.2.53:53 or [2001:db8::53]:53", f.DNS)
		}
	}
	if f.Timeout > 35*time.Second {
		r.wrong("KYRO_FETCH_TIMEOUT", "must be at most 35s: a job's turn ends after 45s")
	}
	if fetch.ProductToken(f.Agent) == "" || strings.ContainsFunc(f.Agent, func(c rune) bool { return c < ' ' || c > '~' }) {
		r.wrong("KYRO_FETCH_AGENT", "is %q: use a User-Agent that begins with a name of letters, such as ExampleBot/1.0 (+https://example.com/bot)", f.Agent)
	}
}
