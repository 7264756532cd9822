package fetch

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"kyrochat/kyro"
)

const (
	maxHops    = 3 // redirections of a page
	robotsHops = 5 // of robots.txt, by RFC 9309
	maxHeader  = 64 << 10
	maxValue   = 1 << 10 // of a header that is kept

	acceptPages = "text/html,application/xhtml+xml,application/pdf,text/markdown,text/plain;q=0.9,*/*;q=0.8"
)

var errHops = errors.New("there are too many redirections")

// question is what is asked for.
type question struct {
	accept         string
	etag, modified string // of what is there already
	hops           int    // redirections that are followed
	total          time.Duration
	robots         bool // every address is read only where robots.txt lets us
}

// answer is what a server answered, whose body has not been read. One of its ends has to be called: end, or Close of the
// body that it makes.
type answer struct {
	*http.Response
	at       *url.URL // after redirections
	end      func()
	caller   context.Context
	deadline context.Context
}

// get asks for what is at the address and follows redirections, each of which is under the same rules. An answer of it is
// 200, 203, or 304 where that was asked for.
func (f *Fetcher) get(ctx context.Context, at *url.URL, q question) (*answer, error) {
	first, left := at, q.total
	for hop := 0; ; hop++ {
		leave, err := f.turn(ctx, at, q.robots)
		if err != nil {
			return nil, err
		}
		began := f.Now()
		a, err := f.ask(ctx, at, q, left, site(first) == site(at))
		if err != nil {
			leave()
			return nil, err
		}
		disconnect := a.end
		a.end = func() { disconnect(); leave() }
		if q.etag+q.modified != "" && a.StatusCode == http.StatusNotModified {
			return a, nil
		}
		if !redirects(a.StatusCode) || a.Header.Get("Location") == "" {
			if err := status(a.Response, f.Now()); err != nil {
				a.end()
				return nil, err
			}
			return a, nil
		}
		to, err := follow(at, a.Header.Get("Location"))
		a.end()
		if err != nil {
			return nil, err
		}
		if hop == q.hops {
			return nil, failed("The site leads from one address to the next, more than %d times.", q.hops).Because(errHops)
		}
		at = to
		if left -= f.Now().Sub(began); left <= 0 {
			return nil, unreachable(context.DeadlineExceeded)
		}
	}
}

// turn waits until it may be asked for the address; leave gives the place to the next.
func (f *Fetcher) turn(ctx context.Context, at *url.URL, robots bool) (leave func(), err error) {
	port, err := portOf(at)
	if err != nil || !f.mayAsk(port) {
		return nil, unreachable(errForbidden)
	}
	delay := f.Delay
	if robots {
		r, err := f.robots(ctx, at)
		if err != nil {
			return nil, err
		}
		if !r.allows(at) {
			return nil, failed("The site asks programs not to read this page (robots.txt).")
		}
		delay = max(delay, r.delay)
	}
	return f.Pace.Enter(ctx, at.Hostname(), delay, f.Wait)
}

func portOf(at *url.URL) (uint16, error) {
	switch {
	case at.Port() != "":
		n, err := strconv.ParseUint(at.Port(), 10, 16)
		return uint16(n), err
	case at.Scheme == "http":
		return 80, nil
	}
	return 443, nil
}

// ask makes one request, as far as the head of its answer. Nothing of an earlier one goes with it: no cookie, no Referer,
// and what is known of the page to its own site only.
func (f *Fetcher) ask(ctx context.Context, at *url.URL, q question, left time.Duration, known bool) (*answer, error) {
	within, cancel := context.WithTimeout(ctx, left)
	stop := context.AfterFunc(f.closing, cancel)
	end := func() { stop(); cancel() }
	r, err := http.NewRequestWithContext(within, http.MethodGet, at.String(), nil)
	if err != nil {
		end()
		return nil, unreachable(err)
	}
	r.Header.Set("User-Agent", f.UserAgent)
	r.Header.Set("Accept", q.accept)
	r.Header.Set("Accept-Encoding", "gzip")
	if known && q.etag != "" {
		r.Header.Set("If-None-Match", q.etag)
	}
	if known && q.modified != "" {
		r.Header.Set("If-Modified-Since", q.modified)
	}
	response, err := f.transport.RoundTrip(r) //nolint:bodyclose // the answer that is made of it does
	if err != nil {
		end()
		return nil, unreachable(err)
	}
	return &answer{
		Response: response, at: at, caller: ctx, deadline: within,
		end: func() { _ = response.Body.Close(); end() },
	}, nil
}

func redirects(code int) bool {
	switch code {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// follow is where a redirection leads.
func follow(at *url.URL, location string) (*url.URL, error) {
	if len(location) > kyro.MaxURL {
		return nil, unreachable(errors.New("the location is too long"))
	}
	next, err := at.Parse(location)
	if err != nil {
		return nil, unreachable(err)
	}
	to, err := parse(next.String())
	if err != nil {
		return nil, unreachable(err)
	}
	if at.Scheme == "https" && to.Scheme != "https" {
		return nil, failed("The site leads from https to an address without it, which is not followed.")
	}
	return to, nil
}

// headerValue is the value of a header where it can be kept, also by databases that take UTF-8 alone, and sent back as it is;
// "" otherwise.
func headerValue(s string) string {
	if len(s) > maxValue || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return ""
	}
	return s
}

// noIndex reads X-Robots-Tag: rules, each value for all robots, or for those that are named before a colon.
func (f *Fetcher) noIndex(values []string) bool {
	for _, value := range values {
		ours := true
		for rule := range strings.SplitSeq(strings.ToLower(value), ",") {
			rule = strings.TrimSpace(rule)
			if name, rest, named := strings.Cut(rule, ":"); named && name != "unavailable_after" && !strings.HasPrefix(name, "max-") {
				ours, rule = strings.TrimSpace(name) == f.agent, strings.TrimSpace(rest)
			}
			if ours && (rule == "noindex" || rule == "none") {
				return true
			}
		}
	}
	return false
}
