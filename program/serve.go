package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kyrochat/config"
	"kyrochat/setup"
)

// serve runs the server until ctx ends, and then drains it. To be told to stop while it starts is no error.
func serve(ctx context.Context, getenv func(string) string, errOut io.Writer) error {
	cfg, err := config.Read(getenv)
	if err != nil {
		return err
	}
	log := setup.NewLogger(cfg, errOut)
	cfg.Warn(log)
	app, err := build(ctx, cfg, hooks{now: wallClock(getenv)}, log)
	if err == nil {
		err = app.runReported(ctx)
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		log.Info("stopped before it was ready")
		return nil //nolint:nilerr // as it was told to
	}
	return err
}

// runInBackground runs the server until stop is called, which waits for the end. It returns once it serves. The
// address is empty where nothing is served to the public.
func (a *app) runInBackground(ctx context.Context) (baseURL string, stop func() error, err error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- a.run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
		return a.baseURL(), sync.OnceValue(func() error { cancel(); return <-done }), nil
	case err := <-done:
		cancel()
		return "", nil, errors.Join(errors.New("the server did not start"), err)
	}
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
	if gemini := a.providers.Gemini; gemini != nil {
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
		a.providers.Close()
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
