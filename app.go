package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"kyrochat/account"
	"kyrochat/ai"
	"kyrochat/answer"
	"kyrochat/auth"
	"kyrochat/catalog"
	"kyrochat/ingest"
	"kyrochat/ingest/extract"
	"kyrochat/ingest/files"
	"kyrochat/jobs"
	"kyrochat/kyro"
	"kyrochat/live"
	"kyrochat/resolvers"
	"kyrochat/store"
	"kyrochat/transport"
)

// app is one server, put together and ready to run once.
type app struct {
	cfg         Config
	log         *slog.Logger
	pools       *store.Pools
	queue       *jobs.Queue
	caches      caches
	extractor   *extract.Pool
	documents   *ingest.Service
	answers     *answer.Service
	answered    chan struct{}         // closed when no answer is being made any more
	connections transport.Connections // websockets and event streams
	info        kyro.ServerInfo
	rates       *live.Rates

	publicListener, adminListener net.Listener
	public, admin                 *http.Server
	requests                      inFlight
	draining                      atomic.Bool
}

// vectorMemory is how many bytes of documents' vectors are kept in memory, at most.
const vectorMemory = 512 << 20

// openDatabase opens the database with its queue and brings both schemas up to date.
func openDatabase(ctx context.Context, cfg Config, log *slog.Logger) (*store.Pools, *jobs.Queue, error) {
	pools, err := store.Open(ctx, store.Config{DatabaseURL: cfg.DatabaseURL, DataDir: cfg.DataDir, Log: log, OnQuery: cfg.onQuery})
	if err != nil {
		return nil, nil, err
	}
	queue, err := newQueue(pools, jobs.Config{Workers: map[kyro.JobKind]int{kyro.JobIngest: cfg.IngestWorkers}, Log: log})
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

// build puts a server together: database, queue, store, use cases, resolvers, listeners. Nothing runs yet; what it
// opened is closed again when it fails.
func build(ctx context.Context, cfg Config, log *slog.Logger) (_ *app, err error) {
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder (KYRO_DATA_DIR): %w", err)
	}
	a := &app{cfg: cfg, log: log, answered: make(chan struct{}), rates: live.NewRates(live.RatesConfig{}), caches: newCaches(cfg)}
	if a.pools, a.queue, err = openDatabase(ctx, cfg, log); err != nil {
		a.caches.close()
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	st := store.New(a.pools, a.queue)

	accounts, gate, err := a.newAccounts(st)
	if err != nil {
		return nil, err
	}
	embedder := &ai.HashEmbedder{}
	progress := live.NewProgress(live.ProgressConfig{})
	if err := a.newIngest(st, progress, embedder); err != nil {
		return nil, err
	}
	model, dims := embedder.Model()
	vectors := ai.NewVectors(st, model, dims, vectorMemory)
	a.answers = answer.New(answer.Config{
		Store: st, Log: live.NewLogs(live.LogsConfig{}), Retriever: answer.NewRetriever(st, vectors, embedder, log),
		Model: &ai.Extractive{Pace: cfg.OfflinePace}, Limits: cfg.Limits, Node: nodeName(), Exclusive: !a.pools.Postgres(), Logger: log,
	})
	a.info = a.serverInfo(model)
	root := &resolvers.Root{
		Account: accounts, Catalog: catalog.New(st, a.caches.catalog(), nil), Ingest: a.documents, Answer: a.answers,
		Info: a.info,
	}
	return a, a.listen(a.routes(root, gate))
}

func (a *app) newAccounts(st *store.Store) (*account.Service, *auth.Gate, error) {
	secrets := a.cfg.Secrets
	if len(secrets) == 0 {
		secret, err := auth.LoadOrCreateSecret(filepath.Join(a.cfg.DataDir, "secret"))
		if err != nil {
			return nil, nil, err
		}
		secrets = []string{secret}
	}
	tokens, err := auth.NewTokens(secrets, auth.TokenOptions{AccessTTL: a.cfg.AccessTTL})
	if err != nil {
		return nil, nil, err
	}
	accounts := account.New(st, a.caches.account(), auth.NewHasher(auth.HasherOptions{}), tokens, account.Options{
		SignUp: a.cfg.SignUp, RefreshTTL: a.cfg.RefreshTTL, Log: a.log,
		Ended: func(session kyro.ID) { a.connections.CloseSession(session) },
	})
	return accounts, auth.NewGate(tokens, accounts, a.cfg.Proxies, a.log), nil
}

// newIngest makes the use cases of documents and gives the queue its handlers.
func (a *app) newIngest(st *store.Store, progress *live.Progress, embedder *ai.HashEmbedder) error {
	originals, err := files.Open(filepath.Join(a.cfg.DataDir, "files"), !a.pools.Postgres())
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the own binary, which reads documents in a process of its own: %w", err)
	}
	a.extractor = extract.NewPool([]string{self, "extract"}, a.cfg.Limits, a.log)
	a.documents = ingest.New(ingest.Config{
		Store: st, Bots: st, Heads: a.caches.documents, Files: originals, Extractor: a.extractor, Sniff: extract.Sniff,
		Embedder: embedder, Progress: progress, Limits: a.cfg.Limits, Log: a.log,
	})
	a.queue.Handle(kyro.JobIngest, a.documents.Work)
	a.queue.OnExhausted(kyro.JobIngest, a.documents.GiveUp)
	a.queue.Handle(kyro.JobPurge, a.documents.Purge)
	a.queue.Periodic(kyro.JobSweepFiles, time.Hour, a.documents.Sweep)
	return nil
}

