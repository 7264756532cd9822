package deploy_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kyrochat/internal/required"
)

// scriptIn is backup.sh with the program and the backups in a folder of the test.
func scriptIn(t *testing.T, dir string) (path string) {
	t.Helper()
	script, err := os.ReadFile("backup.sh")
	if err != nil {
		t.Fatal(err)
	}
	for was, is := range map[string]string{
		"program=/usr/lib/kyrochat/current/kyrochat\n": "program=" + filepath.Join(dir, "kyrochat") + "\n",
		"folder=/var/backups/kyrochat ":                "folder=" + dir + " ",
	} {
		if !bytes.Contains(script, []byte(was)) {
			t.Fatalf("the script has no %s", was)
		}
		script = bytes.Replace(script, []byte(was), []byte(is), 1)
	}
	path = filepath.Join(dir, "backup.sh")
	if err := os.WriteFile(path, script, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// checked runs the weekly check on backups of an age, with a program that writes down how it was called and ends with a status, and gives what it
// wrote.
func checked(t *testing.T, ends string, age time.Duration, env ...string) (called string, said string, err error) {
	t.Helper()
	dir := t.TempDir()
	program, told := filepath.Join(dir, "kyrochat"), filepath.Join(dir, "told")
	script := scriptIn(t, dir)
	fake := "#!/bin/sh\n{ echo \"$@\"; env; ls -A \"$KYRO_DATA_DIR\"; } >" + told + "\ntouch \"$KYRO_DATA_DIR/kyro.db\"\nexit " + ends + "\n"
	folder := filepath.Join(dir, "daily")
	if err := os.WriteFile(program, []byte(fake), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, day := range []string{"20261125", "20261127", "20261126"} {
		path, made := filepath.Join(folder, "kyrochat-"+day+"T030000Z.backup"), time.Now().Add(-age)
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, made, made)); err != nil {
			t.Fatal(err)
		}
	}
	trials := filepath.Join(dir, "trials")
	if err := os.Mkdir(trials, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", script, "verify")
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + trials, "DATABASE_URL=postgres://production"}, env...)
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
	required.Program(t, "sh")
	called, said, err := checked(t, "0", time.Hour)
	if err != nil || !strings.HasPrefix(called, "restore ") || !strings.Contains(called, "kyrochat-20261127T030000Z.backup\n") ||
		strings.Contains(called, "DATABASE_URL") || strings.Contains(called, "kyro.db") {
		t.Errorf("%v: %s\n%s", err, called, said)
	}
	if _, said, err := checked(t, "3", time.Hour); err == nil {
		t.Errorf("what verifying found is not told: %s", said)
	}
	called, said, err = checked(t, "0", 40*time.Hour)
	if err == nil || called != "" || !strings.Contains(said, "older than 36 hours") {
		t.Errorf("the newest is of the night before the last: %v, %s\n%s", err, called, said)
	}
	called, said, err = checked(t, "0", time.Hour, "BACKUP_FLAGS=-to age1x")
	if err == nil || called != "" || !strings.Contains(said, "nothing was verified") {
		t.Errorf("an encrypted one without its key: %v, %s\n%s", err, called, said)
	}
	called, said, err = checked(t, "0", time.Hour, "BACKUP_FLAGS=-to age1x", "BACKUP_VERIFY_FLAGS=-identity /key")
	if err != nil || !strings.HasPrefix(called, "restore -identity /key ") {
		t.Errorf("an encrypted one with its key: %v, %s\n%s", err, called, said)
	}
}

// TestTheWeeklyOneWithoutLinks: where the file system has no hard links the weekly backup is a copy, and what is old goes all the same.
func TestTheWeeklyOneWithoutLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script, programs := scriptIn(t, dir), filepath.Join(dir, "bin")
	if err := os.Mkdir(programs, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		filepath.Join(dir, "kyrochat"): "#!/bin/sh\necho whole >\"$3\"\n",
		filepath.Join(programs, "ln"):  "#!/bin/sh\nexit 1\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	daily := filepath.Join(dir, "daily")
	if err := os.Mkdir(daily, 0o700); err != nil {
		t.Fatal(err)
	}
	for day := 1; day <= 9; day++ {
		if err := os.WriteFile(filepath.Join(daily, fmt.Sprintf("kyrochat-2020010%dT030000Z.backup", day)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("sh", script)
	cmd.Env = []string{"PATH=" + programs + ":" + os.Getenv("PATH")}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	weekly, _ := filepath.Glob(filepath.Join(dir, "weekly", "kyrochat-*.backup"))
	if len(weekly) != 1 {
		t.Fatalf("the weekly ones are %v", weekly)
	}
	if text, err := os.ReadFile(weekly[0]); err != nil || string(text) != "whole\n" {
		t.Errorf("it holds %q, %v", text, err)
	}
	if left, _ := os.ReadDir(daily); len(left) != 7 {
		t.Errorf("%d are kept", len(left))
	}
}

// TestBackupsOfTheSameSecond: one that an upgrade asks for may come right after another one, and does not fail for its name.
func TestBackupsOfTheSameSecond(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script, programs := scriptIn(t, dir), filepath.Join(dir, "bin")
	if err := os.Mkdir(programs, 0o700); err != nil {
		t.Fatal(err)
	}
	// The clock stands still until it was waited for.
	for path, text := range map[string]string{
		filepath.Join(dir, "kyrochat"):   "#!/bin/sh\n[ ! -e \"$3\" ] && echo whole >\"$3\"\n",
		filepath.Join(programs, "date"):  "#!/bin/sh\ncase $2 in +%G*) echo 2026-W48 ;; *) echo 20261127T03000$(cat " + dir + "/second)Z ;; esac\n",
		filepath.Join(programs, "sleep"): "#!/bin/sh\necho 1 >" + dir + "/second\n",
		filepath.Join(dir, "second"):     "0\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		cmd := exec.Command("sh", script)
		cmd.Env = []string{"PATH=" + programs + ":" + os.Getenv("PATH")}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if made, _ := os.ReadDir(filepath.Join(dir, "daily")); len(made) != 2 {
		t.Errorf("%d are there", len(made))
	}
}
