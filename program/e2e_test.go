package program

import (
	"context"
	"io"
	"maps"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kyrochat/auth"
	"kyrochat/config"
	"kyrochat/ingest/extract"
	"kyrochat/internal/envtest"
	"kyrochat/internal/testdb"
	"kyrochat/kyro"
	"kyrochat/setup"
)

// asProgram has the test binary be the program, whatever its arguments are: for commands of the documentation.
const asProgram = "KYRO_TEST_AS_PROGRAM"

// TestMain lets the test binary stand in for the server's own: as the child that reads documents, as a server process
// that a test can kill, and as the command of whoever runs it.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		Main("")
		os.Exit(0)
	}
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "extract":
			if err := extract.Main(os.Stdin, os.Stdout); err != nil {
				os.Exit(1)
			}
			os.Exit(0)
		case "serve":
			os.Args = os.Args[:2]
			Main("")
			os.Exit(0)
		case "admin", "backup", "restore":
			Main("")
			os.Exit(0)
		}
	}
	if err := os.Chdir(".."); err != nil { // tests name files as seen from the root of the project
		panic(err)
	}
	os.Exit(m.Run())
}

// patience is how long a test waits before it says that something hangs. It is no measure of how soon anything should
// happen: machines that test are busy, and what died is taken up again, and what is away asked again, after two minutes.
const patience = 5 * time.Minute

// unhurried are settings of every server whose test says nothing else. A server that people wait for soon does without vectors
// and without Redis, which shows in what it answers; one on a machine that is busy with tests is to wait for them.
var unhurried = map[string]string{"KYRO_VECTOR_TIMEOUT": "30s", "KYRO_REDIS_TIMEOUT": "30s"}

// allDay are the settings of servers whose tests are long: on a busy machine they take more than the ten minutes of an access token.
var allDay = map[string]string{"KYRO_ACCESS_TOKEN_TTL": "24h"}

// testServer is a real server on free ports.
type testServer struct {
	url  string
	stop func() error
	env  map[string]string
	app  *app // nil for a server in a process of its own

	statements atomic.Int64 // that the store has run for people
	overhear   atomic.Pointer[func(ctx context.Context, statement string)]
}

// waitUntil waits for what comes by itself.
func waitUntil(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(20 * time.Millisecond) { // between two looks at a condition
		if time.Now().After(end) {
			t.Fatalf("it does not come to this: %s", what)
		}
	}
}

// reaches waits until a number is the one that is wanted.
func reaches(t *testing.T, what string, want int, look func() int) {
	t.Helper()
	n := want
	defer func() {
		if n != want {
			t.Logf("%s: %d, want %d", what, n, want)
		}
	}()
	waitUntil(t, what, func() bool { n = look(); return n == want })
}

// pick is one of two.
func pick[T any](yes bool, a, b T) T {
	if yes {
		return a
	}
	return b
}

// eachSettings runs a test with settings for SQLite and with settings for PostgreSQL, for servers that it starts itself.
func eachSettings(t *testing.T, test func(t *testing.T, env map[string]string)) {
	t.Helper()
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, map[string]string{"KYRO_DATA_DIR": t.TempDir()})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, map[string]string{"KYRO_DATA_DIR": t.TempDir(), "DATABASE_URL": testdb.PostgresURL(t)})
	})
}

// eachDatabase runs a test against a server on SQLite and one on PostgreSQL.
func eachDatabase(t *testing.T, test func(t *testing.T, s *testServer)) {
	t.Helper()
	eachSettings(t, func(t *testing.T, env map[string]string) { test(t, startServer(t, env)) })
}

// oneAfterAnother is eachDatabase for a test that must be alone in the process.
func oneAfterAnother(t *testing.T, test func(t *testing.T, s *testServer)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, startServer(t, nil)) })
	t.Run("postgres", func(t *testing.T) { test(t, startServer(t, map[string]string{"DATABASE_URL": testdb.PostgresURL(t)})) })
}

// startServer starts a server in this process with the settings, and stops it when the test ends.
func startServer(t *testing.T, env map[string]string) *testServer {
	t.Helper()
	return startServerWriting(t, env, testLog{t})
}

// startServerWriting is startServer with a place for the log.
func startServerWriting(t *testing.T, env map[string]string, log io.Writer) *testServer {
	t.Helper()
	return startServerWith(t, env, log, hooks{})
}

// startServerWith is startServerWriting with hooks.
func startServerWith(t *testing.T, env map[string]string, log io.Writer, h hooks) *testServer {
	t.Helper()
	s := &testServer{env: map[string]string{
		"KYRO_ADDR": "127.0.0.1:0", "KYRO_ADMIN_ADDR": "127.0.0.1:0", "KYRO_DATA_DIR": t.TempDir(), "KYRO_LOG_LEVEL": "warn",
		"KYRO_DRAIN_TIMEOUT": "1s", "KYRO_RATE_SCALE": "0",
	}}
	maps.Copy(s.env, unhurried)
	maps.Copy(s.env, env)
	if s.env["DATABASE_URL"] == "" {
		testdb.SQLiteFile(t, s.env["KYRO_DATA_DIR"])
	}
	cfg, err := config.Read(envtest.Of(s.env))
	if err != nil {
		t.Fatal(err)
	}
	h.hasher = auth.HasherOptions{Memory: 64, Passes: 1} // these tests are not about how hard a password is to guess
	if s.env["KYRO_FETCH_ALLOW"] != "" {
		h.pages = pageClock{hour: 2 * time.Second, pause: 20 * time.Millisecond, every: time.Second}
	}
	h.onQuery = func(ctx context.Context, statement string) {
		if kyro.ViewerFrom(ctx).SignedIn() {
			s.statements.Add(1)
		}
		if hear := s.overhear.Load(); hear != nil {
			(*hear)(ctx, statement)
		}
	}
	if s.app, err = build(t.Context(), cfg, h, setup.NewLogger(cfg, log)); err != nil {
		t.Fatal(err)
	}
	if s.url, s.stop, err = s.app.runInBackground(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("stopping the server: %v", err)
		}
	})
	return s
}

// exec changes rows past the API, for what that does not offer, or as another process would.
func (s *testServer) exec(t *testing.T, statement string) {
	t.Helper()
	if err := s.tryExec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func (s *testServer) tryExec(ctx context.Context, statement string) (err error) {
	if pools := s.app.pools; pools.Postgres() {
		_, err = pools.Pgx.Exec(ctx, statement)
	} else {
		_, err = pools.SQLite.ExecContext(ctx, statement)
	}
	return err
}

// number reads a number past the API.
func (s *testServer) number(t *testing.T, statement string) (n int) {
	t.Helper()
	var err error
	if pools := s.app.pools; pools.Postgres() {
		err = pools.Pgx.QueryRow(t.Context(), statement).Scan(&n)
	} else {
		err = pools.SQLite.QueryRowContext(t.Context(), statement).Scan(&n)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// eventually waits until a statement counts so many.
func (s *testServer) eventually(t *testing.T, what string, want int, statement string) {
	t.Helper()
	reaches(t, what, want, func() int { return s.number(t, statement) })
}

// testLog shows a server's warnings with the test they belong to.
type testLog struct{ t *testing.T }

func (l testLog) Write(line []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(line)))
	return len(line), nil
}
