//go:build unix

package store_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"kyrochat/internal/port"
	"kyrochat/internal/required"
	"kyrochat/internal/testdb"
	"kyrochat/store"
)

// TestExamineBehindAPooler: one in transaction mode gives a session to whoever asks next, and one in session mode does not.
func TestExamineBehindAPooler(t *testing.T) {
	t.Parallel()
	program := required.Program(t, "pgbouncer")
	direct, err := url.Parse(testdb.PostgresURL(t))
	if err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[string]bool{"transaction": true, "session": false} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			behind := *direct
			behind.Host = startPooler(t, program, direct, mode)
			behind.RawQuery = "default_query_exec_mode=exec"
			x, err := store.Examine(t.Context(), store.Config{DatabaseURL: behind.String()})
			if err != nil || x.Schema != store.SchemaCurrent || x.Postgres.Shared != want {
				t.Errorf("shared: %+v, %v", x.Postgres, err)
			}
		})
	}
}

// startPooler starts a PgBouncer before the database, and gives its address.
func startPooler(t *testing.T, program string, database *url.URL, mode string) (addr string) {
	t.Helper()
	addr, leave, err := port.Keep()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(leave)
	_, number, _ := net.SplitHostPort(addr)
	target := "host=" + cmp.Or(database.Hostname(), database.Query().Get("host")) + " user=" + database.User.Username()
	if port := cmp.Or(database.Port(), database.Query().Get("port")); port != "" {
		target += " port=" + port
	}
	if password, given := database.User.Password(); given {
		target += " password=" + password
	}
	dir := t.TempDir()
	settings := fmt.Sprintf("[databases]\n* = %s\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %s\nauth_type = any\npool_mode = %s\nunix_socket_dir =\n",
		target, number, mode)
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "pooler.ini"), []byte(settings), 0o644), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	args := []string{filepath.Join(dir, "pooler.ini")}
	if os.Getuid() == 0 { // which it refuses to be: it is who may open the socket
		args = append([]string{"-u", ownerOf(t, database.Query().Get("host"))}, args...)
	}
	var said bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			return addr
		}
		if time.Now().After(end) {
			t.Fatalf("the pooler does not start: %v", err)
		}
	}
}

// ownerOf is the user to whom a folder belongs; nobody where there is none.
func ownerOf(t *testing.T, folder string) string {
	t.Helper()
	info, err := os.Stat(folder)
	if err != nil {
		return "nobody"
	}
	owner, err := user.LookupId(fmt.Sprint(info.Sys().(*syscall.Stat_t).Uid))
	if err != nil {
		t.Fatal(err)
	}
	return owner.Username
}
