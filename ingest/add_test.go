package ingest_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"kyrochat/ingest"
	"kyrochat/kyro"
)

func TestUpload(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	title := "  The manual "
	added, err := h.Upload(t.Context(), alice, bot, &title, `C:\docs\manual.pdf`, strings.NewReader("content"))
	if err != nil {
		t.Fatal(err)
	}
	d := added.Document
	if d.Title != "The manual" || d.FileName != "manual.pdf" || d.MimeType != "application/pdf" || *d.SizeBytes != 7 ||
		d.Kind != kyro.DocumentFile || d.Status != kyro.DocumentQueued || d.OwnerID != alice.UserID || added.DuplicateOf != nil {
		t.Errorf("added %+v", added)
	}
	if got := h.left(); len(got) != 1 || got[0] != "1/1" {
		t.Errorf("files: %v", got)
	}
	if got := h.board.of(d.ID); len(got) != 1 || got[0].Status != kyro.DocumentQueued {
		t.Errorf("published %+v", got)
	}
	again, err := h.Upload(t.Context(), alice, bot, nil, "copy.txt", strings.NewReader("content"))
	if err != nil || again.DuplicateOf == nil || *again.DuplicateOf != d.ID || again.Document.Title != "copy" {
		t.Errorf("the same again: %+v, %v", again, err)
	}
}

// TestSharedUpload: where other nodes do the work, the store keeps the file, and the work leaves nothing on the disk.
func TestSharedUpload(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *ingest.Config) { c.Shared = true })
	d := h.upload(t, "fruit.txt", five)
	if got := string(h.row(d.ID).original); got != five {
		t.Errorf("the store keeps %q", got)
	}
	if left := h.left(); len(left) != 0 {
		t.Errorf("files are left: %v", left)
	}
	if err := h.Work(t.Context(), jobOf(d)); err != nil {
		t.Fatal(err)
	}
	if got := h.row(d.ID); got.Status != kyro.DocumentReady || got.text != five {
		t.Errorf("the document is %s with the text %q", got.Status, got.text)
	}
	if left := h.left(); len(left) != 0 {
		t.Errorf("files are left after the work: %v", left)
	}
}

// TestFileFromBeforeTheNodesShared: a file that an earlier version put into the folder is found there.
func TestFileFromBeforeTheNodesShared(t *testing.T) {
	t.Parallel()
	var before ingest.Config
	h := newHouse(t, func(c *ingest.Config) { before = *c })
	d := h.upload(t, "fruit.txt", five)
	before.Shared = true
	if err := ingest.New(before).Work(t.Context(), jobOf(d)); err != nil {
		t.Fatal(err)
	}
	if got := h.row(d.ID); got.Status != kyro.DocumentReady || got.text != five {
		t.Errorf("the document is %s with the text %q", got.Status, got.text)
	}
	if left := h.left(); len(left) != 1 {
		t.Errorf("the files are %v, and there was one", left)
	}
}

func TestUploadRefuses(t *testing.T) {
	t.Parallel()
	unread := iotest.ErrReader(errors.New("the body was read"))
	blank := " "
	for name, test := range map[string]struct {
		viewer kyro.Viewer
		bot    kyro.ID
		title  *string
		file   string
		body   io.Reader
		want   kyro.Code
	}{
		"nobody":             {kyro.Viewer{}, bot, nil, "a.txt", unread, kyro.CodeUnauthenticated},
		"another's bot":      {bob, bot, nil, "a.txt", unread, kyro.CodeNotFound},
		"no bot":             {alice, kyro.BotID(11), nil, "a.txt", unread, kyro.CodeNotFound},
		"an id of a kind":    {alice, kyro.DocumentID(10), nil, "a.txt", unread, kyro.CodeBadUserInput},
		"a blank title":      {alice, bot, &blank, "a.txt", unread, kyro.CodeValidation},
		"a byte too much":    {alice, bot, nil, "a.txt", strings.NewReader(strings.Repeat("x", 101)), kyro.CodeFileTooLarge},
		"what cannot be red": {alice, bot, nil, "a.exe", strings.NewReader("MZ"), kyro.CodeUnsupportedType},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, func(c *ingest.Config) { c.Limits.MaxUploadBytes = 100 })
			_, err := h.Upload(t.Context(), test.viewer, test.bot, test.title, test.file, test.body)
			if kyro.ErrorCode(err) != test.want {
				t.Errorf("Upload = %v, want %s", err, test.want)
			}
			if left := h.left(); len(left) != 0 || len(h.rows) != 0 {
				t.Errorf("left behind: files %v, %d rows", left, len(h.rows))
			}
		})
	}
}

