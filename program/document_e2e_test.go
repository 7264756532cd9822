package program

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf16"

	"codeberg.org/go-pdf/fpdf"
)

// newPDF makes a PDF with a page for each text.
func newPDF(t *testing.T, pages ...string) []byte {
	t.Helper()
	pdf := fpdf.New("P", "mm", "A4", "")
	pdf.SetFont("Helvetica", "", 12)
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	pdf.RegisterImageOptionsReader("scan", fpdf.ImageOptions{ImageType: "PNG"}, &picture)
	for _, text := range pages {
		pdf.AddPage()
		if text != "" {
			pdf.MultiCell(0, 6, text, "", "L", false)
		} else {
			pdf.Image("scan", 0, 0, 210, 297, false, "", 0, "")
		}
	}
	var out bytes.Buffer
	if err := pdf.Output(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// slice is JavaScript's text.slice(start, end).
func slice(text string, start, end float64) string {
	return string(utf16.Decode(utf16.Encode([]rune(text))[int(start):int(end)]))
}

func TestDocuments(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		markdown := "# Tea\n\nGreen tea is brewed at 80 degrees. 😀 It steeps for two minutes.\n\n## Storage\n\nKeep tea dry and dark.\n"
		up := p.upload(bot, "notes/Tea Book.md", []byte(markdown))
		id := up.text("uploadDocument.document.id")
		if up.text("uploadDocument.document.title") != "Tea Book" || up.text("uploadDocument.document.fileName") != "Tea Book.md" || up.text("uploadDocument.document.kind") != "FILE" {
			t.Errorf("%s", up.body)
		}
		var states []string
		last := -1.0
		err := p.follow(`subscription($d: ID!) { documentProgress(documentId: $d) { documentId status percent stageDone stageTotal updatedAt document { id status } } }`, vars{"d": id}, func(e *reply) bool {
			states = append(states, e.text("documentProgress.status"))
			if percent := e.number("documentProgress.percent"); percent < last {
				t.Errorf("the percentage fell from %g to %g", last, percent)
			} else {
				last = percent
			}
			return true
		})
		if err != nil || len(states) == 0 || states[len(states)-1] != "READY" || last != 100 {
			t.Fatalf("progress: %v, %v, %g", err, states, last)
		}
		r := p.must(`query($d: ID!) { document(id: $d) { status version mimeType pageCount chunkCount charCount language contentHash readyAt warnings { code }
			bot { id } progress { percent document { id } } text chunks(first: 50) { totalCount nodes { id index text headingPath charStart charEnd pageStart enabled tokenCount document { id } } } } }`, vars{"d": id})
		text := r.text("document.text")
		if r.text("document.mimeType") != "text/markdown" || r.text("document.language") != "en" || r.get("document.pageCount") != nil || len(utf16.Encode([]rune(text))) != int(r.number("document.charCount")) {
			t.Errorf("%s", r.body)
		}
		chunks := r.list("document.chunks.nodes")
		if len(chunks) == 0 || len(chunks) != int(r.number("document.chunkCount")) || int(r.number("document.chunks.totalCount")) != len(chunks) {
			t.Fatalf("%s", r.body)
		}
		for i := range chunks {
			at := fmt.Sprintf("document.chunks.nodes.%d.", i)
			if got := slice(text, r.number(at+"charStart"), r.number(at+"charEnd")); got != r.text(at+"text") {
				t.Errorf("chunk %d is %q and not the slice %q", i, r.text(at+"text"), got)
			}
		}
		if got := p.must(`query($d: ID!) { document(id: $d) { text(start: 2, length: 3) } }`, vars{"d": id}).text("document.text"); got != slice(text, 2, 5) {
			t.Errorf("a slice of the text: %q", got)
		}
		p.ask(`query($d: ID!) { document(id: $d) { text(start: -1) } }`, vars{"d": id}).wantCode("", "BAD_USER_INPUT")
		p.ask(`query($d: ID!) { document(id: $d) { text(length: 300000) } }`, vars{"d": id}).wantCode("", "BAD_USER_INPUT")

		// The same content again is told and kept.
		twin := p.upload(bot, "copy.md", []byte(markdown))
		if twin.text("uploadDocument.duplicateOf.id") != id || twin.text("uploadDocument.document.id") == id {
			t.Errorf("%s", twin.body)
		}
		if got := p.settled(twin.text("uploadDocument.document.id")); got != "READY" {
			t.Errorf("the twin is %s", got)
		}
		for filter, want := range map[string]float64{`search: "tea book"`: 1, `status: [READY]`: 2, `kind: [TEXT]`: 0, `status: [FAILED, QUEUED]`: 0} {
			r := p.must(`query($b: ID!) { bot(id: $b) { documents(filter: {`+filter+`}) { totalCount nodes { id } } } }`, vars{"b": bot})
			if got := r.number("bot.documents.totalCount"); got != want {
				t.Errorf("%s: %g documents, want %g", filter, got, want)
			}
		}

		// What is READY can be neither retried nor canceled, and what is deleted is gone.
		p.ask(`mutation($d: ID!) { retryDocument(input: {documentId: $d}) { document { id } errors { code } } }`, vars{"d": id}).wantCode("retryDocument", "CONFLICT")
		p.ask(`mutation($d: ID!) { cancelDocument(input: {documentId: $d}) { document { id } errors { code } } }`, vars{"d": id}).wantCode("cancelDocument", "CONFLICT")
		if r := p.must(`mutation($d: ID!) { deleteDocument(input: {documentId: $d}) { deletedId errors { code } } }`, vars{"d": id}); r.text("deleteDocument.deletedId") != id {
			t.Errorf("%s", r.body)
		}
		p.ask(`query($d: ID!) { document(id: $d) { id } }`, vars{"d": id}).wantCode("", "NOT_FOUND")
	})
}

