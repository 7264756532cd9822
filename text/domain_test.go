package text_test

import (
	"strings"
	"testing"

	"kyrochat/text"
)

func TestDomain(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"example.com": "example.com", "EXAMPLE.com": "example.com", "bücher.example": "xn--bcher-kva.example",
		"bu\u0308cher.example": "xn--bcher-kva.example", "BÜCHER.example": "xn--bcher-kva.example", "ｅxample。com": "example.com",
		"straße.example": "xn--strae-oqa.example", "例え.jp": "xn--r8jz45g.jp", "localhost": "localhost",
	} {
		if got, err := text.Domain(in); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", ".", "example.com.", "a..b", "-a.example", "a_b.example", "[127.0.0.1]", "a b.example", "xn--zzzzzz--.example",
		strings.Repeat("a", 64) + ".example", strings.Repeat("a.", 127) + "aa", "אa.example",
	} {
		if got, err := text.Domain(in); err == nil {
			t.Errorf("%q is taken for %q", in, got)
		}
	}
}
