package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"kyrochat/internal/required"
)

var exposure = regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)

// TestUnits has systemd read each unit, and say how much is left to whoever takes the process over: at most 1.5 of 10.
func TestUnits(t *testing.T) {
	t.Parallel()
	analyze := required.Program(t, "systemd-analyze")
	units, err := filepath.Glob("systemd/*.service")
	if err != nil || len(units) < 5 {
		t.Fatalf("%d units, %v", len(units), err)
	}
	timers, _ := filepath.Glob("systemd/*.timer")
	for _, unit := range append(units, timers...) {
		out, _ := exec.Command(analyze, "verify", "--man=no", unit).CombinedOutput()
		for line := range strings.Lines(string(out)) {
			// The program is not installed here.
			if strings.Contains(line, "kyrochat") && !strings.Contains(line, "is not executable: No such file or directory") {
				t.Errorf("%s: %s", unit, line)
			}
		}
	}
	for _, unit := range units {
		out, err := exec.Command(analyze, "security", "--offline=true", "--threshold=15", "--no-pager", unit).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", unit, err, out)
		}
		found := exposure.FindSubmatch(out)
		if found == nil {
			t.Fatalf("%s: no score in\n%s", unit, out)
		}
		score, err := strconv.ParseFloat(string(found[1]), 64)
		if err != nil || score > 1.5 {
			t.Errorf("%s is exposed by %s", unit, found[1])
		}
		t.Logf("%s: %.1f", unit, score)
	}
}

// TestUnitsAreAlike: what keeps the process in is the same in every unit that serves or works.
func TestUnitsAreAlike(t *testing.T) {
	t.Parallel()
	walls := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(text), "\n# What follows is the same")
		inside, _, found := strings.Cut(after, "\n[Install]")
		if !found {
			t.Fatalf("%s has no part that is the same", path)
		}
		return inside
	}
	whole := walls("systemd/kyrochat.service")
	for _, unit := range []string{"systemd/kyrochat-api@.service", "systemd/kyrochat-worker@.service"} {
		if walls(unit) != whole {
			t.Errorf("%s is walled in another way than kyrochat.service", unit)
		}
	}
}

// TestScripts has shellcheck read what runs as root.
func TestScripts(t *testing.T) {
	t.Parallel()
	check := required.Program(t, "shellcheck")
	scripts, err := filepath.Glob("*.sh")
	if err != nil {
		t.Fatal(err)
	}
	more, _ := filepath.Glob("package/*.sh")
	scripts = append(append(scripts, more...), "kyrochat-run")
	if out, err := exec.Command(check, append([]string{"-x"}, scripts...)...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestSums: install.sh and upgrade.sh find the binary in the list that an archive of a release has, and in no other.
func TestSums(t *testing.T) {
	t.Parallel()
	release, err := os.ReadFile("../.ci/release")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(release), `(cd "$work/$name" && `)
	list, _, found := strings.Cut(after, ")")
	if !found {
		t.Fatal("a release has no sum of its binary")
	}
	folder := t.TempDir()
	check := func() error {
		return exec.Command("sh", "-c", `. ./installation.sh; check_sum "$1/kyrochat" "$1/SHA256SUMS"`, "sh", folder).Run()
	}
	for _, line := range []string{"echo a program >kyrochat", list} {
		cmd := exec.Command("sh", "-c", line)
		cmd.Dir = folder
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
	if err := check(); err != nil {
		t.Errorf("the binary of a release is refused: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "kyrochat"), []byte("another program"), 0o600); err != nil {
		t.Fatal(err)
	}
	if check() == nil {
		t.Error("another binary is let through")
	}
}