func TestPDFs(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		content := newPDF(t, "The lighthouse of Varn was built in 1871 by Odile Marchetti.", "Its lamp burns rapeseed oil. It can be seen from forty miles.",
			"The keeper lives in the lower tower and climbs 212 steps every evening.")
		id := p.upload(bot, "varn.pdf", content).text("uploadDocument.document.id")
		if got := p.settled(id); got != "READY" {
			t.Fatalf("the PDF is %s", got)
		}
		if r := p.must(`query($d: ID!) { document(id: $d) { pageCount mimeType text } }`, vars{"d": id}); r.number("document.pageCount") != 3 ||
			r.text("document.mimeType") != "application/pdf" || !strings.Contains(r.text("document.text"), "212 steps") {
			t.Errorf("%s", r.body)
		}
		final, _ := p.chat(vars{"botId": bot, "text": "How many steps does the keeper climb?"})
		if final.text("messageStream.message.grounding") != "GROUNDED" || final.number("messageStream.message.citations.0.pageStart") != 3 ||
			!strings.Contains(final.text("messageStream.message.citations.0.quote"), "212") {
			t.Errorf("%s", final.body)
		}

		scan := p.upload(bot, "scan.pdf", newPDF(t, "", "")).text("uploadDocument.document.id")
		if got := p.settled(scan); got != "NEEDS_OCR" {
			t.Errorf("a PDF without text is %s", got)
		}
		if r := p.must(`query($d: ID!) { document(id: $d) { pageCount pageCharCounts warnings { code page } } }`, vars{"d": scan}); r.number("document.pageCount") != 2 ||
			!strings.Contains(string(r.body), `"pageCharCounts":[0,0],"warnings":[{"code":"PAGE_WITHOUT_TEXT","page":1},{"code":"PAGE_WITHOUT_TEXT","page":2}]`) {
			t.Errorf("of its pages it tells %s", r.body)
		}
		broken := p.upload(bot, "broken.pdf", content[:len(content)/3]).text("uploadDocument.document.id")
		if got := p.settled(broken); got != "FAILED" {
			t.Errorf("a broken PDF is %s", got)
		}
		r := p.must(`query($d: ID!) { document(id: $d) { statusReason } }`, vars{"d": broken})
		if reason := r.text("document.statusReason"); reason == "" || strings.Contains(reason, "pdfium") {
			t.Errorf("the reason for a person: %q", reason)
		}
		var locked bytes.Buffer
		pdf := fpdf.New("P", "mm", "A4", "")
		pdf.SetProtection(fpdf.CnProtectPrint, "user", "owner")
		pdf.AddPage()
		if err := pdf.Output(&locked); err != nil {
			t.Fatal(err)
		}
		secret := p.upload(bot, "locked.pdf", locked.Bytes()).text("uploadDocument.document.id")
		if got := p.settled(secret); got != "FAILED" {
			t.Errorf("an encrypted PDF is %s", got)
		}
		if reason := p.must(`query($d: ID!) { document(id: $d) { statusReason } }`, vars{"d": secret}).text("document.statusReason"); !strings.Contains(reason, "password") {
			t.Errorf("the reason for a person: %q", reason)
		}
		// Retrying makes a new run, which ends the same.
		if r := p.must(`mutation($d: ID!) { retryDocument(input: {documentId: $d}) { document { status } errors { code } } }`, vars{"d": broken}); r.text("retryDocument.document.status") != "QUEUED" {
			t.Errorf("%s", r.body)
		}
		if got := p.settled(broken); got != "FAILED" {
			t.Errorf("the retried PDF is %s", got)
		}
	})
}

