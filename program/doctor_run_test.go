package program

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"kyrochat/command"
	"kyrochat/doctor"
	"kyrochat/internal/envtest"
)

// doctored runs the doctor with the settings, which are its whole environment.
func doctored(t *testing.T, settings map[string]string, args ...string) (out string, status int) {
	t.Helper()
	var environ []string
	for name, value := range settings {
		environ = append(environ, name+"="+value)
	}
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), append([]string{"doctor"}, args...), envtest.Of(settings), environ, strings.NewReader(""), &stdout, &stderr)
	if err != nil {
		status = command.Status(err)
	}
	if stderr.Len() > 0 {
		t.Errorf("on standard error: %s", stderr.String())
	}
	return stdout.String(), status
}

// diagnosedReport is what the doctor found, as its JSON has it.
type diagnosedReport struct{ doctor.Report }

// diagnosed runs the doctor and reads its JSON. Whatever it finds must be in its manual.
func diagnosed(t *testing.T, settings map[string]string, args ...string) (diagnosedReport, int) {
	t.Helper()
	out, status := doctored(t, settings, append(args, "-json")...)
	var r diagnosedReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	for _, f := range r.Findings {
		skipped := f.Status == doctor.Noted && strings.HasPrefix(f.Found, "Not looked at: ")
		if f.Status != doctor.Fine && !skipped && !slices.Contains(doctorsManual(), f.Check+" "+string(f.Status)) {
			t.Errorf("%s is not known to find %s: %s", f.Check, f.Status, f.Found)
		}
		if (f.Status == doctor.Warned || f.Status == doctor.Failed) && strings.TrimSpace(f.Mend) == "" {
			t.Errorf("%s does not say what to do: %s", f.Check, f.Found)
		}
		if f.Found == "" || strings.Contains(f.Found+f.Mend, "%!") {
			t.Errorf("%s: %q, %q", f.Check, f.Found, f.Mend)
		}
	}
	return r, status
}

// doctorsManual has what each check may find, in the order in which they are made.
var doctorsManual = sync.OnceValue(func() (list []string) {
	manual, err := os.ReadFile("docs/doctor.md")
	if err != nil {
		panic(err)
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| (NOTE|WARN|FAIL) \\|").FindAllStringSubmatch(string(manual), -1) {
		list = append(list, row[1]+" "+row[2])
	}
	return list
})

// of gives what a check found, and fails where it found nothing.
func (r diagnosedReport) of(t *testing.T, check string) []doctor.Finding {
	t.Helper()
	var found []doctor.Finding
	for _, f := range r.Findings {
		if f.Check == check {
			found = append(found, f)
		}
	}
	if len(found) == 0 {
		t.Fatalf("nothing of %s in %+v", check, r.Findings)
	}
	return found
}

// want sees that a check found something of that severity, which says all the words, in what was found or is to be done.
func (r diagnosedReport) want(t *testing.T, check string, status doctor.Severity, words ...string) {
	t.Helper()
	found := r.of(t, check)
	for _, f := range found {
		if f.Status == status && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(f.Found+"\n"+f.Mend, w) }) {
			return
		}
	}
	t.Errorf("%s: want %s with %q, found %+v", check, status, words, found)
}
