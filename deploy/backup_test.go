package deploy_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// checked runs the weekly check with a program that writes down how it was called and ends with a status, and gives what it wrote.
func checked(t *testing.T, ends string, env ...string) (called string, said string, err error) {
	t.Helper()
	dir := t.TempDir()
	script, err := os.ReadFile("backup.sh")
	if err != nil {
		t.Fatal(err)
	}
	const line = "program=/usr/lib/kyrochat/current/kyrochat\n"
	if !bytes.Contains(script, []byte(line)) {
		t.Fatal("the script runs another program")
	}
	program, told := filepath.Join(dir, "kyrochat"), filepath.Join(dir, "told")
	script = bytes.Replace(script, []byte(line), []byte("program="+program+"\n"), 1)
	fake := "#!/bin/sh\n{ echo \"$@\"; env; ls -A \"$KYRO_DATA_DIR\"; } >" + told + "\ntouch \"$KYRO_DATA_DIR/kyro.db\"\nexit " + ends + "\n"
	folder := filepath.Join(dir, "daily")
	for name, content := range map[string]string{program: fake, filepath.Join(dir, "backup.sh"): string(script)} {
		if err := os.WriteFile(name, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, day := range []string{"20261125", "20261127", "20261126"} {
		if err := os.WriteFile(filepath.Join(folder, "kyrochat-"+day+"T030000Z.backup"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trials := filepath.Join(dir, "trials")
	if err := os.Mkdir(trials, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", filepath.Join(dir, "backup.sh"), "verify")
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "BACKUP_FOLDER=" + dir, "TMPDIR=" + trials, "DATABASE_URL=postgres://production"}, env...)
	out, err := cmd.CombinedOutput()
	if left, _ := os.ReadDir(trials); len(left) > 0 {
		t.Errorf("%s is left", left[0].Name())
	}
	text, _ := os.ReadFile(told)
	return string(text), string(out), err
}

// TestTheWeeklyCheck restores the newest backup where nothing of the server is, and is not content with one that nobody can read here.
func TestTheWeeklyCheck(t *testing.T) {
	t.Parallel()
	tool(t, "sh")
	called, said, err := checked(t, "0")
	if err != nil || !strings.HasPrefix(called, "restore ") || !strings.Contains(called, "kyrochat-20261127T030000Z.backup\n") ||
		strings.Contains(called, "DATABASE_URL") || strings.Contains(called, "kyro.db") {
		t.Errorf("%v: %s\n%s", err, called, said)
	}
	if _, said, err := checked(t, "3"); err == nil {
		t.Errorf("what verifying found is not told: %s", said)
	}
	called, said, err = checked(t, "0", "BACKUP_FLAGS=-to age1x")
	if err == nil || called != "" || !strings.Contains(said, "nothing was verified") {
		t.Errorf("an encrypted one without its key: %v, %s\n%s", err, called, said)
	}
	called, said, err = checked(t, "0", "BACKUP_FLAGS=-to age1x", "BACKUP_VERIFY_FLAGS=-identity /key")
	if err != nil || !strings.HasPrefix(called, "restore -identity /key ") {
		t.Errorf("an encrypted one with its key: %v, %s\n%s", err, called, said)
	}
}
