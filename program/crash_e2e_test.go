package program

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kyrochat/internal/envtest"
	"kyrochat/internal/testdb"
)

// process is a server in a process of its own, which a test can kill.
type process struct {
	testServer
	admin string
	cmd   *exec.Cmd
	done  chan struct{}

	mu  sync.Mutex
	log []string
}

// says waits until the process has logged a line with the text.
func (p *process) says(t *testing.T, text string) {
	t.Helper()
	said := func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return slices.ContainsFunc(p.log, func(line string) bool { return strings.Contains(line, text) })
	}
	waitUntil(t, "the server says "+strconv.Quote(text), said)
}

// endsAtOnce has a process that watches for races end as soon as others do, and not wait for a second whether there are
// more: what it found is told when it is found.
const endsAtOnce = "GORACE=atexit_sleep_ms=0"

// startProcess starts a server process with the settings and waits until it is ready.
func startProcess(t *testing.T, env map[string]string) *process {
	t.Helper()
	return startProgram(t, os.Args[0], env)
}

// startProgram is startProcess for another build of the program.
func startProgram(t *testing.T, path string, env map[string]string) *process {
	t.Helper()
	cmd := exec.Command(path, "serve")
	cmd.Env = []string{"HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH"), "KYRO_ADDR=127.0.0.1:0", "KYRO_ADMIN_ADDR=127.0.0.1:0", "KYRO_LOG_FORMAT=json", "KYRO_RATE_SCALE=0", endsAtOnce}
	for _, settings := range []map[string]string{unhurried, env} { // of what is there twice the last one counts
		for name, value := range settings {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{testServer: testServer{env: env}, cmd: cmd, done: make(chan struct{})}
	ready := make(chan struct{})
	go func() {
		defer close(p.done)
		p.readLog(t, stderr, ready)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() { p.kill() })
	select {
	case <-ready:
	case <-p.done:
		t.Fatalf("the server ended: %v", cmd.ProcessState)
	case <-time.After(patience):
		t.Fatal("the server does not get ready")
	}
	return p
}

func (p *process) readLog(t *testing.T, stderr io.Reader, ready chan struct{}) {
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		p.mu.Lock()
		p.log = append(p.log, lines.Text())
		p.mu.Unlock()
		var line struct{ Msg, Level, GraphQL, Admin string }
		if json.Unmarshal(lines.Bytes(), &line) != nil || line.Level == "ERROR" {
			t.Logf("server: %s", lines.Text())
		}
		if line.Msg == "ready" {
			p.url, p.admin = strings.TrimSuffix(line.GraphQL, "/graphql"), line.Admin
			close(ready)
		}
	}
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
}

func TestKillInTheMiddleOfAnAnswer(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		maps.Copy(env, map[string]string{"KYRO_OFFLINE_PACE": "200ms", "KYRO_ANSWER_LEASE": "10s", "KYRO_ANSWER_HEARTBEAT": "1s", "KYRO_ANSWER_SWEEP": "1s"})
		server := startProcess(t, env)
		p := server.signUp(t)
		bot := p.newBot()
		p.know(bot, "Rules", longAnswer)
		sent := p.send(vars{"botId": bot, "text": "What do the harbour rules of Lindau say about lamps?"})
		answer, conversation := sent.text("sendMessage.botMessage.id"), sent.text("sendMessage.conversation.id")
		second := p.send(vars{"conversationId": conversation, "text": "And the seventh lamp of Lindau?"}).text("sendMessage.botMessage.id")
		shown := &listener{t: t}
		begun := time.Now()
		shown.enough = func() bool { // some of it is stored, as is each second
			return shown.deltas > 0 && time.Since(begun) > 1500*time.Millisecond && p.must(`query($m: ID!) { message(id: $m) { text } }`, vars{"m": answer}).text("message.text") != ""
		}
		if err := p.follow(messageStream, vars{"m": answer, "a": nil}, shown.handle); err != nil || shown.finished != nil {
			t.Fatalf("%v, finished: %v", err, shown.finished != nil)
		}
		server.kill()

		env["KYRO_OFFLINE_PACE"] = "0" // what is to be interrupted was
		again := startProcess(t, env)
		p.s = &again.testServer
		finished, text := p.hear(answer)
		if got := finished.text("messageStream.message.status"); got != "INTERRUPTED" || text == "" || finished.text("messageStream.finishReason") != "INTERRUPTED" {
			t.Errorf("the answer is %s with %q: %s", got, text, finished.body)
		}
		// What waited is answered, and the interrupted one can be made anew.
		if finished, _ := p.hear(second); finished.text("messageStream.message.status") != "COMPLETED" {
			t.Errorf("the waiting answer: %s", finished.body)
		}
		newer := p.must(`mutation($m: ID!) { regenerateMessage(input: {messageId: $m, clientMessageId: "re"}) { botMessage { id } errors { code } } }`, vars{"m": answer}).text("regenerateMessage.botMessage.id")
		if finished, _ := p.hear(newer); finished.text("messageStream.message.status") != "COMPLETED" {
			t.Errorf("the new answer: %s", finished.body)
		}
	})
}

