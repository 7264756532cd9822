package program

import (
	"context"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/cors"

	"kyrochat/auth"
	"kyrochat/export"
	"kyrochat/graph"
	"kyrochat/ingest"
	"kyrochat/resolvers"
	"kyrochat/transfer"
	"kyrochat/transport"
	"kyrochat/web"
)

// routes makes what the public address serves.
func (a *app) routes(root *resolvers.Root, gate *auth.Gate) http.Handler {
	r := chi.NewRouter()
	r.Use(
		middleware.GetHead,
		transport.RequestID(nil),
		transport.Timeouts(a.cfg.Carriers.HTTP.BodyTimeout, a.cfg.Carriers.HTTP.AnswerTimeout),
		transport.SecurityHeaders(strings.HasPrefix(a.cfg.PublicURL, "https://")),
	)
	api := r.With(a.cors()) // pages are for nobody else to read
	api.With(gate.Middleware).Handle("/graphql", a.graphQL(root, gate))
	api.Get("/schema.graphql", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(graph.Contract()))
	})
	a.transfers(r)
	r.Handle(web.AccountPath+"*", web.Account(a.cfg.Browser.AppURL))
	if !a.cfg.Production {
		playground := web.Playground(web.Bundle())
		r.Handle("/", playground)
		r.Handle(web.AssetPath+"*", playground)
	}
	if outbox := a.outbox(); outbox != nil {
		page := web.Outbox(outbox)
		r.Handle(web.OutboxPath, page)
		r.Handle(web.OutboxPath+"/*", page)
	}
	return r
}

// transfers serves files on their way in and out. Whoever has their addresses may: the gate is not asked, and cookies count
// for nothing.
func (a *app) transfers(r chi.Router) {
	files := &transfer.Handlers{Documents: a.documents, Exports: a.exports, RequestID: transport.RequestIDFrom, Log: a.log}
	r = r.With(cors.Handler(cors.Options{
		AllowOriginFunc: func(_ *http.Request, origin string) bool { return a.cfg.Allows(origin) },
		AllowedMethods:  []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete},
		AllowedHeaders:  []string{"Accept", "Content-Type", "Content-Range", "Range", "If-Range"},
		ExposedHeaders: []string{"Upload-Offset", "Upload-Length", "Range", "Content-Range", "Content-Length", "Content-Disposition",
			"Accept-Ranges", "ETag", "Retry-After", "X-Request-Id"},
		MaxAge: 600,
	}))
	r.HandleFunc(ingest.UploadsPath+"{token}", a.measured.ofTransfers("in", a.recorded.ofTransfers("upload", files.Upload)))
	r.HandleFunc(ingest.FilesPath+"{token}", a.measured.ofTransfers("out", a.recorded.ofTransfers("download", files.Download)))
	r.HandleFunc(export.Path+"{token}", a.measured.ofTransfers("out", a.recorded.ofTransfers("export", files.Export)))
}

// developersHint is for whoever meets a rate on their own machine, where all that they try comes from one address.
const developersHint = " For development, KYRO_RATE_SCALE=0 switches the limits off."

