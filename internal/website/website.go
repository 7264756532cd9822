// Package website emulates sites of the web, for tests: pages by host and path, with whatever headers, redirections, a
// robots.txt and sitemaps, and everything that sites do wrong: lies about types and charsets, bombs, bodies without an end,
// connections that break off. It notes every request. DNS is a name server for it, whose answers may change.
package website

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Page is what is at a path. The zero Page is an empty page of HTML.
type Page struct {
	Status   int         // 200; 302 where there is a Location
	Type     string      // the Content-Type; "": HTML in UTF-8, "-": none
	Header   http.Header // more of them, in place of those that the site makes itself
	Body     string
	ETag     string    // who names it gets 304
	Modified time.Time // whoever has it from then gets 304
	Location string

	Packed  int           // how many times the body is packed by gzip
	Zeros   int64         // bytes behind the body; packed, they are a bomb
	Endless bool          // the body comes again and again
	Slow    time.Duration // before every byte of the body
	Silent  bool          // there is never an answer
	Cut     bool          // the connection breaks off in the middle of the body
	Raw     string        // comes in place of an answer of HTTP

	Times int // for so many requests; then the page that was Set before it is there again; 0: for all
}

// Hit is a request that came.
type Hit struct {
	At     time.Time
	Host   string // without the port
	Path   string // with the query
	Header http.Header
	Status int
}

// Options say where a site is.
type Options struct {
	Address string // host:port; "": a free port of the loopback
	TLS     bool
}

// Site is a server of any number of sites. It is safe for use by many at once.
type Site struct {
	URL     string         // without a slash at its end, by its address
	Address netip.AddrPort // where it is
	Roots   *x509.CertPool // vouch for it, where it speaks TLS; it is example.com then

	server *httptest.Server
	closed chan struct{}

	mu      sync.Mutex
	pages   map[string][]*Page // by path, or host and path; the last is in force
	hits    []Hit
	changed chan struct{} // closed at the next hit
}

// Start serves a site until Close.
func Start(o Options) (*Site, error) {
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", o.Address)
	if err != nil {
		return nil, err
	}
	s := &Site{
		closed: make(chan struct{}), pages: map[string][]*Page{}, changed: make(chan struct{}),
	}
	s.server = &httptest.Server{Listener: listener, Config: &http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0), // of clients that leave
	}}
	if o.TLS {
		s.server.TLS = &tls.Config{NextProtos: []string{"http/1.1"}}
		s.server.StartTLS()
		s.Roots = x509.NewCertPool()
		s.Roots.AddCert(s.server.Certificate())
	} else {
		s.server.Start()
	}
	s.URL = s.server.URL
	s.Address, err = netip.ParseAddrPort(listener.Addr().String())
	return s, err
}

// Close ends everything.
func (s *Site) Close() {
	close(s.closed)
	s.server.CloseClientConnections()
	s.server.Close()
}

// Set puts a page at a path, such as /help?page=2, of every host, or of one: docs.example.com/help.
func (s *Site) Set(path string, p Page) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.Times == 0 {
		s.pages[path] = nil
	}
	s.pages[path] = append(s.pages[path], &p)
}

// Remove takes away what is at a path.
func (s *Site) Remove(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pages, path)
}

// Robots sets the robots.txt of every host. Without one it is 404.
func (s *Site) Robots(text string) { s.Set("/robots.txt", Page{Type: "text/plain", Body: text}) }

// Sitemap puts one at a path, of pages of this site by their paths or whole addresses.
func (s *Site) Sitemap(path string, pages ...string) {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">`)
	for _, page := range pages {
		if strings.HasPrefix(page, "/") {
			page = s.URL + page
		}
		b.WriteString("<url><loc>" + strings.ReplaceAll(page, "&", "&amp;") + "</loc></url>")
	}
	b.WriteString("</urlset>")
	s.Set(path, Page{Type: "application/xml", Body: b.String()})
}

// take is the page of a request.
func (s *Site) take(host, path string) (Page, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range []string{host + path, path} {
		list := s.pages[key]
		if len(list) == 0 {
			continue
		}
		p := list[len(list)-1]
		if p.Times > 0 {
			if p.Times--; p.Times == 0 {
				s.pages[key] = list[:len(list)-1]
			}
		}
		return *p, true
	}
	return Page{}, false
}

// note keeps a request.
func (s *Site) note(h Hit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hits = append(s.hits, h)
	close(s.changed)
	s.changed = make(chan struct{})
}

// Hits are the requests for a path, in their order; all where it is "".
func (s *Site) Hits(path string) []Hit {
	s.mu.Lock()
	defer s.mu.Unlock()
	var hits []Hit
	for _, h := range s.hits {
		if path == "" || h.Path == path {
			hits = append(hits, h)
		}
	}
	return hits
}

// Wait waits until so many requests for a path have come.
func (s *Site) Wait(ctx context.Context, path string, count int) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if len(s.Hits(path)) >= count {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
