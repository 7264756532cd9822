package meter

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Sources are what is looked at when somebody asks for the metrics. Those that are nil are not there. They must answer
// within a moment and be safe for use by many at once.
type Sources struct {
	Build       Build
	Connections func() (websockets, eventStreams, operations int)
	Answers     func() (running, waiting int)
	Caches      func() []Cache
	Pools       func() []Pool
	Breakers    func() []Breaker
	// Jobs reads the database, so that it has a time limit, and what it gives is good for a few seconds.
	Jobs func(ctx context.Context) ([]Jobs, error)
}

// Cache is how often a cache was asked.
type Cache struct {
	Name         string
	Hits, Misses uint64
}

// Pool is how many connections a pool has, and how often somebody waited for one.
type Pool struct {
	Name             string
	Max, InUse, Idle int
	Waits            int64
	Waited           time.Duration // all of them together
}

// Breaker is the way to an upstream: open while calls are refused, half-open while one tries.
type Breaker struct {
	Upstream, Way, State string
}

// Jobs are those of a kind in a state. Oldest is how long the one that waits longest has been due.
type Jobs struct {
	Kind, State string
	Count       int
	Oldest      time.Duration
}

// available is the state of jobs that only wait for somebody to work on them.
const available = "available"

const (
	lookTime = time.Second     // for what is read from the database
	lookGood = 5 * time.Second // for which that is good
)

// Look says where to look. It is called before anybody asks.
func (m *Meter) Look(s Sources) {
	failures := m.lookFailures.WithLabelValues("jobs")
	m.looked.mu.Lock()
	defer m.looked.mu.Unlock()
	m.looked.from, m.looked.failed = s, failures.Inc
}

// looked collects what is looked at.
type looked struct {
	build, connections, socketOperations, answersRunning, answersWaiting *prometheus.Desc
	cache, poolConnections, poolMax, poolWaits, poolWaited, breaker      *prometheus.Desc
	jobs, jobOldest                                                      *prometheus.Desc

	mu      sync.Mutex
	from    Sources
	failed  func()
	read    []Jobs
	readAt  time.Time
	reading sync.Mutex // one reads the database at a time
}

func newLooked() *looked {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
	}
	return &looked{
		build:            describe("build_info", "What runs; always 1.", "version", "go_version", "role", "database", "live"),
		connections:      describe("connections", "Connections that are open.", "transport"),
		socketOperations: describe("websocket_operations", "Operations under way on all websockets."),
		answersRunning:   describe("answers_running", "Answers that this process makes now."),
		answersWaiting:   describe("answers_waiting", "Conversations that wait for a place for their answer."),
		cache:            describe("cache_requests_total", "Rows that a cache was asked for.", "cache", "result"),
		poolConnections:  describe("pool_connections", "Connections of a pool.", "pool", "state"),
		poolMax:          describe("pool_max_connections", "Connections that a pool may have.", "pool"),
		poolWaits:        describe("pool_waits_total", "How often somebody waited for a connection of the pool.", "pool"),
		poolWaited:       describe("pool_wait_seconds_total", "How long was waited for connections of the pool, by all together.", "pool"),
		breaker:          describe("breaker_state", "The state of the way to an upstream: 1 for the one that it is in.", "upstream", "way", "state"),
		jobs:             describe("jobs", "Jobs in the database, all processes together, but for those that are done.", "kind", "state"),
		jobOldest:        describe("job_oldest_available_seconds", "For how long the oldest available job has been due.", "kind"),
	}
}

// Describe implements prometheus.Collector.
func (l *looked) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		l.build, l.connections, l.socketOperations, l.answersRunning, l.answersWaiting, l.cache, l.poolConnections, l.poolMax, l.poolWaits,
		l.poolWaited, l.breaker, l.jobs, l.jobOldest,
	} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (l *looked) Collect(to chan<- prometheus.Metric) {
	l.mu.Lock()
	from := l.from
	l.mu.Unlock()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	counter := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
	}
	b := from.Build
	gauge(l.build, 1, b.Version, b.Go, b.Role, b.Database, b.Live)
	if from.Connections != nil {
		websockets, eventStreams, operations := from.Connections()
		gauge(l.connections, float64(websockets), "websocket")
		gauge(l.connections, float64(eventStreams), "sse")
		gauge(l.socketOperations, float64(operations))
	}
	if from.Answers != nil {
		running, waiting := from.Answers()
		gauge(l.answersRunning, float64(running))
		gauge(l.answersWaiting, float64(waiting))
	}
	if from.Caches != nil {
		for _, c := range from.Caches() {
			counter(l.cache, float64(c.Hits), c.Name, "hit")
			counter(l.cache, float64(c.Misses), c.Name, "miss")
		}
	}
	if from.Pools != nil {
		for _, p := range from.Pools() {
			gauge(l.poolConnections, float64(p.InUse), p.Name, "in_use")
			gauge(l.poolConnections, float64(p.Idle), p.Name, "idle")
			gauge(l.poolMax, float64(p.Max), p.Name)
			counter(l.poolWaits, float64(p.Waits), p.Name)
			counter(l.poolWaited, p.Waited.Seconds(), p.Name)
		}
	}
	if from.Breakers != nil {
		for _, b := range from.Breakers() {
			for _, state := range breakerStates {
				gauge(l.breaker, is(b.State == state), b.Upstream, b.Way, state)
			}
		}
	}
	for _, j := range l.jobsNow(from.Jobs) {
		gauge(l.jobs, float64(j.Count), j.Kind, j.State)
		if j.State == available {
			gauge(l.jobOldest, j.Oldest.Seconds(), j.Kind)
		}
	}
}

var breakerStates = []string{"closed", "half-open", "open"}

func is(so bool) float64 {
	if so {
		return 1
	}
	return 0
}

// jobsNow gives what was read within the last seconds, or reads it; nothing where that fails, rather than what is old.
func (l *looked) jobsNow(read func(context.Context) ([]Jobs, error)) []Jobs {
	if read == nil {
		return nil
	}
	l.reading.Lock()
	defer l.reading.Unlock()
	if time.Since(l.readAt) < lookGood {
		return l.read
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookTime)
	defer cancel()
	list, err := read(ctx)
	if err != nil {
		l.failed()
		return nil
	}
	l.read, l.readAt = list, time.Now()
	return list
}
