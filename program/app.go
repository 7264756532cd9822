package program

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

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
	"kyrochat/store"
	"kyrochat/trace"
	"kyrochat/transport"
	"kyrochat/web"
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
	providers   *providers
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
	queue, err := newQueue(pools, jobs.Config{Workers: map[kyro.JobKind]int{kyro.JobIngest: cfg.IngestWorkers}, Log: log, Measure: m.turns, Traces: t.work})
	if err == nil {
		err = pools.Migrate(ctx, queue.Migrate)
	}
	if err != nil {
		return nil, nil, errors.Join(err, pools.Close())
	}
	return pools, queue, nil
}

func newQueue(pools *store.Pools, cfg jobs.Config) (*jobs.Queue, error) {
	if pools.Postgres() {
		return jobs.NewPostgres(pools.Pgx, cfg)
	}
	return jobs.NewSQLite(pools.SQLite, cfg)
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
	name := nodeName()
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
	a.caches = newCaches(cfg, a.pools.Postgres(), a.nodes.bus)
	if a.providers, err = newProviders(ctx, cfg, st, installation, a.nodes.bus, a.measured, log); err != nil {
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
	a.retriever = answer.NewRetriever(st, a.providers.vectors, a.providers.questions, log)
	a.retriever.VectorTimeout, a.retriever.PassageTokens = cfg.VectorTimeout, cfg.PassageTokens
	answering := answer.Config{
		Store: st, Log: a.nodes.logs, Signals: a.nodes.signals(), Wakes: a.nodes.wakes, Retriever: a.retriever,
		Model: a.providers.model, Completer: a.providers.completer, PassageTokens: cfg.PassageTokens, HistoryTokens: cfg.HistoryTokens,
		Limits: cfg.Limits, Restart: cfg.AnswerRestart, Node: name, Exclusive: !a.pools.Postgres(), Logger: log,
		Limiter: a.nodes.rates, Rate: cfg.Rates.Messages, Wall: h.now,
		ModelName: a.info.Answers.Model, Prices: cfg.Prices,
		Ended: a.measured.answers, Traces: a.recorded.work,
	}
	gaps := a.newGaps(st, answer.NewRehearsal(answering))
	if !cfg.Role.Serves() {
		a.look()
		return a, a.listenAdmin(ctx)
	}
	gate := auth.NewGate(tokens, a.accounts, cfg.Proxies, log)
	live.On(a.nodes.bus, signalEnded, a.connections.CloseCredential)
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

func (a *app) serverInfo() kyro.ServerInfo {
	limits := a.cfg.Limits
	answers, embeddings, vectors := a.providers.info(a.cfg.Providers)
	return kyro.ServerInfo{
		Version: version(), Environment: pick(a.cfg.Production, "production", "development"), SignUp: a.cfg.SignUp,
		Answers: answers, Embeddings: embeddings, Vectors: vectors,
		Database: pick(a.pools.Postgres(), "postgresql", "sqlite"), Live: pick(a.nodes.redis != nil, "redis", "in-process"),
		Limits: kyro.ServerLimits{
			MaxUploadBytes: int(limits.MaxUploadBytes), MaxTextChars: limits.MaxTextChars, MaxMessageChars: limits.MaxMessageChars,
			MaxPageSize: kyro.MaxPageSize, AcceptedTypes: extract.Accepted(),
			MaxDocuments: unlessZero(limits.MaxDocuments), MaxStorageBytes: unlessZero(float64(limits.MaxStorageBytes)),
			MaxSockets: a.cfg.Carriers.Sockets.MaxSockets, MaxEventStreams: a.cfg.Carriers.Events.MaxStreams,
			MaxOperationsOnSocket: a.cfg.Carriers.Sockets.MaxOperations,
		},
	}
}

// unlessZero is a limit as clients are told of it: nil for none.
func unlessZero[N int | float64](limit N) *N {
	if limit == 0 {
		return nil
	}
	return &limit
}

// nodeName tells this process from every other one, also from an earlier one with the same number.
func nodeName() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%s-%d-%d", host, os.Getpid(), time.Now().UnixNano())
}

// maxHead is how many bytes the head of a request may have, but for some that net/http adds.
const maxHead = 32 << 10

// idleTime is how long a connection is kept for the next request. It is longer than proxies keep theirs (nginx a minute, Caddy
// two), which would else send a mutation into one that is just closed, and not dare to send it again.
const idleTime = 3 * time.Minute

func (a *app) listenPublic(ctx context.Context, handler http.Handler) (err error) {
	if a.publicListener, err = new(net.ListenConfig).Listen(ctx, "tcp", a.cfg.Addr); err != nil {
		return fmt.Errorf("listen on KYRO_ADDR: %w", err)
	}
	if u, err := url.Parse(a.cfg.PublicURL); err == nil && u.Port() == "0" { // whose number is known only now
		a.cfg.PublicURL = a.baseURL()
	}
	a.public = &http.Server{
		Handler: a.requests.counted(handler), ReadHeaderTimeout: a.cfg.HeaderTimeout, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHead, DisableGeneralOptionsHandler: true, ErrorLog: a.clientErrors(),
	}
	return nil
}

func (a *app) listenAdmin(ctx context.Context) (err error) {
	if a.adminListener, err = new(net.ListenConfig).Listen(ctx, "tcp", a.cfg.AdminAddr); err != nil {
		return fmt.Errorf("listen on KYRO_ADMIN_ADDR: %w", err)
	}
	a.admin = &http.Server{
		Handler: a.adminRoutes(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 60 * time.Second,
		MaxHeaderBytes: maxHead, DisableGeneralOptionsHandler: true, ErrorLog: a.clientErrors(),
	}
	return nil
}

// clientErrors is where net/http tells of clients that misbehave.
func (a *app) clientErrors() *log.Logger { return slog.NewLogLogger(a.log.Handler(), slog.LevelDebug) }

// baseURL is where the public is served; empty where it is not.
func (a *app) baseURL() string {
	if a.publicListener == nil {
		return ""
	}
	return "http://" + a.publicListener.Addr().String()
}

// run serves until ctx ends, then drains. ready is called once it serves. An error is a reason why it could not go
// on, or what the drain left undone.
func (a *app) run(ctx context.Context, ready func()) error {
	defer func() {
		if err := a.close(); err != nil {
			a.log.Error("closing", "error", err)
		}
	}()
	a.nodes.start(a.log)
	if a.cfg.Role.Works() {
		if err := a.queue.Start(ctx); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	// Requests and streams go on while the server drains: what watches over them does, too.
	drained, gone := context.WithCancel(context.WithoutCancel(ctx))
	if gemini := a.providers.gemini; gemini != nil {
		group.Go(func() error { gemini.Look(ctx); return nil })
	}
	if file := a.cfg.SecretPath(); file != "" && a.tokens != nil {
		group.Go(func() error { a.tokens.Follow(ctx, file, a.log); return nil })
	}
	if a.cfg.Role.Serves() {
		group.Go(func() error {
			defer close(a.answered)
			return a.answers.Run(ctx)
		})
		group.Go(func() error { return serveUntilClosed(a.public, a.publicListener) })
		group.Go(func() error { a.limits.run(drained); return nil })
		group.Go(func() error { a.watchCredentials(drained); return nil })
		group.Go(func() error { a.accounts.Run(ctx); return nil })
	} else {
		close(a.answered)
	}
	group.Go(func() error { return serveUntilClosed(a.admin, a.adminListener) })
	group.Go(func() error {
		<-ctx.Done()
		defer gone()
		return a.drain(context.WithoutCancel(ctx))
	})
	ready()
	return group.Wait()
}

func serveUntilClosed(server *http.Server, listener net.Listener) error {
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (a *app) close() error {
	if a.nodes != nil {
		a.nodes.stop()
	}
	a.caches.close()
	if a.retriever != nil && within(context.Background(), searchesTime, a.retriever.Wait) != nil {
		a.log.Warn("searches of vectors were left behind")
	}
	if a.providers != nil {
		a.providers.close()
	}
	var errs []error
	if a.fetcher != nil {
		a.fetcher.Close()
	}
	if a.extractor != nil {
		errs = append(errs, a.extractor.Close())
	}
	for _, listener := range []net.Listener{a.publicListener, a.adminListener} {
		if listener != nil {
			if err := listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(append(errs, a.closeTracer(), a.pools.Close())...)
}

// closeTracer sends the last spans. What a collector does not take in time is lost.
func (a *app) closeTracer() error {
	if a.tracer == nil {
		return nil
	}
	return within(context.Background(), spansTime, a.tracer.Close)
}

func (a *app) logReady(log *slog.Logger) {
	if !a.cfg.Role.Serves() {
		log.Info("ready", "admin", "http://"+a.adminListener.Addr().String(), "role", a.cfg.Role,
			"database", a.info.Database, "live", a.info.Live, "embeddings", a.info.Embeddings.Model, "vectors", a.info.Vectors)
		return
	}
	embedded := a.providers.embedded()
	if a.nodes.redis == nil {
		embedded = append([]string{"streams in process"}, embedded...)
	}
	if !a.pools.Postgres() {
		embedded = append([]string{"SQLite in " + a.cfg.DataDir}, embedded...)
	}
	if a.post.Outbox() != nil {
		embedded = append(embedded, "mails in the outbox")
	}
	if len(embedded) == 0 {
		embedded = []string{"nothing"}
	}
	facts := []any{
		"graphql", a.baseURL() + "/graphql", "admin", "http://" + a.adminListener.Addr().String(), "role", a.cfg.Role,
		"database", a.info.Database, "live", a.info.Live, "answers", a.info.Answers.Model, "embeddings", a.info.Embeddings.Model,
		"vectors", a.info.Vectors, "embedded", strings.Join(embedded, ", "),
	}
	if a.outbox() != nil {
		facts = append(facts, "outbox", a.baseURL()+web.OutboxPath)
	}
	log.Info("ready", facts...)
}
