package answer_test

import (
	"bytes"
	"html"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	goldhtml "github.com/yuin/goldmark/renderer/html"

	"kyrochat/answer"
	"kyrochat/internal/racetest"
)

// renderers write the HTML of an answer as a careless client does: whatever is raw HTML is passed on.
var renderers = map[string]goldmark.Markdown{
	"CommonMark": goldmark.New(goldmark.WithRendererOptions(goldhtml.WithUnsafe())),
	"GFM":        goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(goldhtml.WithUnsafe())),
	"more": goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote, extension.DefinitionList, extension.Typographer, extension.CJK),
		goldmark.WithRendererOptions(goldhtml.WithUnsafe(), goldhtml.WithHardWraps())),
}

var (
	anyTag       = regexp.MustCompile(`(?s)<[A-Za-z/!?][^>]*>?`)
	harmlessTag  = regexp.MustCompile(`^</?(p|a|em|strong|del|code|pre|ul|ol|li|blockquote|h[1-6]|hr|br|table|thead|tbody|tr|t[hd]|input|sup|div|dl|dt|dd)((?: [a-z-]+(?:="[^"]*")?)*) ?/?>$`)
	anyAttribute = regexp.MustCompile(` ([a-z-]+)(?:="([^"]*)")?`)
	harmless     = map[string]bool{"class": true, "id": true, "start": true, "role": true, "checked": true, "disabled": true, "type": true, "title": true, "align": true}
)

// activeHTML finds what fetches, runs or leads elsewhere than it may in the HTML that a renderer made.
func activeHTML(rendered string) string {
	for _, tag := range anyTag.FindAllString(rendered, -1) {
		parts := harmlessTag.FindStringSubmatch(tag)
		if parts == nil {
			return tag
		}
		for _, a := range anyAttribute.FindAllStringSubmatch(parts[2], -1) {
			switch name, value := a[1], html.UnescapeString(a[2]); {
			case name == "style" && strings.HasPrefix(value, "text-align:"):
			case name == "href" && safeAddress(value):
			case !harmless[name]:
				return tag
			}
		}
	}
	return ""
}

// safeAddress reports what a browser takes for http, https, mailto or a relative place.
func safeAddress(s string) bool {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' {
			return -1
		}
		return r
	}, s)
	scheme := aScheme.FindString(s)
	return scheme == "" || strings.EqualFold(scheme, "http:") || strings.EqualFold(scheme, "https:") || strings.EqualFold(scheme, "mailto:")
}

var aScheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)

// inert checks an outcome with every renderer.
func inert(t *testing.T, in, out string) {
	t.Helper()
	for name, r := range renderers {
		var rendered bytes.Buffer
		if err := r.Convert([]byte(out), &rendered); err != nil {
			t.Fatal(err)
		}
		if found := activeHTML(rendered.String()); found != "" {
			t.Fatalf("%s finds %q\n     in %q\nmade of %q\nrenders %q", name, found, out, in, rendered.String())
		}
	}
}

