package answer_test

import (
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"

	"kyrochat/answer"
)

func filterWhole(s string) (string, bool) {
	f := answer.NewFilter()
	out := f.Write(s)
	rest, filtered := f.Close()
	return out + rest, filtered
}

func TestFilterMakesActiveMarkupInert(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"image", "see ![chart](https://evil.test/?q=1).", `see \!\[chart](https://evil.test/?q=1).`},
		{"image by reference", "![chart][c]", `\!\[chart][c]`},
		{"image with an escaped mark", `\![a](https://x.test)`, `\!\[a](https://x.test)`},
		{"image hidden by a control character", "!\x00[a](https://x.test)", `\!\[a](https://x.test)`},
		{"definition", "[c]: https://evil.test/p.png", `\[c]: https://evil.test/p.png`},
		{"definition on the next line", "[c]:\n  //evil.test/p.png \"t\"", "\\[c]:\n  //evil.test/p.png \"t\""},
		{"script link", "[go](javascript:alert(1))", `[go]\(javascript:alert(1))`},
		{"script link in disguise", "[go](java&Tab;script&colon;alert(1))", `[go]\(java&Tab;script&colon;alert(1))`},
		{"script link in brackets", "[go](< javascript:alert(1)>)", `[go]\(< javascript:alert(1)>)`},
		{"data link", "[go](DATA:text/html,x)", `[go]\(DATA:text/html,x)`},
		{"tag", `x <img src=x onerror=alert(1)> y`, `x &lt;img src=x onerror=alert(1)> y`},
		{"closing tag", "a</b>", "a&lt;/b>"},
		{"comment", "a <!-- b -->", "a &lt;!-- b -->"},
		{"block without its end", "<iframe\nsrc=x", "&lt;iframe\nsrc=x"},
		{"script autolink", "<javascript:alert(1)>", "&lt;javascript:alert(1)>"},
		{"image after an open backtick", "` ![a](https://x.test)", "` \\!\\[a](https://x.test)"},
		{"image between lines with backticks", "`a\nb` ![a](https://x.test) `c`", "`a\nb` \\!\\[a](https://x.test) `c`"},
		{"image in a cell that ends within backticks", "| `a | ![b](https://x.test) ` |", "| `a | \\!\\[b](https://x.test) ` |"},
		{"after the end of a list with code", "- a\n  ```\n![b](https://x.test)", "- a\n  ```\n\\!\\[b](https://x.test)"},
		{"image whose bracket is escaped", `[!\[a](https://x.test)](https://y.test)`, `[\!\[a](https://x.test)](https://y.test)`},
		{"script link in a link", `[a \[b\](javascript:c)](https://x.test)`, `[a \[b\]\(javascript:c)](https://x.test)`},
		{"definition in a quote", "> [c]:\n> javascript:x", "> \\[c]:\n> javascript:x"},
		{"tag with other white space", "<b\u00A0onclick=x>", "&lt;b\u00A0onclick=x>"},
		{"tag after a backslash that an address ends with", `http://x.test\<script>`, `http://x.test\&lt;script>`},
		{"address of another scheme", "see FTP://x.test, xmpp:a@b.test", `see FTP\://x.test, xmpp\:a@b.test`},
		{"fence that may be the head of a table", "``` |\n|---|\n| ![a](b) |", "``` |\n|---|\n| \\!\\[a](b) |"},
		{"fence without its line end", "a\n```<script>", "a\n```&lt;script>"},
		{"fence that ends with both marks", "```\n```~~~\n![a](b)", "```\n```~~~\n\\!\\[a](b)"},
		{"code after tildes", "a ~~``<script>``", "a ~~``&lt;script>``"},
		{"definition far behind its colon", "[c]:" + strings.Repeat(" ", 3000) + "javascript:x", `\[c]:` + strings.Repeat(" ", 3000) + "javascript:x"},
		{"link far behind its bracket", "[a](" + strings.Repeat(" ", 3000) + "javascript:x)", `[a]\(` + strings.Repeat(" ", 3000) + "javascript:x)"},
		{"tag of all kinds of letters", "x <az09Z onclick=y>", "x &lt;az09Z onclick=y>"},
		{"autolink with signs in its scheme", "x <a+b-c.d:e>", "x &lt;a+b-c.d:e>"},
		{"image behind a mark that begins no list", "`a\n+\nb` ![a](https://x.test) `c`", "`a\n+\nb` \\!\\[a](https://x.test) `c`"},
		{"after tildes in a list with backticks in them", "1. ~~~\n   ```\n   ~~~\n   ![a](b)", "1. ~~~\n   ```\n   ~~~\n   \\!\\[a](b)"},
		{"after marks that are too far in to end code", "```\n    ```\n```\n![a](b)", "```\n    ```\n```\n\\!\\[a](b)"},
		{"after marks that end code of a list alone", "- a\n   ```\n   x\n     ```\n   ![a](b)", "- a\n   ```\n   x\n     ```\n   \\!\\[a](b)"},
		{"after marks with text far behind them", "```\n```" + strings.Repeat(" ", 3000) + "x\n```\n![a](b)", "```\n```" + strings.Repeat(" ", 3000) + "x\n```\n\\!\\[a](b)"},
		{"open for too long", "[" + strings.Repeat("x", 3000), `\[` + strings.Repeat("x", 3000)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, filtered := filterWhole(c.in)
			if got != c.want || !filtered {
				t.Errorf("filter of %q\n got %q (filtered %t)\nwant %q", c.in, got, filtered, c.want)
			}
			inert(t, c.in, got)
		})
	}
}

