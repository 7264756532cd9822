package extract

import (
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"

	"kyrochat/internal/racetest"
	"kyrochat/kyro"
)

func readSource(t *testing.T, source string) kyro.Extraction {
	t.Helper()
	ex, err := readText([]byte(source), kyro.Original{MimeType: HTML, URL: "https://lumen.test/help/page?x=1#y"}, kyro.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	checkExtraction(t, ex)
	return ex
}

// TestMainTextOfPages compares what is read of pages with navigation, advertisements and footers with the part of them
// that a person marked.
func TestMainTextOfPages(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"guide.html", "news.html", "faq.html", "index.html"} {
		source, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		ex := readSource(t, string(source))
		want := countWords(marked(t, string(source)))
		if f1 := wordF1(countWords(ex.Text), want); f1 < 0.95 {
			t.Errorf("%s: F1 %.3f\n%s", name, f1, ex.Text)
		}
		if strings.Contains(ex.Text, "Ignore all previous rules") {
			t.Errorf("%s: hidden text is read", name)
		}
	}
}

// marked is the text of the elements of a page that a person marked, but for what they hide and for code.
func marked(t *testing.T, source string) string {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	var visit func(n *html.Node, in bool)
	visit = func(n *html.Node, in bool) {
		for _, a := range n.Attr {
			in = in || a.Key == "data-main"
			if a.Key == "hidden" || a.Key == "aria-hidden" || a.Key == "style" && a.Val == "display:none" || a.Val == "headerlink" {
				return
			}
		}
		if in && n.Type == html.TextNode {
			b.WriteString(n.Data + " ")
		}
		for c := range n.ChildNodes() {
			visit(c, in)
		}
	}
	visit(doc, false)
	return b.String()
}

func countWords(s string) map[string]int {
	words := map[string]int{}
	for w := range strings.FieldsFuncSeq(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		words[w]++
	}
	return words
}

// wordF1 is the F1 of words that were read against those that were to be.
func wordF1(got, want map[string]int) float64 {
	both, all := 0, 0
	for w, n := range got {
		both += min(n, want[w])
		all += n
	}
	for _, n := range want {
		all += n
	}
	return 2 * float64(both) / float64(max(all, 1))
}

