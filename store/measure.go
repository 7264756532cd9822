package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"kyrochat/kyro"
)

// Measure is told of a statement when it is over; see Config.
type Measure func(statement string, took time.Duration, failed bool)

// What statements are told apart by.
const (
	aSelect   = "SELECT"
	anUpdate  = "UPDATE"
	aPipeline = "PIPELINE"
	aCopy     = "COPY"
	another   = "OTHER"
)

// watch tells of statements that are over: whoever measures them, and the trace of whoever they were made for.
type watch struct {
	measure Measure
	system  string // the database, in traces
}

func (c Config) watch() watch {
	if c.DatabaseURL != "" {
		return watch{c.Measure, "postgresql"}
	}
	return watch{c.Measure, "sqlite"}
}

// began is when a statement begins, where somebody wants to know.
func (w watch) began(ctx context.Context) time.Time {
	if w.measure == nil && !kyro.TraceFrom(ctx).Recorded() {
		return time.Time{}
	}
	return time.Now()
}

// tell tells of a statement by its first word. Of its text, which may hold values, the trace has the names of tables.
func (w watch) tell(ctx context.Context, first string, began time.Time, err error, texts ...string) {
	trace := kyro.TraceFrom(ctx)
	if w.measure == nil && !trace.Recorded() {
		return
	}
	switch first {
	case aSelect, "INSERT", anUpdate, "DELETE", "WITH", "BEGIN", "COMMIT", "ROLLBACK", aPipeline, aCopy:
	default:
		first = another
	}
	failed := err != nil && !errors.Is(err, sql.ErrNoRows) && !errors.Is(err, context.Canceled)
	if w.measure != nil {
		w.measure(first, time.Since(began), failed)
	}
	if !trace.Recorded() {
		return
	}
	code := ""
	if failed {
		code = kyro.CallCode(err)
	}
	trace.Called(kyro.Called{System: w.system, Name: first, Target: tablesOf(texts), Began: began, Code: code})
}

// firstWord is that of a statement written by hand.
func firstWord(statement string) string {
	statement = strings.TrimLeft(statement, " \t\n")
	if end := strings.IndexAny(statement, " \t\n"); end > 0 {
		return statement[:end]
	}
	return statement
}

// Pool is how many connections there are, and how often somebody waited for one.
type Pool struct {
	Name             string // postgres, or sqlite-writer and sqlite-readers
	Max, InUse, Idle int
	Waits            int64
	Waited           time.Duration // all of them together
}

// Stats is how the connections are used.
func (p *Pools) Stats() []Pool {
	if p.Postgres() {
		s := p.Pgx.Stat()
		return []Pool{{
			Name: "postgres", Max: int(s.MaxConns()), InUse: int(s.AcquiredConns()), Idle: int(s.IdleConns()),
			Waits: s.EmptyAcquireCount(), Waited: s.EmptyAcquireWaitTime(),
		}}
	}
	return []Pool{poolOf("sqlite-writer", p.SQLite), poolOf("sqlite-readers", p.readers.DB)}
}

func poolOf(name string, db *sql.DB) Pool {
	s := db.Stats()
	return Pool{Name: name, Max: s.MaxOpenConnections, InUse: s.InUse, Idle: s.Idle, Waits: s.WaitCount, Waited: s.WaitDuration}
}
