package program

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"kyrochat/account"
	"kyrochat/answer"
	"kyrochat/auth"
	"kyrochat/catalog"
	"kyrochat/config"
	"kyrochat/export"
	"kyrochat/ingest"
	"kyrochat/ingest/extract"
	"kyrochat/ingest/fetch"
	"kyrochat/insight"
	"kyrochat/jobs"
	"kyrochat/kyro"
	"kyrochat/live"
	"kyrochat/mail"
	"kyrochat/meter"
	"kyrochat/resolvers"
	"kyrochat/setup"
	"kyrochat/store"
	"kyrochat/trace"
	"kyrochat/transport"
)

// app is one server, put together and ready to run once.
type app struct {
	cfg         config.Config
	hooks       hooks
	log         *slog.Logger
	pools       *store.Pools
	queue       *jobs.Queue
	caches      caches
	extractor   *extract.Pool
	fetcher     *fetch.Fetcher
	documents   *ingest.Service
	bucket      ingest.Originals // nil where files are not in one
	exports     *export.Service
	tokens      *auth.Tokens
	accounts    *account.Service
	answers     *answer.Service // nil where the role does not serve
	retriever   *answer.IndexRetriever
	answered    chan struct{}         // closed when no answer is being made any more
	connections transport.Connections // websockets and event streams
	info        kyro.ServerInfo
	nodes       *nodes
	providers   *setup.Providers
	limits      *limitLog
	post        *mail.Post
	meter       *meter.Meter  // nil where nothing is measured
	measured    measured      // what is told to it
	tracer      *trace.Tracer // nil where nothing is traced
	recorded    recorded      // what begins its traces

	publicListener, adminListener net.Listener // the public one and its server are nil where the role does not serve
	public, admin                 *http.Server
	requests                      inFlight
	draining                      atomic.Bool
}

// openDatabase opens the database with its queue and brings both schemas up to date.
func openDatabase(ctx context.Context, cfg config.Config, h hooks, m measured, t recorded, log *slog.Logger) (*store.Pools, *jobs.Queue, error) {
	pools, err := store.Open(ctx, store.Config{DatabaseURL: string(cfg.DatabaseURL), DataDir: cfg.DataDir, Log: log, OnQuery: h.onQuery, Measure: m.statements})
	if err != nil {
		return nil, nil, err
	}
	queue, err := setup.NewQueue(pools, jobs.Config{Workers: map[kyro.JobKind]int{kyro.JobIngest: cfg.IngestWorkers}, Log: log, Measure: m.turns, Traces: t.work})
	if err == nil {
		err = pools.Migrate(ctx, queue.Migrate)
	}
	if err != nil {
		return nil, nil, errors.Join(err, pools.Close())
	}
	return pools, queue, nil
}

// build puts a server together: database, queue, store, use cases, resolvers, listeners, as far as its role needs
// them. Nothing runs yet; what it opened is closed again when it fails.
func build(ctx context.Context, cfg config.Config, h hooks, log *slog.Logger) (_ *app, err error) {
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder (KYRO_DATA_DIR): %w", err)
	}
	a := &app{cfg: cfg, hooks: h, log: log, answered: make(chan struct{})}
	if !h.unmeasured {
		a.meter = meter.New()
	}
	a.measured = measuredBy(a.meter)
	name := setup.NodeName()
	if a.tracer, err = newTracer(ctx, cfg, name, a); err != nil {
		return nil, err
	}
	a.recorded = recordedBy(a.tracer)
	if a.pools, a.queue, err = openDatabase(ctx, cfg, h, a.measured, a.recorded, log); err != nil {
		return nil, errors.Join(err, a.closeTracer())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	st := store.New(a.pools, a.queue).Within(cfg.Limits)
	installation, err := st.Installation(ctx, strings.ToLower(rand.Text()))
	if err != nil {
		return nil, err
	}
	if a.nodes, err = newNodes(cfg, name, installation, a.measured.redis, log); err != nil {
		return nil, err
	}
	a.limits = newLimitLog(st, log)
	a.caches = newCaches(cfg, a.pools.Postgres(), a.nodes.bus, cmp.Or(h.unheard, alone))
	a.providers, err = setup.NewProviders(ctx, cfg, setup.ProviderOptions{
		Store: st, Installation: installation, Bus: a.nodes.bus, Gemini: a.measured.gemini, Pinecone: a.measured.pinecone, Log: log,
	})
	if err != nil {
		return nil, err
	}
	tokens, err := a.newTokens()
	if err != nil {
		return nil, err
	}
	if err := a.newIngest(ctx, st, installation); err != nil {
		return nil, err
	}
	if err := a.newExports(st); err != nil {
		return nil, err
	}
	if a.post, err = newPost(cfg, h.now, log); err != nil {
		return nil, err
	}
	a.info = a.serverInfo()
	a.newAccounts(st)
	figures := insight.New(st, cfg.Prices.Currency, h.now)
	a.queue.Periodic(kyro.JobRollUp, time.Minute, figures.RollUp)
	answering := a.newAnswers(st, name)
	gaps := a.newGaps(st, answer.NewRehearsal(answering))
	if !cfg.Role.Serves() {
		a.look()
		return a, a.listenAdmin(ctx)
	}
	gate := auth.NewGate(tokens, a.accounts, cfg.Proxies, log)
	live.On(a.nodes.bus, setup.SignalEnded, a.connections.CloseCredential)
	a.answers = answer.New(answering)
	a.look()
	live.On(a.nodes.bus, signalStop, a.answers.StopHere)
	root := &resolvers.Root{
		Account: a.accounts, Catalog: catalog.New(st, a.caches.catalog(), a.nodes.wakes, h.now), Ingest: a.documents, Answer: a.answers,
		Insight: figures, Gaps: gaps, Exports: a.exports, Info: a.info,
	}
	if err := a.listenPublic(ctx, a.routes(root, gate)); err != nil {
		return nil, err
	}
	return a, a.listenAdmin(ctx)
}
