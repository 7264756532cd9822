package eval

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"kyrochat/text"
)

// Set is what is asked, and of what.
type Set struct {
	Name      string // of its file
	Documents []Document
	Questions []Question
}

// Document is a source that questions are answered from. It has a text or a file.
type Document struct {
	ID    string `json:"id"`
	Title string `json:"title"` // "": its id
	Text  string `json:"text"`
	File  string `json:"file"` // in the set's folder or below it

	path    string // of the file
	line    int
	letters *string // of its source, once they were looked at; nil for what cannot be compared
	looked  bool
}

// Question is one question with what is right. Without Unanswerable it has passages or answers, or both.
type Question struct {
	Text         string    `json:"question"`
	Language     string    `json:"language"` // under which it is counted besides; "" for none
	History      []string  `json:"history"`  // questions that are asked before it, in the same conversation
	Passages     []Passage `json:"passages"` // each of which should be found
	Answers      []string  `json:"answers"`  // one of which the answer should contain
	Unanswerable bool      `json:"unanswerable"`

	number, line int
	places       [][]place // where each of its passages stands, once the server has read the documents
}

// Passage is a verbatim excerpt of a document. White space does not count.
type Passage struct {
	Document string `json:"document"` // "": any document that has the text, and each counts
	Text     string `json:"text"`
}

// fileTypes are the files that the server reads.
var fileTypes = []string{".pdf", ".docx", ".pptx", ".xlsx", ".html", ".htm", ".md", ".markdown", ".txt", ".csv", ".tsv", ".json", ".jsonl"}

// plainTypes are those that the server reads as they are written, so that an excerpt can be looked for beforehand.
var plainTypes = []string{".md", ".markdown", ".txt"}

// mistake is one thing that is wrong in a set's file.
type mistake struct {
	line int
	what string
}

// check looks for all that can be wrong before anything is started. folder is where the set's file is.
func (s *Set) check(folder string) []mistake {
	var wrong []mistake
	if len(s.Documents) == 0 {
		wrong = append(wrong, mistake{1, "there are no documents"})
	}
	if len(s.Questions) == 0 {
		wrong = append(wrong, mistake{1, "there are no questions"})
	}
	known := map[string]*Document{}
	for i := range s.Documents {
		d := &s.Documents[i]
		for _, what := range d.check(folder) {
			wrong = append(wrong, mistake{d.line, fmt.Sprintf("document %d: %s", i+1, what)})
		}
		if known[d.ID] != nil {
			wrong = append(wrong, mistake{d.line, fmt.Sprintf("document %d: the id %q is taken by an earlier one", i+1, d.ID)})
		}
		known[d.ID] = d
	}
	for i := range s.Questions {
		q := &s.Questions[i]
		for _, what := range q.check(known) {
			wrong = append(wrong, mistake{q.line, fmt.Sprintf("question %d: %s", q.number, what)})
		}
	}
	return wrong
}

func (d *Document) check(folder string) (wrong []string) {
	if strings.TrimSpace(d.ID) == "" {
		wrong = append(wrong, "it needs an id")
	}
	if d.Title == "" {
		d.Title = d.ID
	}
	switch {
	case (d.Text == "") == (d.File == ""):
		return append(wrong, "it needs a text or a file, and not both")
	case d.File == "":
		if strings.TrimSpace(d.Text) == "" {
			wrong = append(wrong, "its text is blank")
		}
		return wrong
	case !filepath.IsLocal(d.File):
		return append(wrong, fmt.Sprintf("the file %q must be in the folder of this one, or below it", d.File))
	case !slices.Contains(fileTypes, strings.ToLower(filepath.Ext(d.File))):
		return append(wrong, fmt.Sprintf("the file %q must be one of %s", d.File, strings.Join(fileTypes, ", ")))
	}
	d.path = filepath.Join(folder, d.File)
	info, err := os.Stat(d.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		wrong = append(wrong, fmt.Sprintf("there is no file %s", d.path))
	case err != nil:
		wrong = append(wrong, fmt.Sprintf("the file cannot be looked at: %v", err))
	case !info.Mode().IsRegular():
		wrong = append(wrong, fmt.Sprintf("%s is not an ordinary file", d.path))
	case info.Size() == 0:
		wrong = append(wrong, fmt.Sprintf("the file %s is empty", d.path))
	}
	return wrong
}

func (q *Question) check(known map[string]*Document) (wrong []string) {
	if strings.TrimSpace(q.Text) == "" {
		wrong = append(wrong, "it needs a question")
	}
	if q.Language != strings.TrimSpace(q.Language) || len(q.Language) > 20 {
		wrong = append(wrong, fmt.Sprintf("the language %q should be short, such as en", q.Language))
	}
	expects := len(q.Passages)+len(q.Answers) > 0
	if q.Unanswerable && expects {
		wrong = append(wrong, "it is unanswerable, so it can have neither passages nor answers")
	}
	if !q.Unanswerable && !expects {
		wrong = append(wrong, `it needs passages or answers, or "unanswerable": true`)
	}
	for i, h := range q.History {
		if strings.TrimSpace(h) == "" {
			wrong = append(wrong, fmt.Sprintf("question %d of its history is blank", i+1))
		}
	}
	for i, a := range q.Answers {
		if plainWords(a) == "" {
			wrong = append(wrong, fmt.Sprintf("answer %d is blank", i+1))
		}
	}
	for i, p := range q.Passages {
		if what := p.check(known); what != "" {
			wrong = append(wrong, fmt.Sprintf("passage %d: %s", i+1, what))
		}
	}
	return wrong
}

func (p Passage) check(known map[string]*Document) (wrong string) {
	if squeeze(p.Text) == "" {
		return "its text is blank"
	}
	if p.Document != "" && known[p.Document] == nil {
		return fmt.Sprintf("there is no document %q", p.Document)
	}
	for id, d := range known {
		if (p.Document == "" || p.Document == id) && d.mayHold(p.Text) {
			return ""
		}
	}
	return p.notThere()
}

func (p Passage) notThere() string {
	if p.Document == "" {
		return fmt.Sprintf("%q is in none of the documents", shortened(p.Text))
	}
	return fmt.Sprintf("%q is not in document %q", shortened(p.Text), p.Document)
}

// mayHold reports false where the document surely does not hold the excerpt. What it holds in the end only the server
// knows, that reads it: letters and digits are compared, and not where there may be markup with letters of its own.
func (d *Document) mayHold(excerpt string) bool {
	if !d.looked {
		d.looked = true
		if source, ok := d.source(); ok && !strings.ContainsAny(source, "<&[") {
			source = letters(source)
			d.letters = &source
		}
	}
	return d.letters == nil || strings.Contains(*d.letters, letters(excerpt))
}

// source is the document's text, where it is one.
func (d *Document) source() (source string, ok bool) {
	if d.File == "" {
		return d.Text, true
	}
	if d.path == "" || !slices.Contains(plainTypes, strings.ToLower(filepath.Ext(d.path))) {
		return "", false
	}
	raw, err := os.ReadFile(d.path)
	return string(raw), err == nil && utf8.Valid(raw)
}

func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, text.Normalize(s))
}

// shortened is the beginning of a text, on one line, for messages.
func shortened(s string) string {
	const most = 60
	line := []rune(strings.Join(strings.Fields(s), " "))
	if len(line) > most {
		return string(line[:most-1]) + "…"
	}
	return string(line)
}
