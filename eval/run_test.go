package eval_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kyrochat/eval"
)

const harbour = "The ferry leaves at nine. A ticket costs 12 crowns."

const harbourSet = `{
	"documents": [
		{"id": "harbour", "title": "Harbour", "text": "` + harbour + `"},
		{"id": "pages", "title": "paged notes", "file": "notes.txt"}
	],
	"questions": [
		{"question": "When does it leave?", "language": "en", "passages": [{"document": "harbour", "text": "leaves at nine"}], "answers": ["nine"]},
		{"question": "What is a ticket?", "passages": [{"text": "costs 12 crowns"}], "answers": ["13", "12 crowns"]},
		{"question": "Who owns it?", "language": "en", "unanswerable": true},
		{"history": ["When does it leave?"], "question": "And on Sundays?", "answers": ["ten"]}
	]
}`

// written puts a set and the file of notes into a folder.
func written(t *testing.T, set string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{"set.json": set, "notes.txt": "Nothing of note."} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(folder, "set.json")
}

// answering is a server that finds and answers most of it.
func answering() *fakeServer {
	return &fakeServer{
		vectors: "embedded",
		search: func(query string) string {
			if strings.Contains(query, "ticket") { // found behind another, and not where it was ruled out
				return found(hit(1, 26, 51, "DUPLICATE"), hit(2, 0, 16, ""), hit(1, 26, 51, "OVER_BUDGET"))
			}
			return found(hit(1, 0, 25, ""), hit(1, 26, 51, ""))
		},
		answer: func(question string) ([]string, string) {
			text := map[string]string{
				"When does it leave?": "It leaves at nine [1].", "What is a ticket?": "12 crowns [1].", "Who owns it?": "I could not find it.",
				"And on Sundays?": "Never.",
			}[question]
			grounding, cited := "GROUNDED", ""
			switch question {
			case "When does it leave?":
				cited = `{"quote":"leaves at nine","charStart":10,"charEnd":24,"pageStart":null,"pageEnd":null,"documentVersion":1,"document":{"id":"doc_1"},"chunk":{"charStart":0,"charEnd":25}}`
			case "What is a ticket?": // the quote is not what stands there
				cited = `{"quote":"12 Crowns","charStart":41,"charEnd":50,"documentVersion":1,"document":{"id":"doc_1"},"chunk":null},
					{"quote":"Nothing","charStart":0,"charEnd":7,"pageStart":1,"pageEnd":1,"documentVersion":1,"document":{"id":"doc_2"},"chunk":null}`
			case "Who owns it?":
				grounding = "NOT_FOUND"
			}
			return streamed(text), `{"text":"` + text + `","status":"COMPLETED","grounding":"` + grounding + `","notices":["FILTERED"],"error":null,
				"usage":{"promptTokens":100,"outputTokens":7},"citations":[` + cited + `]}`
		},
	}
}

// ran is one evaluation against a fake server.
type ran struct {
	report  *eval.Report
	err     error
	screen  string
	settled int
}

func runEval(t *testing.T, ctx context.Context, f *fakeServer, set string, change func(*eval.Options), settled error) ran {
	t.Helper()
	loaded, err := eval.Load(written(t, set))
	if err != nil {
		t.Fatal(err)
	}
	o := eval.Options{Depth: eval.MinDepth, Concurrency: 1}
	if change != nil {
		change(&o)
	}
	var out ran
	var screen bytes.Buffer
	var folder string
	stopped := 0
	out.report, out.err = eval.Run(ctx, loaded, o, func(_ context.Context, dataDir string) (eval.Server, error) {
		folder = dataDir
		return eval.Server{
			URL:     f.start(t),
			Settled: func(context.Context, string) error { out.settled++; return settled },
			Stop:    func() error { stopped++; return nil },
		}, nil
	}, &screen)
	out.screen = screen.String()
	if _, err := os.Stat(folder); stopped != 1 || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the server was stopped %d times; its folder: %v", stopped, err)
	}
	if f.bot != nil && !slices.Equal(f.deleted, []string{"bot_1"}) {
		t.Errorf("deleted were the bots %q", f.deleted)
	}
	return out
}

