package extract_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"kyrochat/ingest/extract"
	"kyrochat/kyro"
)

func TestChildIsConfined(t *testing.T) {
	t.Parallel()
	p := newPool(t, kyro.DefaultLimits())
	if _, err := p.Extract(t.Context(), kyro.Original{Path: file(t, []byte("x")), MimeType: extract.Plain}, nil); err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Children()[0]))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(status), "NoNewPrivs:\t1") {
		t.Errorf("it may gain rights:\n%s", status)
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.Children()[0]))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Max open files": "32 32", "Max file size": "67108864 67108864", "Max core file size": "0 0", "Max address space": "4294967296 4294967296",
	} {
		found := ""
		for line := range strings.Lines(string(limits)) {
			if rest, ok := strings.CutPrefix(line, name); ok {
				fields := strings.Fields(rest)
				found = fields[0] + " " + fields[1]
			}
		}
		if found != want {
			t.Errorf("%s: %q, want %q", name, found, want)
		}
	}
}

// TestTimeOnProcessors: what the kernel tells of a process while it runs is what it has told to the process.
func TestTimeOnProcessors(t *testing.T) {
	worked := func() time.Duration {
		var used syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
			t.Fatal(err)
		}
		return time.Duration(used.Utime.Nano() + used.Stime.Nano())
	}
	had := extract.Spent(os.Getpid())
	own := worked()
	for worked()-own < 200*time.Millisecond {
	}
	if more, most := extract.Spent(os.Getpid())-had, worked()-own; more < 150*time.Millisecond || more > most+50*time.Millisecond {
		t.Errorf("after %s of work %s are told", most, more)
	}
	if nobody := extract.Spent(1 << 30); nobody != 0 {
		t.Errorf("a process that there is not has worked for %s", nobody)
	}
}

// TestChildComesAfterTheServer: from its first file on, all its threads have a lower priority than whoever waits for an answer.
func TestChildComesAfterTheServer(t *testing.T) {
	t.Parallel()
	p := newPool(t, kyro.DefaultLimits())
	for range 2 {
		if _, err := p.Extract(t.Context(), kyro.Original{Path: file(t, []byte("x")), MimeType: extract.Plain}, nil); err != nil {
			t.Fatal(err)
		}
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", p.Children()[0]))
	if err != nil || len(threads) < 2 {
		t.Fatalf("%d threads, %v", len(threads), err)
	}
	for _, thread := range threads {
		id, _ := strconv.Atoi(filepath.Base(thread))
		if now, err := syscall.Getpriority(syscall.PRIO_PROCESS, id); err != nil || 20-now < 10 {
			t.Errorf("a thread has the niceness %d, %v", 20-now, err)
		}
	}
}
