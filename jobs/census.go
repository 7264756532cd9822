package jobs

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/rivertype"
)

// Count is how many jobs of a kind are in a state.
type Count struct {
	Kind, State string
	Jobs        int
	Oldest      time.Duration // how long the one that has been due longest has been so; of states in which jobs wait
}

// counted are the states that a census counts: all but that of jobs that are done, of which there are many.
var counted = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStateRunning, rivertype.JobStateRetryable, rivertype.JobStateScheduled,
	rivertype.JobStateCancelled,
}

const (
	countedStates  = "('available', 'running', 'retryable', 'scheduled', 'cancelled')"
	censusOfStates = ` FROM river_job WHERE state IN ` + countedStates + ` GROUP BY kind, state`
)

// Census counts the jobs of all processes by kind and state; of what there is none of, it says so. Cancelled are those that
// failed for good, until River removes them after a day. It takes one statement.
func (q *Queue) Census(ctx context.Context) ([]Count, error) {
	list, err := q.census(ctx)
	if err != nil {
		return nil, fmt.Errorf("count jobs: %w", err)
	}
	for kind := range q.handlers {
		for _, state := range counted {
			if !slices.ContainsFunc(list, func(c Count) bool { return c.Kind == string(kind) && c.State == string(state) }) {
				list = append(list, Count{Kind: string(kind), State: string(state)})
			}
		}
	}
	return list, nil
}

func censusPostgres(ctx context.Context, pool *pgxpool.Pool) ([]Count, error) {
	rows, err := pool.Query(ctx, `SELECT kind, state::text, count(*), EXTRACT(EPOCH FROM now() - min(scheduled_at))::float8`+censusOfStates)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Count, error) { return scanCount(row) })
}

func censusSQLite(ctx context.Context, db *sql.DB) (list []Count, err error) {
	rows, err := db.QueryContext(ctx, `SELECT kind, state, count(*), (julianday('now') - julianday(min(scheduled_at))) * 86400`+censusOfStates)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		c, err := scanCount(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, rows.Err()
}

func scanCount(row interface{ Scan(...any) error }) (c Count, err error) {
	var due float64
	err = row.Scan(&c.Kind, &c.State, &c.Jobs, &due)
	c.Oldest = time.Duration(max(0, due) * float64(time.Second))
	return c, err
}
