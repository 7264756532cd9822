package program

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kyrochat/command"
	"kyrochat/config"
	"kyrochat/eval"
	"kyrochat/internal/envtest"
	"kyrochat/internal/gemini"
	"kyrochat/internal/pinecone"
	"kyrochat/internal/racetest"
	"kyrochat/internal/retrievalset"
)

func TestEvalArguments(t *testing.T) {
	t.Parallel()
	const file = "examples/eval/eval.json"
	broken := filepath.Join(t.TempDir(), "broken.json")
	if err := os.WriteFile(broken, []byte("{\n\"questions\": [{}]}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string // in the error
	}{
		{nil, "name one file"},
		{[]string{file, file}, "name one file"},
		{[]string{"-what", file}, "-what"},
		{[]string{file, "-k", "9"}, "from 10 to 50"},
		{[]string{file, "-k", "x"}, "from 10 to 50"},
		{[]string{file, "-concurrency", "0"}, "from 1 to 64"},
		{[]string{file, "-limit", "0"}, "whole number"},
		{[]string{file, "-top-k", "21"}, "from 1 to 20"},
		{[]string{file, "-min-score", "1.1"}, "from -1 to 1"},
		{[]string{file, "-fail-under", "recall3=1"}, `there is no figure "recall3"`},
		{[]string{file, "-fail-under", "right=1", "-no-answers"}, "right cannot be measured without answers"},
		{[]string{file, "-json", filepath.Join(t.TempDir(), "none", "report.json")}, "there is no folder"},
		{[]string{filepath.Join(t.TempDir(), "none.json")}, "there is no file"},
		{[]string{broken}, "broken.json:2: question 1: it needs a question"},
	} {
		err := evaluate(t.Context(), c.args, io.Discard, io.Discard, func(context.Context, string) (eval.Server, error) {
			t.Errorf("%q: a server was started", c.args)
			return eval.Server{}, errors.New("no")
		})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.args, err, c.want)
		}
	}
	var out bytes.Buffer
	if err := evaluate(t.Context(), []string{"-h"}, &out, io.Discard, nil); err != nil || out.String() != evalUsage {
		t.Errorf("-h: %v, %q", err, out.String())
	}
	if err := evaluate(t.Context(), nil, io.Discard, io.Discard, nil); command.Status(err) != 2 {
		t.Errorf("a line without a file ends with %d", command.Status(err))
	}
}

// ofTheProcess are the settings that an evaluation takes from the environment: who answers and what is asked of them, how documents are
// read, and the limits of answers. A new setting has to be decided on.
var ofTheProcess = strings.Fields(`GEMINI_API_KEY GEMINI_API_KEY_FILE KYRO_ANSWER_FIRST_BYTE_TIMEOUT KYRO_ANSWER_HEARTBEAT KYRO_ANSWER_IDLE_TIMEOUT
	KYRO_ANSWER_LEASE KYRO_ANSWER_RESTART KYRO_ANSWER_SWEEP KYRO_ANSWER_TIMEOUT KYRO_CURRENCY KYRO_EMBEDDING_DIMS KYRO_EMBEDDING_MODEL
	KYRO_EXTRACT_TIMEOUT KYRO_FETCH_AGENT KYRO_FETCH_ALLOW KYRO_FETCH_DELAY KYRO_FETCH_DNS KYRO_FETCH_MAX_BYTES KYRO_FETCH_TIMEOUT
	KYRO_GAP_SIMILARITY KYRO_GEMINI_MODEL KYRO_GEMINI_URL KYRO_INGEST_WINDOW KYRO_INGEST_WORKERS KYRO_MAX_CHUNKS KYRO_MAX_EXTRACTED_BYTES
	KYRO_MAX_MESSAGE_CHARS KYRO_MAX_PDF_PAGES KYRO_MAX_QUEUED_CONVERSATIONS KYRO_MAX_RUNNING_ANSWERS KYRO_MAX_TEXT_CHARS
	KYRO_MAX_UPLOAD_BYTES KYRO_MAX_WAITING_MESSAGES KYRO_OFFLINE_FALLBACK KYRO_OFFLINE_PACE KYRO_PINECONE_CONTROL_URL KYRO_PINECONE_HOST
	KYRO_PINECONE_INDEX KYRO_PRICES KYRO_PROMPT_HISTORY_TOKENS KYRO_PROMPT_PASSAGE_TOKENS KYRO_RECONCILE_EVERY KYRO_REFRESH_EVERY
	KYRO_VECTOR_TIMEOUT PINECONE_API_KEY PINECONE_API_KEY_FILE`)