func TestRun(t *testing.T) {
	t.Parallel()
	f := answering()
	got := runEval(t, t.Context(), f, harbourSet, nil, nil)
	if got.err != nil {
		t.Fatal(got.err)
	}
	all := got.report.All
	for name, c := range map[string]struct{ got, want any }{
		"recall@1":            {all.Recall[0], eval.Share{Part: 1, Of: 2}},
		"recall@5":            {all.Recall[1], eval.Share{Part: 2, Of: 2}},
		"MRR":                 {all.MRR, eval.Mean{Sum: 1.5, Of: 2}},
		"completed":           {all.Completed, eval.Share{Part: 4, Of: 4}},
		"right":               {all.Right, eval.Share{Part: 2, Of: 3}},
		"citations":           {all.Citations, eval.Share{Part: 2, Of: 3}},
		"wrong quotes":        {all.Invalid[eval.WrongQuote], 1},
		"cited passages":      {all.Cited, eval.Share{Part: 2, Of: 2}},
		"not-found precision": {all.Declined, eval.Share{Part: 1, Of: 1}},
		"not-found recall":    {all.NotFound, eval.Share{Part: 1, Of: 1}},
		"notices":             {all.Notices["FILTERED"], 4},
		"tokens":              {all.Tokens, eval.Tokens{Prompt: 400, Output: 28}},
		"first tokens":        {all.FirstToken.Of(), 4},
		"languages":           {len(got.report.Languages), 1},
		"questions in en":     {got.report.Languages[0].Questions, 2},
		"jobs waited for":     {got.settled, 0}, // all vectors go with the folder
	} {
		if c.got != c.want {
			t.Errorf("%s: got %v, want %v", name, c.got, c.want)
		}
	}
	var sent []string
	for _, in := range f.sent {
		sent = append(sent, in["text"].(string))
		if _, goesOn := in["conversationId"]; goesOn != (in["text"] == "And on Sundays?") {
			t.Errorf("sent %v", in)
		}
	}
	if want := "When does it leave? What is a ticket? Who owns it? When does it leave? And on Sundays?"; strings.Join(sent, " ") != want {
		t.Errorf("asked %q", sent)
	}
	for _, want := range []string{"waits: The quota is used up.", "documents ready: 2 of 2\n", "questions asked: 4 of 4\n"} {
		if !strings.Contains(got.screen, want) {
			t.Errorf("the screen has no %q:\n%s", want, got.screen)
		}
	}
}

func TestRunWithOptions(t *testing.T) {
	t.Parallel()
	f := answering()
	f.vectors = "pinecone"
	got := runEval(t, t.Context(), f, harbourSet, func(o *eval.Options) {
		topK, minScore, model := 7, 0.25, "other"
		o.NoAnswers, o.Limit, o.TopK, o.MinScore, o.Model = true, 3, &topK, &minScore, &model
	}, nil)
	if got.err != nil || len(got.report.Outcomes) != 3 || got.report.All.Asked != 0 || len(f.sent) != 0 {
		t.Errorf("%v; report %+v; sent %v", got.err, got.report, f.sent)
	}
	if f.bot["topK"] != 7.0 || f.bot["minScore"] != 0.25 || f.bot["model"] != "other" {
		t.Errorf("the bot was made with %v", f.bot)
	}
	if got.settled != 1 { // vectors elsewhere have to go
		t.Errorf("jobs were waited for %d times", got.settled)
	}
}

func TestRunTellsOfVectorsThatAreLeft(t *testing.T) {
	t.Parallel()
	f := answering()
	f.vectors = "pinecone"
	got := runEval(t, t.Context(), f, harbourSet, nil, errors.New("2 jobs not done in time"))
	if got.report == nil || got.err == nil || !strings.Contains(got.err.Error(), "the index (pinecone) may still hold vectors of this run: 2 jobs") {
		t.Errorf("report %v, error %v", got.report, got.err)
	}
}

