package program

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kyrochat/internal/gemini"
	"kyrochat/internal/testdb"
)

// node are the settings of one of several processes on a database.
func node(t *testing.T, role, url string) map[string]string {
	t.Helper()
	env := map[string]string{"KYRO_ROLE": role, "DATABASE_URL": url, "KYRO_DATA_DIR": t.TempDir()}
	if role != "worker" {
		env["KYRO_SECRET"] = "kb7Yv0pQm2Zx9LtR4wNs8JdHc1GfUe6A"
	}
	return env
}

// number asks the database itself.
func number(t *testing.T, url, query string) (n int) {
	t.Helper()
	inDatabase(t, url, func(conn *pgx.Conn) error { return conn.QueryRow(t.Context(), query).Scan(&n) })
	return n
}

func inDatabase(t *testing.T, url string, work func(*pgx.Conn) error) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if err := work(conn); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until the database counts as many as wanted.
func eventually(t *testing.T, url string, want int, query string) {
	t.Helper()
	reaches(t, query, want, func() int { return number(t, url, query) })
}

// states follows a document until it is final, or see has seen enough, and gives what it went through.
func (p *person) states(document string, see func(status string) (more bool)) (seen []string) {
	p.t.Helper()
	err := p.follow(`subscription($d: ID!) { documentProgress(documentId: $d) { status } }`, vars{"d": document}, func(e *reply) bool {
		seen = append(seen, e.text("documentProgress.status"))
		return see(seen[len(seen)-1])
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return seen
}

func all(string) bool { return true }

// TestOneNodeTakesInWhatAnotherReads: a file comes to one node and is read by another, with another folder; a third
// one, which shares the secret, shows how far it is and answers from it.
func TestOneNodeTakesInWhatAnotherReads(t *testing.T) {
	t.Parallel()
	url := testdb.PostgresURL(t)
	door, other, worker := startServer(t, node(t, "api", url)), startServer(t, node(t, "api", url)), startServer(t, node(t, "worker", url))
	p := door.signUp(t)
	bot := p.newBot()
	document := p.upload(bot, "ledger.txt", append([]byte("The lighthouse of Varn was built in 1871 by Odile Marchetti.\n\n"), bigText(1<<20)...)).text("uploadDocument.document.id")
	p.s = other
	seen := p.states(document, all)
	if seen[len(seen)-1] != "READY" {
		t.Fatalf("the document went through %v", seen)
	}
	final, _ := p.chat(vars{"botId": bot, "text": "Who built the lighthouse of Varn?"})
	if got := final.text("messageStream.message.grounding"); got != "GROUNDED" {
		t.Errorf("the answer of the other node is %s", got)
	}
	const parts = "SELECT count(*) FROM document_files"
	if n := number(t, url, parts); n != 3 {
		t.Errorf("a file of a little more than 1 MiB is kept in %d parts", n)
	}
	p.must(`mutation($d: ID!) { deleteDocument(input: {documentId: $d}) { deletedId errors { code } } }`, vars{"d": document})
	eventually(t, url, 0, parts)
	for _, s := range []*testServer{door, other, worker} {
		kept, err := filepath.Glob(filepath.Join(s.env["KYRO_DATA_DIR"], "files", "*", "*"))
		if err != nil || len(kept) != 0 {
			t.Errorf("a node keeps %v, %v", kept, err)
		}
	}
}

// TestDocumentsWaitForAWorker: an api process takes documents in and answers, and leaves the work to whoever comes.
// The one that comes has the file in its folder, as an earlier version of the server left it.
func TestDocumentsWaitForAWorker(t *testing.T) {
	t.Parallel()
	url := testdb.PostgresURL(t)
	p := startServer(t, node(t, "api", url)).signUp(t)
	bot := p.newBot()
	shared := p.upload(bot, "tea.txt", []byte("Green tea is brewed at 80 degrees.")).text("uploadDocument.document.id")
	before := p.upload(bot, "coffee.txt", []byte("Coffee is brewed at 93 degrees.")).text("uploadDocument.document.id")
	if final, _ := p.chat(vars{"botId": bot, "text": "How hot is tea brewed?"}); final.text("messageStream.message.status") != "COMPLETED" {
		t.Errorf("%s", final.body)
	}
	for _, document := range []string{shared, before} {
		if got := p.must(`query($d: ID!) { document(id: $d) { status } }`, vars{"d": document}).text("document.status"); got != "QUEUED" {
			t.Errorf("without a worker the document is %s", got)
		}
	}
	if n := number(t, url, "SELECT count(*) FROM river_leader"); n != 0 {
		t.Error("a process without jobs leads those that do them")
	}

	env := node(t, "worker", url)
	folder := filepath.Join(env["KYRO_DATA_DIR"], "files", strings.TrimPrefix(before, "doc_"))
	if err := errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, "1"), []byte("Coffee is brewed at 93 degrees."), 0o600)); err != nil {
		t.Fatal(err)
	}
	inDatabase(t, url, func(conn *pgx.Conn) error {
		_, err := conn.Exec(t.Context(), "DELETE FROM document_files WHERE document_id = "+strings.TrimPrefix(before, "doc_"))
		return err
	})
	startServer(t, env)
	for _, document := range []string{shared, before} {
		if got := p.settled(document); got != "READY" {
			t.Errorf("the document is %s", got)
		}
	}
}

