package ai

import (
	"container/list"
	"context"
	"sync"
	"time"

	"kyrochat/kyro"
)

// How a limiter behaves.
const (
	softPause  = time.Second      // the first pause where a refusal does not say how long; each further one doubles it
	mostSoft   = 32 * time.Second // the longest of these
	mostPause  = 24 * time.Hour   // the longest that an upstream is believed
	dailyPause = time.Hour        // after a daily quota is used up it is tried once an hour, and at midnight Pacific
	mostQueued = 1_024            // calls that wait for their turn
)

// limiter learns how much of one model an upstream takes under one key. As many calls as its window says may be under
// way at once. A refusal (429) halves the window and closes it for as long as the upstream says, or else for a second,
// then two, then four; every success makes it a little wider again, up to its most. While it is closed, calls are
// refused at once, unless their patience lasts until it opens: then they wait.
type limiter struct {
	quota       string // names it to other nodes
	least, most float64
	random      func() float64                      // 0 to 1
	told        func(quota string, d time.Duration) // hears of pauses that the upstream asked for; nil: nobody

	mu      sync.Mutex
	window  float64
	running int
	queue   *list.List // of *turn, in order
	opens   time.Time  // closed until then
	epoch   int        // counts pauses: calls that began before one tell nothing new when they are refused too
	soft    int        // refusals in a row that did not say how long
}

// turn is a call that waits for its turn.
type turn struct {
	ready   chan struct{} // closed when it is to look again
	granted bool          // it has a place already
}

// place is a call that may run.
type place struct {
	l     *limiter
	epoch int
}

// newLimiter makes one whose window, at first as wide as it gets, holds least to most calls.
func newLimiter(quota string, least, most int, random func() float64, told func(string, time.Duration)) *limiter {
	return &limiter{quota: quota, least: float64(least), most: float64(most), window: float64(most), random: random, told: told, queue: list.New()}
}

// enter waits for a place, at most as long as patience. UPSTREAM_QUOTA with the time to wait where it would take longer;
// ctx's error where that is done first. The place must be left.
func (l *limiter) enter(ctx context.Context, patience time.Duration) (*place, error) {
	deadline := time.Now().Add(patience)
	for {
		p, mine, closed := l.ask()
		if p != nil {
			return p, nil
		}
		left := time.Until(deadline)
		if mine == nil && (closed > left || left <= 0) {
			return nil, quotaUsedUp(max(closed, softPause))
		}
		p, err := l.await(ctx, mine, min(left, max(closed, 0)), left)
		if p != nil || err != nil {
			return p, err
		}
	}
}

// ask gives a place, or a turn to wait for, or neither where it is closed, and for how long.
func (l *limiter) ask() (p *place, mine *list.Element, closed time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if closed := time.Until(l.opens); closed > 0 {
		return nil, nil, closed
	}
	if l.running < int(l.window) && l.queue.Len() == 0 {
		l.running++
		return &place{l, l.epoch}, nil, 0
	}
	if l.queue.Len() >= mostQueued {
		return nil, nil, 0
	}
	return nil, l.queue.PushBack(&turn{ready: make(chan struct{})}), 0
}

// await waits until the limiter opens, or for a turn.
func (l *limiter) await(ctx context.Context, mine *list.Element, closed, left time.Duration) (*place, error) {
	var ready chan struct{}
	wait := closed
	if mine != nil {
		ready, wait = mine.Value.(*turn).ready, left
	}
	if wait <= 0 && mine == nil {
		return nil, quotaUsedUp(softPause)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	var err error
	select {
	case <-ready:
	case <-timer.C:
		if mine != nil {
			err = quotaUsedUp(softPause)
		}
	case <-ctx.Done():
		err = ctx.Err()
	}
	if mine == nil {
		return nil, err
	}
	return l.settle(mine, err)
}

// settle takes a turn off the queue. A place that it was given is used, or passed on where the caller gave up.
func (l *limiter) settle(mine *list.Element, err error) (*place, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := mine.Value.(*turn)
	switch {
	case !t.granted:
		l.queue.Remove(mine)
		return nil, err
	case err != nil:
		l.running--
		l.grant()
		return nil, err
	}
	return &place{l, l.epoch}, nil
}

// grant gives free places to those who wait longest. mu is held.
func (l *limiter) grant() {
	for l.queue.Len() > 0 && l.running < int(l.window) && !time.Now().Before(l.opens) {
		t := l.queue.Remove(l.queue.Front()).(*turn)
		t.granted = true
		l.running++
		close(t.ready)
	}
}

// leave gives the place back. worked: the upstream did what was asked, so that a little more may be asked of it.
func (p *place) leave(worked bool) {
	l := p.l
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	if worked && p.epoch == l.epoch {
		l.window = min(l.most, l.window+1/l.window)
		l.soft = 0
	}
	l.grant()
}

// refused learns from a 429: d as the upstream says, 0 where it does not.
func (p *place) refused(d time.Duration, daily bool) time.Duration {
	pause, news := p.l.learn(p.epoch, d, daily)
	if news && p.l.told != nil {
		p.l.told(p.l.quota, pause)
	}
	return pause
}

func (l *limiter) learn(epoch int, d time.Duration, daily bool) (pause time.Duration, news bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	known := epoch != l.epoch && now.Before(l.opens)
	switch {
	case daily:
		d = untilDailyQuota(now)
	case d > 0:
		d = min(d, mostPause)
	case known:
		return l.opens.Sub(now), false // one of those that were under way when the first was refused
	default:
		// Half of the pause by chance, so that nodes which were refused together do not come back together.
		base := min(softPause<<min(l.soft, 10), mostSoft)
		d = base/2 + time.Duration(l.random()*float64(base/2))
		l.soft++
	}
	if !known {
		l.window = max(l.least, min(l.window, float64(l.running))/2)
	}
	news = l.close(now.Add(d))
	return l.opens.Sub(now), news
}

// close closes until then, and sends those who wait to look again. It says whether that is later than before. mu is held.
func (l *limiter) close(until time.Time) bool {
	if !until.After(l.opens) {
		return false
	}
	l.opens = until
	l.epoch++
	for e := l.queue.Front(); e != nil; e = l.queue.Front() {
		close(l.queue.Remove(e).(*turn).ready)
	}
	return true
}

// pause closes for d, as another node was told.
func (l *limiter) pause(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.close(time.Now().Add(min(d, mostPause)))
}

// closed is how long no call may begin; 0 where one may.
func (l *limiter) closed() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, time.Until(l.opens))
}

func quotaUsedUp(wait time.Duration) *kyro.Error {
	err := kyro.Errorf(kyro.CodeUpstreamQuota, "The language model takes no more requests at the moment. Try again later.")
	err.RetryAfter = wait
	return err
}

// pacific is where the days of the quotas begin. Without a database of time zones summer time is left out, which makes
// an hour of difference at most.
var pacific = sync.OnceValue(func() *time.Location {
	if l, err := time.LoadLocation("America/Los_Angeles"); err == nil {
		return l
	}
	return time.FixedZone("PST", -8*60*60)
})

// untilDailyQuota is how long to wait after a daily quota was used up: until midnight Pacific, when it is new, and at
// most an hour, since the operator may have raised it.
func untilDailyQuota(now time.Time) time.Duration {
	y, m, d := now.In(pacific()).Date()
	return min(dailyPause, time.Date(y, m, d+1, 0, 0, 0, 0, pacific()).Sub(now))
}
