package fetch

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html/charset"

	"kyrochat/kyro"
)

// What is read of sitemaps at the most.
const (
	maxSitemap      = 16 << 20 // bytes of one, unpacked; what is behind them is left out
	maxEntries      = 50_000   // of one, as sitemaps.org has it
	maxSitemaps     = 20       // files of one question
	maxSitemapDepth = 2        // indexes that name one another
	sitemapsFor     = 25 * time.Second
)

// Sitemap gives the pages that a sitemap names, each once and in its form of CanonicalURL, most of them at the most, and only
// those of the same site. The address may be that of a sitemap, of an index of sitemaps, packed or not, of a plain list of
// addresses, or of the root of a site: then those count which robots.txt names, or /sitemap.xml. A sitemap of several that
// cannot be read is left out, and after 25 s all that were not read yet. FETCH_FAILED where there is no sitemap; other errors
// are as of Fetch.
func (f *Fetcher) Sitemap(ctx context.Context, address string, most int) ([]string, error) {
	at, err := parse(address)
	if err != nil {
		return nil, unreachable(err)
	}
	w := &walk{f: f, root: at, most: most, seen: map[string]bool{}, named: map[string]bool{}, until: f.Now().Add(sitemapsFor)}
	if at.Path == "/" && at.RawQuery == "" {
		r, err := f.robots(ctx, at)
		if err != nil {
			return nil, f.tell(ctx, at, err)
		}
		for _, named := range r.sitemaps {
			w.add(at, named, 0)
		}
		if len(w.waiting) == 0 {
			w.add(at, "/sitemap.xml", 0)
		}
	} else {
		w.add(at, address, 0)
	}
	if err := w.all(ctx); err != nil {
		return nil, f.tell(ctx, at, err)
	}
	return w.pages, nil
}

// walk reads sitemaps, one after the other.
type walk struct {
	f       *Fetcher
	root    *url.URL
	most    int
	until   time.Time
	waiting []sitemap
	named   map[string]bool // sitemaps that were read or are waiting
	pages   []string
	seen    map[string]bool
}

type sitemap struct {
	at    *url.URL
	depth int
}

// add lets a sitemap be read later, if it is of the site and there are not too many.
func (w *walk) add(from *url.URL, address string, depth int) {
	next, err := from.Parse(strings.TrimSpace(address))
	if err != nil {
		return
	}
	at, err := parse(next.String())
	if err != nil || site(at) != site(w.root) || w.named[at.String()] || len(w.named) == maxSitemaps || depth > maxSitemapDepth {
		return
	}
	w.named[at.String()] = true
	w.waiting = append(w.waiting, sitemap{at, depth})
}

// all reads until there is enough. Its error is that of the first sitemap that could not be read, where none could.
func (w *walk) all(ctx context.Context) error {
	var first error
	read := false
	for len(w.waiting) > 0 && len(w.pages) < w.most && w.f.Now().Before(w.until) {
		next := w.waiting[0]
		w.waiting = w.waiting[1:]
		err := w.one(ctx, next)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			read = true
		}
		first = cmp.Or(first, err)
	}
	if read {
		return nil
	}
	return first
}

func (w *walk) one(ctx context.Context, s sitemap) error {
	a, err := w.f.get(ctx, s.at, question{accept: "application/xml,text/xml,text/plain;q=0.8,*/*;q=0.5", hops: maxHops, total: w.f.Total, robots: true})
	if err != nil {
		return err
	}
	defer a.end()
	if site(a.at) != site(w.root) {
		return noSitemap()
	}
	body, err := a.body(maxSitemap)
	if err != nil {
		return err
	}
	before := len(w.named)
	found, entries := len(w.pages), 0
	err = readSitemap(body, func(e entry) bool {
		if e.index {
			w.add(a.at, e.Location, s.depth+1)
		} else {
			w.page(e)
		}
		entries++
		return len(w.pages) < w.most && entries < maxEntries
	})
	if err != nil && (len(w.named) > before || len(w.pages) > found) {
		return nil // what was said before it broke off is good
	}
	return err
}