// TestEvalHasSettingsOfItsOwn holds that an evaluation gets nowhere near what a server keeps, and everything that says
// how it answers.
func TestEvalHasSettingsOfItsOwn(t *testing.T) {
	t.Parallel()
	env := evalEnv(func(string) string { return "as the server has it" }, "/tmp/x")
	for _, name := range config.Names() {
		want := slices.Contains(ofTheProcess, name)
		if got := env(name); (got == "as the server has it") != want || name == "KYRO_DATA_DIR" && got != "/tmp/x" {
			t.Errorf("%s is %q", name, got)
		}
	}
}

// TestEvalTakesNoCredentialsButKeys: where the service manager gives the secrets of the server that serves, neither an evaluation nor a
// demo uses any of them but the keys of who answers.
func TestEvalTakesNoCredentialsButKeys(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, name := range config.SecretSettings {
		if err := os.WriteFile(filepath.Join(folder, "kyrochat_"+name), []byte("of-the-server"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	serving := envtest.Of(map[string]string{"CREDENTIALS_DIRECTORY": folder, "KYRO_PINECONE_INDEX": "kyrochat"})
	cfg, err := config.Read(evalEnv(serving, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.DatabaseURL+cfg.RedisURL+cfg.Mail.SMTPURL+cfg.Storage.Bucket.SecretKey != "" || len(cfg.Secrets) > 0 || len(cfg.Traces.Headers) > 0 {
		t.Error("an evaluation has the server's secrets")
	}
	if cfg.Providers.GeminiKey != "of-the-server" || keyFile(serving, "GEMINI_API_KEY_FILE") == "" {
		t.Error("an evaluation has no key of Gemini")
	}
	if named := envtest.Of(map[string]string{"CREDENTIALS_DIRECTORY": folder, "GEMINI_API_KEY": "another"}); keyFile(named, "GEMINI_API_KEY_FILE") != "" {
		t.Error("a key that is set does not go before the credential")
	}
}

type figures = map[string]any

// evaluated is what the tests look at of a report.
type evaluated struct {
	Complete  bool
	Figures   figures
	Languages map[string]figures
}

// runEvaluate runs the command on a server of its own.
func runEvaluate(t *testing.T, args ...string) (table string, report evaluated, err error) {
	t.Helper()
	var out, errOut bytes.Buffer
	err = evaluate(t.Context(), append(args, "-json", "-"), &out, &errOut, evalServer(envtest.Of(unhurried), &errOut))
	if e := json.Unmarshal(out.Bytes(), &report); e != nil || !report.Complete {
		t.Fatalf("%v; %v; complete: %v; printed:\n%s\n%s", err, e, report.Complete, out.String(), errOut.String())
	}
	return errOut.String(), report, err
}

// figure is one of the figures of a report, as "part/of".
func figure(f figures, part, name string) string {
	one := f[part].(figures)[name].(figures)
	return fmt.Sprint(one["part"], "/", one["of"])
}

// share is the value of one of the figures.
func share(f figures, part, name string) float64 {
	return f[part].(figures)[name].(figures)["value"].(float64)
}

// TestEvalExample runs the example from end to end, with the offline providers.
func TestEvalExample(t *testing.T) {
	t.Parallel()
	table, report, err := runEvaluate(t, "examples/eval/eval.json", "-fail-under", "recall5=1,completed=1,citations=1,right=0.9")
	if err != nil {
		t.Errorf("%v; printed:\n%s", err, table)
	}
	for name, want := range map[string]string{
		"retrieval recall5": "8/8", "answers completed": "12/12", "answers citations": "10/10", "answers cited": "9/9", "answers right": "9/9",
		"answers notFoundPrecision": "2/2", "answers notFoundRecall": "2/3",
	} {
		part, name, _ := strings.Cut(name, " ")
		if got := figure(report.Figures, part, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	for _, want := range []string{"3 documents, 12 questions", "offline (kyro-extractive-1)", "follow-ups left out", "question 12, "} {
		if !strings.Contains(table, want) {
			t.Errorf("the table has no %q:\n%s", want, table)
		}
	}
	_, _, err = runEvaluate(t, "examples/eval/eval.json", "-no-answers", "-limit", "2", "-fail-under", "recall1=1,mrr10=1")
	if err != nil {
		t.Error(err)
	}
	_, _, err = runEvaluate(t, "examples/eval/eval.json", "-fail-under", "notFoundRecall=0.7")
	if err == nil || !strings.Contains(err.Error(), "notFoundRecall is 0.6666, want 0.7") {
		t.Errorf("a floor that is not reached: %v", err)
	}
}

// TestEvalOfAPDF holds that citations of a document with pages are checked with their pages.
func TestEvalOfAPDF(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	pdf := newPDF(t, "The lighthouse of Varn has 212 steps.", "The keeper feeds the goats at noon.", "The lamp was lit for the first time in 1874.")
	set := `{"documents": [{"id": "varn", "file": "varn.pdf"}], "questions": [
		{"question": "How many steps has the lighthouse?", "passages": [{"document": "varn", "text": "has 212 steps"}], "answers": ["212"]},
		{"question": "When was the lamp lit for the first time?", "passages": [{"document": "varn", "text": "in 1874"}], "answers": ["1874"]}]}`
	for name, content := range map[string][]byte{"varn.pdf": pdf, "set.json": []byte(set)} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	table, report, err := runEvaluate(t, filepath.Join(folder, "set.json"), "-fail-under", "recall10=1,right=1,citations=1,cited=1")
	if err != nil || figure(report.Figures, "answers", "right") != "2/2" {
		t.Errorf("%v; printed:\n%s", err, table)
	}
}

// TestEvalOfTheRetrievalSet measures through the API what TestRetrievalQuality measures from inside: it must give the
// figures of docs/architecture.md, for the questions that words can find.
func TestEvalOfTheRetrievalSet(t *testing.T) {
	t.Parallel()
	set, err := retrievalset.Load()
	if err != nil {
		t.Fatal(err)
	}
	type object = map[string]any
	var documents, questions []object
	texts := map[string]string{}
	// With the race detector a third of it has to do.
	asked := func(language string) bool { return !racetest.On() || language == "en" }
	for _, p := range set.Paragraphs {
		if !asked(p.Language) {
			continue
		}
		documents = append(documents, object{"id": p.ID, "title": p.Title, "text": p.Text})
		texts[p.ID] = p.Text
	}
	for _, q := range set.Questions {
		if asked(q.Language) && (q.Group == retrievalset.Words || q.Group == retrievalset.Names) {
			questions = append(questions, object{
				"question": q.Text, "language": q.Group, "answers": []string{q.Answer},
				"passages": []object{{"document": q.Paragraph, "text": texts[q.Paragraph]}},
			})
		}
	}
	raw, err := json.Marshal(object{"documents": documents, "questions": questions})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "set.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	table, report, err := runEvaluate(t, path, "-no-answers", "-concurrency", "8", "-fail-under", "recall5=0.99")
	if err != nil {
		t.Errorf("%v; printed:\n%s", err, table)
	}
	for _, c := range []struct {
		group         retrievalset.Group
		first, within float64
	}{{retrievalset.Words, 0.98, 0.99}, {retrievalset.Names, 0.87, 0.99}} {
		group := report.Languages[string(c.group)]
		first, within := share(group, "retrieval", "recall1"), share(group, "retrieval", "recall5")
		t.Logf("%s: recall@1 %.3f, recall@5 %.3f", c.group, first, within)
		if first < c.first || within < c.within {
			t.Errorf("%s: recall@1 is %.3f, want %.2f; recall@5 is %.3f, want %.2f", c.group, first, c.first, within, c.within)
		}
	}
}

// TestEvalWaitsForTheRemoval holds that a server counts as settled only when its deletes are done.
func TestEvalWaitsForTheRemoval(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p := s.signUp(t)
	bot := p.newBot()
	r := p.must(`mutation($b: ID!) { addTextDocument(input: {botId: $b, title: "T", text: "The ferry leaves at nine."}) { document { id } errors { code message } } }`, vars{"b": bot})
	if err := p.follow(`subscription($d: ID!) { documentProgress(documentId: $d) { status } }`, vars{"d": r.text("addTextDocument.document.id")},
		func(*reply) bool { return true }); err != nil {
		t.Fatal(err)
	}
	p.must(`mutation($b: ID!) { deleteBot(input: {botId: $b}) { deletedId errors { code message } } }`, vars{"b": bot})
	if err := s.app.settled(ctx); err != nil {
		t.Fatal(err)
	}
	left := 0
	if err := s.app.pools.SQLite.QueryRowContext(ctx, "SELECT count(*) FROM chunks").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d chunks are left (%v)", left, err)
	}
	over, end := context.WithCancel(t.Context())
	end()
	if err := s.app.settled(over); err == nil || !strings.Contains(err.Error(), "were not done in time") {
		t.Errorf("without time: %v", err)
	}
}

// TestEvalLeavesNothingInAnIndex runs the example with Gemini and Pinecone: neither vectors nor a namespace are left.
func TestEvalLeavesNothingInAnIndex(t *testing.T) {
	t.Parallel()
	writes := gemini.Start(t, gemini.Options{})
	finds, err := pinecone.Start(pinecone.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = finds.Close() })
	env := map[string]string{
		"GEMINI_API_KEY": writes.Key, "KYRO_GEMINI_URL": writes.URL,
		"PINECONE_API_KEY": finds.APIKey, "KYRO_PINECONE_INDEX": finds.Index, "KYRO_PINECONE_CONTROL_URL": finds.ControlURL,
		"KYRO_PINECONE_NAMESPACE": "shared", // which an evaluation has no use for
		"KYRO_VECTOR_TIMEOUT":     unhurried["KYRO_VECTOR_TIMEOUT"],
	}
	var out, errOut bytes.Buffer
	err = evaluate(t.Context(), []string{"examples/eval/eval.json", "-fail-under", "recall5=1,citations=1,completed=1"}, &out, &errOut,
		evalServer(envtest.Of(env), &errOut))
	if err != nil {
		t.Fatalf("%v; printed:\n%s\n%s", err, out.String(), errOut.String())
	}
	if len(finds.Records()) > 0 {
		t.Errorf("%d vectors are left", len(finds.Records()))
	}
	made, deleted := map[string]bool{}, map[string]bool{}
	for _, c := range finds.Calls("Upsert") {
		made[c.Namespace] = true
	}
	for _, c := range finds.Calls("DeleteNamespace") {
		deleted[c.Namespace] = true
	}
	if len(made) == 0 || !maps.Equal(made, deleted) {
		t.Errorf("made were the namespaces %v, deleted %v", made, deleted)
	}
}

// TestEvalOfTheCorpus holds what docs/ingestion.md tells of the files by real producers: they are read, cut and found, in
// all their formats and languages.
func TestEvalOfTheCorpus(t *testing.T) {
	t.Parallel()
	table, report, err := runEvaluate(t, "ingest/extract/testdata/corpus/questions.json", "-no-answers", "-fail-under", "recall1=0.91,recall5=0.95,recall10=0.97,mrr10=0.93")
	if err != nil || !strings.HasSuffix(figure(report.Figures, "retrieval", "recall5"), "/45") {
		t.Errorf("%v; printed:\n%s", err, table)
	}
}
