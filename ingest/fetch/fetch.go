// Package fetch gets pages and files from the web, on behalf of people whom the server does not trust, from addresses
// that they choose.
//
// Nothing but the public internet is reached, on ports 80 and 443, and what the operator excepts. That is decided by the
// address of every single connection, just before it is made: whatever a name means at that moment, however an address is
// written and wherever a redirection leads, there is no way around it. Proxies of the environment are never used.
//
// # Errors
//
// What failed before a server answered has one text (FETCH_FAILED), whatever it was: an address that is forbidden, a name
// that is not there, a port that nobody listens at, a server that is silent or speaks no HTTP. Otherwise whoever adds
// pages could map the operator's network by them. It is final; its owner may try again. So is what a server answered that
// will be the same tomorrow: 404, a type that no text is read from (UNSUPPORTED_TYPE), robots.txt, a body that is too large
// (FILE_TOO_LARGE). What may be better in a while has a RetryAfter: UPSTREAM_FAILED (5xx, 429, a connection that breaks off)
// and TIMEOUT (a body that takes too long), which come only after a server that may be reached has answered, and RATE_LIMITED
// (too many wait for the same host), which says nothing about the host. The end of the caller's context is given back as it
// is.
//
// # Politeness
//
// Every address, those of redirections included, is read only where robots.txt lets us (RFC 9309). A host is asked for one
// thing a second, or more slowly where its Crawl-delay says so, and for two at once at the most.
package fetch

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"kyrochat/kyro"
)

// DefaultUserAgent is what the fetcher calls itself. Its first word is the name that robots.txt knows it by.
const DefaultUserAgent = "KyroChatBot/1.0"

// DefaultMaxPage is how long a page may be, in bytes.
const DefaultMaxPage = 5 << 20

// Options say what may be reached, and how. The zero Options reach the public internet.
type Options struct {
	Allow     []Exception  // what may be reached besides the public internet
	Own       []netip.Addr // the server's own addresses, which are refused although they may be public
	DNS       string       // host:port of the server that is asked for names; "": the system's
	UserAgent string       // DefaultUserAgent

	MaxPage int64         // bytes of a page or a plain text; DefaultMaxPage
	MaxFile int64         // bytes of anything else; as kyro.DefaultLimits
	Delay   time.Duration // between two requests to a host; 0: none, but what its Crawl-delay says
	Wait    time.Duration // the longest wait for a host; what would wait longer is RATE_LIMITED; 15 s

	Total  time.Duration // for all that one page takes, waits for its host aside; 30 s
	Dial   time.Duration // for a name and a connection; 5 s
	TLS    time.Duration // for a handshake; 5 s
	Header time.Duration // until the head of an answer; 10 s

	Roots *x509.CertPool // vouch for servers; nil: the system's
	Pace  Pace           // nil: a NewPace of this process
	Log   *slog.Logger
	Now   func() time.Time

	// Denied, where it is set, is told which host was asked for that may not be reached, or that led to one. It must not wait.
	Denied func(ctx context.Context, host string)
}

// Fetcher fetches. It is safe for use by many at once.
type Fetcher struct {
	Options
	agent     string // as robots.txt names it
	transport *http.Transport
	rules     *rulebook
	closing   context.Context
	close     context.CancelFunc
}

// New makes a fetcher, to be closed after use.
func New(o Options) *Fetcher {
	limits := kyro.DefaultLimits()
	o.UserAgent = cmp.Or(o.UserAgent, DefaultUserAgent)
	o.MaxPage = cmp.Or(o.MaxPage, DefaultMaxPage)
	o.MaxFile = cmp.Or(o.MaxFile, limits.MaxUploadBytes)
	o.Wait = cmp.Or(o.Wait, 15*time.Second)
	o.Total = cmp.Or(o.Total, 30*time.Second)
	o.Dial = cmp.Or(o.Dial, 5*time.Second)
	o.TLS = cmp.Or(o.TLS, 5*time.Second)
	o.Header = cmp.Or(o.Header, 10*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Pace == nil {
		o.Pace = NewPace(o.Now)
	}
	f := &Fetcher{Options: o, agent: ProductToken(o.UserAgent), rules: newRulebook(o.Now)}
	f.closing, f.close = context.WithCancel(context.Background())
	f.transport = &http.Transport{
		Proxy:                  nil, // one of the environment would be connected to in place of the address that was checked
		DialContext:            f.dialer().DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots},
		TLSHandshakeTimeout:    o.TLS,
		ResponseHeaderTimeout:  o.Header,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true, // what is packed is unpacked here, within limits
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        30 * time.Second,
		Protocols:              new(http.Protocols),
	}
	f.transport.Protocols.SetHTTP1(true)
	return f
}

// Close ends what is running, and the connections.
func (f *Fetcher) Close() {
	f.close()
	f.transport.CloseIdleConnections()
}

// Fetch gets a page or a file. The Body it gives lasts as long as ctx, and is to be closed. Errors are as the package
// says; those of the Body, too.
func (f *Fetcher) Fetch(ctx context.Context, what kyro.Fetch) (kyro.Fetched, error) {
	at, err := parse(what.URL)
	if err != nil {
		return kyro.Fetched{}, unreachable(err)
	}
	a, err := f.get(ctx, at, question{
		accept: acceptPages, etag: headerValue(what.ETag), modified: headerValue(what.LastModified), hops: maxHops, total: f.Total, robots: true,
	})
	if err != nil {
		return kyro.Fetched{}, f.tell(ctx, at, err)
	}
	got := kyro.Fetched{
		URL: canonical(a.at), ContentType: headerValue(a.Header.Get("Content-Type")), ETag: headerValue(a.Header.Get("ETag")),
		LastModified: headerValue(a.Header.Get("Last-Modified")), NoIndex: f.noIndex(a.Header.Values("X-Robots-Tag")),
	}
	if a.StatusCode == http.StatusNotModified {
		a.end()
		got.NotModified = true
		return got, nil
	}
	limit, err := f.limit(a.Header.Get("Content-Type"))
	switch {
	case err != nil:
	case a.ContentLength > limit: // as it arrives, packed or not
		err = tooLarge(limit)
	default:
		got.Body, err = a.body(limit)
	}
	if err != nil {
		a.end()
		return kyro.Fetched{}, f.tell(ctx, a.at, err)
	}
	return got, nil
}
