package extract

import (
	"slices"
	"strings"
	"testing"

	"kyrochat/kyro"
)

// TestSlides pins what a presentation says in each of the ways that it can say it.
func TestSlides(t *testing.T) {
	t.Parallel()
	bullet := func(properties, s string) string {
		return `<a:pPr ` + properties + `</a:pPr><a:r><a:t>` + s + `</a:t></a:r>`
	}
	for name, c := range map[string]struct {
		slides []string
		want   string
	}{
		"in their order, title first": {[]string{sp("body", "one", "two") + sp("title", "First"), sp("ctrTitle", "Second")},
			"[heading 1 on page 1]\nFirst\n\n[list on page 1]\n- one\n- two\n\n[heading 1 on page 2]\nSecond"},
		"levels": {[]string{sp("body", bullet(`>`, "a"), bullet(`lvl="1">`, "b"), bullet(`lvl="1"><a:buAutoNum type="arabicParenR"/>`, "c"), bullet(`lvl="1"><a:buAutoNum type="arabicParenR"/>`, "d"), bullet(`><a:buNone/>`, "plain"))},
			"[list on page 1]\n- a\n  - b\n  1) c\n  2) d\n\n[paragraph on page 1]\nplain"},
		"numbers of a kind":  {[]string{sp("", bullet(`><a:buAutoNum type="romanUcPeriod" startAt="4"/>`, "a"), bullet(`><a:buAutoNum type="romanUcPeriod" startAt="4"/>`, "b"))}, "[list on page 1]\nIV. a\nV. b"},
		"one line of a body": {[]string{sp("body", "A sentence.")}, "[paragraph on page 1]\nA sentence."},
		"what every slide has": {[]string{sp("sldNum", "7") + sp("ftr", "Company") + sp("dt", "2024") + sp("", "Text", `<a:fld type="slidenum"><a:t>7</a:t></a:fld>`)},
			"[paragraph on page 1]\nText"},
		"lines and fields": {[]string{sp("", `<a:r><a:t>a</a:t></a:r><a:br/><a:r><a:t>b </a:t></a:r><a:fld type="datetime1"><a:rPr/><a:t>today</a:t></a:fld>`)}, "[paragraph on page 1]\na\nb today"},
		"groups, and what is hidden in them": {[]string{`<p:grpSp><p:nvGrpSpPr/>` + sp("", "in a group") + `<p:sp><p:nvSpPr><p:cNvPr id="3" name="x" hidden="1"/></p:nvSpPr><p:txBody><a:p><a:r><a:t>unseen</a:t></a:r></a:p></p:txBody></p:sp></p:grpSp>`},
			"[paragraph on page 1]\nin a group"},
		"a table": {[]string{`<p:graphicFrame><a:graphic><a:graphicData><a:tbl><a:tr><a:tc gridSpan="2"><a:txBody><a:p><a:r><a:t>wide</a:t></a:r></a:p></a:txBody></a:tc><a:tc hMerge="1"><a:txBody><a:p><a:r><a:t>under it</a:t></a:r></a:p></a:txBody></a:tc></a:tr><a:tr><a:tc><a:txBody><a:p><a:r><a:t>a</a:t></a:r></a:p></a:txBody></a:tc><a:tc><a:txBody><a:p><a:r><a:t>b</a:t></a:r></a:p></a:txBody></a:tc></a:tr></a:tbl></a:graphicData></a:graphic></p:graphicFrame>`},
			"[table on page 1]\n| wide |  |\n| a | b |"},
		"empty slides count": {[]string{"", sp("title", "Second")}, "[heading 1 on page 2]\nSecond"},
		"a hidden slide": {[]string{"hidden:" + sp("title", "Secret"), sp("title", "Second")},
			"[heading 1 on page 2]\nSecond\n\nwarning {\"code\":\"HIDDEN_LEFT_OUT\",\"message\":\"Slide 1 is hidden and was left out.\",\"page\":1}"},
		"a picture": {[]string{`<p:pic><p:nvPicPr/></p:pic>`}, "warning {\"code\":\"PAGE_WITHOUT_TEXT\",\"message\":\"Slide 1 is a picture without readable text.\",\"page\":1}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := shown(t, readPresentation, deck(c.slides...)); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// TestNotesAndCharts reads what hangs on a slide in parts of its own.
func TestNotesAndCharts(t *testing.T) {
	t.Parallel()
	p := deck(sp("title", "Sales") + `<p:graphicFrame><a:graphic><a:graphicData><c:chart r:id="r2"/></a:graphicData></a:graphic></p:graphicFrame>`).with(parts{
		"ppt/slides/_rels/slide1.xml.rels":  refers("notesSlide", "../notesSlides/notesSlide1.xml", "chart", "../charts/chart1.xml"),
		"ppt/notesSlides/notesSlide1.xml":   `<p:notes ` + slideSpace + `><p:cSld><p:spTree>` + sp("sldImg", "no") + sp("body", "Speak slowly.", "Then stop.") + sp("sldNum", "1") + `</p:spTree></p:cSld></p:notes>`,
		"ppt/charts/chart1.xml":             `<c:chartSpace ` + slideSpace + `><c:chart><c:title><c:tx><c:rich><a:p><a:r><a:t>By year</a:t></a:r></a:p></c:rich></c:tx></c:title><c:ser><c:tx><c:strRef><c:strCache><c:pt><c:v>Tea</c:v></c:pt></c:strCache></c:strRef></c:tx><c:cat><c:strRef><c:strCache><c:pt><c:v>North</c:v></c:pt></c:strCache></c:strRef></c:cat><c:val><c:numRef><c:numCache><c:pt><c:v>12</c:v></c:pt></c:numCache></c:numRef></c:val></c:ser></c:chart></c:chartSpace>`,
		"ppt/slideLayouts/slideLayout1.xml": `<p:sldLayout ` + slideSpace + `><p:cSld><p:spTree>` + sp("title", "Click to add a title") + `</p:spTree></p:cSld></p:sldLayout>`,
	})
	want := "[heading 1 on page 1]\nSales\n\n[paragraph on page 1]\nBy year\n\n[paragraph on page 1]\nTea\n\n[paragraph on page 1]\nNorth\n\n[paragraph on page 1]\nNotes: Speak slowly.\nThen stop."
	if got := shown(t, readPresentation, p); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestSlidesAreTold gives progress slide by slide, and the text of each.
func TestSlidesAreTold(t *testing.T) {
	t.Parallel()
	data := deck(sp("title", "äbc"), "", sp("title", "four")).zip(t)
	a, err := openArchive(strings.NewReader(string(data)), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var told []int
	ex, err := readPresentation(a, kyro.DefaultLimits(), func(done, total int) { told = append(told, done, total) })
	if err != nil || ex.Pages != 3 || !slices.Equal(ex.PageChars, []int{3, 0, 4}) {
		t.Errorf("%d pages of %v, %v", ex.Pages, ex.PageChars, err)
	}
	if !slices.Equal(told, []int{1, 3, 2, 3, 3, 3}) {
		t.Errorf("told %v", told)
	}
	limits := kyro.DefaultLimits()
	limits.MaxPages = 2
	if _, err := readPresentation(a, limits, func(int, int) {}); !is(err, kyro.CodeLimitReached) {
		t.Errorf("three slides where two are allowed: %v", err)
	}
}
