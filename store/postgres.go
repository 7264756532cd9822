package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"kyrochat/kyro"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun/dialect/pgdialect"
)

const (
	connectPatience = 10 * time.Second // how long a server that does not answer is tried
	connectTimeout  = 3 * time.Second  // of one try, unless the URL says otherwise
	oldestPostgres  = 150000
	fewestConns     = 4 // a migration under its lock and a queue that listens need some at once

	// idleInTransaction is when the server undoes a transaction whose process says nothing more: one that was frozen in
	// the middle of a write would hold its rows for as long as its connection lasts, for everybody else. Who waits for them
	// at another process has to be answered within three seconds.
	idleInTransaction = "2500ms"
)

// noTimeouts lifts the bounds that a role or a database may have for statements and transactions, of which older servers do not know
// all: for the transaction where $1 is true, else for the connection.
const noTimeouts = "set_config(name, '0', $1) FROM pg_settings WHERE name IN ('statement_timeout', 'transaction_timeout')"

func openPostgres(ctx context.Context, c Config) (*Pools, error) {
	config, mode, err := postgresConfig(c.DatabaseURL)
	if err != nil {
		return nil, fmt.Errorf("read the database URL, which looks like postgres://user:password@host:5432/name: %w", err)
	}
	if c.Unhurried && mode == pgx.QueryExecModeCacheStatement { // a pooler gives connections to others afterwards
		register := config.AfterConnect
		config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
			if _, err := conn.Exec(ctx, "SELECT "+noTimeouts, false); err != nil {
				return err
			}
			return register(ctx, conn)
		}
	}
	var pulse *pulse
	if !c.Unhurried {
		pulse = newPulse(c.Log, config.ConnConfig.DialFunc)
		config.ConnConfig.DialFunc = pulse.connect
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the PostgreSQL pool: %w", err)
	}
	where := fmt.Sprintf("PostgreSQL at %s:%d, database %s", config.ConnConfig.Host, config.ConnConfig.Port, config.ConnConfig.Database)
	if err := reach(ctx, pool, c); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connect to %s: %w", where, err)
	}
	db := newDB(stdlib.OpenDBFromPool(pool), pgdialect.New(), c)
	if pulse != nil {
		pulse.start(config.ConnConfig)
	}
	return &Pools{Pgx: pool, writers: db, readers: db, readMode: mode, pulse: pulse, onQuery: c.OnQuery, watch: c.watch(), log: c.Log}, nil
}

// CheckURL says what is wrong with the URL of a PostgreSQL, without its password. It does not look whether one is there.
func CheckURL(url string) error {
	_, _, err := postgresConfig(url)
	return err
}

// postgresConfig reads the URL. bun writes arguments into the statement, so that every text is new: its statements
// are sent in the extended protocol but never prepared and cached. Hot reads are (see query), in the mode that is
// given beside, unless the URL chooses one by default_query_exec_mode, as poolers without prepared statements need.
func postgresConfig(url string) (*pgxpool.Config, pgx.QueryExecMode, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, 0, err // which pgx keeps free of passwords
	}
	mode := pgx.QueryExecModeCacheStatement
	if strings.Contains(url, "default_query_exec_mode") {
		mode = config.ConnConfig.DefaultQueryExecMode
	}
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = int32(max(16, 4*runtime.NumCPU()))
	}
	if config.MaxConns < fewestConns {
		return nil, 0, fmt.Errorf("pool_max_conns must be at least %d", fewestConns)
	}
	if !strings.Contains(url, "connect_timeout") {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	params := config.ConnConfig.RuntimeParams
	params["application_name"] = cmp.Or(params["application_name"], "kyrochat")
	if mode == pgx.QueryExecModeCacheStatement { // poolers refuse parameters that they do not know
		const name = "idle_in_transaction_session_timeout"
		params[name] = cmp.Or(params[name], idleInTransaction)
	}
	config.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		conn.TypeMap().RegisterType(&pgtype.Type{
			Name: "timestamptz", OID: pgtype.TimestamptzOID,
			Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
		})
		return nil
	}
	return config, mode, nil
}

// reach waits for the server to answer and checks that it is one the schema works on.
func reach(ctx context.Context, pool *pgxpool.Pool, c Config) error {
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	var last error
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		var version int
		var encoding string
		err := pool.QueryRow(ctx, "SELECT current_setting('server_version_num')::int, current_setting('server_encoding')").Scan(&version, &encoding)
		switch {
		case err == nil && version < oldestPostgres:
			return fmt.Errorf("PostgreSQL 15 or newer is needed; this server is %d.%d", version/10000, version%10000)
		case err == nil && encoding != "UTF8":
			return fmt.Errorf("the database must have the encoding UTF8; this one has %s", encoding)
		case err == nil:
			return nil
		case !worthWaiting(err):
			return err
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		if wait == 100*time.Millisecond {
			c.Log.Warn("waiting for PostgreSQL", "error", err)
		}
		if kyro.Pause(ctx, wait) != nil {
			return last
		}
	}
}

// worthWaiting is false for refusals that stay: a wrong password, a database that is not there.
func worthWaiting(err error) bool {
	if errors.Is(err, context.Canceled) {
		return false
	}
	code, ok := postgresCode(err)
	return !ok || awayCode(code)
}
