package deploy_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"kyrochat/internal/required"
)

// installation is one in a folder of the test, with a service manager that does as it is told, and programs that are scripts. What a
// machine has to say to all of it is seen by cleanmachine.
type installation struct {
	t       *testing.T
	dir     string
	scripts string // upgrade.sh and what it reads
}

// standIns are there for what asks for root or for systemd.
var standIns = map[string]string{
	"setpriv": `shift 5; exec "$@"`,
	"chown":   "",
	"systemctl": `case "$*" in
*ActiveState*) echo active ;;
*NRestarts*) echo 3 ;;
*MainPID*) echo $$ ;;
list-unit*) echo kyrochat.service loaded active ;;
esac`,
	"journalctl": "",
}

var paths = regexp.MustCompile(`(?m)^(home|settings|data|backups|kept_data|rules|units|commands|manual)=(/\S+)`)

func newInstallation(t *testing.T) *installation {
	t.Helper()
	required.Program(t, "sh")
	dir := t.TempDir()
	in := &installation{t, dir, filepath.Join(dir, "release")}
	steps, err := os.ReadFile("installation.sh")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(paths.FindAll(steps, -1)); n != 9 {
		t.Fatalf("%d paths", n)
	}
	upgrade, err := os.ReadFile("upgrade.sh")
	if err != nil {
		t.Fatal(err)
	}
	in.write("release/installation.sh", paths.ReplaceAllString(string(steps), "$1="+dir+"$2")+"\nrequire_machine() { :; }\n")
	in.write("release/upgrade.sh", string(upgrade))
	in.write("release/kyrochat-run", "#!/bin/sh\nexec \"$KYROCHAT_BINARY\" \"$@\"\n")
	in.write("release/systemd/kyrochat.tmpfiles", "")
	for _, unit := range []string{"kyrochat.service", "kyrochat.timer"} {
		in.write("release/systemd/"+unit, "")
	}
	for name, text := range standIns {
		in.write("bin/"+name, "#!/bin/sh\n"+text+"\n")
	}
	in.write("etc/kyrochat/kyrochat.env", "")
	in.write("var/lib/kyrochat/kyro.db", "1\n")
	in.write("usr/lib/kyrochat/x", "") // the folder
	if said, err := in.sh(`. release/installation.sh; use "$(stage "$1" release)"`, in.program("1.0.0", 1, true)); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return in
}

func (in *installation) write(name, text string) {
	in.t.Helper()
	name = filepath.Join(in.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(text), 0o700)); err != nil {
		in.t.Fatal(err)
	}
}

// program is one of a version that knows a schema, with which the database is marked, and may get ready or not.
func (in *installation) program(version string, schema int, ready bool) (path string) {
	in.t.Helper()
	in.write("kyrochat-"+version, fmt.Sprintf(`#!/bin/sh
database=%s/var/lib/kyrochat/kyro.db
case $1 in
version) echo %s ;;
help) echo "  kyrochat backup" ;;
health) %t ;;
migrate)
  [ -z "${KYRO_DATA_DIR:-}" ] || exit 0
  [ "$(cat $database)" -le %d ] || { echo made by a newer version; exit 1; }
  echo %[4]d >$database ;;
esac
`, in.dir, version, ready, schema))
	return filepath.Join(in.dir, "kyrochat-"+version)
}

