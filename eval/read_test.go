package eval_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kyrochat/eval"
)

func TestLoadTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	const documents = `"documents": [{"id": "a", "text": "The ferry leaves at nine."}]`
	question := func(fields string) string {
		return "{" + documents + `,` + "\n" + `"questions": [` + "\n" + `{"question": "When?", "answers": ["nine"]},` + "\n" + fields + `]}`
	}
	document := func(fields string) string {
		return `{"questions": [{"question": "When?", "answers": ["nine"]}],` + "\n" + `"documents": [` + "\n" + fields + `]}`
	}
	for name, c := range map[string]struct{ set, want string }{
		"no JSON":                {"{\n\n,}", "set.json:3: this is not JSON"},
		"cut off":                {"{\n\"documents\": [", "set.json:2: this is not JSON"},
		"empty":                  {"", "set.json:1: this is not JSON"},
		"a list":                 {"[]", `set.json:1: the file must be an object with "documents" and "questions"`},
		"an unknown part":        {"{\n\"docs\": []}", `set.json:2: "docs" is not known`},
		"no list":                {`{"documents": {}}`, `set.json:1: "documents" must be a list`},
		"nothing":                {"{}", "there are no documents"},
		"no questions":           {"{" + documents + "}", "there are no questions"},
		"an unknown field":       {question(`{"question": "Who?", "answer": "nine"}`), `set.json:4: question 2: unknown field "answer"`},
		"another type":           {question("{\"question\": \"Who?\",\n\"answers\": \"nine\"}"), `set.json:5: question 2: "answers" cannot be a JSON string`},
		"no object":              {question(`"Who?"`), `set.json:4: question 2: it must be an object`},
		"no question":            {question(`{"answers": ["nine"]}`), "set.json:4: question 2: it needs a question"},
		"nothing expected":       {question(`{"question": "Who?"}`), `set.json:4: question 2: it needs passages or answers, or "unanswerable": true`},
		"too much expected":      {question(`{"question": "Who?", "answers": ["x"], "unanswerable": true}`), "question 2: it is unanswerable, so"},
		"blank history":          {question(`{"question": "Who?", "answers": ["x"], "history": ["Q", " "]}`), "question 2: question 2 of its history is blank"},
		"a blank answer":         {question(`{"question": "Who?", "answers": ["x", "**"]}`), "question 2: answer 2 is blank"},
		"a long language":        {question(`{"question": "Who?", "answers": ["x"], "language": "the English language"}`), ""},
		"a language with space":  {question(`{"question": "Who?", "answers": ["x"], "language": "en "}`), `question 2: the language "en " should be short`},
		"an unknown document":    {question(`{"question": "Who?", "passages": [{"document": "b", "text": "nine"}]}`), `question 2: passage 1: there is no document "b"`},
		"a blank passage":        {question(`{"question": "Who?", "passages": [{"document": "a", "text": " "}]}`), "question 2: passage 1: its text is blank"},
		"a passage not there":    {question(`{"question": "Who?", "passages": [{"document": "a", "text": "leaves at ten"}]}`), `set.json:4: question 2: passage 1: "leaves at ten" is not in document "a"`},
		"in no document":         {question(`{"question": "Who?", "passages": [{"text": "leaves at ten"}]}`), `passage 1: "leaves at ten" is in none of the documents`},
		"a passage there":        {question(`{"question": "Who?", "passages": [{"document": "a", "text": "ferry\nleaves"}]}`), ""},
		"no id":                  {document(`{"text": "x"}`), "set.json:3: document 1: it needs an id"},
		"an id twice":            {document("{\"id\": \"a\", \"text\": \"x\"},\n{\"id\": \"a\", \"text\": \"y\"}"), `set.json:4: document 2: the id "a" is taken`},
		"neither text nor file":  {document(`{"id": "a"}`), "document 1: it needs a text or a file"},
		"text and file":          {document(`{"id": "a", "text": "x", "file": "notes.txt"}`), "and not both"},
		"a blank text":           {document(`{"id": "a", "text": " "}`), "its text is blank"},
		"no such file":           {document(`{"id": "a", "file": "none.pdf"}`), "there is no file"},
		"a file elsewhere":       {document(`{"id": "a", "file": "../notes.txt"}`), `the file "../notes.txt" must be in the folder of this one`},
		"a file of another sort": {document(`{"id": "a", "file": "set.zip"}`), "must be one of .pdf, .docx, .pptx"},
		"a folder":               {document(`{"id": "a", "file": "folder.md"}`), "is not an ordinary file"},
		"an empty file":          {document(`{"id": "a", "file": "empty.md"}`), "empty.md is empty"},
		"a file":                 {document(`{"id": "a", "file": "notes.txt"}`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := written(t, c.set)
			folder := filepath.Dir(path)
			if err := os.Mkdir(filepath.Join(folder, "folder.md"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, "empty.md"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := eval.Load(path)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestLoadTellsAllMistakesToAPoint(t *testing.T) {
	t.Parallel()
	set := `{"documents": [{"id": "a", "text": "x"}], "questions": [` + strings.Repeat(`{},`, 30) + `{}]}`
	_, err := eval.Load(written(t, set))
	if err == nil || strings.Count(err.Error(), "\n") != 20 || !strings.HasSuffix(err.Error(), "and 42 more") {
		t.Errorf("got %v", err)
	}
	if _, err := eval.Load(filepath.Join(t.TempDir(), "none.json")); err == nil || !strings.Contains(err.Error(), "there is no file") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// TestLoadLeavesMarkupToTheServer holds that an excerpt is not refused for what the server takes out of a document.
func TestLoadLeavesMarkupToTheServer(t *testing.T) {
	t.Parallel()
	_, err := eval.Load(written(t, `{"documents": [{"id": "a", "text": "# Ferry\n\nThe [ferry](https://example.com/x) **leaves** at nine."}],
		"questions": [{"question": "When?", "passages": [{"document": "a", "text": "The ferry leaves at nine."}]}]}`))
	if err != nil {
		t.Error(err)
	}
}