func TestKillInTheMiddleOfAnIngestion(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		server := startProcess(t, env)
		p := server.signUp(t)
		bot := p.newBot()
		document := p.upload(bot, "ledger.txt", bigText(2<<20)).text("uploadDocument.document.id")
		// Killed as soon as its text is being cut, and again when it is being embedded.
		for _, stage := range []string{"CHUNKING", "EMBEDDING"} {
			err := p.follow(`subscription($d: ID!) { documentProgress(documentId: $d) { status } }`, vars{"d": document}, func(e *reply) bool {
				status := e.text("documentProgress.status")
				return status != stage && status != "READY"
			})
			if err != nil {
				t.Fatal(err)
			}
			server.kill()
			if url := env["DATABASE_URL"]; url != "" {
				ageJobs(t, url)
			}
			server = startProcess(t, env)
			p.s = &server.testServer
		}
		if status := p.settled(document); status != "READY" {
			t.Fatalf("the document is %s", status)
		}
		indexes := map[float64]bool{}
		v := vars{"d": document, "a": nil}
		total := 0.0
		for {
			r := p.must(`query($d: ID!, $a: String) { document(id: $d) { chunkCount chunks(first: 100, after: $a) { totalCount nodes { index } pageInfo { hasNextPage endCursor } } } }`, v)
			total = r.number("document.chunkCount")
			if r.number("document.chunks.totalCount") != total {
				t.Fatalf("%g chunks, and %g said", r.number("document.chunks.totalCount"), total)
			}
			for _, node := range r.list("document.chunks.nodes") {
				index := node.(map[string]any)["index"].(float64)
				if indexes[index] {
					t.Fatalf("chunk %g is there twice", index)
				}
				indexes[index] = true
			}
			if r.get("document.chunks.pageInfo.hasNextPage") != true {
				break
			}
			v["a"] = r.text("document.chunks.pageInfo.endCursor")
		}
		if float64(len(indexes)) != total {
			t.Errorf("%d chunks of %g", len(indexes), total)
		}
	})
}

// ageJobs makes what a dead process left in the queue as old as it is when its silence is noticed: on PostgreSQL that
// takes some 25 s, which the test does not wait for.
func ageJobs(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	for _, statement := range []string{
		`UPDATE river_job SET attempted_at = attempted_at - interval '2 minutes' WHERE state = 'running'`,
		`UPDATE river_job SET scheduled_at = scheduled_at - interval '2 minutes' WHERE state IN ('scheduled', 'retryable')`,
		`UPDATE river_leader SET expires_at = now()`,
	} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDrain ends a server in the middle of an answer the polite way: the answer is finished first, and the process
// ends without an error.
func TestDrain(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		env["KYRO_OFFLINE_PACE"] = "100ms"
		server := startProcess(t, env)
		p := server.signUp(t)
		bot := p.newBot()
		p.know(bot, "Rules", longAnswer)
		waitUntil(t, "/readyz is 200", func() bool { return get(t, server.admin+"/readyz") == http.StatusOK })
		if status := get(t, server.admin+"/healthz"); status != http.StatusOK {
			t.Errorf("/healthz is %d", status)
		}
		answer := p.send(vars{"botId": bot, "text": "What do the harbour rules of Lindau say about lamps?"}).text("sendMessage.botMessage.id")
		l := &listener{t: t}
		asked := false
		if err := p.follow(messageStream, vars{"m": answer, "a": nil}, func(e *reply) bool {
			more := l.handle(e)
			if l.deltas >= 2 && l.finished == nil && !asked {
				asked = true
				_ = server.cmd.Process.Signal(syscall.SIGTERM)
			}
			return more
		}); err != nil || l.finished == nil || l.finished.text("messageStream.message.status") != "COMPLETED" {
			t.Errorf("the answer in a drained server: %v", err)
		}
		if !asked {
			t.Fatal("the answer was over before the server could be told to end")
		}
		select {
		case <-server.done:
			if code := server.cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("the server ended with %d", code)
			}
		case <-time.After(patience):
			t.Fatal("the server does not end")
		}
	})
}

func get(t *testing.T, url string) int {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// TestOneProcessPerFolder: two servers cannot share the embedded database.
func TestOneProcessPerFolder(t *testing.T) {
	t.Parallel()
	env := map[string]string{"KYRO_DATA_DIR": t.TempDir()}
	startProcess(t, env)
	out, err := func() ([]byte, error) {
		cmd := exec.Command(os.Args[0], "serve")
		cmd.Env = []string{"HOME=" + os.Getenv("HOME"), "KYRO_ADDR=127.0.0.1:0", "KYRO_ADMIN_ADDR=127.0.0.1:0", "KYRO_DATA_DIR=" + env["KYRO_DATA_DIR"], endsAtOnce}
		return cmd.CombinedOutput()
	}()
	if err == nil || !strings.Contains(string(out), env["KYRO_DATA_DIR"]) {
		t.Errorf("the second server: %v, %s", err, out)
	}
}

// TestStopWhileStarting: a server that is told to stop before it is ready ends without an error.
func TestStopWhileStarting(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	settings := map[string]string{"KYRO_DATA_DIR": t.TempDir(), "KYRO_ADDR": "127.0.0.1:0", "KYRO_ADMIN_ADDR": "127.0.0.1:0"}
	if err := serve(ctx, envtest.Of(settings), io.Discard); err != nil {
		t.Errorf("serve: %v", err)
	}
	settings["DATABASE_URL"] = testdb.PostgresURL(t)
	if err := serve(ctx, envtest.Of(settings), io.Discard); err != nil {
		t.Errorf("serve on PostgreSQL: %v", err)
	}
}