// attacks are notations of what must not get through, in full and hidden.
var attacks = []string{
	// Images.
	`![a](http://e.test/p.png)`, `![](//e.test)`, `![a][r]` + "\n\n[r]: http://e.test/p.png", `![r]` + "\n\n[r]: http://e.test", `![r][]` + "\n\n[r]: <http://e.test>",
	`!\[a](http://e.test)`, `\!\[a](http://e.test)`, `\\![a](http://e.test)`, `\\\![a](http://e.test)`, `[![a](http://e.test)](http://e.test)`,
	`![[a](b)](http://e.test)`, `![a![b](c)](http://e.test)`, `![a]` + "\n(http://e.test)", `!` + "\u200B" + `[a](http://e.test)`, "!\x00[a](http://e.test)", "!\r[a](http://e.test)",
	"!\u00AD[a](http://e.test)", `&#33;[a](http://e.test)`, `&excl;&lbrack;a&rbrack;(http://e.test)`, `！[a](http://e.test)`, "> ![a](http://e.test)", "- ![a\n  b](http://e.test)",
	"| ![a](http://e.test) |\n|---|\n| ![b](x) |", "# ![a](x)", "[^1]: ![a](x)\n\ntext[^1]", "a\n: ![b](x)", "![a](<http://e.test\n>)", "![a](http://e.test 'x`y')", "`![a](b)`![c](d)`",
	"``` ![a](b)\n![c](d)\n```\n![e](f)", "~~~\n```\n~~~\n![a](b)", "    ![a](b)\n\n![c](d)", "\t![a](b)", "- a\n\n      ![b](c)\n\n  ![d](e)", "*![a](b)*", "~~![a](b)~~", "![*a*](b)", "![a]( b )",
	"1. ```\n   x\n![a](b)\n   ```\n", "> ```\n![a](b)\n```", ">```\n> x\n>```\n![a](b)", "* ~~~\n  x\n ~~~\n ![a](b)", "```\n``` `\n![a](b)\n```\n![c](d)",
	// Links.
	`[a](javascript:alert(1))`, `[a](JaVaScRiPt:alert(1))`, `[a]( javascript:alert(1))`, "[a](\njavascript:alert(1))", `[a](<javascript:alert(1)>)`, `[a](java\script:alert(1))`, `[a](javascript\:alert(1))`,
	`[a](java&Tab;script:alert(1))`, `[a](java&NewLine;script:alert(1))`, `[a](&#x6A;avascript:alert(1))`, `[a](&#0000106avascript:x)`, `[a](javascript&colon;alert(1))`, `[a](javascript&amp;colon;alert(1))`,
	`[a](javascript%3Aalert(1))`, "[a](\u0001javascript:x)", "[a](java\u200Bscript:x)", "[a](\u00A0javascript:x)", `[a](data:text/html;base64,PHNjcmlwdD4=)`, `[a](vbscript:x)`, `[a](file:///etc/passwd)`,
	`[a](blob:http://x)`, `[a](ftp://e.test)`, `[a](view-source:x)`, `[a](tel:1)`, `[a](javascript:x "t")`, `[a](javascript:x 't` + "`" + `')`, `[a](http:javascript:x)`, `[a](x:javascript:y)`,
	"[a\nb](javascript:x)", "> [a](\n> javascript:x)", "- [a](\n  javascript:x)", "> [a](<\n> javascript:x>)", `[a\]](javascript:x)`, `[[a]](javascript:x)`, `[a][b](javascript:x)`, "[`a](javascript:x)`", "`[a](javascript:x)", "[a](javascript:x",
	`[a]\(javascript:x)`, `[a]&#40;javascript:x)`, `[a] (javascript:x)`, `[a](#javascript:x)`, `[a](?javascript:x)`, `[a](/javascript:x)`, `[a](./javascript:x)`, `[a](&lt;javascript:x&gt;)`, `[](javascript:x)`,
	`**[a](javascript:x)**`, "| [a](javascript:x) |\n|---|", "| `[a](javascript:x)|` |\n|---|\n| ` | [b](javascript:x) ` |", `[a]((javascript:x))`, `[a](()javascript:x)`, "[a](\\\njavascript:x)",
	// Reference definitions.
	"[r]: javascript:x\n\n[r]", "[r]:javascript:x\n\n[a][r]", "[r]:\njavascript:x\n\n[r]", "[r]:\n\n[r]", "> [r]:\n> javascript:x\n\n[r]", ">[r]:\n>javascript:x\n\n[r]", "> > [r]:\n> > javascript:x\n\n[r]", ">  [r]:\n>\tjavascript:x\n\n[r]",
	"- [r]:\n  javascript:x\n\n[r]", "1. > [r]:\n   > javascript:x\n\n[r]", "> - [r]:\n>   javascript:x\n\n[r]", "[r]: <javascript:x>\n\n[r]", "[r]: javascript&colon;x\n\n[r]", "[r\\]]: javascript:x\n\n[r\\]]", "[r\n]: javascript:x\n\n[r ]",
	"> [r\n> s]: javascript:x\n\n[r s]", "[r]: java\\script:x\n\n[r]", "   [r]: javascript:x\n\n[r]", "[R]: data:x\n\n[r]", "[r]: //e.test\n\n![r]", "[^r]: javascript:x\n\n[^r]", "a\n[r]: javascript:x\n\n[r]", "# a\n[r]: javascript:x\n[r]", "[r]: x\n[s]: javascript:y\n\n[s]",
	"[r]: x 'a\nb'\n[s]: javascript:y\n\n[s]", "[r]:\tjavascript:x\n\n[r]", "[r]:\v\njavascript:x\n\n[r]", "```\n[r]: a\n```\n[s]: javascript:x\n\n[s]", "> [r]: <\n> javascript:x>\n\n[r]", "[r]: ftp://e.test\n\n[r]",
	// Autolinks.
	`<javascript:alert(1)>`, `<JAVASCRIPT:x>`, `<data:text/html,x>`, `<ftp://e.test>`, `<made-up:x>`, `ftp://e.test`, `(ftp://e.test/a)`, `*ftp://e.test*`, `FTP://e.test`, `xftp://e.test ftp://e.test`, `xmpp:a@b.test`, `<xmpp:a@b.test>`, `<a@b.test>`, `a@b.test`,
	"javascript://%0Aalert(1)", "data:text/html,<script>x</script>", "www.e.test/<script>", "http://e.test/\"onmouseover=x", "<http://e.test/\"onmouseover=\"x>", "http://e.test/`y ![a](b) `", "<http://`e.test> ![a](b)`",
	// HTML.
	`<img src=x onerror=alert(1)>`, `<IMG SRC="x">`, `<img/src=x>`, "<img\nsrc=x>", "<img\tsrc=x>", `<svg onload=alert(1)>`, `<svg><script>x</script></svg>`, `<script>alert(1)</script>`, `<script/src=x>`, `<style>@import 'http://e.test'</style>`,
	`<p style="background:url(http://e.test)">`, `<iframe src=x>`, `<object data=x>`, `<embed src=x>`, `<link rel=stylesheet href=x>`, `<meta http-equiv=refresh content="0;url=x">`, `<base href=x>`, `<form action=x><input type=image src=x>`, `<video src=x>`,
	`<a href=javascript:x>y</a>`, `<a onmouseover=x>`, `<details open ontoggle=x>`, `<body onload=x>`, `<math><mi xlink:href=javascript:x>`, `</script>`, `<!-- --><img src=x>`, `<!--><img src=x>-->`, `<!DOCTYPE x [<!ENTITY y SYSTEM "http://e.test">]>`,
	`<![CDATA[<img src=x>]]>`, `<?php x ?>`, `<?xml-stylesheet href="http://e.test"?>`, `<x-y onclick=z>`, `<div>`, "<div\n\n<img src=x>", "a <div\nb>", "a <b\n c='>'>", `<b a="` + "`" + `"> ![x](y) ` + "`", `&lt;img src=x onerror=alert(1)&gt;`, `&#60;script&#62;`,
	"<\u200Bscript>", "<\x00script>", "<\x0Cscript>", "< script>", "<<script>script>", "<scr<script>ipt>", `\<script>`, `\\<script>`, `\\\<script>`, "`<script>", "`<script>`<script>", "``<script>` ``<script>``", "- <div\n  x\n\n<script>", "> <div\n\n<script>", "    <script>\n\n<script>",
	"```html\n<script>\n```\n<script>", "```\n<script>", "~~~<script>\n<script>\n~~~\n<script>", "````\n```\n<script>\n````\n<script>", "- ```\n  <b>\n<script>\n```", "<a b='\n\n<script>'>", "a <b\\>", "<b\t/>", "<b c=d", "<b c=d\n\n>", "a <b c=d\n\n>", "</b\n>", "< /b>", "<b\u00A0c>",
	"<1>", "<é>", "<a.b>", "<a:b>", "<a b", "x <a:b c>", "<script\r>", "<s\u00ADcript>",
	// Of other formats.
	`background: url(http://e.test)`, `@import url(javascript:x)`, `$\href{javascript:x}{y}$`, "```mermaid\nclick a href \"javascript:x\"\n```", `{{7*7}}`, `[[javascript:x]]`, `![[e.png]]`, `:::note{onclick=x}`, `# a {onclick=x}`,
}

