package program

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// What bombs may take.
const (
	extractorBytes = 512 << 20
	serverBytes    = 64 << 20
)

// TestBombs uploads small files that ask for far more than they are, of every format. Each is refused, or FAILED with a
// reason, or read; the processes that read them stay below 512 MiB, the server does not grow by more than 64 MiB, and
// somebody else goes on working meanwhile. The memory is that of the program as it is shipped, without the race detector.
func TestBombs(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory is read from /proc")
	}
	t.Parallel()
	server := startProgram(t, shipped(t), map[string]string{"KYRO_DATA_DIR": t.TempDir(), "KYRO_USER_MAX_BYTES": "0", "KYRO_ACCESS_TOKEN_TTL": allDay["KYRO_ACCESS_TOKEN_TTL"]}) // for all are one person's
	attacker, other := server.signUp(t), server.signUp(t)
	bot, others := attacker.newBot(), other.newBot()
	// A server that has read ordinary files has the garbage of its work.
	for _, ordinary := range []bomb{
		{name: "a.txt", content: func() []byte { return bigText(4 << 20) }},
		{name: "a.pdf", content: func() []byte { return pdf("/Count 1 /Kids [3 0 R]", "BT /F1 12 Tf 72 700 Td (A page is here.) Tj ET") }},
	} {
		if status, reason := explode(attacker, bot, ordinary); status != "READY" {
			t.Fatalf("%s is %s: %s", ordinary.name, status, reason)
		}
	}
	before := residentOf(server.cmd.Process.Pid)
	for _, b := range bombs() {
		content := b.content() // made before anybody looks
		look := watchMemory(server.cmd.Process.Pid)
		work, began := meanwhile(other, others), time.Now()
		status, reason := explode(attacker, bot, bomb{name: b.name, content: func() []byte { return content }})
		work()
		most, children := look()
		took := time.Since(began)
		t.Logf("%-32s %8d bytes: %s %s; %.1f s, server %+d MiB, extractor %d MiB", b.name, len(content), status, reason, took.Seconds(), (most-before)>>20, children>>20)
		if ready := strings.HasPrefix(status, "READY"); ready != b.reads {
			t.Errorf("%s is %s (%s)", b.name, status, reason)
		}
		if !strings.HasPrefix(status, "READY") && reason == "" {
			t.Errorf("%s is %s without a reason", b.name, status)
		}
		if children > extractorBytes {
			t.Errorf("%s: an extractor took %d MiB", b.name, children>>20)
		}
		if most > before+serverBytes {
			t.Errorf("%s: the server took %d MiB more than the %d MiB it had", b.name, (most-before)>>20, before>>20)
		}
	}
}

// explode uploads a file and gives what becomes of it, and why.
func explode(p *person, bot string, b bomb) (status, reason string) {
	p.t.Helper()
	answer := p.upload(bot, b.name, b.content())
	if errors := answer.list("uploadDocument.errors"); len(errors) > 0 {
		return answer.text("uploadDocument.errors.0.code"), answer.text("uploadDocument.errors.0.message")
	}
	document := answer.text("uploadDocument.document.id")
	status = p.settled(document)
	reason, _ = p.must(`query($d: ID!) { document(id: $d) { statusReason } }`, vars{"d": document}).get("document.statusReason").(string)
	return status, reason
}

// meanwhile has somebody work until the stop, and sees that all of it is answered.
func meanwhile(p *person, bot string) (stop func()) {
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for {
			select {
			case <-done:
				return
			default:
				if r := p.ask(`query($b: ID!) { bot(id: $b) { name documents { nodes { id } } } }`, vars{"b": bot}); r.tree["errors"] != nil {
					p.t.Errorf("somebody else: %s", r.body)
				}
				time.Sleep(20 * time.Millisecond)
			}
		}
	}()
	return func() { close(done); <-gone }
}

// watchMemory looks at a server's memory and that of its children until the end, and gives the most that each had.
func watchMemory(pid int) (end func() (server, child int)) {
	done := make(chan struct{})
	var watching sync.WaitGroup
	var server, child int
	watching.Go(func() {
		for {
			server = max(server, residentOf(pid))
			for _, c := range childrenOf(pid) {
				child = max(child, residentOf(c))
			}
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	return func() (int, int) { close(done); watching.Wait(); return server, child }
}

// residentOf is the memory of a process in bytes, 0 once it is gone.
func residentOf(pid int) int {
	stat, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	fields := strings.Fields(string(stat))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(fields[1])
	return pages * os.Getpagesize()
}

// childrenOf are the processes that a process started.
func childrenOf(pid int) []int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	var children []int
	for _, path := range stats {
		stat, _ := os.ReadFile(path)
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // the name before it may hold anything
		if len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			children = append(children, child)
		}
	}
	return children
}

// shipped builds the program as it is shipped: with the flags of the Makefile, so that what was compiled there is not again.
func shipped(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kyrochat")
	build := exec.Command("go", "build", "-trimpath", "-o", path, ".")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}