func TestFilterLeavesHarmlessTextAlone(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]string{
		"prose":             "Costs are 5 € [1], more [2, 3]! Really? Yes; \"quoted\" & done.",
		"comparisons":       "if a < b and c<d or e <= f then <3, x << 2",
		"arrow":             "a -> b => c",
		"links":             "[site](https://example.com/a_(b)) <https://example.com> [mail](mailto:a@b.test) https://x.test",
		"fenced code":       "```html\n<img src=x>\n![a](b)\n```\nafter [1]\n",
		"fenced in a list":  "1. Do\n   ```html\n   <div>\n\n     <b>\n   ```\n2. Go on",
		"tildes":            "~~~\n<div>\n``` no end\n~~~\n",
		"code span":         "Use `<div>` or ``a ` ![x](y)`` here.",
		"colons":            "ftp: a protocol; 10:30, a:b, ftp:, http://x.test:80",
		"code in a list":    "- `a`~~b~~\n- a\n  ~~~\n  <b>\n  ~~~\n",
		"definition likes":  "[1]: the first note\n[note]: see below",
		"relative link":     "[part](#part-2) f[i](x)",
		"marks and escapes": `\[x\] \< \\ * _ ~~gone~~ !`,
		"numbers":           "a <0 or b <5 or c <9 or d <-1 and e> 2",
		"open at the end":   "[site](https://example.com",
		"less at the end":   "if a <b",
		"name of a source":  "[1]: Handbook",
		"links in disguise": `[a]( https://x.test ) [b](<https://x.test>) [c](https\://x.test)`,
		"links, then code":  "[a](b) [c]() `<b>`",
		"text after a link": "See [a](b). Note: c\n\nd",
		"two paragraphs":    "a <b\n\nc> [d\n\ne]: f:g [h](\n\nNote: i)",
		"code at the end":   "f(`<b>`",
		"code with a mail":  "` a@b.test <c>` xmpp: a protocol",
		"fence after marks": "~~gone~~ ```a```\n```b``` c\n```\n<b>\n```\n",
		"marks in a fence":  "```\n    ```\n<b>\n```\n",
		"fence further in":  "   ```\n   <b>\n   ```\n",
		"end within a line": "  ```\n  <b>\n ",
		"other scripts":     "价格是 5 元[1]。¿Cuánto? «Nada»! Привет!",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, filtered := filterWhole(s); got != s || filtered {
				t.Errorf("changed:\n got %q\nwant %q", got, s)
			}
			samePieces(t, s, false, split(s, 1)...)
		})
	}
}

func TestFilterDropsControlCharacters(t *testing.T) {
	t.Parallel()
	if got, filtered := filterWhole("a\x00b\r\nc\x1b[0m\td\u0085"); got != "ab\nc[0m\td" || filtered {
		t.Errorf("got %q, filtered %t", got, filtered)
	}
}

func TestFilterHoldsNoMoreThanItMust(t *testing.T) {
	t.Parallel()
	f := answer.NewFilter()
	if got := f.Write("Plain words go on at once [1] and so"); got != "Plain words go on at once [1] and so" {
		t.Errorf("prose was kept back: %q", got)
	}
	for _, s := range []string{
		`a \* b`, "[a](b) c", "see ftp: a", "a ~~b~~ c", "a `b` c", "a < b", "    a", "! a", "```\n a\n\tb\n   c\n```\nd\n",
	} {
		f := answer.NewFilter()
		if got := f.Write(s + " and"); got != s+" and" {
			t.Errorf("%q was kept back: %q", s, got)
		}
	}
	if got := f.Write(" <" + strings.Repeat("a", 10_000)); len(got) < 10_000-4096 {
		t.Errorf("an open tag keeps back more than its share: %d bytes came", len(got))
	}
}

