package fetch

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"kyrochat/kyro"
)

const robotsPath = "/robots.txt"

// How long it is remembered what a robots.txt says, and that there was no answer to the question for it. RFC 9309 allows a
// day at the most; who changes one wants it to be heeded.
const (
	robotsFor   = time.Hour
	noRobotsFor = time.Minute
)

// What is remembered at the most: as many origins, and about as many bytes of rules.
const (
	maxOrigins   = 10_000
	maxRulesSize = 16 << 20
)

// rulebook remembers what robots.txt says, by origin.
type rulebook struct {
	now   func() time.Time
	mu    sync.Mutex
	pages *simplelru.LRU[string, *page]
	size  int
}

// page is the robots.txt of an origin.
type page struct {
	read  chan struct{} // closed when it was; what follows is written before
	rules *robots
	err   error     // in place of rules
	until time.Time // it holds; zero for one that could not be asked for
	size  int
}

func newRulebook(now func() time.Time) *rulebook {
	b := &rulebook{now: now}
	pages, err := simplelru.NewLRU(maxOrigins, func(_ string, p *page) { b.size -= p.size })
	if err != nil {
		panic(err) // of a size that is not positive alone
	}
	b.pages = pages
	return b
}

// open gives the page of an origin; write reports that the caller has to read it.
func (b *rulebook) open(origin string) (p *page, write bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p, ok := b.pages.Get(origin); ok {
		select {
		case <-p.read:
			if b.now().Before(p.until) {
				return p, false
			}
		default:
			return p, false
		}
		b.pages.Remove(origin)
	}
	p = &page{read: make(chan struct{})}
	b.pages.Add(origin, p)
	return p, true
}

// keep ends the reading of a page.
func (b *rulebook) keep(origin string, p *page) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(p.read)
	if known, ok := b.pages.Peek(origin); !ok || known != p {
		return // others took its place meanwhile
	}
	if p.rules != nil {
		p.size = p.rules.size()
	}
	for b.size += p.size; b.size > maxRulesSize && b.pages.Len() > 0; {
		b.pages.RemoveOldest()
	}
}

// robots is what the robots.txt of the address's origin says, by those that are remembered, or its server. One that is not
// there allows everything (4xx, RFC 9309), one that its server cannot give now (5xx and 429) nothing for a while.
func (f *Fetcher) robots(ctx context.Context, at *url.URL) (*robots, error) {
	origin := at.Scheme + "://" + at.Host
	for {
		p, write := f.rules.open(origin)
		if write {
			p.rules, p.err = f.readRobots(ctx, &url.URL{Scheme: at.Scheme, Host: at.Host, Path: robotsPath})
			switch known, ok := errors.AsType[*kyro.Error](p.err); {
			case p.err == nil:
				p.until = f.Now().Add(robotsFor)
			case ctx.Err() == nil && f.closing.Err() == nil && ok && known.Code != kyro.CodeRateLimited: // it is no fault of the site that somebody is gone, or too many wait
				p.until = f.Now().Add(min(max(known.RetryAfter, noRobotsFor), robotsFor))
			}
			f.rules.keep(origin, p)
			return p.rules, p.err
		}
		select {
		case <-p.read:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if !p.until.IsZero() {
			return p.rules, p.err
		}
	}
}

func (f *Fetcher) readRobots(ctx context.Context, at *url.URL) (*robots, error) {
	a, err := f.get(ctx, at, question{accept: "text/plain,*/*;q=0.5", hops: robotsHops, total: f.Total})
	if err != nil {
		known, ok := errors.AsType[*kyro.Error](err)
		answer, hasAnswered := errors.AsType[*answered](err)
		switch {
		case errors.Is(err, errHops), hasAnswered && answer.code < 500 && answer.code != http.StatusTooManyRequests:
			return &robots{}, nil
		case hasAnswered && ok:
			return nil, later(kyro.CodeUpstreamFailed, max(known.RetryAfter, usualPause), "The site does not tell at the moment what programs may read (robots.txt).").Because(err)
		}
		return nil, err
	}
	defer a.end()
	body, err := a.body(MaxRobots + 1)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(body)
	if err != nil && kyro.ErrorCode(err) != kyro.CodeFileTooLarge {
		return nil, err
	}
	return parseRobots(text, f.agent), nil
}

// Allowed reports whether robots.txt lets us read the address. Errors are as of Fetch, where it could not be asked for.
func (f *Fetcher) Allowed(ctx context.Context, address string) (bool, error) {
	at, err := parse(address)
	if err != nil {
		return false, unreachable(err)
	}
	if port, err := portOf(at); err != nil || !f.mayAsk(port) {
		return false, unreachable(errForbidden)
	}
	r, err := f.robots(ctx, at)
	if err != nil {
		return false, f.tell(ctx, at, err)
	}
	return r.allows(at), nil
}