// graphQL puts the executor together with its transports, of which the first that supports a request takes it.
func (a *app) graphQL(root *resolvers.Root, gate *auth.Gate) http.Handler {
	presenter := transport.NewPresenter(a.log)
	presenter.Denied = a.accounts.Denied
	presenter.Limited = a.limits.hit
	if !a.cfg.Production {
		presenter.LimitedHint = developersHint
	}
	gate.RequestID = transport.RequestIDFrom
	root.RateLimit, root.Carrier = transport.RateLimitFrom, transport.Carrier{}
	root.Cookies = transport.Cookies{On: a.cfg.Browser.Cookies, AllowOrigin: a.cfg.Allows, Now: a.hooks.now}
	root.MaxRead = readsPerByte * int64(a.cfg.Carriers.Envelope.MaxResponse)
	rates := transport.Rates{Limiter: a.nodes.rates, Operations: a.cfg.Rates.Operations, Connects: a.cfg.Rates.Connects, Messages: a.cfg.Rates.Socket}
	schema := graph.NewExecutable(graph.Config{Resolvers: root}, graph.Options{MaxResponse: a.cfg.Carriers.Envelope.MaxResponse, Sent: transport.Sent, Words: transport.Words, Resolved: a.measured.resolvers, Resolving: a.recorded.ofQuery()})
	server := handler.New(schema)
	carry := a.cfg.Carriers
	carry.Sockets.Now = a.hooks.now
	carry.Sockets.Init, carry.Sockets.AllowOrigin = gate.WebsocketInit, a.cfg.Allows
	carry.Sockets.Connections, carry.Sockets.Rates = &a.connections, rates
	carry.Events.Connections = &a.connections
	carry.Sockets.Log, carry.Events.Log = a.log, a.log
	a.connections.Max, a.connections.MaxLive = carry.MaxConnections, carry.MaxLive
	carry.Sockets.Measure, carry.Events.Measure = a.measured.operations, a.measured.operations
	carry.Uploads.Measure, carry.HTTP.Measure = a.measured.operations, a.measured.operations
	carry.Sockets.Traces, carry.Events.Traces = a.recorded.requests, a.recorded.requests
	carry.Uploads.Traces, carry.HTTP.Traces = a.recorded.requests, a.recorded.requests
	for _, each := range []graphql.Transport{&carry.Sockets, carry.Events, carry.Uploads, carry.HTTP} {
		server.AddTransport(each)
	}
	server.SetErrorPresenter(presenter.Present)
	server.SetRecoverFunc(presenter.Recover)
	server.Use(carry.Envelope)
	server.Use(rates) // before the documents, which cost more to read than to refuse
	documents := a.cfg.Queries
	documents.Shared = a.nodes.queries
	documents.Trusted = documents.Trusted.With(web.AccountDocuments()...)
	transport.NewDocuments(schema.Schema(), documents).Install(server)
	if !a.cfg.Production {
		server.Use(extension.Introspection{})
	}
	server.AroundResponses(root.AroundResponse)
	server.AroundRootFields(root.AroundRootField)
	server.AroundRootFields(a.measured.aroundMutations)
	server.AroundRootFields(a.recorded.aroundMutations)
	return server
}

// readsPerByte is how much larger than a response may be what is read for it: messages are read for their siblings, too,
// and one of them may be asked for by its id alone.
const readsPerByte = 4

// adminRoutes say how the server is. They are for the operator's own network.
func (a *app) adminRoutes() http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.GetHead, transport.SecurityHeaders(false)) // monitors may ask by HEAD
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	r.Get("/readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 500*time.Millisecond)
		defer cancel()
		switch {
		case a.draining.Load():
			http.Error(w, "draining", http.StatusServiceUnavailable)
		case a.pools.Ping(ctx) != nil:
			http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
		default:
			_, _ = w.Write([]byte(a.state() + "\n"))
		}
	})
	if a.meter != nil {
		r.Method(http.MethodGet, "/metrics", a.meter.Handler())
	}
	r.HandleFunc("/debug/pprof/*", pprof.Index)
	r.HandleFunc("/debug/pprof/profile", pprof.Profile)
	r.HandleFunc("/debug/pprof/trace", pprof.Trace)
	r.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	return r
}

// state says that the server is ready, and which of its services it does without now, and why.
func (a *app) state() string {
	away := a.providers.Away()
	if a.nodes.redis != nil && !a.nodes.redis.Connected() {
		away = append([]string{"Redis, which does not answer"}, away...)
	}
	if len(away) == 0 {
		return "ready"
	}
	return "ready, without " + strings.Join(away, ", and without ")
}

// cors lets the pages of the allowed origins use the API, each by its own name: never all, and not those without one, which
// browsers call "null". Credentials are allowed where there may be cookies.
func (a *app) cors() func(http.Handler) http.Handler {
	return cors.Handler(cors.Options{
		AllowCredentials: a.cfg.Browser.Cookies,
		AllowOriginFunc:  func(_ *http.Request, origin string) bool { return a.cfg.Allows(origin) },
		AllowedMethods:   []string{http.MethodGet, http.MethodPost},
		AllowedHeaders: []string{"Accept", "Authorization", "Content-Type", "Apollo-Require-Preflight", "GraphQL-Require-Preflight", "X-Requested-With",
			// What common clients add by themselves, and tracing.
			"Apollographql-Client-Name", "Apollographql-Client-Version", "X-Request-Id", "Traceparent", "Tracestate",
			"Last-Event-ID", // of event streams that are read by fetch
			"X-Kyro-Cookies"},
		ExposedHeaders: []string{"X-Request-Id", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"},
		MaxAge:         600,
	})
}
