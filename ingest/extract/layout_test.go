package extract

import (
	"fmt"
	"strings"
	"testing"

	"kyrochat/kyro"
)

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
		ex := layout([]pdfPage{page(1, c.lines...)}, nil)
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
		pdfLine{text: "Bold one", bold: true}, body, pdfLine{text: "Bold sentence.", bold: true}, body, pdfLine{text: "42", size: 20}, body)}, nil)
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
		ex := layout(pages, nil)
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
	if got := strings.Count(layout(pages, nil).Text, "Country Capital Area"); got != len(pages) {
		t.Errorf("the heads are there %d times", got)
	}
}
