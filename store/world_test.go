package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kyrochat/account"
	"kyrochat/answer"
	"kyrochat/catalog"
	"kyrochat/internal/testdb"
	"kyrochat/kyro"
	"kyrochat/store"
)

var (
	_ account.Store = (*store.Store)(nil)
	_ catalog.Store = (*store.Store)(nil)
	_ answer.Store  = (*store.Store)(nil)
)

// world is a store with people and bots in it, and a queue whose jobs are rows, so that they come and go with the
// transaction they were enqueued in.
type world struct {
	*store.Store
	pools      *store.Pools
	statements atomic.Int64
	hears      atomic.Pointer[func(statement string)] // each but BEGIN and COMMIT
	people     atomic.Int64
	now        atomic.Pointer[time.Time] // of the clock that leases go by
}

var start = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// waitingForLocks counts who waits for a lock in the database of the test. pg_locks has those of all databases, and not of which one.
const waitingForLocks = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

// everywhere runs the test on both databases, each in a world of its own.
func everywhere(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	run := func(name string, open func(testing.TB, ...testdb.Option) *store.Pools) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{}
			w.pools = open(t, testdb.Also(jobTable), testdb.OnQuery(func(_ context.Context, statement string) {
				if !strings.HasPrefix(statement, "BEGIN") && !strings.HasPrefix(statement, "COMMIT") {
					w.statements.Add(1)
					if hears := w.hears.Load(); hears != nil {
						(*hears)(statement)
					}
				}
			}))
			w.Store = store.New(w.pools, rowQueue{})
			w.setClock(start)
			w.SetClock(func() time.Time { return *w.now.Load() })
			test(t, w)
		})
	}
	run("sqlite", testdb.SQLite)
	run("postgres", testdb.Postgres)
}

func (w *world) setClock(now time.Time) { w.now.Store(&now) }

func jobTable(ctx context.Context, p *store.Pools) error {
	const table = "CREATE TABLE test_jobs (kind TEXT NOT NULL, job_key BIGINT NOT NULL, run BIGINT NOT NULL)"
	if p.Postgres() {
		_, err := p.Pgx.Exec(ctx, table)
		return err
	}
	_, err := p.SQLite.ExecContext(ctx, table)
	return err
}

type rowQueue struct{}

// EnqueuePostgres works in a savepoint, as queues do.
func (rowQueue) EnqueuePostgres(ctx context.Context, tx pgx.Tx, jobs ...kyro.Job) error {
	inner, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = inner.Rollback(ctx) }()
	for _, j := range jobs {
		if _, err := inner.Exec(ctx, "INSERT INTO test_jobs VALUES ($1, $2, $3)", string(j.Kind), j.Key, j.Run); err != nil {
			return err
		}
	}
	return inner.Commit(ctx)
}