func TestTitleOfAFile(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"report.pdf":                   "report",
		"/tmp/My  notes.v2.txt":        "My  notes.v2",
		".gitignore":                   ".gitignore",
		"Re\u0301sume\u0301.pdf":       "R\u00e9sum\u00e9", // as macOS spells it
		"":                             "Untitled document",
		"\u202e":                       "Untitled document",
		strings.Repeat("a", 240):       strings.Repeat("a", 200),
		strings.Repeat("a", 199) + "😀": strings.Repeat("a", 199),
	} {
		h := newHouse(t)
		if d := h.upload(t, name, "x"); d.Title != want {
			t.Errorf("%q gets the title %q, want %q", name, d.Title, want)
		}
	}
}

func TestAddText(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *ingest.Config) { c.Limits.MaxTextChars = 50 })
	for text, want := range map[string]string{
		"# Opening hours\nNine to five.":  "text/markdown",
		"a | b\n--|---\n1 | 2":            "text/markdown",
		"```go\nx := 1\n```":              "text/markdown",
		"Price list\n----------\n  #1 10": "text/plain",
		"#hashtag\n    indented":          "text/plain",
	} {
		added, err := h.AddText(t.Context(), alice, bot, "Notes", text)
		if err != nil {
			t.Fatal(err)
		}
		d := added.Document
		if d.MimeType != want || d.Kind != kyro.DocumentText || *d.SizeBytes != int64(len(text)) || len(d.ContentHash) != 64 {
			t.Errorf("%q: %+v", text, d)
		}
		if string(h.row(d.ID).original) != text {
			t.Errorf("%q is not kept", text)
		}
	}
	for _, test := range []struct {
		viewer      kyro.Viewer
		title, text string
		want        kyro.Code
	}{
		{kyro.Viewer{}, "t", "x", kyro.CodeUnauthenticated},
		{bob, "t", "x", kyro.CodeNotFound},
		{alice, "", "x", kyro.CodeValidation},
		{alice, "t", " \n ", kyro.CodeValidation},
		{alice, "t", strings.Repeat("x", 51), kyro.CodeValidation},
	} {
		if _, err := h.AddText(t.Context(), test.viewer, bot, test.title, test.text); kyro.ErrorCode(err) != test.want {
			t.Errorf("AddText(%q, %q) = %v, want %s", test.title, test.text, err, test.want)
		}
	}
}

func TestNothingIsTakenInWhileTheServerGoesAway(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	failed := h.upload(t, "x.txt", "x").ID
	h.Drain()
	unread := iotest.ErrReader(errors.New("the body was read"))
	_, upload := h.Upload(t.Context(), alice, bot, nil, "a.txt", unread)
	_, text := h.AddText(t.Context(), alice, bot, "A", "text")
	_, retry := h.Retry(t.Context(), alice, failed)
	for name, err := range map[string]error{"upload": upload, "text": text, "retry": retry} {
		if kyro.ErrorCode(err) != kyro.CodeUnavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAnswerGap: a pair that answers a gap is taken in as any other, and refused as any other.
func TestAnswerGap(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	answer := func(gap int64, question string) (kyro.Document, error) {
		return h.Service.AnswerGap(t.Context(), alice, bot, kyro.GapAnswer{GapID: kyro.GapID(gap), QA: kyro.QA{Question: question, Answer: "9 euros."}})
	}
	d, err := answer(1, "What is a\nticket?")
	if err != nil || d.Kind != kyro.DocumentQA || d.Title != "What is a ticket?" {
		t.Errorf("%+v, %v", d, err)
	}
	for _, wrong := range []struct {
		gap      int64
		question string
		want     kyro.Code
	}{{1, " ", kyro.CodeValidation}, {2, "What?", kyro.CodeNotFound}} {
		if _, err := answer(wrong.gap, wrong.question); kyro.ErrorCode(err) != wrong.want {
			t.Errorf("gap %d, %q: %v, want %s", wrong.gap, wrong.question, err, wrong.want)
		}
	}
}