func TestDocumentsThatAreRefused(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		png := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), make([]byte, 100)...)
		p.upload(bot, "empty.txt", nil).wantCode("uploadDocument", "FILE_EMPTY")
		p.upload(bot, "picture.pdf", png).wantCode("uploadDocument", "UNSUPPORTED_TYPE")
		p.upload(bot, "big.txt", bytes.Repeat([]byte("x"), 32<<20+1)).wantCode("uploadDocument", "FILE_TOO_LARGE")
		p.upload("bot_999999", "a.txt", []byte("a")).wantCode("uploadDocument", "NOT_FOUND")
		p.upload("conv_1", "a.txt", []byte("a")).wantCode("uploadDocument", "BAD_USER_INPUT")
		(&person{t: t, s: s}).upload(bot, "a.txt", []byte("a")).wantCode("uploadDocument", "UNAUTHENTICATED")
		add := `mutation($b: ID!, $ti: String!, $te: String!) { addTextDocument(input: {botId: $b, title: $ti, text: $te}) { document { id } errors { code } } }`
		p.ask(add, vars{"b": bot, "ti": "t", "te": "  "}).wantCode("addTextDocument", "VALIDATION")
		p.ask(add, vars{"b": bot, "ti": "", "te": "x"}).wantCode("addTextDocument", "VALIDATION")
		p.ask(add, vars{"b": bot, "ti": "t", "te": strings.Repeat("x", 100_001)}).wantCode("addTextDocument", "VALIDATION")
		if r := p.must(`query($b: ID!) { bot(id: $b) { documents { totalCount } } }`, vars{"b": bot}); r.number("bot.documents.totalCount") != 0 {
			t.Errorf("something refused was stored: %s", r.body)
		}
	})
}

func TestProgressOfABot(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		ready := make(chan string, 1000)
		var enough atomic.Bool
		go func() {
			defer close(ready)
			_ = p.follow(`subscription($b: ID!) { documentProgress(botId: $b) { documentId status document { title } } }`, vars{"b": bot}, func(e *reply) bool {
				if e.text("documentProgress.status") == "READY" {
					ready <- e.text("documentProgress.documentId")
				}
				return !enough.Load()
			})
		}()
		for i := 0; len(ready) == 0; i++ { // until an event comes, there is no telling that it listens
			p.know(bot, fmt.Sprintf("Call %d", i), "Is anybody there?")
		}
		want := map[string]bool{}
		for i := range 3 {
			want[p.know(bot, fmt.Sprintf("Text %d", i), fmt.Sprintf("Fact number %d is this.", i))] = true
		}
		for id := range ready {
			if delete(want, id); len(want) == 0 {
				break
			}
		}
		enough.Store(true)
		if len(want) != 0 {
			t.Errorf("not told about: %v", want)
		}
		for _, args := range []string{``, `(botId: "bot_1", documentId: "doc_1")`} {
			if err := p.follow(`subscription { documentProgress`+args+` { status } }`, nil, func(e *reply) bool { return true }); err == nil || !strings.Contains(err.Error(), "BAD_USER_INPUT") {
				t.Errorf("%q: %v", args, err)
			}
		}
	})
}

func TestCancelAndDeleteWhileWorking(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		big := bigText(5 << 20)
		canceled := p.upload(bot, "big.txt", big).text("uploadDocument.document.id")
		if r := p.must(`mutation($d: ID!) { cancelDocument(input: {documentId: $d}) { document { status } errors { code } } }`, vars{"d": canceled}); r.text("cancelDocument.document.status") != "CANCELED" {
			t.Errorf("%s", r.body)
		}
		if got := p.settled(canceled); got != "CANCELED" {
			t.Errorf("the canceled document is %s", got)
		}
		// It can be taken up again, and a delete in the middle ends the watching with a null document.
		p.must(`mutation($d: ID!) { retryDocument(input: {documentId: $d}) { document { status } errors { code } } }`, vars{"d": canceled})
		deleted := false
		err := p.follow(`subscription($d: ID!) { documentProgress(documentId: $d) { status document { id } } }`, vars{"d": canceled}, func(e *reply) bool {
			if !deleted {
				deleted = true
				p.must(`mutation($d: ID!) { deleteDocument(input: {documentId: $d}) { deletedId errors { code } } }`, vars{"d": canceled})
				return true
			}
			return e.get("documentProgress.document") != nil
		})
		if err != nil {
			t.Errorf("watching a document that is deleted: %v", err)
		}
	})
}

// bigText is a text of many different sentences.
func bigText(size int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "Entry %d of the ledger notes that crate %d left harbour %d with %d barrels of lamp oil.", i, i*7, i%97, i%13)
		b.WriteString(pick(i%5 == 4, "\n\n", " "))
	}
	return b.Bytes()
}
