package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// A way to PostgreSQL and back costs more than most statements take. Where many stand one after another before somebody
// sees something, those that do not need each other's results are sent together and answered together (the pipeline mode
// of its protocol). On SQLite, which is in this process, they just run one after another.

// step is a statement that is sent with others.
type step struct {
	*query
	places []any  // where the columns of a row go; none: the statement gives no rows
	do     func() // called for every row, which is in the places then; may be nil
	found  bool   // there was a row
}

// taken notes a row.
func (s *step) taken() {
	s.found = true
	if s.do != nil {
		s.do()
	}
}

// together runs reads. As each, they are not ended by the request that they are made for.
func (s *Store) together(ctx context.Context, steps ...*step) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	if !s.postgres() {
		for _, step := range steps {
			if err := s.each(ctx, step.query, step.places, step.taken); err != nil {
				return err
			}
		}
		return nil
	}
	for again := false; ; again = true {
		conn, err := s.pools.Pgx.Acquire(ctx)
		if err != nil {
			return err
		}
		err = s.send(ctx, conn.Conn(), steps)
		old := oldPlan(err) && !slices.ContainsFunc(steps, func(step *step) bool { return step.found })
		if old {
			_ = conn.Conn().DeallocateAll(ctx)
		}
		conn.Release()
		if !old || again {
			return err
		}
	}
}

// pipeline is a transaction whose statements are sent together, as far as they can be.
type pipeline struct {
	s     *Store
	pg    *pgx.Conn // nil on SQLite
	lite  *sql.Tx
	begun bool
	ended bool
}

// pipelined runs fn in one transaction, which fn ends by commit. What is said of write holds for it as well.
func (s *Store) pipelined(ctx context.Context, tried string, fn func(ctx context.Context, p *pipeline) error) error {
	if !s.postgres() {
		return s.write(ctx, tried, func(ctx context.Context, tx *writeTx) error { return fn(ctx, &pipeline{s: s, lite: tx.Tx.Tx}) })
	}
	return s.again(ctx, tried, func(ctx context.Context) error {
		conn, err := s.pools.Pgx.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release() // which closes it where the transaction was left open
		p := &pipeline{s: s, pg: conn.Conn()}
		err = fn(ctx, p)
		if err == nil && !p.ended {
			err = errors.New("the transaction was not ended")
		}
		if err != nil {
			p.undo(ctx, oldPlan(err))
		}
		return err
	})
}

// run sends the steps, and the beginning of the transaction with the first of them.
func (p *pipeline) run(ctx context.Context, steps ...*step) error {
	if p.pg == nil {
		return p.runSQLite(ctx, steps)
	}
	if !p.begun {
		p.begun = true
		steps = append([]*step{{query: p.s.query().add("BEGIN")}}, steps...)
	}
	return p.s.send(ctx, p.pg, steps)
}

// commit sends the last steps with the end of the transaction. That is not given up when ctx ends: whoever asked for it
// must know what has become of it.
func (p *pipeline) commit(ctx context.Context, steps ...*step) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.ended = true
	if p.pg == nil {
		return p.runSQLite(ctx, steps) // whose transaction is committed behind fn
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	return p.run(ctx, append(steps, &step{query: p.s.query().add("COMMIT")})...)
}

// undo undoes the transaction, unless the connection is lost, which does so too. With forget, nothing is prepared any more.
func (p *pipeline) undo(ctx context.Context, forget bool) {
	if p.pg == nil || !p.begun || p.pg.IsClosed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	p.s.told(ctx, "ROLLBACK")
	if _, err := p.pg.Exec(ctx, "ROLLBACK"); err == nil && forget {
		_ = p.pg.DeallocateAll(ctx)
	}
}

func (p *pipeline) runSQLite(ctx context.Context, steps []*step) error {
	for _, step := range steps {
		text := step.text.String()
		p.s.told(ctx, text)
		began := p.s.pools.watch.began(ctx)
		err := p.stepSQLite(ctx, text, step)
		p.s.pools.watch.tell(ctx, firstWord(text), began, err, text)
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *pipeline) stepSQLite(ctx context.Context, text string, step *step) error {
	if step.places == nil {
		_, err := p.lite.ExecContext(ctx, text, step.values...)
		return err
	}
	rows, err := p.lite.QueryContext(ctx, text, step.values...)
	if err != nil {
		return err
	}
	for err == nil && rows.Next() {
		if err = rows.Scan(step.places...); err == nil {
			step.taken()
		}
	}
	return errors.Join(err, rows.Err(), rows.Close()) //nolint:sqlclosecheck // its error counts
}

// told tells the hook of a statement.
func (s *Store) told(ctx context.Context, text string) {
	if s.pools.onQuery != nil {
		s.pools.onQuery(ctx, text)
	}
}

// send sends the steps at once on a connection and takes up all that they give. Texts with values are prepared once for
// each connection, where the pool allows for that. Where a step fails, those behind it are not run.
func (s *Store) send(ctx context.Context, conn *pgx.Conn, steps []*step) (err error) {
	batch := &pgx.Batch{}
	texts := make([]string, len(steps))
	for i, step := range steps {
		texts[i] = step.text.String()
		if s.pools.readMode == pgx.QueryExecModeCacheStatement && len(step.values) > 0 {
			if _, err := conn.Prepare(ctx, texts[i], texts[i]); err != nil {
				return err
			}
		}
		batch.Queue(texts[i], step.values...)
	}
	if s.pools.onQuery != nil {
		s.pools.onQuery(ctx, strings.Join(texts, ";\n"))
	}
	began := s.pools.watch.began(ctx)
	results := conn.SendBatch(ctx, batch)
	defer func() {
		if closed := results.Close(); err == nil {
			err = closed
		}
		s.pools.watch.tell(ctx, aPipeline, began, err, texts...)
	}()
	for _, step := range steps {
		if step.places == nil {
			if _, err := results.Exec(); err != nil {
				return err
			}
			continue
		}
		rows, err := results.Query()
		if err != nil {
			return err
		}
		if err := take(rows, step); err != nil {
			return err
		}
	}
	return nil
}

// take takes up the rows of a step.
func take(rows pgx.Rows, step *step) error {
	defer rows.Close()
	var scanner *scanner
	for rows.Next() {
		if scanner == nil {
			scanner = newScanner(rows, step.places)
		}
		if err := scanner.scan(); err != nil {
			return err
		}
		step.taken()
	}
	return rows.Err()
}

// oldPlan reports that the server refused a statement because a migration has changed one of its columns since it was
// prepared.
func oldPlan(err error) bool {
	code, _ := postgresCode(err)
	return code == "0A000"
}