// page takes a page of the site.
func (w *walk) page(e entry) {
	at, err := parse(e.Location)
	if err != nil || site(at) != site(w.root) || len(w.pages) >= w.most {
		return
	}
	address := canonical(at)
	if w.seen[address] {
		return
	}
	w.seen[address] = true
	w.pages = append(w.pages, address)
}

// entry is a page, or another sitemap.
type entry struct {
	index    bool
	Location string
}

func noSitemap() error {
	return failed("There is no sitemap at this address: use that of one, or of the root of a site that names one in its robots.txt.")
}

// readSitemap reads a sitemap in XML, or a list of addresses, as it arrives, packed or not, until found has enough.
func readSitemap(r io.Reader, found func(entry) (more bool)) error {
	b := bufio.NewReader(r)
	if head, _ := b.Peek(2); string(head) == "\x1f\x8b" {
		z, err := gzip.NewReader(b)
		if err != nil {
			return noSitemap()
		}
		b = bufio.NewReader(io.LimitReader(z, maxSitemap))
	}
	if head, _ := b.Peek(3); string(head) == "\ufeff" {
		_, _ = b.Discard(3)
	}
	head, err := b.Peek(512)
	if err != nil && err != io.EOF {
		return broken(err)
	}
	if !strings.HasPrefix(strings.TrimSpace(string(head)), "<") {
		return readList(b, found)
	}
	return readXML(b, found)
}

// readXML reads entries of a urlset or a sitemapindex. Namespaces do not matter, and what else there is in it neither.
func readXML(r io.Reader, found func(entry) (more bool)) error {
	d := xml.NewDecoder(&lively{r: r})
	d.Strict = false
	d.CharsetReader = charset.NewReaderLabel
	kind := ""
	for {
		token, err := d.RawToken()
		if err == io.EOF && kind != "" {
			return nil
		}
		if err != nil {
			return broken(err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch name := start.Name.Local; {
		case kind == "" && (name == "urlset" || name == "sitemapindex"):
			kind = name
		case kind == "":
			return noSitemap()
		case kind == "urlset" && name == "url", kind == "sitemapindex" && name == "sitemap":
			e, err := readEntry(d, name)
			e.index = kind == "sitemapindex"
			if err != nil {
				return broken(err)
			}
			if e.Location != "" && !found(e) {
				return nil
			}
		}
	}
}

// lively reads XML for as long as there is some: what has no tag for long is nothing to be kept in memory as one text.
type lively struct {
	r     io.Reader
	quiet int // bytes since the last tag began
}

// maxQuiet is more than the longest address, written in entities.
const maxQuiet = 64 << 10

func (l *lively) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if i := bytes.LastIndexByte(p[:n], '<'); i >= 0 {
		l.quiet = n - i
	} else if l.quiet += n; l.quiet > maxQuiet {
		return 0, noSitemap()
	}
	return n, err
}

// readEntry reads an entry up to its end. Elements of extensions, such as images, have a loc of their own, with a prefix.
func readEntry(d *xml.Decoder, name string) (e entry, err error) {
	var into *string
	for {
		token, err := d.RawToken()
		if err != nil {
			return e, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			into = nil
			if t.Name.Space == "" && t.Name.Local == "loc" {
				into = &e.Location
			}
		case xml.EndElement:
			if into = nil; t.Name.Local == name {
				return e, nil
			}
		case xml.CharData:
			if into != nil && len(*into)+len(t) <= kyro.MaxURL {
				*into += string(t)
			}
		}
	}
}

// broken tells what is no XML from what did not arrive.
func broken(err error) error {
	if _, known := errors.AsType[*kyro.Error](err); known || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return noSitemap()
}

// readList reads addresses, one a line.
func readList(r io.Reader, found func(entry) (more bool)) error {
	lines := bufio.NewScanner(r)
	any := false
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		if _, err := parse(line); err != nil {
			return noSitemap()
		}
		any = true
		if !found(entry{Location: line}) {
			return nil
		}
	}
	if err := lines.Err(); err != nil {
		return broken(err)
	}
	if !any {
		return noSitemap()
	}
	return nil
}
