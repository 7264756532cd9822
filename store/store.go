// Package store keeps everything that must last: people, bots, documents, conversations, in PostgreSQL or, where
// no server is configured, in one SQLite file. It promises that every write is one fact: done as a whole or not
// at all, together with the jobs it calls for. No transaction leaves the package.
//
// Rows are private and turned into nouns on the way out. Every read by owner is scoped in SQL, so that what is
// not the caller's is indistinguishable from what is not there. Times are UTC with microseconds, set by callers; leases
// alone go by a clock of the store.
//
// The two databases give the same answers; where their SQL differs, it differs behind one function.
package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun"

	"kyrochat/kyro"
	"kyrochat/text"
)

// Enqueuer puts jobs into the queue inside a transaction of the store, in the form of each database. It must not
// commit, roll back or keep the transaction.
type Enqueuer interface {
	EnqueuePostgres(ctx context.Context, tx pgx.Tx, jobs ...kyro.Job) error
	EnqueueSQLite(ctx context.Context, tx *sql.Tx, jobs ...kyro.Job) error
}

// Store is safe for use by any number of goroutines.
type Store struct {
	pools  *Pools
	queue  Enqueuer
	limits kyro.Limits
	clock  func() time.Time // that leases go by; nil: the database server's
}

// New is a store on open pools whose schema is there. The pools stay the caller's to close.
func New(p *Pools, q Enqueuer) *Store {
	s := &Store{pools: p, queue: q, limits: kyro.DefaultLimits()}
	if !p.Postgres() {
		began := time.Now()
		s.clock = func() time.Time { return began.Add(time.Since(began)) } // which no step of the machine's clock moves
	}
	return s
}

// read gives the database for statements that change nothing. On SQLite these connections cannot write.
func (s *Store) read() bun.IDB { return s.pools.readers }

// postgres reports which of the two databases this is.
func (s *Store) postgres() bool { return s.pools.Postgres() }

// share is the clause that keeps a row as it is until the transaction ends while others may still read it so.
// SQLite has one writer at a time and needs none.
func (s *Store) share(q *bun.SelectQuery) *bun.SelectQuery {
	if s.postgres() {
		return q.For("SHARE")
	}
	return q
}

// lock is the clause that makes others who want to lock or change the row wait until the transaction ends.
func (s *Store) lock(q *bun.SelectQuery) *bun.SelectQuery {
	if s.postgres() {
		return q.For("UPDATE")
	}
	return q
}

// liveBot answers NOT_FOUND unless the owner has the bot, and keeps it alive until the transaction ends. Locks are
// always taken in the order bot, document or conversation, message.
func (s *Store) liveBot(ctx context.Context, tx *writeTx, owner, bot kyro.ID) error {
	var id int64
	err := s.share(tx.NewSelect().Table("bots").Column("id").
		Where("id = ? AND owner_id = ? AND deleted_at IS NULL", bot.Key, owner.Key)).Scan(ctx, &id)
	return notFound(err, kyro.KindBot)
}

// keys are the row keys of ids, for "IN (?)". No ids find no rows.
func keys(ids []kyro.ID) bun.ListValues { return bun.List(rowKeys(ids)) }

// contains is the pattern for LIKE … ESCAPE '\' that finds a folded key with the text in it; the text's own
// wildcards count as letters.
func contains(search string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(fold(search)) + "%"
}

// fold makes the key that names are searched and ordered by: without regard to case and accents.
func fold(s string) string { return text.Fold(s) }

// clean drops NUL characters, which neither database stores in text.
func clean(s string) string { return strings.ReplaceAll(s, "\x00", "") }

// orEmpty keeps a JSON list from being stored as null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// convert turns rows into nouns.
func convert[R, N any](rows []R, noun func(*R) N) []N {
	out := make([]N, len(rows))
	for i := range rows {
		out[i] = noun(&rows[i])
	}
	return out
}
