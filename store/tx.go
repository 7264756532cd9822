package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

const (
	writeTimeout = 30 * time.Second // of one write, the wait for its turn included
	writeTries   = 4                // of a write that others get in the way of
)

// writeTx is a transaction that can also enqueue jobs. While one is open, nothing else of the store may be called
// by the same goroutine: SQLite has one write connection, and waiting for it would never end.
type writeTx struct {
	bun.Tx
	queue  Enqueuer
	limits kyro.Limits
	watch  watch
	pg     *pgx.Conn // of the transaction; nil on SQLite
}

// Enqueue stores jobs with the transaction. Rows of earlier queries must be closed.
func (tx *writeTx) Enqueue(ctx context.Context, jobs ...kyro.Job) error {
	switch {
	case len(jobs) == 0:
		return nil
	case tx.pg != nil:
		return tx.queue.EnqueuePostgres(ctx, &joinedTx{conn: tx.pg}, jobs...)
	default:
		return tx.queue.EnqueueSQLite(ctx, tx.Tx.Tx, jobs...)
	}
}

// EnqueueNow stores jobs that belong to no fact of their own.
func (s *Store) EnqueueNow(ctx context.Context, jobs ...kyro.Job) error {
	return s.write(ctx, "enqueue", func(ctx context.Context, tx *writeTx) error { return tx.Enqueue(ctx, jobs...) })
}

// write runs fn in one transaction: committed when fn gives nil, undone otherwise. Where the database undid it
// because of others that ran beside it, fn runs again, a few times; it must set its results anew each time and
// have no effect outside of tx.
func (s *Store) write(ctx context.Context, tried string, fn func(ctx context.Context, tx *writeTx) error) error {
	return s.again(ctx, tried, func(ctx context.Context) error { return s.transact(ctx, fn) })
}

// again runs a transaction, and a few times once more where the database undid it because of others or of an old plan.
func (s *Store) again(ctx context.Context, tried string, transact func(ctx context.Context) error) (err error) {
	ctx, trace := kyro.BeginPart(ctx, tried)
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	defer func() { trace.End(kyro.CallCode(err)) }()
	for try := 1; ; try++ {
		err = transact(ctx)
		if err == nil || !passing(err) && !oldPlan(err) || try == writeTries || !pause(ctx, try) {
			s.pools.noteRoom(err)
			return failed(tried, lostBelow(ctx, err))
		}
	}
}

// writeOnce is write for an fn with effects outside of the transaction, which may take its own time: it is never
// run again.
func (s *Store) writeOnce(
	ctx context.Context, tried string, timeout time.Duration, fn func(ctx context.Context, tx *writeTx) error,
) error {
	ctx, trace := kyro.BeginPart(ctx, tried)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := s.transact(ctx, fn)
	s.pools.noteRoom(err)
	err = failed(tried, lostBelow(ctx, err))
	trace.End(kyro.CallCode(err))
	return err
}

// lostBelow tells a transaction that was canceled by who waits for it from one whose connection was closed under it: the driver
// may say of both that they were canceled, and so it may of one whose time is over.
func lostBelow(ctx context.Context, err error) error {
	if errors.Is(err, context.Canceled) && !errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("%w: %s", net.ErrClosed, err) //nolint:errorlint // not wrapped: it is the end of nobody's own time
	}
	return err
}

// pause waits a moment that grows with the tries, and by chance, so that rivals do not meet again.
func pause(ctx context.Context, try int) bool {
	return kyro.Pause(ctx, time.Duration(try)*5*time.Millisecond+rand.N(10*time.Millisecond)) == nil //nolint:gosec // nobody gains by knowing it
}

func (s *Store) transact(ctx context.Context, fn func(ctx context.Context, tx *writeTx) error) error {
	conn, err := s.pools.writers.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	tx := &writeTx{queue: s.queue, limits: s.limits, watch: s.pools.watch}
	if s.postgres() {
		// The queue must use the very connection of the transaction. Nothing may be asked of it within Raw.
		if err := conn.Raw(func(driver any) error { tx.pg = driver.(*stdlib.Conn).Conn(); return nil }); err != nil {
			return err
		}
	}
	// Of a transaction whose context ends, database/sql rolls back by itself, beside whatever fn is doing with the
	// connection underneath. So its context ends only while database/sql itself is at work; fn sees its own end in ctx.
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	follow := func(do func() error) error {
		defer context.AfterFunc(ctx, cancel)()
		return do()
	}
	if err := follow(func() error { tx.Tx, err = conn.BeginTx(own, nil); return err }); err != nil {
		return err
	}
	ended := false
	defer func() { // also where fn panics
		if !ended {
			_ = follow(tx.Rollback)
		}
	}()
	if err := fn(ctx, tx); err != nil {
		return err
	}
	ended = true
	return follow(tx.Commit)
}
