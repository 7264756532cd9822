package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// RedisConfig says where Redis is and how long it may take. URL, Installation and Node are required.
type RedisConfig struct {
	URL          string        // redis://, rediss:// or unix://
	Prefix       string        // of every key; "kyro"
	Installation string        // tells this database's keys from those of another that uses the same Redis
	Node         string        // tells this process from the others
	Timeout      time.Duration // of one command, twice that where it has to connect first; then Redis is away; 250 ms
	Log          *slog.Logger
	Measure      Measure // nil: nobody is told
}

// Redis carries what the nodes of one installation tell each other: the events of running answers, signals, counts of
// what is done and tried, and texts of queries. Nothing that matters is kept in it alone. While it is away (down,
// unreachable, or hanging) every use of it fails at once and nobody waits for it; one goroutine finds out when it is back.
//
// It needs a single server or one with replicas behind one address; Redis Cluster is not supported, since one command
// reads the streams of all answers.
type Redis struct {
	prefix  string
	node    string
	timeout time.Duration
	log     *slog.Logger

	commands *redis.Client // short commands; refuses them while Redis is away
	blocking *redis.Client // of the one reader, whose commands wait
	health   health
	tail     tail
	outbox   outbox
	nodes    atomic.Int32 // how many there are, this one included

	running sync.WaitGroup
	stop    context.CancelFunc
}

const (
	blockTime    = 500 * time.Millisecond // of one read; so long is it until a Redis that hangs is noticed, and Timeout
	dialTime     = time.Second
	nodesEvery   = time.Second // a node says so often that it is there; so soon it finds out that Redis takes nothing
	nodesForget  = 15 * time.Second
	flushTime    = time.Second // to send at the end what is not sent yet
	retryAway    = 100 * time.Millisecond
	maxRetryAway = time.Second
)

// CheckURL says whether a URL names a Redis. It does not look whether one is there.
func CheckURL(url string) error {
	_, err := parseURL(url)
	return err
}

// parseURL reads the URL. Its error shows nothing of it: with a slash in it, a password is taken for a path.
func parseURL(url string) (*redis.Options, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("no URL of a Redis such as redis://user:password@host:6379/0, or one with options that are not known")
	}
	return options, nil
}

// NewRedis prepares a connection. It does not ask for Redis, which may come later; Run does.
func NewRedis(cfg RedisConfig) (*Redis, error) {
	options, err := parseURL(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("read the URL of Redis: %w", err)
	}
	if cfg.Prefix == "" {
		cfg.Prefix = "kyro"
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 250 * time.Millisecond
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	quieten.Do(func() { redis.SetLogger(clientLog{cfg.Log.With("part", "redis client")}) })
	r := &Redis{prefix: cfg.Prefix + ":" + cfg.Installation + ":", node: cfg.Node, timeout: cfg.Timeout, log: cfg.Log.With("part", "live")}
	r.nodes.Store(1)
	r.health.init(r.log)

	options.MaxRetries = -1 // what may be done again is done again by whoever knows
	options.DialTimeout, options.DialerRetries = dialTime, 1
	options.ReadTimeout, options.WriteTimeout = cfg.Timeout, cfg.Timeout
	options.PoolTimeout = cfg.Timeout / 2 // sooner than the time is over, which would say that Redis is away
	options.ContextTimeoutEnabled = true
	options.ClientName = "kyrochat"
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}

	waiting := *options
	waiting.PoolSize = 2
	options.Limiter = &r.health
	r.commands, r.blocking = redis.NewClient(options), redis.NewClient(&waiting)
	r.commands.AddHook(measuring{cfg.Measure})
	r.tail.init(r, cfg.Timeout)
	r.outbox.init(r)
	return r, nil
}

// clientLog takes what the client itself would log. It is for debugging: whoever uses the client gets every error.
type clientLog struct{ log *slog.Logger }

// Printf implements the client's logger.
func (l clientLog) Printf(ctx context.Context, format string, values ...any) {
	l.log.DebugContext(ctx, fmt.Sprintf(format, values...))
}

// quieten gives the client's logger, of which there is one in a process, to the first who connects.
var quieten sync.Once

// Run reads and sends until Stop. It returns once it was found out whether Redis is there, which takes a second at the
// most.
func (r *Redis) Run() {
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	first := make(chan struct{})
	r.running.Go(func() { r.tail.run(ctx, sync.OnceFunc(func() { close(first) })) })
	r.running.Go(func() { r.outbox.run(ctx) })
	r.running.Go(func() { r.register(ctx) })
	select {
	case <-first:
	case <-time.After(dialTime):
	}
}

// Stop sends what is not sent yet, as far as that takes no longer than a second, and ends all connections.
func (r *Redis) Stop() {
	if r.stop != nil {
		r.stop()
	}
	_ = r.blocking.Close() // wakes the reader
	r.running.Wait()
	_ = r.commands.Close()
}

// Connected reports whether Redis answers, so that what other nodes say arrives.
func (r *Redis) Connected() bool { return r.health.away() == nil }

// Away says why Redis is not used at the moment; nil while it is.
func (r *Redis) Away() error { return r.health.away() }

// Nodes is how many processes of the installation there are, as far as this one knows; at least 1.
func (r *Redis) Nodes() int { return int(r.nodes.Load()) }

func (r *Redis) key(parts string) string { return r.prefix + parts }

// limited is the time of one command, and of connecting for it. It does not end with its caller, which would say nothing
// of Redis.
func (r *Redis) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 2*r.timeout)
}

// register counts the nodes, and this one among them. Their clocks do not matter: it is Redis' own that is looked at.
func (r *Redis) register(ctx context.Context) {
	key := r.key("nodes")
	tick := time.NewTicker(nodesEvery)
	defer tick.Stop()
	for {
		limited, cancel := r.limited(ctx)
		n, err := countNodes.Run(limited, r.commands, []string{key}, r.node, nodesForget.Microseconds()).Int()
		cancel()
		if err == nil {
			r.nodes.Store(int32(max(n, 1)))
		}
		select {
		case <-tick.C:
		case <-r.health.back():
		case <-ctx.Done():
			limited, cancel := r.limited(ctx)
			defer cancel()
			r.commands.ZRem(limited, key, r.node)
			return
		}
	}
}

// countNodes says that a node is there, forgets those that were silent for too long, and counts the rest.
var countNodes = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[2] / 500)
return redis.call('ZCARD', KEYS[1])`)