func (rowQueue) EnqueueSQLite(ctx context.Context, tx *sql.Tx, jobs ...kyro.Job) error {
	for _, j := range jobs {
		if _, err := tx.ExecContext(ctx, "INSERT INTO test_jobs VALUES (?, ?, ?)", string(j.Kind), j.Key, j.Run); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) exec(t testing.TB, statement string) {
	t.Helper()
	var err error
	if w.pools.Postgres() {
		_, err = w.pools.Pgx.Exec(t.Context(), statement)
	} else {
		_, err = w.pools.SQLite.ExecContext(t.Context(), statement)
	}
	fine(t, err)
}

func (w *world) number(t testing.TB, query string) (n int) {
	t.Helper()
	var err error
	if w.pools.Postgres() {
		err = w.pools.Pgx.QueryRow(t.Context(), query).Scan(&n)
	} else {
		err = w.pools.SQLite.QueryRowContext(t.Context(), query).Scan(&n)
	}
	fine(t, err)
	return n
}

func (w *world) user(t testing.TB) kyro.ID {
	t.Helper()
	u, _, err := w.CreateUser(t.Context(), kyro.NewUser{
		Email: fmt.Sprintf("u%d@example.com", w.people.Add(1)), Name: "Ann", PasswordHash: "hash", CreatedAt: start,
	}, aSession(kyro.ID{}, start))
	fine(t, err)
	return u.ID
}

func aSession(user kyro.ID, at time.Time) kyro.Session {
	return kyro.Session{
		UserID: user, Counter: 1, RotatedAt: at, CreatedAt: at, LastUsedAt: at, ExpiresAt: at.Add(kyro.SessionMaxAge),
		Device: kyro.Device{UserAgent: "Browser 1", AddressPrefix: "192.0.2.0/24"},
	}
}

func (w *world) bot(t testing.TB, owner kyro.ID, name string, at time.Time) kyro.ID {
	t.Helper()
	b := kyro.NewBot(owner, at)
	b.Name = name
	made, err := w.CreateBot(t.Context(), *b)
	fine(t, err)
	return made.ID
}

// say sends a text to a conversation.
func (w *world) say(t testing.TB, user, conversation kyro.ID, text string) kyro.Turn {
	t.Helper()
	turn, err := w.SaveTurn(t.Context(), kyro.NewTurn{
		SenderID: user, ConversationID: conversation, Text: text, ClientMessageID: "c-" + text, MaxWaiting: 3, Now: start,
	})
	fine(t, err)
	return turn
}

// talk is a user's new conversation with a new bot.
func (w *world) talk(t testing.TB) (user, bot, conversation kyro.ID) {
	t.Helper()
	user = w.user(t)
	bot = w.bot(t, user, "Bot", start)
	c, err := w.CreateConversation(t.Context(), kyro.Conversation{
		BotID: bot, UserID: user, LastMessageAt: start, CreatedAt: start, UpdatedAt: start,
	})
	fine(t, err)
	return user, bot, c.ID
}

// claim takes the next answer of the conversation, which must be there.
func (w *world) claim(t testing.TB, conversation kyro.ID, owner string) kyro.Claim {
	t.Helper()
	claim, found, err := w.ClaimNext(t.Context(), conversation, owner, lease)
	fine(t, err)
	if !found {
		t.Fatal("nothing to claim")
	}
	return claim
}

// keep keeps one attempt; a state of seq 0 is none.
func (w *world) keep(t testing.TB, claim kyro.Claim, state kyro.Checkpoint) kyro.Kept {
	t.Helper()
	one := kyro.Keeping{Claim: claim}
	if state.Seq > 0 {
		one.State = &state
	}
	kept, err := w.Keep(t.Context(), lease, []kyro.Keeping{one})
	fine(t, err)
	return kept[0]
}

// askedToStop reports whether an attempt that keeps its claim is told to stop.
func (w *world) askedToStop(t testing.TB, claim kyro.Claim) bool {
	t.Helper()
	kept := w.keep(t, claim, kyro.Checkpoint{})
	if !kept.Kept {
		t.Errorf("the claim is not kept: %+v", kept)
	}
	return kept.Stop
}

// finish ends a claimed answer with the text.
func (w *world) finish(t testing.TB, claim kyro.Claim, text string, citations ...kyro.Citation) kyro.Message {
	t.Helper()
	m, err := w.Finish(t.Context(), claim, kyro.Outcome{
		Status: kyro.MessageCompleted, Text: text, Seq: 4, FinishReason: kyro.FinishStop, Citations: citations, Now: start,
	})
	fine(t, err)
	return m
}

func fine(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

func wantCode(t testing.TB, err error, code kyro.Code) {
	t.Helper()
	if kyro.ErrorCode(err) != code {
		t.Fatalf("error %v, want code %s", err, code)
	}
}

// sameAsMissing checks that an error about another's row is the very one for a row that is not there.
func sameAsMissing(t testing.TB, what string, others, missing error) {
	t.Helper()
	if kyro.ErrorCode(others) != kyro.CodeNotFound || missing == nil || others.Error() != missing.Error() {
		t.Errorf("%s: another's gives %v, a missing one %v", what, others, missing)
	}
}
