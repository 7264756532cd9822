package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"kyrochat/internal/postgres"
)

// database is the one that both sides read, and what is known of its server.
type database struct {
	url     *url.URL
	conn    *pgx.Conn // ours, beside those of the two sides
	private *postgres.Server
	home    *pgx.Conn // to the database that ours was made from
	name    string
	version string

	postmaster int  // the server's first process; 0 where it is on another machine
	counts     bool // statements, by pg_stat_statements
}

// production are settings as a server of this size has them; whatever protects data stays on.
var production = []string{
	"shared_buffers=256MB", "effective_cache_size=1GB", "random_page_cost=1.1", "max_connections=200", "max_wal_size=2GB",
}

// databases counts those that this process has made.
var databases atomic.Int64

// openDatabase makes a database on the server with the URL, or on a private one.
func openDatabase(ctx context.Context, base string) (_ *database, err error) {
	d := &database{name: fmt.Sprintf("kyro_bench_%d_%d", os.Getpid(), databases.Add(1))}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if base == "" {
		d.private, err = postgres.Start(ctx, append(production, "shared_preload_libraries=pg_stat_statements")...)
		if err != nil { // most likely pg_stat_statements is not installed
			d.private, err = postgres.Start(ctx, production...)
		}
		if err != nil {
			return d, err
		}
		base = d.private.URL
	}
	if d.url, err = url.Parse(base); err != nil {
		return d, errors.New("the database's URL looks like postgres://user:password@host:5432/name")
	}
	if d.home, err = pgx.Connect(ctx, base); err != nil {
		return d, err
	}
	if _, err = d.home.Exec(ctx, "CREATE DATABASE "+d.name); err != nil {
		return d, err
	}
	d.url.Path = "/" + d.name
	if d.conn, err = pgx.Connect(ctx, d.url.String()); err != nil {
		return d, err
	}
	return d, d.learn(ctx)
}

// learn finds out what can be measured of the server.
func (d *database) learn(ctx context.Context) error {
	var pid int
	var near bool
	err := d.conn.QueryRow(ctx, "SELECT current_setting('server_version'), pg_backend_pid(), inet_server_addr() IS NULL").Scan(&d.version, &pid, &near)
	if err != nil {
		return err
	}
	if near {
		d.postmaster, _ = parentOf(pid)
	}
	_, err = d.conn.Exec(ctx, "CREATE EXTENSION pg_stat_statements")
	if err == nil {
		_, err = d.statements(ctx)
	}
	d.counts = err == nil
	return d.count(ctx, false)
}

// with is the URL of the database for a pool of that size.
func (d *database) with(pool int) string {
	u := *d.url
	values := u.Query()
	values.Set("pool_max_conns", fmt.Sprint(pool))
	u.RawQuery = values.Encode()
	return u.String()
}

// count has the private server count statements, or not: that takes time, so it does not while time is measured.
func (d *database) count(ctx context.Context, yes bool) error {
	if !d.counts || d.private == nil {
		return nil
	}
	want := "none"
	if yes {
		want = "top"
	}
	for _, statement := range []string{"ALTER SYSTEM SET pg_stat_statements.track = " + want, "SELECT pg_reload_conf()"} {
		if _, err := d.conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	for {
		var is string
		if err := d.conn.QueryRow(ctx, "SHOW pg_stat_statements.track").Scan(&is); err != nil || is == want {
			return err
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
}

// statements is how many statements were counted until now, those of the job queue and our own left out.
func (d *database) statements(ctx context.Context) (n int64, err error) {
	err = d.conn.QueryRow(ctx, `SELECT coalesce(sum(s.calls), 0)::bigint FROM pg_stat_statements AS s
		JOIN pg_database AS d ON d.oid = s.dbid AND d.datname = current_database()
		WHERE s.query !~ 'river_|pg_stat_statements|pg_reload_conf'`).Scan(&n)
	return n, err
}

func (d *database) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var errs []error
	if d.conn != nil {
		errs = append(errs, d.conn.Close(ctx))
	}
	if d.home != nil {
		_, err := d.home.Exec(ctx, "DROP DATABASE IF EXISTS "+d.name+" WITH (FORCE)")
		errs = append(errs, err, d.home.Close(ctx))
	}
	if d.private != nil {
		errs = append(errs, d.private.Stop())
	}
	return errors.Join(errs...)
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
