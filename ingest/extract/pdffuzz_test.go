package extract

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kyrochat/kyro"
)

// FuzzPDF reads damaged and made-up files: they are read or refused with a reason that a person can act on. The engine
// stays the same, as in a child that reads one file after the other.
func FuzzPDF(f *testing.F) {
	const largest = 20 << 10 // of a seed: large ones are slow to read
	f.Add(onePage(at(72, 700, "Hello"), ""))
	f.Add(onePage(at(72, 700, "Hello"), "/Rotate 270"))
	f.Add(form("Name:", "Ada"))
	for _, c := range corpus(f) {
		if data, err := os.ReadFile(c.path()); err == nil && c.format == "pdf" && len(data) < largest {
			f.Add(data)
		}
	}
	limits := kyro.DefaultLimits()
	limits.MaxPages = 20
	limits.MaxExtractedText = 1 << 20
	f.Fuzz(func(t *testing.T, data []byte) {
		ex, err := readPDF(t, data, limits)
		if err != nil {
			switch kyro.ErrorCode(err) {
			case kyro.CodeValidation, kyro.CodeLimitReached, kyro.CodeFileEmpty:
			default:
				t.Fatalf("refused with %v", err)
			}
			return
		}
		checkExtraction(t, ex)
		checkPages(t, ex, limits)
	})
}

// FuzzLayout gives the layout lines of any kind: no text is lost but for what repeats on pages, and blocks are sane.
func FuzzLayout(f *testing.F) {
	f.Add([]byte("A heading\x00\x01\x10the text of a paragraph that goes on\x00and on\x00\x02- an item\x00- another\x00"))
	f.Add([]byte("a\x01b\x01c\x00d\x01e\x01f\x00\x03g-\x00h"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ex := layout(fuzzPages(data), outline{"a heading": 2})
		checkExtraction(t, ex)
		checkPages(t, ex, kyro.DefaultLimits())
	})
}

// fuzzPages makes lines of bytes: their places and type come out of their first bytes.
func fuzzPages(data []byte) []pdfPage {
	pages := []pdfPage{{number: 1}}
	for i, part := range strings.Split(string(data), "\x00") {
		if len(part) < 3 {
			pages = append(pages, pdfPage{number: len(pages) + 1, broken: len(part) == 1, picture: len(part) == 2})
			continue
		}
		how := binary.LittleEndian.Uint16([]byte(part))
		l := pdfLine{left: float64(how % 400), y: 800 - float64(i%60)*float64(how%17), size: float64(how%5) * 5, bold: how&64 != 0, mono: how&128 != 0, hyphen: how&256 != 0}
		for _, s := range strings.Split(part[2:], "\x01") {
			if s = normalLine(s); s != "" {
				l.cells = append(l.cells, pdfCell{s, l.left + 40*float64(len(l.cells)), l.left + 40*float64(len(l.cells)) + 30})
				l.text = strings.TrimSpace(l.text + " " + s)
			}
		}
		if len(l.cells) < 2 {
			l.cells = nil
		}
		if l.right = l.left + 5*float64(len(l.text)); l.text != "" {
			p := &pages[len(pages)-1]
			p.lines = append(p.lines, l)
		}
	}
	return pages
}

// checkPages asserts what is promised of the pages of a PDF.
func checkPages(t *testing.T, ex kyro.Extraction, limits kyro.Limits) {
	t.Helper()
	if len(ex.Text) > limits.MaxExtractedText || len(ex.PageChars) != ex.Pages {
		t.Fatalf("%d bytes of text, %d pages, characters of %d", len(ex.Text), ex.Pages, len(ex.PageChars))
	}
	chars := make([]int, ex.Pages)
	page := 1
	for _, b := range ex.Blocks {
		if b.Page < page || b.Page > ex.Pages {
			t.Fatalf("a block of page %d after one of page %d", b.Page, page)
		}
		page = b.Page
		chars[page-1] += kyro.CharCount(ex.Text[b.Start:b.End])
	}
	for i, n := range chars {
		if ex.PageChars[i] != n {
			t.Fatalf("page %d has %d characters, told are %d", i+1, n, ex.PageChars[i])
		}
	}
	for _, w := range ex.Warnings {
		if w.Page == nil || *w.Page < 1 || *w.Page > ex.Pages {
			t.Fatalf("warning %+v", w)
		}
	}
}

// TestPDFEngineGoesOn reads a good file after many that are none, with the same engine.
func TestPDFEngineGoesOn(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile(filepath.Join("testdata", "corpus", "slides-libreoffice.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		cut := good[:len(good)*i/30]
		if ex, err := readPDF(t, cut, kyro.DefaultLimits()); err == nil {
			checkExtraction(t, ex)
		}
	}
	if ex := mustReadPDF(t, good); !strings.Contains(ex.Text, "Welcome") {
		t.Errorf("read %q", ex.Text)
	}
}
