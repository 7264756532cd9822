package testdb

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"kyrochat/internal/postgres"
	"kyrochat/internal/required"
	"kyrochat/store"
)

// The templates: the schema of the store, and that with the queue's.
const (
	template       = "kyro_template"
	serverTemplate = "kyro_server_template"
)

// server is where databases are made.
type server struct {
	url      *url.URL         // of a database that is always there
	private  bool             // ours: databases are copied from a template and go with the whole
	running  *postgres.Server // a private server runs for as long as this is held
	fileCopy bool             // knows the quick way to copy (PostgreSQL 15)

	forServers func() error // makes the template with the queue, once
}

var (
	theServer = sync.OnceValues(findServer)
	databases atomic.Int64
)

func findServer() (*server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s := &server{}
	base := os.Getenv("KYRO_TEST_DATABASE_URL")
	if s.private = base == ""; s.private {
		// Nothing of a test is worth saving, and there are many tests.
		started, err := postgres.Start(ctx, "fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off", "max_connections=300")
		if err != nil {
			return nil, err
		}
		base, s.running = started.URL, started
	}
	var err error
	if s.url, err = url.Parse(base); err != nil {
		return nil, fmt.Errorf("KYRO_TEST_DATABASE_URL is not a URL")
	}
	if !s.private {
		return s, nil
	}
	var version int
	err = s.admin(ctx, func(conn *pgx.Conn) error {
		if err := conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, "CREATE DATABASE "+template)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("make the template: %w", err)
	}
	s.fileCopy = version >= 150000
	s.forServers = sync.OnceValue(s.makeServerTemplate)
	return s, migrate(store.Config{DatabaseURL: s.database(template)})
}

func (s *server) makeServerTemplate() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := s.admin(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, s.create(serverTemplate, template))
		return err
	})
	if err != nil {
		return fmt.Errorf("make the template of servers: %w", err)
	}
	return migrateForServer(store.Config{DatabaseURL: s.database(serverTemplate)})
}

// create is the statement that makes a database, on a private server from a template.
func (s *server) create(name, from string) string {
	create := "CREATE DATABASE " + name
	if s.private {
		create += " TEMPLATE " + from
	}
	if s.fileCopy {
		create += " STRATEGY file_copy"
	}
	return create
}

// admin runs work on a connection to the server's own database.
func (s *server) admin(ctx context.Context, work func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, s.url.String())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return work(conn)
}

func (s *server) database(name string) string {
	u := *s.url
	u.Path = "/" + name
	return u.String()
}

// freshDatabase makes a migrated database and gives its URL. One that is for a server has the queue's schema too,
// except on a server that is not ours.
func freshDatabase(t testing.TB, forServer bool) string {
	t.Helper()
	s, err := theServer()
	if err != nil {
		required.Missing(t, "postgres", err)
	}
	from := template
	if forServer && s.private {
		if err := s.forServers(); err != nil {
			t.Fatal(err)
		}
		from = serverTemplate
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	name := fmt.Sprintf("kyro_test_%d_%d", os.Getpid(), databases.Add(1))
	err = s.admin(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, s.create(name, from))
		return err
	})
	if err != nil {
		t.Fatalf("make a test database: %v", err)
	}
	if s.private {
		return s.database(name)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		err := s.admin(ctx, func(conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
			return err
		})
		if err != nil {
			t.Errorf("drop the test database: %v", err)
		}
	})
	if err := migrate(store.Config{DatabaseURL: s.database(name)}); err != nil {
		t.Fatalf("migrate the test database: %v", err)
	}
	return s.database(name)
}
