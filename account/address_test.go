package account_test

import (
	"strings"
	"testing"

	"kyrochat/account"
	"kyrochat/kyro"
)

func TestNormalizeEmail(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		" Ada@Example.COM ": "ada@example.com", "ada@BÜCHER.example": "ada@xn--bcher-kva.example",
		"ada@bu\u0308cher.example": "ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example": "ada@xn--bcher-kva.example",
		"ZOE\u0308@x.io": "zoë@x.io", "zoë@x.io": "zoë@x.io", "a+b@x.io": "a+b@x.io", "\u212Aim@x.io": "kim@x.io",
	} {
		if got, err := account.NormalizeEmail(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{
		"", "ada", "a@", "@x.io", "a@x.io\r\nBcc: b@x.io", "a@x.io\x00", "a@x\u202e.io", "a\u200e@x.io", "a@-x.io", "a@x_y.io", "a@[127.0.0.1]",
		"a@x..io", "a@x.io.", "a@x。", "a@x.io b", strings.Repeat("a", 190) + "@" + strings.Repeat("ü.", 15) + "io",
		strings.Repeat("\u023A", 124) + "@x.io", strings.Repeat("\u0958", 80) + "@x.io", // longer in lower case, and composed
	} {
		got, err := account.NormalizeEmail(in)
		if kyro.ErrorCode(err) != kyro.CodeValidation {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}
