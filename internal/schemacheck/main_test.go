package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestTheContractIsComparedWithTheParent commits one contract after another, as people do.
func TestTheContractIsComparedWithTheParent(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_SYSTEM": os.DevNull,
		"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com",
	} {
		t.Setenv(name, value)
	}
	git := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v: %s", args, err, out)
		}
	}
	const gone = "111cb66000000000000000000000000000000000"
	git("init", "--quiet")
	for _, step := range []struct{ field, message, want string }{
		{`"A." a: Int "B." b: Int "C." c: Int`, "Begin", ""},
		{`"A." a: Int "B." b: Int "C." c: Int "D." d: Int`, "Add d", ""},
		{`"A." a: Int "B." b: Int "C." c: Int`, "Drop d", "Query.d is gone"},
		{`"A." a: Int "B." b: Int`, "Drop c\n\nBREAKING CHANGE: c was never filled.", ""},
		{`"A." a: Int "B." b: Int`, "Rest", ""},
		{`"A." a: Int b: Int`, "Say nothing of b", "Query.b"},
	} {
		if err := os.WriteFile(contract, []byte(`"What can be asked." type Query { `+step.field+` }`), 0o600); err != nil {
			t.Fatal(err)
		}
		git("add", contract)
		git("commit", "--quiet", "--allow-empty", "--message", step.message)
		if _, err := check(""); (err == nil) != (step.want == "") || err != nil && !strings.Contains(err.Error(), step.want) {
			t.Errorf("%s: %v, want %q", step.message, err, step.want)
		}
	}
	git("checkout", "--quiet", "HEAD~1")
	if report, err := check("HEAD~4"); err != nil || !strings.Contains(report, "Query.c is gone") {
		t.Errorf("since the beginning: %s, %v", report, err)
	}
	if _, err := check("nowhere"); err == nil {
		t.Error("compared with a commit that is not there")
	}

	// What a push tells: zeros for what is new, and after a forced one a commit that was thrown away.
	git("checkout", "--quiet", "HEAD~2") // drops d
	for _, c := range []struct{ base, want, note string }{
		{strings.Repeat("0", 40), "breaks since HEAD~1;", ""},
		{strings.Repeat("0", 64), "breaks since HEAD~1;", ""},
		{gone, "breaks since HEAD~1 ", "there is no commit " + gone + " in this clone"},
	} {
		_, err := check(c.base)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.note) || !strings.Contains(err.Error(), "Query.d is gone") {
			t.Errorf("since %s: %v", c.base, err)
		}
	}
	git("checkout", "--quiet", "HEAD~2") // the beginning
	for base, note := range map[string]string{strings.Repeat("0", 40): "", gone: gone} {
		if report, err := check(base); err != nil || !strings.Contains(report, "no parent to compare with") || !strings.Contains(report, note) {
			t.Errorf("since %s, without a parent: %s, %v", base, report, err)
		}
	}
}
