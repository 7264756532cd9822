package store_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kyrochat/answer"
	"kyrochat/ingest"
	"kyrochat/internal/testdb"
	"kyrochat/kyro"
	"kyrochat/store"
)

var (
	_ ingest.Store = (*store.Store)(nil)
	_ answer.Index = (*store.Store)(nil)
)

// knowledge is an owner with a bot, and what a worker would do to its documents.
type knowledge struct {
	pools      *store.Pools
	store      *store.Store
	jobs       *heldJobs
	owner, bot kyro.ID
	now        time.Time
}

func newKnowledge(t testing.TB, pools *store.Pools) *knowledge {
	t.Helper()
	jobs := &heldJobs{}
	k := &knowledge{pools: pools, store: store.New(pools, jobs), jobs: jobs, now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)}
	user, _, err := k.store.CreateUser(t.Context(), kyro.NewUser{Email: "owner@example.com", Name: "Owner", CreatedAt: k.now}, kyro.Session{})
	check(t, err)
	k.owner = user.ID
	k.bot = k.newBot(t)
	return k
}

func (k *knowledge) newBot(t testing.TB) kyro.ID {
	t.Helper()
	bot := kyro.NewBot(k.owner, k.now)
	bot.Name = "Bot"
	made, err := k.store.CreateBot(t.Context(), *bot)
	check(t, err)
	return made.ID
}

// other is the same owner with another bot.
func (k *knowledge) other(t testing.TB) *knowledge {
	t.Helper()
	o := *k
	o.bot = k.newBot(t)
	return &o
}

func (k *knowledge) tick() time.Time {
	k.now = k.now.Add(time.Second)
	return k.now
}

func (k *knowledge) add(t testing.TB, title string) kyro.Document {
	t.Helper()
	d, _, err := k.store.AddDocument(t.Context(), kyro.NewDocument{
		BotID: k.bot, OwnerID: k.owner, Kind: kyro.DocumentText, Title: title, ContentHash: sha(title), Now: k.tick(),
	}, strings.NewReader(title), nil)
	check(t, err)
	return d
}

// prepared makes a text of the chunks, one line each, whose terms are their words.
func prepared(chunks ...string) kyro.Prepared {
	p := kyro.Prepared{Language: "en", Extraction: kyro.Extraction{MimeType: "text/plain", Text: strings.Join(chunks, "\n")}}
	p.CharCount = kyro.CharCount(p.Text)
	bytes, chars := 0, 0
	for i, c := range chunks {
		p.Chunks = append(p.Chunks, kyro.Chunk{
			Index: i, Text: c, HeadingPath: []string{"Top", "It's"}, ByteStart: bytes, ByteEnd: bytes + len(c),
			CharStart: chars, CharEnd: chars + kyro.CharCount(c), TokenCount: 1, ContentHash: sha(c), Enabled: true,
		})
		p.Terms = append(p.Terms, strings.ToLower(c))
		bytes += len(c) + 1
		chars += kyro.CharCount(c) + 1
	}
	return p
}

func (k *knowledge) prepare(t testing.TB, d kyro.Document, chunks ...string) kyro.Document {
	t.Helper()
	d, err := k.store.SavePrepared(t.Context(), d.ID, d.Run, prepared(chunks...), kyro.DocumentStep{Status: kyro.DocumentEmbedding, Now: k.tick()})
	check(t, err)
	return d
}

func (k *knowledge) activate(t testing.TB, d kyro.Document) kyro.Document {
	t.Helper()
	d, err := k.store.Activate(t.Context(), d.ID, d.Run, kyro.DocumentReady, "m@1", k.tick())
	check(t, err)
	return d
}

// ready is a document of the chunks that answers use.
func (k *knowledge) ready(t testing.TB, title string, chunks ...string) kyro.Document {
	t.Helper()
	return k.activate(t, k.prepare(t, k.add(t, title), chunks...))
}

