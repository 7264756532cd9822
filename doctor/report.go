package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"kyrochat/text"
)

// Report is what was found, in the form of -json, which docs/doctor.md promises.
type Report struct {
	Version  string           `json:"version"`
	Status   Severity         `json:"status"` // the worst of all
	Counts   map[Severity]int `json:"counts"` // of all severities
	Findings []Finding        `json:"findings"`

	began time.Time
}

func newReport(version string) *Report {
	r := &Report{Version: version, Status: Fine, Counts: map[Severity]int{}, Findings: []Finding{}, began: time.Now()}
	for _, s := range severities {
		r.Counts[s] = 0
	}
	return r
}

func (r *Report) add(f Finding) {
	r.Findings = append(r.Findings, f)
	r.Counts[f.Status]++
	r.Status = worst(r.Findings)
}

// begin prints a head, and gives what prints each finding.
func (r *Report) begin(out io.Writer, p *patient) func(Finding) error {
	_, err := fmt.Fprintf(out, "KyroChat %s, %s, role %s, data in %s\n\n", r.Version, pick(p.cfg.Production, "production", "development"),
		p.cfg.Role, text.Printable(p.cfg.DataDir))
	return func(f Finding) error {
		if err == nil {
			_, err = io.WriteString(out, f.lines())
		}
		return err
	}
}

const (
	checkWidth = 21
	lineWidth  = 100
)

// lines is a finding for people. What is to be pasted is on lines of its own, which are not broken.
func (f Finding) lines() string {
	var b strings.Builder
	indent := strings.Repeat(" ", len("FAIL  ")+checkWidth+1)
	fmt.Fprintf(&b, "%-5s %-*s ", f.Status, checkWidth, f.Check)
	b.WriteString(strings.Join(broken(text.Printable(f.Found), lineWidth-len(indent)), "\n"+indent) + "\n")
	for i, line := range strings.Split(f.Mend, "\n") {
		if f.Mend == "" {
			break
		}
		b.WriteString(indent + pick(i == 0, "-> ", "   "))
		if isCommand(line) {
			b.WriteString(text.Printable(strings.TrimSpace(line)) + "\n")
			continue
		}
		b.WriteString(strings.Join(broken(text.Printable(line), lineWidth-len(indent)-3), "\n"+indent+"   ") + "\n")
	}
	return b.String()
}

// isCommand reports a line that is to be pasted: those are indented in a mend.
func isCommand(line string) bool { return strings.HasPrefix(line, "  ") }

// broken breaks what is said into lines.
func broken(said string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(said) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// end prints the sum, or everything as JSON.
func (r *Report) end(out io.Writer, asJSON bool) error {
	if asJSON {
		return r.json(out)
	}
	n := r.Counts
	conclusion := map[Severity]string{
		Fine:   "All is well.",
		Noted:  "All is well; see the notes.",
		Warned: "A server works here. See the warnings.",
		Failed: "Mend the failures first: with them a server does not start, or not do all of its work.",
	}[r.Status]
	_, err := fmt.Fprintf(out, "\n%s, %s, %s, %d fine, in %.1f s. %s\n", text.Plural(n[Failed], "failure"), text.Plural(n[Warned], "warning"),
		text.Plural(n[Noted], "note"), n[Fine], time.Since(r.began).Seconds(), conclusion)
	return err
}

func (r *Report) json(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// exitStatus is what the process ends with.
func (r *Report) exitStatus(lenient bool) int {
	switch r.Status {
	case Failed:
		return 2
	case Warned:
		return pick(lenient, 0, 1)
	}
	return 0
}

// pick is one of two.
func pick[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}
