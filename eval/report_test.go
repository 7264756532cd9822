package eval

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sample is a report with a bit of everything.
func sample() *Report {
	ms := func(n int) *time.Duration { d := time.Duration(n) * time.Millisecond; return &d }
	topK := 8
	r := &run{
		set: &Set{Name: "guide.json"}, documents: make([]*stored, 2),
		info:    ServerInfo{"v1.2", Provider{"gemini", "m-1"}, Provider{"gemini", "e-1"}, "pinecone", "sqlite"},
		options: Options{Depth: 20, Concurrency: 4, TopK: &topK},
	}
	return newReport(r, 6, []Outcome{
		{Number: 1, Language: "en", Text: "When does the ferry leave?", Passages: 2,
			Search: &Searched{Ranks: []int{1, 7}, Took: 12 * time.Millisecond},
			Answer: &Answered{Completed: true, Said: "At nine [1].", Expected: true, Right: true, Grounding: "GROUNDED",
				Citations: []Citation{ValidCitation, WrongQuote}, CitedPassages: []bool{true, false}, FirstToken: ms(310), Total: *ms(1200), Tokens: &Tokens{900, 12}}},
		{Number: 2, Language: "es", Text: "¿Cuánto cuesta?\n\x1b[31m", Passages: 1,
			Search: &Searched{Ranks: []int{0}, Took: 9 * time.Millisecond},
			Answer: &Answered{Completed: true, Said: "No lo sé.", Expected: true, Grounding: "NOT_FOUND", Notices: []string{"LEXICAL_ONLY"},
				CitedPassages: []bool{false}, FirstToken: ms(290), Total: *ms(400), Tokens: &Tokens{700, 5}}},
		{Number: 3, Language: "en", Text: "Who owns it?", Unanswerable: true,
			Answer: &Answered{Completed: true, Said: "I do not know.", Grounding: "NOT_FOUND", FirstToken: ms(250), Total: *ms(300)}},
		{Number: 4, Language: "en", Text: "Who built it?", Unanswerable: true,
			Answer: &Answered{Error: "UPSTREAM_QUOTA"}},
		{Number: 5, Text: "And on Sundays?", FollowUp: true, Passages: 1,
			Answer: &Answered{Completed: true, Said: "At ten.", Expected: true, Grounding: "PARTIAL", CitedPassages: []bool{true}, FirstToken: ms(300), Total: *ms(900)}},
	})
}

func TestReport(t *testing.T) {
	t.Parallel()
	var table, doc bytes.Buffer
	if err := sample().WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	if err := sample().WriteJSON(&doc); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]byte{"report.txt": table.Bytes(), "report.json": doc.Bytes()} {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v; got\n%s", path, err, got)
		}
	}
}

// TestReportOfRetrievalAlone holds that what was not measured cannot be taken for a figure.
func TestReportOfRetrievalAlone(t *testing.T) {
	t.Parallel()
	r := &run{set: &Set{Name: "guide.json"}, options: Options{Depth: MinDepth, NoAnswers: true}}
	report := newReport(r, 1, []Outcome{{Number: 1, Unanswerable: true, Text: "Who?"}})
	var table, doc bytes.Buffer
	if err := report.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	if err := report.WriteJSON(&doc); err != nil {
		t.Fatal(err)
	}
	if got := table.String(); strings.Count(got, "not measured") != 2 || strings.Contains(got, "recall") || strings.Contains(got, "0.000") {
		t.Errorf("the table:\n%s", got)
	}
	if got := doc.String(); !strings.Contains(got, `"retrieval": null`) || !strings.Contains(got, `"answers": null`) {
		t.Errorf("the document:\n%s", got)
	}
}

func TestFloors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		floors string
		want   string
	}{
		{"recall1=0.33,completed=0.8,notFoundPrecision=0.5", ""},
		{"recall5=0.34", "recall5 is 0.3333, want 0.34"},
		{"right=0.4, citations=1", "right is 0.3333, want 0.4; citations is 0.5, want 1"},
		{"mrr10=0.5,recall10=0.7,cited=0.5,notFoundRecall=0.5", "recall10 is 0.6666, want 0.7"},
	} {
		floors, err := ParseFloors(c.floors, false)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(sample().Below(floors), "; "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.floors, got, c.want)
		}
	}
	floors, err := ParseFloors("citations=0", false)
	if err != nil {
		t.Fatal(err)
	}
	if got := (&Report{}).Below(floors); len(got) != 1 || got[0] != "citations was not measured, want 0" {
		t.Errorf("a figure that is not there: %q", got)
	}
	for _, wrong := range []string{"", "recall3=1", "recall5", "recall5=2", "recall5=-1", "recall5=NaN", "recall5=x", "recall5=1,"} {
		if _, err := ParseFloors(wrong, false); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
	if _, err := ParseFloors("recall5=1,citations=1", true); err == nil || !strings.Contains(err.Error(), "citations cannot be measured without answers") {
		t.Errorf("a floor of answers without answers: %v", err)
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	var l Latency
	for _, n := range []int{5, 1, 4, 2, 3} {
		l.times = append(l.times, time.Duration(n))
	}
	for p, want := range map[int]time.Duration{1: 1, 20: 1, 21: 2, 50: 3, 80: 4, 81: 5, 95: 5, 100: 5} {
		if got := l.Percentile(p); got != want {
			t.Errorf("p%d: got %d, want %d", p, got, want)
		}
	}
	if (Latency{}).Percentile(50) != 0 {
		t.Error("a percentile of nothing")
	}
}

func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := &progress{out: &out, terminal: true}
	p.begin("documents ready", 2)
	p.step()
	p.say("document %q waits", "a\x1b[31m")
	p.done()
	p.say("done")
	want := "\r\x1b[Kdocuments ready: 0 of 2\r\x1b[Kdocuments ready: 1 of 2\r\x1b[Kdocument \"a\\x1b[31m\" waits\n\r\x1b[Kdocuments ready: 1 of 2\ndone\n"
	if got := out.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