// TestFailuresCountAsMissed holds that errors cannot make a figure better.
func TestFailuresCountAsMissed(t *testing.T) {
	t.Parallel()
	f := answering()
	f.search = func(string) string {
		return `{"errors":[{"message":"Later.","extensions":{"code":"UPSTREAM_QUOTA"}}],"data":null}`
	}
	answer := f.answer
	f.answer = func(question string) ([]string, string) {
		switch question {
		case "When does it leave?":
			return streamed("It leaves at nine"), `{"text":"It leaves at nine","status":"FAILED","grounding":null,"notices":[],"error":{"code":"UPSTREAM_FAILED"},"citations":[]}`
		case "Who owns it?":
			return []string{`{"messageStream":{"__typename":"MessageDelta","text":"Some"}}`}, "{}"
		}
		return answer(question)
	}
	got := runEval(t, t.Context(), f, harbourSet, nil, nil)
	if got.err != nil {
		t.Fatal(got.err)
	}
	all := got.report.All
	for name, c := range map[string]struct{ got, want any }{
		"recall@10":           {all.Recall[2], eval.Share{Part: 0, Of: 2}},
		"MRR":                 {all.MRR, eval.Mean{Sum: 0, Of: 2}},
		"search errors":       {all.SearchErrors["UPSTREAM_QUOTA"], 2},
		"search latency":      {all.SearchLatency.Of(), 0},
		"completed":           {all.Completed, eval.Share{Part: 2, Of: 4}},
		"right":               {all.Right, eval.Share{Part: 1, Of: 3}},
		"cited":               {all.Cited, eval.Share{Part: 1, Of: 2}},
		"not-found precision": {all.Declined, eval.Share{}},
		"not-found recall":    {all.NotFound, eval.Share{Part: 0, Of: 1}},
		"errors":              {all.Errors["UPSTREAM_FAILED"], 1},
		"cut":                 {all.Errors["CONNECTION"], 1},
		"totals":              {all.Total.Of(), 2},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %v, want %v", name, c.got, c.want)
		}
	}
}

func TestRunStops(t *testing.T) {
	t.Parallel()
	unknown := `{"errors":[{"message":"Cannot query field \"search\" on type \"Bot\".","extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}`
	for name, c := range map[string]struct {
		change func(*fakeServer)
		set    string
		want   string
	}{
		"without a search": {func(f *fakeServer) { f.search = func(string) string { return unknown } }, harbourSet,
			"retrieval cannot be measured, since the server does not search (Bot.search): Cannot query field"},
		"without a sign-up": {func(f *fakeServer) {
			f.refuse = map[string]string{"registerUser": `{"data":{"registerUser":{"accessToken":null,"errors":[{"code":"FORBIDDEN","message":"Closed."}]}}}`}
		}, harbourSet, "sign up: Closed. (FORBIDDEN)"},
		"a model that is none": {func(f *fakeServer) {
			f.refuse = map[string]string{"createBot": `{"data":{"createBot":{"bot":null,"errors":[{"code":"VALIDATION","message":"No such model."}]}}}`}
		}, harbourSet, "make a bot: No such model."},
		"a document that is not read": {func(f *fakeServer) { f.statuses = map[string]string{"paged notes": "NEEDS_OCR"} }, harbourSet,
			`document "pages": it is NEEDS_OCR: It is so.`},
		"a document that is refused": {func(f *fakeServer) {
			f.refuse = map[string]string{"uploadDocument": `{"data":{"uploadDocument":{"document":null,"errors":[{"code":"FILE_TOO_LARGE","message":"Too large."}]}}}`}
		}, harbourSet, `document "pages": Too large. (FILE_TOO_LARGE)`},
		"an excerpt with other punctuation": {nil, strings.Replace(harbourSet, `"leaves at nine"`, `"leaves, at nine"`, 1),
			`line 7: question 1: passage 1: "leaves, at nine" is not in document "harbour", as the server has read it`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := answering()
			if c.change != nil {
				c.change(f)
			}
			got := runEval(t, t.Context(), f, c.set, nil, nil)
			if got.report != nil || got.err == nil || !strings.Contains(got.err.Error(), c.want) {
				t.Errorf("report %v, error %v", got.report, got.err)
			}
		})
	}
}

// TestInterrupted holds that what was measured is reported, and nothing of what was under way.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]int{"before a question": 1, "in the middle": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f := answering()
			f.asking = func() {
				if len(f.questions)+1 == after {
					cancel()
				}
			}
			got := runEval(t, ctx, f, harbourSet, nil, nil)
			if after == 1 {
				if got.report != nil || got.err == nil || got.err.Error() != "interrupted before a question was asked" {
					t.Errorf("report %v, error %v", got.report, got.err)
				}
				return
			}
			if got.report == nil || len(got.report.Outcomes) != 2 || got.report.Chosen != 4 || len(got.report.All.Errors) != 0 ||
				got.err == nil || got.err.Error() != "interrupted after 2 of 4 questions" {
				t.Fatalf("report %+v, error %v", got.report, got.err)
			}
			var table bytes.Buffer
			if err := got.report.WriteTable(&table); err != nil || !strings.Contains(table.String(), "NOT COMPLETE: 2 of 4 questions were asked") {
				t.Errorf("%v:\n%s", err, table.String())
			}
		})
	}
}
