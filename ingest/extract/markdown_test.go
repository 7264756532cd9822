package extract

import (
	"strings"
	"testing"
	"time"

	"kyrochat/kyro"
)

// TestMarkdownHidesNothing hides an instruction in every way that a rendered page does not show.
func TestMarkdownHidesNothing(t *testing.T) {
	t.Parallel()
	for _, hidden := range []string{
		"<!-- secret -->", "a <!-- secret --> b", "<div hidden>secret</div>", "<div hidden>\n\nsecret\n\n<div>secret</div>\n\n</div>",
		"a <span style='display:none'>secret <b>secret</b></span> b", "a <span aria-hidden=\"true\">secret\nsecret</span> b",
		"<template>secret</template>", "<svg><text>secret</text></svg>", "[//]: # (secret)", "[comment]: <> \"secret\"", "[x]: # 'secret'",
		"<p hidden>secret", "a <span hidden>secret", "<script>\nsecret\n\nsecret\n</script>", "<div>\nb <!-- secret\n-->\n</div>",
	} {
		source := "# Tea\n\nIt is brewed at 80 degrees.\n\n" + hidden + "\n\nIt takes three minutes.\n\n```html\n<p hidden>shown</p>\n```\n"
		ex, err := readText([]byte(source), kyro.Original{MimeType: Markdown}, kyro.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		for _, kept := range []string{"80 degrees", "three minutes", "<p hidden>shown</p>"} {
			if !strings.Contains(ex.Text, kept) {
				t.Errorf("%s: %q is lost: %q", hidden, kept, ex.Text)
			}
		}
		if strings.Contains(ex.Text, "secret") {
			t.Errorf("%s: %q", hidden, ex.Text)
		}
		checkExtraction(t, ex)
	}
}

func TestTitleOfMarkdown(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"---\ntitle: \"Tea: how to\"\n---\n# x": "Tea: how to",
		"+++\ntitle = 'Tea'\n+++\nx":            "Tea",
		"---\ntags: [a]\n---\ntitle: no":        "",
		"title: no":                             "",
	} {
		ex, err := readText([]byte(source), kyro.Original{MimeType: Markdown}, kyro.DefaultLimits())
		if err != nil || ex.Title != want {
			t.Errorf("%q: %q, %v", source, ex.Title, err)
		}
	}
}

// TestBombsOfMarkdown reads what makes parsers of Markdown slow.
func TestBombsOfMarkdown(t *testing.T) {
	if testing.Short() {
		t.Skip("texts of megabytes")
	}
	const size = 1 << 17
	many := func(s string) string { return strings.Repeat(s, size/len(s)) }
	for name, source := range map[string]string{
		"brackets": many("["), "images": many("![["), "closed brackets": many("[") + many("]"), "emphasis": many("*a _"), "stars": many("**a "),
		"ticks": many("`a``"), "tags": many("<a "), "comments": many("<!--"), "links": many("[a](<b"), "definitions": many("[a]: b\n"),
		"uses": "[a]: b\n\n" + many("[a] "), "tables": "|" + many("a|") + "\n|" + many("-|") + "\n", "rows": "|a|b|\n|-|-|\n" + many("|\n"),
		"entities": many("&amp"), "hidden": many("<b hidden>"), "hidden blocks": many("<div hidden>\n\n"), "declarations": many("<?"), "data": many("<![CDATA["),
		"addresses": many("[a](b"), "titles": many("[a](b \""), "open links": many("[a]("), "uses of none": many("[a]["), "attributes": many("<a b='"), "footnotes": many("[^a]"),
		"brackets in lines": many("[\n"), "brackets in items": many("- [\n"), "quotes": many("> [\n"), "strikes": many("~~a "), "mixed": many("*a **b _c "), "escapes": many("\\["),
	} {
		began := time.Now()
		ex, err := readText([]byte(source), kyro.Original{MimeType: Markdown}, kyro.DefaultLimits())
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("%s: it took %v", name, took)
		} else {
			t.Logf("%s: %v", name, took)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		checkExtraction(t, ex)
	}
}