func (in *installation) sh(line string, args ...string) (said string, err error) {
	cmd := exec.Command("sh", append([]string{"-euc", line, "sh"}, args...)...)
	cmd.Dir = in.dir
	cmd.Env = []string{"PATH=" + filepath.Join(in.dir, "bin") + ":" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// upgrade runs upgrade.sh, which has to end with the status and to leave a version and a schema, and to know to which version --undo leads.
func (in *installation) upgrade(status int, leaves string, schema string, undo string, args ...string) {
	in.t.Helper()
	said, err := in.sh(`exec sh release/upgrade.sh "$@"`, args...)
	ended := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		ended, err = e.ExitCode(), nil
	}
	version, _ := in.sh("usr/lib/kyrochat/current/kyrochat version; cat var/lib/kyrochat/kyro.db; cat var/backups/kyrochat-upgrade/before/version | cut -d- -f1")
	if want := leaves + "\n" + schema + "\n" + undo + "\n"; err != nil || ended != status || version != want {
		in.t.Fatalf("%v: it ends with %d, not %d, and leaves\n%snot\n%s\n%s", args, ended, status, version, want, said)
	}
}

// here are the versions that are kept.
func (in *installation) here() string {
	in.t.Helper()
	said, err := in.sh("ls -A usr/lib/kyrochat | grep -v -x -e current -e x | cut -d- -f1")
	if err != nil {
		in.t.Fatal(err)
	}
	return strings.Join(strings.Fields(said), " ")
}

// TestUndoAfterATryThatWasGivenUp: it leads to the version before the last upgrade that was through, with the data of that moment.
func TestUndoAfterATryThatWasGivenUp(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	in.upgrade(0, "1.1.0", "2", "1.0.0", in.program("1.1.0", 2, true))
	for range 2 {
		in.upgrade(1, "1.1.0", "2", "1.0.0", in.program("1.2.0", 2, false))              // does not get ready
		in.upgrade(1, "1.1.0", "2", "1.0.0", in.program("1.3.0", 3, false), "--restore") // after it changed the schema
		in.upgrade(1, "1.1.0", "2", "1.0.0", in.program("1.4.0", 1, true))               // does not know the schema
		if here := in.here(); here != "1.0.0 1.1.0" {
			t.Fatalf("there are %s", here)
		}
	}
	in.upgrade(2, "1.1.0", "2", "1.0.0", "--undo") // 1.0.0 does not know the schema
	in.upgrade(0, "1.0.0", "1", "1.0.0", "--undo", "--restore")
}

// TestUndoOfATryThatStays: over a schema the former version is not put back by itself, and --undo leads to it.
func TestUndoOfATryThatStays(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	in.upgrade(0, "1.1.0", "1", "1.0.0", in.program("1.1.0", 1, true))
	in.upgrade(2, "1.2.0", "2", "1.1.0", in.program("1.2.0", 2, false))
	in.upgrade(0, "1.1.0", "1", "1.1.0", "--undo", "--restore")
	if said, err := in.sh("cat var/backups/kyrochat-upgrade/after/kyro.db"); err != nil || said != "2\n" {
		t.Errorf("the data of after the upgrade: %q, %v", said, err)
	}
}

// TestNothingIsLeftOfAnUpgradeThatDidNotBegin: neither the version nor a copy.
func TestNothingIsLeftOfAnUpgradeThatDidNotBegin(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	in.upgrade(0, "1.1.0", "1", "1.0.0", in.program("1.1.0", 1, true))
	in.write("etc/kyrochat/kyrochat.env", "KYRO_DATA_DIR=/nonexistent\n")
	in.upgrade(1, "1.1.0", "1", "1.0.0", in.program("1.2.0", 1, true))
	if said, err := in.sh("ls var/backups/kyrochat-upgrade"); err != nil || said != "before\n" {
		t.Errorf("there are %s, %v", said, err)
	}
	in.write("etc/kyrochat/kyrochat.env", "DATABASE_URL=postgres://db.internal/kyro\n")
	in.upgrade(1, "1.1.0", "1", "1.0.0", in.program("1.3.0", 0, true)) // cannot look at the schema
	if here := in.here(); here != "1.0.0 1.1.0" {
		t.Errorf("there are %s", here)
	}
}

// TestTheWayBackIsNotPruned, whatever came after it.
func TestTheWayBackIsNotPruned(t *testing.T) {
	t.Parallel()
	in := newInstallation(t)
	in.upgrade(0, "1.1.0", "1", "1.0.0", in.program("1.1.0", 1, true))
	for i := range 4 {
		in.write(fmt.Sprintf("usr/lib/kyrochat/2.%d.0-00000000/kyrochat", i), "")
		later := time.Now().Add(time.Hour)
		if err := os.Chtimes(filepath.Join(in.dir, fmt.Sprintf("usr/lib/kyrochat/2.%d.0-00000000", i)), later, later); err != nil {
			t.Fatal(err)
		}
	}
	in.write("usr/lib/kyrochat/.new.1/kyrochat", "")
	in.upgrade(0, "1.2.0", "1", "1.1.0", in.program("1.2.0", 1, true))
	if here := in.here(); !strings.HasPrefix(here, "1.1.0 1.2.0 2.") || strings.Count(here, " ") != 4 {
		t.Errorf("there are %s", here)
	}
	in.upgrade(0, "1.1.0", "1", "1.1.0", "--undo")
}

// TestCopiesOfUpgradesEnd: what is older than 28 days goes by itself, and not the name of the version to go back to.
func TestCopiesOfUpgradesEnd(t *testing.T) {
	t.Parallel()
	clean := required.Program(t, "systemd-tmpfiles")
	rules, err := filepath.Abs("systemd/kyrochat.tmpfiles")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	kept := filepath.Join(dir, "var", "backups", "kyrochat-upgrade")
	for folder, days := range map[string]int{"before": 29, "after": 27} {
		for _, name := range []string{"kyro.db", "kyro.db-wal", "version"} {
			file, made := filepath.Join(kept, folder, name), time.Now().AddDate(0, 0, -days)
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, nil, 0o600), os.Chtimes(file, time.Now(), made)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if out, err := exec.Command(clean, "--clean", "--root="+dir, rules).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	left, _ := filepath.Glob(filepath.Join(kept, "*", "*"))
	want := []string{"after/kyro.db", "after/kyro.db-wal", "after/version", "before/version"}
	for i := range left {
		left[i], _ = filepath.Rel(kept, left[i])
	}
	if strings.Join(left, " ") != strings.Join(want, " ") {
		t.Errorf("left are %v", left)
	}
}
