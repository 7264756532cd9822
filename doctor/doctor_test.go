package doctor

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"kyrochat/internal/envtest"
)

// wantPossible sees that a finding is one that its check may find, and that it says what to do where something is wrong.
func wantPossible(t *testing.T, f Finding) {
	t.Helper()
	i := slices.IndexFunc(checks, func(c check) bool { return c.name == f.Check })
	if i < 0 {
		t.Errorf("there is no check %q", f.Check)
		return
	}
	skipped := f.Status == Noted && strings.HasPrefix(f.Found, "Not looked at: ")
	if f.Status != Fine && !skipped && !slices.Contains(checks[i].may, f.Status) {
		t.Errorf("%s is not known to find %s: %s", f.Check, f.Status, f.Found)
	}
	if (f.Status == Warned || f.Status == Failed) && strings.TrimSpace(f.Mend) == "" {
		t.Errorf("%s does not say what to do: %s", f.Check, f.Found)
	}
	if f.Found == "" || strings.Contains(f.Found+f.Mend, "%!") {
		t.Errorf("%s: %q, %q", f.Check, f.Found, f.Mend)
	}
}

// wantVerdict sees that the worst of findings is of that severity and says all the words.
func wantVerdict(t *testing.T, check, name string, found []Finding, status Severity, words ...string) {
	t.Helper()
	if len(found) == 0 {
		t.Errorf("%s: nothing was found", name)
		return
	}
	for i := range found {
		found[i].Check = check
		wantPossible(t, found[i])
	}
	if got := worst(found); got != status {
		t.Errorf("%s: %s, want %s: %+v", name, got, status, found)
	}
	all := ""
	for _, f := range found {
		all += f.Found + "\n" + f.Mend + "\n"
	}
	for _, word := range words {
		if !strings.Contains(all, word) {
			t.Errorf("%s: %q is not in %s", name, word, all)
		}
	}
}

// TestMemoryOfControlGroups reads what both versions of control groups have in their files.
func TestMemoryOfControlGroups(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		groups string
		files  map[string]string
		limit  uint64
		known  bool
	}{
		"version 2":             {"0::/system.slice/kyro.service\n", map[string]string{"system.slice/kyro.service/memory.max": "268435456\n", "system.slice/memory.max": "max\n"}, 256 << 20, true},
		"version 2, from above": {"0::/a/b\n", map[string]string{"a/b/memory.max": "max\n", "a/memory.max": "1048576\n"}, 1 << 20, true},
		"version 2, none":       {"0::/a\n", map[string]string{"a/memory.max": "max\n"}, 0, false},
		"version 1":             {"5:cpu,cpuacct:/x\n4:memory:/docker/1\n", map[string]string{"memory/docker/1/memory.limit_in_bytes": "536870912\n"}, 512 << 20, true},
		"version 1, none":       {"4:memory:/\n", map[string]string{"memory/memory.limit_in_bytes": "9223372036854771712\n"}, 0, false},
		"a container":           {"0::/\n", map[string]string{"memory.max": "1073741824\n"}, 1 << 30, true},
		"nothing":               {"", nil, 0, false},
	} {
		root := t.TempDir()
		for path, text := range c.files {
			path = filepath.Join(root, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if limit, known := cgroupMemory(envtest.File(t, c.groups, 0o600), root); limit != c.limit || known != c.known {
			t.Errorf("%s: %d, %v", name, limit, known)
		}
	}
}

// TestTheFormOfJSON holds it against what docs/doctor.md promises.
func TestTheFormOfJSON(t *testing.T) {
	t.Parallel()
	r := newReport("v1.2.3")
	for _, f := range []Finding{ok("All <is> well."), note("To be known.", ""), warn("Not so well.", "Do this:\n  chmod 700 /data")} {
		f.Check, f.Took = "data-folder", 1
		r.add(f)
	}
	var out bytes.Buffer
	if err := r.end(&out, true); err != nil {
		t.Fatal(err)
	}
	manual, err := os.ReadFile("../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(manual), "```json elsewhere=TestTheFormOfJSON\n"+out.String()+"```\n") {
		t.Errorf("docs/doctor.md shows another form than\n%s", out.String())
	}
}

// TestWhatTheDoctorFindsIsDocumented holds the table of docs/doctor.md against the checks: all severities of each, and no
// others.
func TestWhatTheDoctorFindsIsDocumented(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile("../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	var told, want []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| (NOTE|WARN|FAIL) \\| [^|]+ \\| [^|]+ \\|$").FindAllStringSubmatch(string(manual), -1) {
		told = append(told, row[1]+" "+row[2])
	}
	for _, c := range checks {
		if !slices.Contains(c.may, c.silent) {
			t.Errorf("%s is %s where nothing is heard, which it is not known to find", c.name, c.silent)
		}
		for _, s := range severities {
			if slices.Contains(c.may, s) {
				want = append(want, c.name+" "+string(s))
			}
		}
	}
	if !slices.Equal(told, want) {
		t.Errorf("docs/doctor.md has\n%s\nand the checks find\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
}

// TestLinesForPeople: what is to be pasted is on lines of its own, however long.
func TestLinesForPeople(t *testing.T) {
	t.Parallel()
	long := "  echo " + strings.Repeat("word ", 40) + "end"
	f := warn(strings.Repeat("Some words that are told. ", 8), "Do this:\n"+long)
	f.Check = "data-folder"
	lines := strings.Split(strings.TrimSpace(f.lines()), "\n")
	if len(lines) != 5 || !strings.HasPrefix(lines[0], "WARN  data-folder ") || strings.TrimSpace(lines[3]) != "-> Do this:" || strings.TrimSpace(lines[4]) != strings.TrimSpace(long) {
		t.Errorf("%q", lines)
	}
	for _, line := range lines[:3] {
		if len(line) > lineWidth {
			t.Errorf("%d letters in %q", len(line), line)
		}
	}
	if hidden := ok("a\x1b[2Jb\nc"); hidden.lines() != fmt.Sprintf("OK    %-21s a[2Jb c\n", "") {
		t.Errorf("%q", hidden.lines())
	}
}

// TestTheWayToAFinding: messages of this house say what is wrong, and then what to do.
func TestTheWayToAFinding(t *testing.T) {
	t.Parallel()
	for message, want := range map[string][2]string{
		`is "x": use one of a, b`:                          {`Is "x".`, "Use one of a, b."},
		"is set, and so is B: unset one of them":           {"Is set, and so is B.", "Unset one of them."},
		"must be at most 35s: a job's turn ends after 45s": {"Must be at most 35s: a job's turn ends after 45s.", ""},
		"the index a has 3 dimensions: set B to 3, or":     {"The index a has 3 dimensions.", "Set B to 3, or."},
	} {
		if found, mend := parted(message); found != want[0] || mend != want[1] {
			t.Errorf("%s: %q, %q", message, found, mend)
		}
	}
	for addr, own := range map[string]bool{"127.0.0.1:1": true, "localhost:1": true, ":1": false, "0.0.0.0:1": false, netip.MustParseAddr("10.0.0.1").String() + ":1": false} {
		if isOwnHost(addr) != own {
			t.Errorf("%s", addr)
		}
	}
}