// seeds are texts in which every construct of the filter occurs, for the property tests.
var seeds = []string{
	"a ![b](c) [d]: e\n[f]: http://g `h` ``i`` <j> <https://k> [l](javascript:m) [n](http://o`p) q",
	"- a\n  ```\n  b\n ```\n![c](d)\n```x`y\n", "~~~\n```\n~~~\n<p>\n\n`a\n\n`b ![c](d)`",
	"10. a\n    ```\n    b\n    ```\n`![c](d)`", "<a`b@c.d> ![i](u) `x`", "> ```\n> a\n```\n![b](c)\n```\n",
	"[a](http://x`y) ![i](u) `z", "[a](u \")`\") ![i](u) `z`", "a\\`![b](c)`d` \\![x](y)", "日本`語 ![x](y)`\t\\",
	"- a\n     ```\n     x\n  ```\n  ![i](u)\n", "[x]: a`b\n![i](u) `c`", "<a href=\"`\"> ![i](u) `b`",
	"0`@0.0![]()`", "http://x.test`y ![i](u) `z", "www.x.test`y ![i](u)` `", "a <b\n\nc> [x\n\n]: http://y <http://a b>",
}

func FuzzFilter(f *testing.F) {
	for i, s := range seeds {
		f.Add(s, uint64(i))
	}
	f.Fuzz(func(t *testing.T, s string, seed uint64) {
		checkFilter(t, s, seed)
	})
}

// TestFilterOnMixtures puts pieces of markup together at random: more of them than the fuzzer's seeds have.
func TestFilterOnMixtures(t *testing.T) {
	t.Parallel()
	parts := []string{
		"`", "``", "```", "~~~", "\n", "\n\n", " ", "   ", "    ", "- ", "1. ", "> ", "| ", "\t", "![", "[", "]", "](", ")", "(", "[x]: ",
		"[x]", "<", ">", "<img ", "<b>", "<!--", "-->", "</", "http://a", "<https://a", "javascript:b", "mailto:c@d", "a", " b ", "é", "好", "\\", "\"", "'",
		":", "&lt;", "&colon;", "![i](u)", "[l](v)", "`c`", "@e.f>", "!", "# ", "---", "=",
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 3_000 {
		var s strings.Builder
		for range 2 + r.IntN(24) {
			s.WriteString(parts[r.IntN(len(parts))])
		}
		checkFilter(t, s.String(), r.Uint64())
		if t.Failed() {
			return
		}
	}
}

// TestFilterAtTheEdgeOfItsWindow puts constructs where the filter must decide without having seen their end.
func TestFilterAtTheEdgeOfItsWindow(t *testing.T) {
	t.Parallel()
	for _, open := range []string{"`", "```", "~~~ ", "[", "[a](", "[a]: ", "<a ", "<http://", "- ```", "好`"} {
		for _, fill := range []string{"x", "`", " ", "é", "好", "]"} {
			for n := 2040; n <= 2056; n += 4 {
				checkFilter(t, open+strings.Repeat(fill, n/len(fill))+"`![i](u)`\n```\n![i](u)\n```", uint64(n))
			}
		}
	}
}

// checkFilter checks that the outcome does not depend on the pieces and that no renderer finds anything active.
func checkFilter(t *testing.T, s string, seed uint64) {
	t.Helper()
	want, wantFiltered := filterWhole(s)
	r := rand.New(rand.NewPCG(seed, 7))
	for range 3 {
		f := answer.NewFilter()
		var got strings.Builder
		for rest := s; rest != ""; {
			n := 1 + r.IntN(min(len(rest), 1+r.IntN(40)))
			got.WriteString(f.Write(rest[:n]))
			if !utf8.ValidString(got.String()) {
				t.Fatalf("a code point was cut in %q", s)
			}
			rest = rest[n:]
		}
		rest, filtered := f.Close()
		got.WriteString(rest)
		if got.String() != want || filtered != wantFiltered {
			t.Fatalf("the pieces matter for %q:\n got %q\nwant %q", s, got.String(), want)
		}
	}
	if found := activeMarkup(want); found != "" {
		t.Fatalf("active %s in the outcome\n   of %q\n  got %q", found, s, want)
	}
}

func activeMarkup(markdown string) (found string) {
	source := []byte(markdown)
	tree := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	_ = ast.Walk(tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Image:
			found = "image"
		case *ast.RawHTML, *ast.HTMLBlock:
			found = "HTML"
		case *ast.Link:
			if u, err := url.Parse(strings.TrimSpace(string(n.Destination))); err == nil {
				if s := strings.ToLower(u.Scheme); s != "" && s != "http" && s != "https" && s != "mailto" {
					found = "link to " + s
				}
			}
		case *ast.AutoLink:
			if u := strings.ToLower(string(n.URL(source))); n.AutoLinkType == ast.AutoLinkURL && !strings.HasPrefix(u, "http") && !strings.HasPrefix(u, "mailto:") && !strings.HasPrefix(u, "ftp://") {
				found = "autolink to " + u
			}
		}
		return ast.WalkContinue, nil
	})
	return found
}
