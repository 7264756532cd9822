package text_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"kyrochat/text"
)

func TestVerbatim(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, quote, want string }{
		{"as it stands", "The kiln reaches 1,260 degrees. It cools.", "reaches 1,260 degrees", "reaches 1,260 degrees"},
		{"the case of letters counts", "The kiln is hot.", "the kiln is hot", ""},
		{"not there", "The kiln is hot.", "the kiln is cold", ""},
		{"nothing", "The kiln is hot.", "  ", ""},
		{"only what is set aside", "The kiln is hot.", "***", ""},
		{"white space", "The kiln\n  is\u00a0hot.", "The kiln is hot.", "The kiln\n  is\u00a0hot."},
		{"quotation marks", "They say “it’s hot” here.", `say "it's hot" here`, "say “it’s hot” here"},
		{"dashes", "open 9–17 daily", "open 9-17 daily", "open 9–17 daily"},
		{"a word cut by a line end", "The tempera-\nture rises.", "The temperature rises", "The tempera-\nture rises"},
		{"a hyphen at a line end", "a well-\nknown rule", "a well-known rule", "a well-\nknown rule"},
		{"a hyphen kept", "a well-known rule", "a well\u2011known rule", "a well-known rule"},
		{"a minus", "from -5 to 5", "from −5 to 5", "from -5 to 5"},
		{"ligatures", "The ﬁnal oﬃce", "final office", "ﬁnal oﬃce"},
		{"part of a ligature", "oﬃce", "fice", "ﬃce"},
		{"wide forms", "ＡＢＣ１２３ code", "ABC123 code", "ＡＢＣ１２３ code"},
		{"combining marks", "un café noir", "un cafe\u0301 noir", "un café noir"},
		{"emphasis in the quote", "never open the door", "never **open** the door", "never open the door"},
		{"emphasis in the text", "never **open** the `door`", "never open the door", "never **open** the `door"},
		{"a line end between Chinese characters", "窑的温\n度很高。", "窑的温度很高", "窑的温\n度很高"},
		{"ellipsis", "and so on… it ends", "so on... it ends", "so on… it ends"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			span, found := text.NewVerbatim(c.text).Find(c.quote)
			if found != (c.want != "") || c.text[span.Start:span.End] != c.want {
				t.Errorf("found %v %q, want %q", found, c.text[span.Start:span.End], c.want)
			}
		})
	}
}

func FuzzVerbatim(f *testing.F) {
	f.Add("The tempera-\nture “rises”.", "temperature \"rises\"")
	f.Add("ﬁnal e\u0301 가각", "final é")
	f.Fuzz(func(t *testing.T, s, quote string) {
		if !utf8.ValidString(s) || !utf8.ValidString(quote) {
			return
		}
		span, found := text.NewVerbatim(s).Find(quote)
		if !found {
			if trimmed := strings.TrimSpace(quote); trimmed != "" && strings.Contains(s, trimmed) {
				t.Errorf("%q is in %q, but is not found", quote, s)
			}
			return
		}
		if span.Start < 0 || span.Start >= span.End || span.End > len(s) || !utf8.ValidString(s[span.Start:span.End]) {
			t.Errorf("%q in %q: %v", quote, s, span)
		}
	})
}
