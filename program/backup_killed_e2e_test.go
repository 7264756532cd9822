package program

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"kyrochat/internal/testdb"
	"kyrochat/store"
)

// programmed runs a command in a process of its own, which a test can kill.
func programmed(t *testing.T, env map[string]string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = []string{"HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH"), endsAtOnce}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// TestKilledInTheMiddle: a restore that is killed leaves nothing that a server would take for its own, and can be done again; a
// backup that is killed leaves no file that looks like one.
func TestKilledInTheMiddle(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		content := noise(400 << 10)
		id := p.upload(bot, "lighthouse.txt", content).text("uploadDocument.document.id")
		if status := p.settled(id); status != "READY" {
			t.Fatal(status)
		}
		folder := t.TempDir()
		file := filepath.Join(folder, "whole")
		mustOperate(t, s.env, "backup", "-o", file)
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}

		for _, after := range []time.Duration{0, 30 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond} {
			killed := filepath.Join(folder, "killed"+after.String())
			cmd := programmed(t, s.env, "backup", "-o", killed)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(after) // wherever it is then
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			if _, err := os.Stat(killed); err == nil {
				mustOperate(t, nil, "backup", "verify", killed) // it was done before
			}
		}

		env := map[string]string{"KYRO_DATA_DIR": t.TempDir()}
		if s.env["DATABASE_URL"] != "" {
			env["DATABASE_URL"] = testdb.PostgresURL(t)
		}
		for _, part := range []int{len(whole) / 3, len(whole) * 9 / 10, len(whole) - 10} {
			cmd := programmed(t, env, "restore", "-")
			in, err := cmd.StdinPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err == nil {
				_, err = in.Write(whole[:part])
			}
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(300 * time.Millisecond) // so that it has gone as far as it can
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			if _, err := os.Stat(filepath.Join(env["KYRO_DATA_DIR"], "kyro.db")); err == nil {
				t.Error("half of a restore is live")
			}
			waitUntil(t, "PostgreSQL has noticed", func() bool { return nobodyConnected(t, env) }) // the next one would be refused, and read nothing
		}
		mustOperate(t, env, "restore", file)
		back := startServer(t, env)
		p.s = back
		p.token = p.signInWith(p.email, password).text("logIn.accessToken")
		if got := carry(t, "GET", p.download(id), nil); got.body != string(content) {
			t.Errorf("%d bytes come back", len(got.body))
		}
		if _, err := os.Stat(filepath.Join(env["KYRO_DATA_DIR"], "restore.tmp")); err == nil {
			t.Error("something is left of the restores")
		}
	})
}

func nobodyConnected(t *testing.T, env map[string]string) bool {
	t.Helper()
	if env["DATABASE_URL"] == "" {
		return true
	}
	pools, err := store.Open(t.Context(), store.Config{DatabaseURL: env["DATABASE_URL"], Unhurried: true})
	if err != nil {
		t.Fatal(err)
	}
	defer pools.Close()
	n, err := pools.OthersConnected(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n == 0
}
