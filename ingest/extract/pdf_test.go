package extract

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode"

	"codeberg.org/go-pdf/fpdf"

	"kyrochat/kyro"
)

// engine is one PDF engine for all tests of this process, which take turns with it.
var engine = sync.OnceValues(func() (*pdfEngine, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return newPDFEngine("")
	}
	return newPDFEngine(filepath.Join(base, "kyrochat"))
})

var turn sync.Mutex

func readPDF(t *testing.T, data []byte, limits kyro.Limits) (kyro.Extraction, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.pdf")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	turn.Lock()
	defer turn.Unlock()
	e, err := engine()
	if err != nil {
		t.Fatal(err)
	}
	return e.read(path, limits, func(int, int) {})
}

func mustReadPDF(t *testing.T, data []byte) kyro.Extraction {
	t.Helper()
	ex, err := readPDF(t, data, kyro.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	checkExtraction(t, ex)
	return ex
}

func output(t *testing.T, doc *fpdf.Fpdf) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := doc.Output(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const prose = "The administration of the office keeps every record for seven years, and destroys it afterwards. Requests for a copy " +
	"are answered within ten working days. A request must name the record, the year and the reason for which the copy is needed. "

// handbook is a document with a header, a footer, headings, a list and paragraphs, on some pages.
func handbook(pages int) *fpdf.Fpdf {
	doc := fpdf.New("P", "mm", "A4", "")
	doc.SetHeaderFunc(func() {
		doc.SetFont("Helvetica", "", 9)
		doc.CellFormat(0, 8, "ACME Corporation - internal", "", 1, "L", false, 0, "")
		doc.Ln(8)
	})
	doc.SetFooterFunc(func() {
		doc.SetY(-15)
		doc.SetFont("Helvetica", "", 9)
		doc.CellFormat(0, 8, fmt.Sprintf("Page %d of %d", doc.PageNo(), pages), "", 0, "C", false, 0, "")
	})
	for i := range pages {
		doc.AddPage()
		doc.SetFont("Helvetica", "B", 18)
		doc.CellFormat(0, 12, fmt.Sprintf("Chapter %c", 'A'+i), "", 1, "L", false, 0, "")
		doc.SetFont("Helvetica", "B", 14)
		doc.CellFormat(0, 10, "Records and copies", "", 1, "L", false, 0, "")
		doc.SetFont("Times", "", 11)
		doc.MultiCell(0, 5, prose+prose, "", "L", false)
		doc.MultiCell(0, 5, fmt.Sprintf("The second paragraph of part %c begins on its own line. ", 'A'+i)+prose, "", "L", false)
		doc.Ln(4)
		for _, item := range []string{"a list of records", "the form for requests", "a stamp"} {
			doc.CellFormat(0, 6, "- "+item, "", 1, "L", false, 0, "")
		}
	}
	return doc
}

func TestPDFStructure(t *testing.T) {
	t.Parallel()
	ex := mustReadPDF(t, output(t, handbook(4)))
	if ex.Pages != 4 || len(ex.Warnings) != 0 {
		t.Errorf("%d pages, warnings %v", ex.Pages, ex.Warnings)
	}
	for _, gone := range []string{"ACME", "Page 1", "of 4"} {
		if strings.Contains(ex.Text, gone) {
			t.Errorf("%q of the header or footer is kept", gone)
		}
	}
	var got []string
	for _, b := range ex.Blocks {
		if b.Page == 2 {
			s := ex.Text[b.Start:b.End]
			line, _, _ := strings.Cut(s, "\n")
			got = append(got, fmt.Sprintf("%s %d %.22s", b.Kind, b.Level, line))
			if b.Kind == kyro.BlockParagraph && strings.Contains(s, "\n") {
				t.Errorf("a wrapped line keeps its end: %q", s)
			}
		}
	}
	want := []string{
		"heading 1 Chapter B", "heading 2 Records and copies", "paragraph 0 The administration of ",
		"paragraph 0 The second paragraph o", "list 0 - a list of records",
	}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("page 2:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !strings.Contains(ex.Text, strings.TrimSpace(prose+prose)) {
		t.Error("a paragraph is not verbatim")
	}
}

// The words that are printed are the words that are read.
func TestPDFWords(t *testing.T) {
	t.Parallel()
	data := output(t, handbook(5))
	ex := mustReadPDF(t, data)
	want := map[string]int{}
	for i := range 5 {
		count(want, fmt.Sprintf("Chapter %c Records and copies %s%s The second paragraph of part %c begins on its own line. %s a list of records the form for requests a stamp", 'A'+i, prose, prose, 'A'+i, prose))
	}
	if f1 := tokenF1(ex.Text, want); f1 < 0.999 {
		t.Errorf("token F1 against the source is %.3f", f1)
	}
	program, err := exec.LookPath("pdftotext")
	if err != nil {
		t.Skip("pdftotext is not installed")
	}
	path := filepath.Join(t.TempDir(), "a.pdf")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	other, err := exec.Command(program, path, "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	reference := map[string]int{}
	count(reference, strings.NewReplacer("ACME Corporation - internal", "").Replace(string(other)))
	if f1 := tokenF1(ex.Text, reference); f1 < 0.97 {
		t.Errorf("token F1 against pdftotext is %.3f", f1)
	}
}

func count(m map[string]int, s string) {
	for word := range strings.FieldsFuncSeq(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		m[word]++
	}
}

func tokenF1(s string, want map[string]int) float64 {
	got := map[string]int{}
	count(got, s)
	hits, all := 0, 0
	for word, n := range got {
		hits += min(n, want[word])
		all += n
	}
	for _, n := range want {
		all += n
	}
	return 2 * float64(hits) / float64(all)
}

func TestPDFPicturePages(t *testing.T) {
	t.Parallel()
	img := image.NewGray(image.Rect(0, 0, 60, 60))
	for i := range 60 {
		img.SetGray(i, i, color.Gray{Y: 200})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	scan := func(pages int, text string) []byte {
		doc := fpdf.New("P", "mm", "A4", "")
		doc.RegisterImageOptionsReader("scan", fpdf.ImageOptions{ImageType: "PNG"}, bytes.NewReader(b.Bytes()))
		for range pages {
			doc.AddPage()
			doc.ImageOptions("scan", 10, 10, 100, 100, false, fpdf.ImageOptions{}, 0, "")
		}
		doc.AddPage()
		if text != "" {
			doc.SetFont("Helvetica", "", 11)
			doc.MultiCell(0, 5, text, "", "L", false)
		}
		return output(t, doc)
	}
	ex := mustReadPDF(t, scan(2, prose))
	if len(ex.Warnings) != 2 || ex.Warnings[1].Code != PageWithoutText || *ex.Warnings[1].Page != 2 {
		t.Errorf("warnings %+v", ex.Warnings)
	}
	if len(ex.Blocks) != 1 || ex.Blocks[0].Page != 3 {
		t.Errorf("blocks %+v", ex.Blocks)
	}
	if ex := mustReadPDF(t, scan(3, "")); ex.Text != "" || ex.Pages != 4 || len(ex.Warnings) != 3 {
		t.Errorf("a scan: %d pages, text %q, warnings %v", ex.Pages, ex.Text, ex.Warnings)
	}
}

func TestPDFErrors(t *testing.T) {
	t.Parallel()
	locked := handbook(1)
	locked.SetProtection(fpdf.CnProtectPrint, "user", "owner")
	open := handbook(1)
	open.SetProtection(fpdf.CnProtectPrint, "", "owner")
	good := output(t, handbook(3))
	few := kyro.DefaultLimits()
	few.MaxPages = 2
	short := kyro.DefaultLimits()
	short.MaxExtractedText = 500
	for name, c := range map[string]struct {
		data    []byte
		limits  kyro.Limits
		code    kyro.Code
		message string
	}{
		"locked":         {output(t, locked), kyro.DefaultLimits(), kyro.CodeValidation, "protected by a password"},
		"open":           {output(t, open), kyro.DefaultLimits(), "", ""},
		"not a PDF":      {[]byte("%PDF-1.4\nnothing of the kind"), kyro.DefaultLimits(), kyro.CodeValidation, "damaged"},
		"cut":            {good[:200], kyro.DefaultLimits(), kyro.CodeValidation, "damaged"},
		"too many pages": {good, few, kyro.CodeLimitReached, "3 pages; a document may have at most 2"},
		"too much text":  {good, short, kyro.CodeLimitReached, "500 bytes"},
	} {
		_, err := readPDF(t, c.data, c.limits)
		if kyro.ErrorCode(err) != c.code {
			t.Errorf("%s: got %v, want %s", name, err, c.code)
		} else if err != nil && !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: got %v, want %q", name, err, c.message)
		}
	}
}

// Damaged files are read or refused, and never end the process.
func TestPDFDamage(t *testing.T) {
	t.Parallel()
	good := output(t, handbook(2))
	for i := range 40 {
		bad := bytes.Clone(good)
		for j := i * 37; j < len(bad); j += 997 {
			bad[j] ^= byte(1 + i)
		}
		if ex, err := readPDF(t, bad, kyro.DefaultLimits()); err == nil {
			checkExtraction(t, ex)
		} else if kyro.ErrorCode(err) != kyro.CodeValidation {
			t.Errorf("damage %d: %v", i, err)
		}
	}
}

// Pages that differ in their numbers only are content, not furniture.
func TestPDFFormsKeepTheirLines(t *testing.T) {
	t.Parallel()
	doc := fpdf.New("P", "mm", "A4", "")
	doc.SetFont("Helvetica", "", 11)
	for i := range 5 {
		doc.AddPage()
		doc.MultiCell(0, 5, fmt.Sprintf("Invoice %d\nThe customer %d ordered %d lamps.", i, 100+i, i+2), "", "L", false)
	}
	ex := mustReadPDF(t, output(t, doc))
	for i := range 5 {
		if !strings.Contains(ex.Text, fmt.Sprintf("Invoice %d", i)) || !strings.Contains(ex.Text, fmt.Sprintf("ordered %d lamps", i+2)) {
			t.Errorf("page %d is lost: %q", i+1, ex.Text)
		}
	}
}

// page makes a page of lines, from the top, in one type.
func page(number int, lines ...pdfLine) pdfPage {
	p := pdfPage{number: number}
	for i, l := range lines {
		if l.y == 0 {
			l.y = 700 - 12*float64(i)
		}
		if l.size == 0 {
			l.size = 10
		}
		if l.right == 0 {
			l.right = l.left + 5*float64(len(l.text))
		}
		if l.firstWord == 0 {
			first, _, _ := strings.Cut(l.text, " ")
			l.firstWord = 5 * float64(len(first))
		}
		p.lines = append(p.lines, l)
	}
	return p
}

func TestLayoutJoinsLines(t *testing.T) {
	t.Parallel()
	full := func(s string, hyphen bool) pdfLine { return pdfLine{text: s, right: 300, hyphen: hyphen} }
	for name, c := range map[string]struct {
		lines []pdfLine
		want  string
	}{
		"wrapped":        {[]pdfLine{full("one two", false), full("three", false)}, "one two three"},
		"hyphenated":     {[]pdfLine{full("a docu", true), full("ment here", false)}, "a document here"},
		"capital":        {[]pdfLine{full("the Austro", true), full("Hungarian empire", false)}, "the Austro-Hungarian empire"},
		"known compound": {[]pdfLine{full("a well-known man, and a well", true), full("known woman", false)}, "a well-known man, and a well-known woman"},
		"range":          {[]pdfLine{full("pages 10", true), full("20", false)}, "pages 10-20"},
		"dash":           {[]pdfLine{full("so -", false), full("and so", false)}, "so - and so"},
		"Chinese":        {[]pdfLine{full("本合同由双方", false), full("签订。", false)}, "本合同由双方签订。"},
		"Korean":         {[]pdfLine{full("반품은 구매", false), full("이후에", false)}, "반품은 구매 이후에"},
		"short line": {[]pdfLine{full("It ends here as one does, in full.", false), {text: "Short end.", right: 60}, full("A new paragraph begins.", false)},
			"It ends here as one does, in full. Short end.\n\nA new paragraph begins."},
		"verse":       {[]pdfLine{{text: "Anna Example", right: 60}, {text: "1 Main Street", right: 70}, {text: "12345 Town"}, full("x", false)}, "Anna Example\n1 Main Street\n12345 Town\nx"},
		"indented":    {[]pdfLine{full("One ends.", false), {text: "Two begins", left: 20, right: 300}, full("and goes on.", false)}, "One ends.\n\nTwo begins and goes on."},
		"gap":         {[]pdfLine{full("one", false), {text: "two", right: 300, y: 660}}, "one\n\ntwo"},
		"open hyphen": {[]pdfLine{full("one", true), {text: "two", right: 300, y: 600}}, "one-\n\ntwo"},
		"same line":   {[]pdfLine{{text: "left", right: 50}, {text: "right", left: 100, right: 300, y: 700}}, "left right"},
		"column":      {[]pdfLine{full("it goes", false), {text: "on there.", left: 320, right: 600, y: 705}}, "it goes on there."},
		"new column":  {[]pdfLine{full("it ends.", false), {text: "Next.", left: 320, right: 600, y: 705}}, "it ends.\n\nNext."},
		"list":        {[]pdfLine{full("Needed:", false), {text: "• one", right: 40}, {text: "• two", right: 40, y: 660}}, "Needed:\n\n• one\n• two"},
		"contents":    {[]pdfLine{full("1 Start . . . . . . 3", false), full("2 Stop . . . . . . 7", false)}, "1 Start . . . . . . 3\n2 Stop . . . . . . 7"},
	} {
		ex := layout([]pdfPage{page(1, c.lines...)})
		checkExtraction(t, ex)
		if ex.Text != c.want {
			t.Errorf("%s: %q, want %q", name, ex.Text, c.want)
		}
	}
}

func TestLayoutHeadings(t *testing.T) {
	t.Parallel()
	body := pdfLine{text: strings.Repeat("body of the text ", 5), right: 300}
	ex := layout([]pdfPage{page(1,
		pdfLine{text: "Title", size: 20}, body, body, pdfLine{text: "Section", size: 14}, body, body,
		pdfLine{text: "Bold one", bold: true}, body, pdfLine{text: "Bold sentence.", bold: true}, body, pdfLine{text: "42", size: 20}, body)})
	var got []string
	for _, b := range ex.Blocks {
		if b.Kind == kyro.BlockHeading {
			got = append(got, fmt.Sprint(ex.Text[b.Start:b.End], b.Level))
		}
	}
	if want := "Title1 Section2 Bold one3"; strings.Join(got, " ") != want {
		t.Errorf("headings %v, want %s", got, want)
	}
}

func TestFurniture(t *testing.T) {
	t.Parallel()
	body := func(i int) pdfLine {
		return pdfLine{text: fmt.Sprintf("This is what the page says that is called %c.", 'A'+i), y: 400}
	}
	at := func(y float64, s string) pdfLine { return pdfLine{text: s, y: y} }
	for name, c := range map[string]struct {
		make func(i int) []pdfLine
		want string // of the first page
	}{
		"page numbers": {func(i int) []pdfLine { return []pdfLine{body(i), at(30, fmt.Sprint(i+1))} }, "body"},
		"roman numbers": {func(i int) []pdfLine {
			return []pdfLine{body(i), at(30, []string{"i", "ii", "iii", "iv", "v", "vi"}[i])}
		}, "body"},
		"page of pages":  {func(i int) []pdfLine { return []pdfLine{body(i), at(30, fmt.Sprintf("Seite %d von 6", i+1))} }, "body"},
		"set off":        {func(i int) []pdfLine { return []pdfLine{at(780, fmt.Sprintf("Report 2024, part %d", i)), body(i)} }, "body"},
		"two lines":      {func(i int) []pdfLine { return []pdfLine{at(780, "ACME"), at(768, "Internal"), body(i)} }, "body"},
		"left and right": {func(i int) []pdfLine { return []pdfLine{at(780, []string{"The Book", "The Author"}[i%2]), body(i)} }, "body"},
		"different height": {func(i int) []pdfLine {
			return []pdfLine{at(780-40*float64(i), "Note"), at(300, fmt.Sprintf("x%c", 'A'+i)), body(i)}
		}, "Note\n\nxA\n\nbody"},
		"numbers in text": {func(i int) []pdfLine { return []pdfLine{at(412, fmt.Sprintf("Case %d", i)), body(i)} }, "Case 0\nbody"},
		"nothing else":    {func(i int) []pdfLine { return []pdfLine{at(400, "Reserved")} }, "Reserved"},
	} {
		var pages []pdfPage
		for i := range 6 {
			pages = append(pages, page(i+1, c.make(i)...))
		}
		ex := layout(pages)
		end := len(ex.Text)
		for _, b := range ex.Blocks {
			if b.Page == 2 {
				end = b.Start
				break
			}
		}
		got := strings.ReplaceAll(strings.TrimSpace(ex.Text[:end]), body(0).text, "body")
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestColumnHeadsStay(t *testing.T) {
	t.Parallel()
	var pages []pdfPage
	for i := range 4 {
		rows := []pdfLine{{text: "Country Capital Area"}}
		for j := range 8 {
			rows = append(rows, pdfLine{text: fmt.Sprintf("Land %c%c", 'A'+i, 'a'+j)})
		}
		pages = append(pages, page(i+1, rows...))
	}
	if got := strings.Count(layout(pages).Text, "Country Capital Area"); got != len(pages) {
		t.Errorf("the heads are there %d times", got)
	}
}
