package store

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// How soon a PostgreSQL that says nothing counts as away. A request that waits for it is answered within
// pulseEvery + pulseAgain + pulseAnew, which leaves room below three seconds.
const (
	pulseEvery = 500 * time.Millisecond // between two looks
	pulseAgain = 750 * time.Millisecond // for an answer on the connection that is looked at
	pulseAnew  = time.Second            // for one on a new connection, if that one fails: a connection may die alone
)

// errSilent is what ends what waits for a database that says nothing, and refuses what would.
var errSilent = errors.New("PostgreSQL does not answer")

// pulse knows whether PostgreSQL answers. A server that was killed says so by itself, but one that hangs, or is behind a
// network that swallows what is sent, keeps everybody waiting who asks it, each for their own timeouts one after another.
// So one connection of its own asks it something twice a second. Where there is no answer, and nothing came on any other
// connection either, all connections of the pool are closed, which ends at once what waits on them, and none is opened,
// which refuses at once what comes, until it answers again: nobody crowds a server that has just come back.
type pulse struct {
	log   *slog.Logger
	dial  pgconn.DialFunc
	began time.Time
	heard atomic.Int64 // when something came last on any connection, since began

	mu    sync.Mutex
	away  bool
	wires map[*wire]struct{} // the open ones

	stop    context.CancelFunc
	running sync.WaitGroup
}

func newPulse(log *slog.Logger, dial pgconn.DialFunc) *pulse {
	return &pulse{log: log, dial: dial, began: time.Now(), wires: map[*wire]struct{}{}}
}

// wire is a connection of the pool, which tells the pulse of what comes, and can be cut by it.
type wire struct {
	net.Conn
	pulse *pulse
}

// Read reads, and notes that something came.
func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if n > 0 {
		w.pulse.heard.Store(int64(time.Since(w.pulse.began)))
	}
	return n, err
}

// Close closes the connection.
func (w *wire) Close() error {
	w.pulse.mu.Lock()
	delete(w.pulse.wires, w)
	w.pulse.mu.Unlock()
	return w.Conn.Close()
}

// connect opens a connection for the pool, unless the server is away.
func (p *pulse) connect(ctx context.Context, network, address string) (net.Conn, error) {
	refused := &net.OpError{Op: "dial", Net: network, Err: errSilent}
	p.mu.Lock()
	away := p.away
	p.mu.Unlock()
	if away {
		return nil, refused
	}
	conn, err := p.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w := &wire{conn, p}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away { // meanwhile
		_ = conn.Close()
		return nil, refused
	}
	p.wires[w] = struct{}{}
	return w, nil
}

// start looks after the server until end.
func (p *pulse) start(config *pgx.ConnConfig) {
	config = config.Copy()
	config.DialFunc = p.dial // which is never refused
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.Background())
	p.running.Go(func() { p.run(ctx, config) })
}

// end stops looking, and waits for that.
func (p *pulse) end() {
	p.stop()
	p.running.Wait()
}

func (p *pulse) run(ctx context.Context, config *pgx.ConnConfig) {
	var conn *pgx.Conn
	hangUp := func() {
		if conn != nil {
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), pulseEvery)
			_ = conn.Close(closing)
			cancel()
			conn = nil
		}
	}
	defer hangUp()
	ticker := time.NewTicker(pulseEvery)
	defer ticker.Stop()
	for {
		began := time.Since(p.began)
		err := errSilent
		if conn != nil {
			if err = ask(ctx, pulseAgain, conn); err != nil {
				hangUp()
			}
		}
		if err != nil {
			conn, err = call(ctx, pulseAnew, config)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			p.answers()
		case p.heard.Load() < int64(began):
			p.silent(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func ask(ctx context.Context, patience time.Duration, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return conn.Ping(ctx)
}

// call connects and asks. A server that says why it lets nobody in answers, unless it is about to start or to stop: there
// may be no connection left for this one, or the password be another since.
func call(ctx context.Context, patience time.Duration, config *pgx.ConnConfig) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if code, said := postgresCode(err); said && (!awayCode(code) || code == tooManyConnections) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := conn.Ping(ctx); err != nil {
		_ = conn.Close(ctx)
		return nil, err
	}
	return conn, nil
}

const tooManyConnections = "53300"

// silent notes that the server does not answer, and cuts what waits for it.
func (p *pulse) silent(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away {
		return
	}
	p.away = true
	p.log.Warn("PostgreSQL does not answer; requests are refused until it does", "error", why)
	for w := range p.wires {
		_ = w.Conn.Close()
	}
	clear(p.wires)
}

// answers notes that it does.
func (p *pulse) answers() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away {
		p.away = false
		p.log.Info("PostgreSQL answers")
	}
}
