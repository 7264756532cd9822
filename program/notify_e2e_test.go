package program

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTheServiceManagerIsTold starts a server as systemd does for a unit of Type=notify with a watchdog, and hears that it
// serves, again and again that it is alive, and that it stops.
func TestTheServiceManagerIsTold(t *testing.T) {
	t.Parallel()
	folder, err := os.MkdirTemp("", "notify") // names of sockets are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	path := filepath.Join(folder, "socket")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	told := func() string {
		t.Helper()
		_ = manager.SetReadDeadline(time.Now().Add(patience))
		said := make([]byte, 4096)
		n, err := manager.Read(said)
		if err != nil {
			t.Fatalf("nothing more is told: %v", err)
		}
		return string(said[:n])
	}

	s := startProcess(t, map[string]string{"KYRO_DATA_DIR": t.TempDir(), "NOTIFY_SOCKET": path, "WATCHDOG_USEC": "300000", "KYRO_DRAIN_TIMEOUT": "90s"})
	if first := told(); first != "READY=1" {
		t.Fatalf("first is told %q", first)
	}
	answer, err := http.Get(s.admin + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("told to be ready, and says %d", answer.StatusCode)
	}
	for range 3 {
		if next := told(); next != "WATCHDOG=1" {
			t.Fatalf("told is %q", next)
		}
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	last := told()
	for last == "WATCHDOG=1" {
		last = told()
	}
	// 126 s of the drain, and 10 for what is behind it.
	if last != "STOPPING=1\nEXTEND_TIMEOUT_USEC=136000000" {
		t.Errorf("at the end is told %q", strings.ReplaceAll(last, "\n", `\n`))
	}
	<-s.done
}