// renew begins the next version of a ready document.
func (k *knowledge) renew(t testing.TB, d kyro.Document) kyro.Document {
	t.Helper()
	k.exec(t, fmt.Sprintf("UPDATE documents SET version = version + 1, run = run + 1, status = 'QUEUED' WHERE id = %d", d.ID.Key))
	return k.document(t, d.ID)
}

func (k *knowledge) document(t testing.TB, id kyro.ID) kyro.Document {
	t.Helper()
	got, err := k.store.Documents(t.Context(), k.owner, []kyro.ID{id})
	check(t, err)
	if len(got) != 1 {
		t.Fatalf("%d documents %s", len(got), id)
	}
	return got[0]
}

// search gives the texts found, best first, and all that the search said.
func (k *knowledge) search(t testing.TB, terms ...string) ([]string, kyro.LexicalResult) {
	t.Helper()
	result, err := k.store.SearchWords(t.Context(), k.bot, terms, 10)
	check(t, err)
	return k.texts(t, result.Hits), result
}

func (k *knowledge) texts(t testing.TB, hits []kyro.LexicalHit) []string {
	t.Helper()
	ids := make([]kyro.ID, len(hits))
	for i, h := range hits {
		ids[i] = h.ChunkID
	}
	passages, err := k.store.Passages(t.Context(), k.bot, ids)
	check(t, err)
	byID := make(map[kyro.ID]string)
	for _, p := range passages {
		byID[p.Chunk.ID] = p.Chunk.Text
	}
	texts := make([]string, 0, len(hits))
	for _, id := range ids {
		texts = append(texts, byID[id])
	}
	return texts
}

func (k *knowledge) generation(t testing.TB) int64 {
	t.Helper()
	g, err := k.store.BotKnowledge(t.Context(), k.bot)
	check(t, err)
	return g
}

func sha(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func expectCode(t testing.TB, err error, code kyro.Code) {
	t.Helper()
	if kyro.ErrorCode(err) != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

func expect[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// eachKnowledge runs a test on both databases.
func eachKnowledge(t *testing.T, test func(t *testing.T, k *knowledge)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, pools *store.Pools) { test(t, newKnowledge(t, pools)) })
}

// heldJobs keeps what was enqueued. It writes nothing, so a transaction that fails later does not take it back.
type heldJobs struct {
	mu   sync.Mutex
	jobs []kyro.Job
}

func (q *heldJobs) EnqueuePostgres(_ context.Context, _ pgx.Tx, jobs ...kyro.Job) error {
	return q.keep(jobs)
}

func (q *heldJobs) EnqueueSQLite(_ context.Context, _ *sql.Tx, jobs ...kyro.Job) error {
	return q.keep(jobs)
}

func (q *heldJobs) keep(jobs []kyro.Job) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs = append(q.jobs, jobs...)
	return nil
}

// take gives the jobs since the last time.
func (q *heldJobs) take() []kyro.Job {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := q.jobs
	q.jobs = nil
	return taken
}

// exec runs a statement behind the store's back.
func (k *knowledge) exec(t testing.TB, statement string) {
	t.Helper()
	var err error
	if k.pools.Postgres() {
		_, err = k.pools.Pgx.Exec(t.Context(), statement)
	} else {
		_, err = k.pools.SQLite.ExecContext(t.Context(), statement)
	}
	check(t, err)
}

func (k *knowledge) count(t testing.TB, table, where string) (n int) {
	t.Helper()
	query := "SELECT count(*) FROM " + table + " WHERE " + where
	var err error
	if k.pools.Postgres() {
		err = k.pools.Pgx.QueryRow(t.Context(), query).Scan(&n)
	} else {
		err = k.pools.SQLite.QueryRowContext(t.Context(), query).Scan(&n)
	}
	check(t, err)
	return n
}

// versionOf is the version of a document that is being made or was made last.
func versionOf(d kyro.Document) kyro.IndexedVersion {
	return kyro.IndexedVersion{BotID: d.BotID, DocumentID: d.ID, Version: d.Version, Chunks: d.ChunkCount}
}