// TestAttacksAreInert tries every notation alone and in every place, in every cut in two and in small pieces.
func TestAttacksAreInert(t *testing.T) {
	t.Parallel()
	for _, attack := range attacks {
		for _, place := range []string{"%", "text %", "%\n\n%", "> %", "- %\n  %", "1) a\n\n   %", "`a` %", "` %", "[x](%)", "[%](y)", "*%*", "| a | % |\n|---|---|\n| % | ` |", "```\n%\n```\n%", "\\%", "<%>", "[x]: y\n%", "http://e.test/%"} {
			in := strings.ReplaceAll(place, "%", attack)
			out, _ := filterWhole(in)
			inert(t, in, out)
		}
		want, wantFiltered := filterWhole(attack)
		for cut := 1; cut < len(attack); cut++ {
			samePieces(t, want, wantFiltered, attack[:cut], attack[cut:])
		}
		for size := 1; size <= 3; size++ {
			samePieces(t, want, wantFiltered, split(attack, size)...)
		}
	}
}

func samePieces(t *testing.T, want string, wantFiltered bool, pieces ...string) {
	t.Helper()
	f := answer.NewFilter()
	var got strings.Builder
	for _, p := range pieces {
		got.WriteString(f.Write(p))
	}
	rest, filtered := f.Close()
	if got.WriteString(rest); got.String() != want || filtered != wantFiltered {
		t.Fatalf("the pieces %q give\n     %q\nwant %q", pieces, got.String(), want)
	}
}

// TestAttacksTogether mixes attacks and their parts.
func TestAttacksTogether(t *testing.T) {
	t.Parallel()
	var parts []string
	for _, a := range attacks {
		parts = append(parts, a, a[:len(a)/2], a[len(a)/2:])
	}
	parts = append(parts, "\n", "\n\n", "> ", "- ", "`", "```\n", "[", "](", "]:", "\n> ", "\n  ", "<", ">", "(", ")", "\\", " ", "|")
	r := rand.New(rand.NewPCG(4, 5))
	for range racetest.Times(4_000, 1_000) {
		var in strings.Builder
		for range 2 + r.IntN(8) {
			in.WriteString(parts[r.IntN(len(parts))])
		}
		out, _ := filterWhole(in.String())
		inert(t, in.String(), out)
	}
}
