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
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return e.read(f, limits, func(int, int) {})
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

// What people fill into a form is as much of the document as what is printed beside it.
func TestPDFFormFields(t *testing.T) {
	t.Parallel()
	ex := mustReadPDF(t, form("Name:", "Ada Lovelace of Ockham"))
	if !strings.Contains(ex.Text, "Name:") || strings.Count(ex.Text, "Ada Lovelace of Ockham") != 1 {
		t.Errorf("read %q", ex.Text)
	}
}

// form is a page with a printed label and a text field with a value, as a program that fills forms writes it.
func form(label, value string) []byte {
	const font = "/Resources<</Font<</F 6 0 R>>>>"
	return rawPDF(
		"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[5 0 R]/DA(/F 12 Tf)/DR<</Font<</F 6 0 R>>>>>>>>",
		"<</Type/Pages/Kids[3 0 R]/Count 1>>",
		"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]"+font+"/Contents 4 0 R/Annots[5 0 R]>>",
		stream("", "BT /F 12 Tf 72 700 Td ("+label+") Tj ET"),
		"<</Type/Annot/Subtype/Widget/FT/Tx/T(name)/V("+value+")/DA(/F 12 Tf)/F 4/Rect[120 695 400 715]/P 3 0 R/AP<</N 7 0 R>>>>",
		"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
		stream("/Type/XObject/Subtype/Form/BBox[0 0 280 20]"+font, "/Tx BMC BT /F 12 Tf 2 5 Td ("+value+") Tj ET EMC"),
	)
}

// stream is an object with content.
func stream(dict, content string) string {
	return fmt.Sprintf("<<%s/Length %d>>\nstream\n%s\nendstream", dict, len(content), content)
}

// rawPDF writes objects as they are, numbered from 1; the first is the catalog.
func rawPDF(objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	var at []int
	for i, object := range objects {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, offset := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&b, "trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, start)
	return b.Bytes()
}
