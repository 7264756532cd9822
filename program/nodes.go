package program

import (
	"context"
	"log/slog"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"kyrochat/account"
	"kyrochat/answer"
	"kyrochat/config"
	"kyrochat/kyro"
	"kyrochat/live"
	"kyrochat/transport"
)

// nodes is what this process shares with the others of its installation while it runs: by Redis where there is one. It
// is the same to whoever uses it without Redis; then bus is nil, and the others are known by the database alone.
type nodes struct {
	redis    *live.Redis
	bus      *live.Bus
	shared   *live.SharedLogs
	logs     answer.Log
	rates    transport.Limiter
	attempts account.Attempts
	progress *live.SharedProgress
	wakes    *live.SharedWakes
	queries  graphql.Cache[string] // documents by their hash; nil without Redis
	stop     func()
}

// signalStop tells the others that an answer is to stop.
const signalStop = "stop"

func newNodes(cfg config.Config, name, installation string, told live.Measure, log *slog.Logger) (n *nodes, err error) {
	logs, rates, progress := live.NewLogs(live.LogsConfig{}), live.NewRates(live.RatesConfig{}), live.NewProgress(live.ProgressConfig{})
	attempts := live.NewAttempts(live.AttemptsConfig{})
	n = &nodes{logs: logs, rates: rates, attempts: attempts, stop: func() {}}
	if cfg.RedisURL != "" {
		n.redis, err = live.NewRedis(live.RedisConfig{
			URL: string(cfg.RedisURL), Prefix: cfg.RedisPrefix, Installation: installation, Node: name, Timeout: cfg.RedisTimeout, Log: log, Measure: told,
		})
		if err != nil {
			return nil, err
		}
		n.stop = n.redis.Stop
		n.bus = live.NewBus(n.redis)
		n.shared = live.NewSharedLogs(n.redis, logs)
		n.logs, n.rates = n.shared, live.NewSharedRates(n.redis, rates)
		n.attempts = live.NewSharedAttempts(n.redis, attempts)
		n.queries = live.NewSharedTexts(n.redis)
	}
	n.progress, n.wakes = live.NewSharedProgress(n.bus, progress), live.NewSharedWakes(n.bus, new(live.Wakes))
	return n, nil
}

// signals are how answers that other processes make are stopped.
func (n *nodes) signals() answer.Signals { return signals{n.bus} }

type signals struct{ bus *live.Bus }

// Stop implements answer.Signals.
func (s signals) Stop(message kyro.ID) { live.Send(s.bus, signalStop, message) }

// Connected implements answer.Signals.
func (s signals) Connected() bool { return s.bus.Connected() }

// start connects. What is to be heard of the others must be said before. A Redis that is not there is no reason not to
// start: it is waited for.
func (n *nodes) start(log *slog.Logger) {
	if n.redis == nil {
		return
	}
	n.redis.Run()
	if err := n.redis.Away(); err != nil {
		log.Warn("Redis (REDIS_URL) does not answer, or refuses; starting without it, and waiting for it", "error", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.shared.Run(ctx)
	}()
	n.stop = func() {
		cancel()
		<-done
		n.redis.Stop()
	}
}

// credentialsEvery is how often the sessions and API keys of open connections are looked at, for those that were ended
// elsewhere and of which no signal came: by other nodes, and by an operator's command, also on SQLite.
const credentialsEvery = 2 * time.Second

// watchCredentials closes the connections of sessions and API keys that another process has ended.
func (a *app) watchCredentials(ctx context.Context) {
	tick := time.NewTicker(credentialsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		open := a.connections.Credentials()
		if len(open) == 0 {
			continue
		}
		limited, cancel := context.WithTimeout(ctx, credentialsEvery)
		over, err := a.accounts.Ended(limited, open)
		cancel()
		if err != nil && ctx.Err() == nil {
			a.log.Warn("the sessions and API keys of open connections could not be checked; trying again", "error", err)
		}
		for _, id := range over {
			a.connections.CloseCredential(id)
		}
	}
}