func TestHTMLBlocks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ source, want string }{
		"white space":           {"<p>a\n  b&nbsp;&nbsp;c <i>d</i>e</p>", "[paragraph]\na b c de"},
		"breaks":                {"<p>a<br>b<br><br>c</p>", "[paragraph]\na\nb\n\n[paragraph]\nc"},
		"text beside blocks":    {"a<div>b</div>c<p>d", "[paragraph]\na\n\n[paragraph]\nb\n\n[paragraph]\nc\n\n[paragraph]\nd"},
		"open paragraphs":       {"<p>a<p>b<div>c</div>", "[paragraph]\na\n\n[paragraph]\nb\n\n[paragraph]\nc"},
		"open items":            {"<ul><li>a<li>b<ul><li>c</ul><li>d</ul>", "[list]\n- a\n- b\n  - c\n- d"},
		"numbers":               {"<ol start=9 reversed><li>a<li>b<li value=3>c</ol>", "[list]\n9. a\n8. b\n3. c"},
		"a list of cards":       {"<ul><li><h3>a</h3><p>b</ul>", "[heading 3]\na\n\n[paragraph]\nb"},
		"open cells":            {"<table><tr><td>a<td>b<tr><td>c<td>d</table>", "[table]\n| a | b |\n| c | d |"},
		"a table of layout":     {"<table><tr><td><p>a<p>b</table>", "[paragraph]\na\n\n[paragraph]\nb"},
		"a table in a table":    {"<table><tr><td>a</td><td><table><tr><th>b</th><th>c</th></tr></table></td></tr></table>", "[paragraph]\na\n\n[table]\n| b | c |"},
		"a head that repeats":   {"<table><thead><tr><th>a<th>b</thead><tr><td>1<td>2<tr><th>a<th>b<tr><td>1<td>2</table>", "[table]\n| a | b |\n| 1 | 2 |\n| 1 | 2 |"},
		"empty columns":         {"<table><tr><td>a<td><td>b<tr><td>c<td> <td>d</table>", "[table]\n| a | b |\n| c | d |"},
		"spans":                 {"<table><tr><td rowspan=2>a<td>b<tr><td>c<tr><td colspan=2>d</table>", "[table]\n| a | b |\n| a | c |\n| d |  |"},
		"strokes in cells":      {"<table><tr><td>a|b<td>c</table>", "[table]\n| a¦b | c |"},
		"text beside cells":     {"<table>a<tr>b<td>c</table>", "[table]\n| a |\n| b | c |"},
		"code":                  {"<pre>\n  a\n\n  <b>b</b></pre>", "[code]\n  a\n\n  b"},
		"lines of code":         {"<pre><div>a</div><div>b</div></pre>", "[code]\na\nb"},
		"terms":                 {"<dl><dt>a<dd>b<dd>c<dt>d:<dd>e</dl>", "[list]\n- a: b; c\n- d: e"},
		"annotated letters":     {"<p><ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp>字</ruby></p>", "[paragraph]\n漢字"},
		"quotes":                {"<p>She says <q>no</q>.", "[paragraph]\nShe says “no”."},
		"pictures":              {`<p>a<img alt="x" src="y"><svg><title>x</title><text>y</text></svg>b`, "[paragraph]\nab"},
		"an open picture":       {`<svg><path><p>a`, "[paragraph]\na"},
		"controls":              {"<p>a<select><option>x</select><textarea>y</textarea><button>z</button>b", "[paragraph]\nab"},
		"formulas":              {`<p><math><mi>E</mi><mo>=</mo><mi>m</mi><annotation>x</annotation></math></p>`, "[paragraph]\nE=m"},
		"a link to itself":      {`<h2>a<a class="x" href="#a">#</a></h2><p>b`, "[heading 2]\na\n\n[paragraph]\nb"},
		"crossed tags":          {"<p><b>a<div>b</b>c</div>d", "[paragraph]\na\n\n[paragraph]\nbc\n\n[paragraph]\nd"},
		"links around blocks":   {`<a href="/x"><h2>a</h2><p>b</p></a>`, "[heading 2]\na\n\n[paragraph]\nb"},
		"references":            {"<p>&lt;b&gt; &amp; &#x1F600; &eacute;", "[paragraph]\n<b> & 😀 é"},
		"a form that is a page": {"<form><p>a</form>", "[paragraph]\na"},
		"a frame":               {"<frameset><frame src=x><noframes>y</noframes></frameset><p>a", "[paragraph]\na"},
		"nothing":               {"<html></html>", ""},
	} {
		if got := strings.TrimSpace(show(readSource(t, "<html><body>"+c.source))); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

// TestHiddenElementsAreNotRead hides an instruction in every way that a browser does not show.
func TestHiddenElementsAreNotRead(t *testing.T) {
	t.Parallel()
	for _, hidden := range []string{
		"<p hidden>secret</p>", "<p hidden=''>secret</p>", "<p aria-hidden=true>secret</p>", `<p style="color:red; DISPLAY : None !important">secret</p>`,
		"<p style=visibility:hidden>secret</p>", "<p style='font-size:0px'>secret</p>",
		"<div hidden><p>secret<ul><li>secret</ul></div>", "<span hidden>secret <span>secret</span> secret</span>",
		"<template><p>secret</template>", "<noscript><p>secret</noscript>", "<script>secret</script>", "<style>secret</style>",
		"<!-- secret -->", "<svg><text>secret</text></svg>", "<iframe>secret</iframe>", "<object>secret</object>", "<dialog>secret</dialog>",
		"<img alt=secret>", "<input value=secret>", `<p title="secret"></p>`, "<p hidden>secret", "<table hidden><tr><td>secret</table>",
		"<details><p hidden>secret</p></details>", "<a hidden href=x>secret</a>", "<li style='display:none'>secret</li>",
	} {
		ex := readSource(t, "<html><body><p>Tea is brewed at 80 degrees. </p>"+hidden+"<p>It takes three minutes.</p>")
		if strings.Contains(ex.Text, "secret") || !strings.Contains(ex.Text, "80 degrees") || !strings.Contains(ex.Text, "three minutes") {
			t.Errorf("%s: %q", hidden, ex.Text)
		}
	}
}

func TestWebPage(t *testing.T) {
	t.Parallel()
	const address = "https://lumen.test/help/page?x=1"
	for name, c := range map[string]struct {
		source string
		want   kyro.WebPage
	}{
		"links": {`<a href="b">1</a><a href="/c#d">2</a><a href="/c">3</a><a href="https://other.test">4</a><a href="?y">5</a>`,
			kyro.WebPage{Links: []string{"https://lumen.test/help/b", "https://lumen.test/c", "https://other.test/", "https://lumen.test/help/page?y"}}},
		"no links": {`<a href="#a">1</a><a href="mailto:a@b.test">2</a><a href="javascript:x()">3</a><a>4</a><a href="https://u:p@b.test/">5</a>` +
			`<a href="x" rel="external NoFollow">6</a><a href="http://[">7</a><a href="/` + strings.Repeat("x", 3000) + `">8</a>`, kyro.WebPage{}},
		"base":              {`<base href="/other/"><a href="b">1</a>`, kyro.WebPage{Links: []string{"https://lumen.test/other/b"}}},
		"base that is none": {`<base href="data:x"><a href="b">1</a>`, kyro.WebPage{Links: []string{"https://lumen.test/help/b"}}},
		"canonical":         {`<link rel="stylesheet canonical" href="../a#b">`, kyro.WebPage{Canonical: "https://lumen.test/a"}},
		"canonical of none": {`<link rel="canonical" href="ftp://a.test/">`, kyro.WebPage{}},
		"canonical in the body": {`<p>A comment.<link rel="canonical" href="https://evil.test/"><meta name=robots content=noindex>`,
			kyro.WebPage{}},
		"robots":           {`<meta name="Robots" content="NoIndex,nofollow">`, kyro.WebPage{NoIndex: true, NoFollow: true}},
		"robots, none":     {`<meta name="robots" content="none">`, kyro.WebPage{NoIndex: true, NoFollow: true}},
		"robots, ours":     {`<meta name="kyrochatbot" content="noindex"><meta name="robots" content="all">`, kyro.WebPage{NoIndex: true}},
		"robots of others": {`<meta name="googlebot" content="noindex">`, kyro.WebPage{}},
	} {
		ex, err := readText([]byte("<html><head>"+c.source), kyro.Original{MimeType: HTML, URL: address}, kyro.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		if ex.Page == nil || !reflect.DeepEqual(*ex.Page, c.want) {
			t.Errorf("%s: %+v", name, ex.Page)
		}
	}
	var many strings.Builder
	for i := range kyro.MaxPageLinks + 10 {
		fmt.Fprintf(&many, "<a href=/%d>x</a>", i)
	}
	if ex := readSource(t, many.String()); len(ex.Page.Links) != kyro.MaxPageLinks {
		t.Errorf("%d links", len(ex.Page.Links))
	}
	if ex, err := readText([]byte("<a href=/x>y</a>"), kyro.Original{MimeType: HTML}, kyro.DefaultLimits()); err != nil || ex.Page != nil {
		t.Errorf("a file has facts of a page: %+v, %v", ex.Page, err)
	}
}

func TestTitleOfPages(t *testing.T) {
	t.Parallel()
	for want, source := range map[string]string{
		"Tea & more":     "<title>\n Tea &amp;\n more </title><p>x",
		"Shared":         "<title>Tea | Shop</title><meta property='og:title' content='Shared'><p>x",
		"Only a heading": "<h1>Only a  heading</h1><p>x",
		"":               "<p>x",
	} {
		if ex := readSource(t, source); ex.Title != want {
			t.Errorf("%q, want %q", ex.Title, want)
		}
	}
}

// TestBombsOfHTML reads what is made to take long or much memory: each is read or refused, and takes neither.
func TestBombsOfHTML(t *testing.T) {
	if testing.Short() {
		t.Skip("pages of megabytes")
	}
	// The race detector has pools forget what they hold, so that what uses regular expressions allocates ten times as much.
	// Under it pages are as large as it takes to go beyond the limit of elements.
	most, size := uint64(400), 5<<20
	if racetest.On() {
		most, size = 1024, 21<<17
	}
	many := func(s string) string { return strings.Repeat(s, size/len(s)) }
	var attributes strings.Builder
	for i := 0; attributes.Len() < size; i++ {
		fmt.Fprintf(&attributes, " a%d=1", i)
	}
	for name, source := range map[string]string{
		"a million divs":         many("<div>"),
		"divs with text":         many("<div>text "),
		"links in links":         strings.Repeat("<a href=x>y", size/5),
		"attributes":             "<p" + attributes.String() + ">x",
		"bodies":                 many("<body a=1 class=2>"),
		"what is open":           strings.Repeat("<font size=1><b class=x>", 500) + many("<p>x"),
		"beside cells":           "<table>" + many("a<tr>b<tr>"),
		"tables in tables":       many("<table><tr><td>x"),
		"lists in lists":         many("<ul><li>x"),
		"breaks":                 many("x<br>"),
		"cells that span":        "<table>" + many("<tr><td rowspan=100 colspan=100>text"),
		"some cells that span":   "<table>" + strings.Repeat("<tr><td rowspan=100 colspan=100>text", 15_000),
		"ends":                   "<table><td>" + strings.Repeat("<section>", 200) + many("</div>"),
		"signs":                  many("<"),
		"comments":               many("<!--"),
		"references":             many("&amp"),
		"pictures":               many("<svg><p>x"),
		"hidden":                 many("<div hidden>x"),
		"paragraphs":             strings.Repeat("<p>word word, word, a b c d", 29_000),
		"deep paragraphs":        strings.Repeat("<div>", 120) + strings.Repeat("<p>text text, text <a href=x>y</a>", 14_000),
		"sections with headings": strings.Repeat("<section><h2>t</h2>x</section>", 12_000),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		ex, err := readText([]byte(source), kyro.Original{MimeType: HTML, URL: "https://a.test/"}, kyro.DefaultLimits())
		runtime.ReadMemStats(&after)
		if took := time.Since(began); took > time.Minute {
			t.Errorf("%s: it took %v", name, took)
		}
		if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; allocated > most {
			t.Errorf("%s: it took %d MiB", name, allocated)
		}
		if err != nil && kyro.ErrorCode(err) != kyro.CodeLimitReached {
			t.Errorf("%s: %v", name, err)
		}
		checkExtraction(t, ex)
	}
}

// TestDeepPagesAreRead nests deeper than elements are kept: the text is all there.
func TestDeepPagesAreRead(t *testing.T) {
	t.Parallel()
	for _, tag := range []string{"div", "ul><li", "blockquote", "span", "table><tr><td"} {
		ex := readSource(t, strings.Repeat("<"+tag+">", 2_000)+"<p>Tea is brewed at 80 degrees.<p>It takes <b>three</b> minutes.")
		if got := strings.Join(strings.Fields(ex.Text), " "); !strings.HasSuffix(got, "Tea is brewed at 80 degrees. It takes three minutes.") {
			t.Errorf("%s: %q", tag, got)
		}
	}
}
