package fetch

import (
	"context"
	"sync"
	"time"

	"kyrochat/kyro"
)

// Pace spaces what one host is asked for.
type Pace interface {
	// Enter waits until the host may be asked for something, delay after the last time. leave has to be called when the
	// answer was read. RATE_LIMITED with RetryAfter where it would take longer than most.
	Enter(ctx context.Context, host string, delay, most time.Duration) (leave func(), err error)
}

// atOnce is how many requests to one host may run at the same time.
const atOnce = 2

// Lanes is the Pace of one process.
type Lanes struct {
	now   func() time.Time
	mu    sync.Mutex
	hosts map[string]*lane
	swept int // lanes that were left after the last sweep
}

// lane is the way to one host.
type lane struct {
	places chan struct{}
	users  int       // who are in it or wait for it
	next   time.Time // when the host may be asked again
}

// NewPace makes a Pace that knows of no host yet.
func NewPace(now func() time.Time) *Lanes {
	return &Lanes{now: now, hosts: map[string]*lane{}}
}

// Enter is that of Pace. Who came first goes first.
func (l *Lanes) Enter(ctx context.Context, host string, delay, most time.Duration) (leave func(), err error) {
	one := l.join(host)
	defer func() {
		if err != nil {
			l.part(one)
		}
	}()
	timer := time.NewTimer(most)
	defer timer.Stop()
	began := l.now()
	select {
	case one.places <- struct{}{}:
	case <-timer.C:
		return nil, l.busy(one, delay)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	at, ok := l.reserve(one, delay, began.Add(most))
	if !ok {
		<-one.places
		return nil, l.busy(one, delay)
	}
	if pause := at.Sub(l.now()); pause > 0 {
		timer.Reset(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			l.giveBack(one, at, delay)
			<-one.places
			return nil, ctx.Err()
		}
	}
	return sync.OnceFunc(func() {
		<-one.places
		l.part(one)
	}), nil
}

// busy is the error of who would have to wait too long.
func (l *Lanes) busy(one *lane, delay time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return later(kyro.CodeRateLimited, max(one.next.Sub(l.now()), delay, time.Second), "Other pages of the site are being fetched: this one waits for its turn.")
}

// reserve takes the next moment at which the host may be asked, unless it is behind the last that does.
func (l *Lanes) reserve(one *lane, delay time.Duration, last time.Time) (at time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at = l.now(); one.next.After(at) {
		at = one.next
	}
	if at.After(last) {
		return at, false
	}
	one.next = at.Add(delay)
	return at, true
}

// giveBack lets somebody else have the moment, where nobody has taken one behind it.
func (l *Lanes) giveBack(one *lane, at time.Time, delay time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one.next.Equal(at.Add(delay)) {
		one.next = at
	}
}

func (l *Lanes) join(host string) *lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.hosts[host]
	if one == nil {
		l.sweep()
		one = &lane{places: make(chan struct{}, atOnce)}
		l.hosts[host] = one
	}
	one.users++
	return one
}

func (l *Lanes) part(one *lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one.users--
}

// sweep forgets the hosts that nobody waits for and that may be asked, whenever they have become twice as many.
func (l *Lanes) sweep() {
	if len(l.hosts) < max(1_000, 2*l.swept) {
		return
	}
	now := l.now()
	for host, one := range l.hosts {
		if one.users == 0 && !one.next.After(now) {
			delete(l.hosts, host)
		}
	}
	l.swept = len(l.hosts)
}
