package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"kyrochat/text"
)

// report is what was found, as it is printed.
type report struct {
	Version  string
	findings []finding
	began    time.Time
}

func (r *report) add(f finding) { r.findings = append(r.findings, f) }

// begin prints a head, and gives what prints each finding.
func (r *report) begin(out io.Writer, p *patient) func(finding) error {
	r.began = time.Now()
	_, err := fmt.Fprintf(out, "KyroChat %s, %s, role %s, data in %s\n\n", r.Version, pick(p.cfg.Production, "production", "development"),
		p.cfg.Role, text.Printable(p.cfg.DataDir))
	return func(f finding) error {
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
func (f finding) lines() string {
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

// broken breaks a text into lines.
func broken(text string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
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

// counts says how many findings are of each severity.
func (r *report) counts() map[Severity]int {
	n := map[Severity]int{}
	for _, s := range severities {
		n[s] = 0
	}
	for _, f := range r.findings {
		n[f.Status]++
	}
	return n
}

// end prints the sum, or everything as JSON.
func (r *report) end(out io.Writer, asJSON bool) error {
	if asJSON {
		return r.json(out)
	}
	n := r.counts()
	conclusion := map[Severity]string{
		Fine:   "All is well.",
		Noted:  "All is well; see the notes.",
		Warned: "A server works here. See the warnings.",
		Failed: "Mend the failures first: with them a server does not start, or not do all of its work.",
	}[worst(r.findings)]
	_, err := fmt.Fprintf(out, "\n%s, %s, %s, %d fine, in %.1f s. %s\n", text.Plural(n[Failed], "failure"), text.Plural(n[Warned], "warning"),
		text.Plural(n[Noted], "note"), n[Fine], time.Since(r.began).Seconds(), conclusion)
	return err
}

// ReportJSON is the form of -json. docs/doctor.md promises it.
type ReportJSON struct {
	Version  string           `json:"version"`
	Status   Severity         `json:"status"`
	Counts   map[Severity]int `json:"counts"`
	Findings []FindingJSON    `json:"findings"`
}

// FindingJSON is one finding of it.
type FindingJSON struct {
	Check  string   `json:"check"`
	Status Severity `json:"status"`
	Found  string   `json:"found"`
	Mend   string   `json:"mend"`
	Took   int64    `json:"took"` // milliseconds
}

func (r *report) json(out io.Writer) error {
	form := ReportJSON{Version: r.Version, Status: worst(r.findings), Counts: r.counts(), Findings: make([]FindingJSON, len(r.findings))}
	for i, f := range r.findings {
		form.Findings[i] = FindingJSON{f.Check, f.Status, f.Found, f.Mend, f.took.Milliseconds()}
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(form)
}

// exitStatus is what the process ends with.
func (r *report) exitStatus(lenient bool) int {
	switch worst(r.findings) {
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