func (a *app) serverInfo(embeddings string) kyro.ServerInfo {
	limits := a.cfg.Limits
	return kyro.ServerInfo{
		Version: version(), Environment: pick(a.cfg.Production, "production", "development"), SignUp: a.cfg.SignUp,
		Answers:    kyro.ProviderInfo{Provider: "offline", Model: ai.ExtractiveModel},
		Embeddings: kyro.ProviderInfo{Provider: "offline", Model: embeddings},
		Vectors:    "embedded", Database: pick(a.pools.Postgres(), "postgresql", "sqlite"), Live: "in-process",
		Limits: kyro.ServerLimits{
			MaxUploadBytes: int(limits.MaxUploadBytes), MaxTextChars: limits.MaxTextChars, MaxMessageChars: limits.MaxMessageChars,
			MaxPageSize: kyro.MaxPageSize, AcceptedTypes: []string{extract.PDF, extract.Markdown, extract.Plain},
			MaxSockets: a.cfg.Carriers.sockets.MaxSockets, MaxEventStreams: a.cfg.Carriers.events.MaxStreams,
			MaxOperationsOnSocket: a.cfg.Carriers.sockets.MaxOperations,
		},
	}
}

// nodeName tells this process from every other one, also from an earlier one with the same number.
func nodeName() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%s-%d-%d", host, os.Getpid(), time.Now().UnixNano())
}

func (a *app) listen(public, admin http.Handler) (err error) {
	if a.publicListener, err = net.Listen("tcp", a.cfg.Addr); err != nil {
		return fmt.Errorf("listen on KYRO_ADDR: %w", err)
	}
	if a.adminListener, err = net.Listen("tcp", a.cfg.AdminAddr); err != nil {
		return fmt.Errorf("listen on KYRO_ADMIN_ADDR: %w", err)
	}
	errorLog := slog.NewLogLogger(a.log.Handler(), slog.LevelDebug) // of net/http: clients that misbehave
	a.public = &http.Server{
		Handler: a.requests.counted(public), ReadHeaderTimeout: a.cfg.HeaderTimeout, IdleTimeout: 60 * time.Second,
		MaxHeaderBytes: 32 << 10, ErrorLog: errorLog,
	}
	a.admin = &http.Server{
		Handler: admin, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 60 * time.Second, ErrorLog: errorLog,
	}
	return nil
}

// run serves until ctx ends, then drains. ready is called once it serves. An error is a reason why it could not go
// on, or what the drain left undone.
func (a *app) run(ctx context.Context, ready func()) error {
	defer func() {
		if err := a.close(); err != nil {
			a.log.Error("closing", "error", err)
		}
	}()
	if err := a.queue.Start(ctx); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(a.answered)
		return a.answers.Run(ctx)
	})
	group.Go(func() error { return serveUntilClosed(a.public, a.publicListener) })
	group.Go(func() error { return serveUntilClosed(a.admin, a.adminListener) })
	group.Go(func() error {
		<-ctx.Done()
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
	a.caches.close()
	var errs []error
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
	return errors.Join(append(errs, a.pools.Close())...)
}

func (a *app) logReady(log *slog.Logger) {
	embedded := []string{"streams in process", "vectors in process", "offline answers (" + ai.ExtractiveModel + ")"}
	if !a.pools.Postgres() {
		embedded = append([]string{"SQLite in " + a.cfg.DataDir}, embedded...)
	}
	log.Info("ready",
		"graphql", "http://"+a.publicListener.Addr().String()+"/graphql", "admin", "http://"+a.adminListener.Addr().String(),
		"database", a.info.Database, "embedded", strings.Join(embedded, ", "))
}