// TestNodesStartAtOnce on an empty database, and one goes away while the other serves.
func TestNodesStartAtOnce(t *testing.T) {
	t.Parallel()
	url := testdb.PostgresURL(t)
	inDatabase(t, url, func(conn *pgx.Conn) error {
		_, err := conn.Exec(t.Context(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
		return err
	})
	var nodes [3]*testServer
	var wg sync.WaitGroup
	for i, role := range []string{"all", "all", "worker"} {
		settings := node(t, role, url)
		wg.Go(func() { nodes[i] = startServer(t, settings) })
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	p := nodes[0].signUp(t)
	bot := p.newBot()
	document := p.upload(bot, "ledger.txt", bigText(1<<20)).text("uploadDocument.document.id")
	p.states(document, func(status string) bool { return status == "QUEUED" })
	if err := nodes[1].stop(); err != nil {
		t.Errorf("one node stopped with %v", err)
	}
	if got := p.settled(document); got != "READY" {
		t.Errorf("beside a node that went away the document is %s", got)
	}
}

// TestEachRoleEndsPolitely: what a worker is at goes back at once, and an api process ends without jobs to give back.
func TestEachRoleEndsPolitely(t *testing.T) {
	t.Parallel()
	url := testdb.PostgresURL(t)
	api := startProcess(t, node(t, "api", url))
	settings := node(t, "worker", url)
	settings["KYRO_ADDR"] = strings.TrimPrefix(api.url, "http://") // which is taken: a worker does not listen there
	worker := startProcess(t, settings)
	if worker.url != "" || get(t, worker.admin+"/healthz") != http.StatusOK || get(t, worker.admin+"/readyz") != http.StatusOK {
		t.Errorf("a worker serves %q", worker.url)
	}
	worker.says(t, `"database":"postgresql","live":"in-process"`)
	p := api.signUp(t)
	bot := p.newBot()
	document := p.upload(bot, "ledger.txt", bigText(4<<20)).text("uploadDocument.document.id")
	p.states(document, func(status string) bool { return status == "QUEUED" })
	worker.endPolitely(t)
	if n := number(t, url, "SELECT count(*) FROM river_job WHERE state = 'running'"); n != 0 {
		t.Errorf("%d jobs are left with a worker that is gone", n)
	}
	startProcess(t, node(t, "worker", url))
	if got := p.settled(document); got != "READY" {
		t.Errorf("the document is %s", got)
	}
	api.endPolitely(t)
}

// endPolitely tells the process to stop, and waits until it has, without an error.
func (p *process) endPolitely(t *testing.T) {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("a process of the role %s ended with %d", p.env["KYRO_ROLE"], code)
		}
	case <-time.After(patience):
		t.Fatalf("a process of the role %s does not end", p.env["KYRO_ROLE"])
	}
}

// heldUp gives the settings of nodes by their role whose model has no answer for passages until it is let go: what works on a
// document is in the middle of it, for as long as a test needs.
func heldUp(t *testing.T, url string) (settings func(role string) map[string]string, letGo func()) {
	t.Helper()
	u := startUpstreams(t, gemini.Options{})
	return func(role string) map[string]string {
		env := node(t, role, url)
		maps.Copy(env, u.env())
		return env
	}, u.gate.hold("batchEmbedContents")
}

// TestAnotherWorkerTakesOver what a worker that was killed was at.
func TestAnotherWorkerTakesOver(t *testing.T) {
	t.Parallel()
	url := testdb.PostgresURL(t)
	settings, letGo := heldUp(t, url)
	p := startServer(t, settings("api")).signUp(t)
	bot := p.newBot()
	first, second := startProcess(t, settings("worker")), startProcess(t, settings("worker"))
	_ = second.cmd.Process.Signal(syscall.SIGSTOP) // so that the first gets the job
	document := p.upload(bot, "ledger.txt", bigText(1<<20)).text("uploadDocument.document.id")
	p.states(document, func(status string) bool { return status != "EMBEDDING" })
	first.kill()
	_ = second.cmd.Process.Signal(syscall.SIGCONT)
	ageJobs(t, url)
	letGo()
	if got := p.settled(document); got != "READY" {
		t.Errorf("the document is %s", got)
	}
}

// TestWorkIsCanceledFromAnotherNode: the worker stops with the next thing it would store, and the document stays as it
// was left until it is taken up again.
func TestWorkIsCanceledFromAnotherNode(t *testing.T) {
	t.Parallel()
	url := testdb.PostgresURL(t)
	settings, letGo := heldUp(t, url)
	p := startServer(t, settings("api")).signUp(t)
	startServer(t, settings("worker"))
	document := p.upload(p.newBot(), "ledger.txt", bigText(1<<20)).text("uploadDocument.document.id")
	p.states(document, func(status string) bool { return status != "EMBEDDING" })
	p.must(`mutation($d: ID!) { cancelDocument(input: {documentId: $d}) { document { status } errors { code } } }`, vars{"d": document})
	letGo()
	eventually(t, url, 0, "SELECT count(*) FROM river_job WHERE kind = 'ingest' AND finalized_at IS NULL")
	if got := p.settled(document); got != "CANCELED" {
		t.Errorf("after the worker has stopped the document is %s", got)
	}
	p.must(`mutation($d: ID!) { retryDocument(input: {documentId: $d}) { document { status } errors { code } } }`, vars{"d": document})
	if got := p.settled(document); got != "READY" {
		t.Errorf("after a retry the document is %s", got)
	}
}
