package fetch_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"kyrochat/ingest/fetch"
	"kyrochat/kyro"
)

func TestCanonicalURL(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"http://example.com":                                  "http://example.com/",
		" HTTPS://Example.COM:443/ \n":                        "https://example.com/",
		"http://example.com:80/a":                             "http://example.com/a",
		"http://example.com:0080/a":                           "http://example.com/a",
		"http://example.com:443/":                             "http://example.com:443/",
		"https://example.com:/a":                              "https://example.com/a",
		"http://example.com./a":                               "http://example.com/a",
		"http://example.com/a#part":                           "http://example.com/a",
		"http://example.com/a/./b/../c/":                      "http://example.com/a/c/",
		"http://example.com/a/b/..":                           "http://example.com/a/",
		"http://example.com/../../a":                          "http://example.com/a",
		"http://example.com/%2e%2E/a":                         "http://example.com/a",
		"http://example.com//a//b":                            "http://example.com//a//b",
		"http://example.com/%7euser/%c3%bc/ü/a%2fb":           "http://example.com/~user/%C3%BC/%C3%BC/a%2Fb",
		"http://example.com/a b":                              "http://example.com/a%20b",
		"http://example.com/?":                                "http://example.com/",
		"http://example.com?b=2&a=1":                          "http://example.com/?b=2&a=1",
		"http://example.com/?q=a+b&r=%61%2b":                  "http://example.com/?q=a+b&r=a%2B",
		"http://example.com/?q=100%":                          "http://example.com/?q=100%25",
		"http://example.com/?utm_source=x&id=7&UTM_Medium=y":  "http://example.com/?id=7",
		"http://example.com/?gclid=1&fbclid=2&utm%5Fterm=z":   "http://example.com/",
		"http://example.com/?id=7&&x":                         "http://example.com/?id=7&x",
		"http://bücher.example/":                              "http://xn--bcher-kva.example/",
		"http://ＥＸＡＭＰＬＥ。com/":                                 "http://example.com/",
		"http://my_site.example.com/":                         "http://my_site.example.com/",
		"http://r3---sn.example.com/":                         "http://r3---sn.example.com/",
		"http://127.0.0.1:8080/":                              "http://127.0.0.1:8080/",
		"http://[2001:DB8:0::1]/":                             "http://[2001:db8::1]/",
		"http://[::ffff:192.0.2.1]/":                          "http://192.0.2.1/",
		"http://①②⑦.0.0.1/":                                   "http://127.0.0.1/",
		"https://example.com/a;b=c/d,e@f:g!$&'()*+/":          "https://example.com/a;b=c/d,e@f:g!$&'()*+/",
		"http://example.com/" + strings.Repeat("a", 2_048-19): "http://example.com/" + strings.Repeat("a", 2_048-19),
	} {
		got, err := fetch.CanonicalURL(in)
		if err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
		if again, err := fetch.CanonicalURL(got); err != nil || again != got {
			t.Errorf("%q becomes %q: %v", got, again, err)
		}
	}
	for _, in := range []string{
		"", "example.com", "/help", "//example.com/", "ftp://example.com/", "file:///etc/passwd", "javascript:alert(1)", "gopher://example.com/", "http:example.com",
		"http://", "http:///a", "http://user@example.com/", "http://user:password@example.com/", "http://@example.com/", "http://example.com:0/", "http://example.com:65536/",
		"http://example.com:http/", "http://exa mple.com/", "http://example..com/", "http://.example.com/", "http://example.com../", "http://exam%70le.com/", "http://[::1/", "http://[fe80::1%25eth0]/",
		"http://0x7f.1/", "http://2130706433/", "http://0177.0.0.1/", "http://127.1/", "http://1.2.3.4.5/", "http://0x7f000001/", "http://example.123/", "http://example.0x/", "http://256.0.0.1/",
		"http://example.com\\@127.0.0.1/", "http://exa\tmple.com/", "http://example.com/\x00", "http://example.com/%zz", "http://" + strings.Repeat("a.", 127) + "aa/",
		"http://example.com/" + strings.Repeat("a", 2_048-18), "http://example.com/" + strings.Repeat("ü", 700),
	} {
		got, err := fetch.CanonicalURL(in)
		known, ok := err.(*kyro.Error)
		if !ok || known.Code != kyro.CodeValidation || !slices.Equal(known.Field, []string{"url"}) {
			t.Errorf("%q is taken for %q: %v", in, got, err)
		}
	}
}

func TestSameSite(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"https://example.com/", "http://www.example.com/a", true},
		{"https://docs.example.co.uk/", "https://example.co.uk/", true},
		{"https://example.co.uk/", "https://other.co.uk/", false},
		{"https://one.github.io/", "https://two.github.io/", false},
		{"https://example.com/", "https://example.com.evil.example/", false},
		{"https://example.com/", "https://notexample.com/", false},
		{"http://localhost:1/", "http://localhost:2/", true},
		{"http://127.0.0.1:1/", "http://127.0.0.1:2/", true},
		{"http://127.0.0.1/", "http://127.0.0.2/", false},
		{"http://10.0.0.1/", "http://11.0.0.1/", false},
		{"http://[::1]/", "http://[::1]:8080/a", true},
		{"https://example.com/", "nonsense", false},
		{"nonsense", "nonsense", false},
	} {
		if got := fetch.SameSite(c.a, c.b); got != c.same {
			t.Errorf("%s and %s: %t", c.a, c.b, got)
		}
	}
}

func FuzzCanonicalURL(f *testing.F) {
	for _, s := range []string{
		"http://example.com/a/../b?utm_source=1&x=%41#y", "https://bücher.example:443/ü?q=%zz", "http://①②⑦.0.0.1/", "http://[::ffff:1.2.3.4]:8080//..//", "http://xn--bcher-kva.example./%2e%2e/",
		"http://a_b.example?%26&&=&utm%5fx=1", "http://example.com/%ff%00%2F;a=b",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := fetch.CanonicalURL(raw)
		if err != nil {
			if kyro.ErrorCode(err) != kyro.CodeValidation {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		again, err := fetch.CanonicalURL(got)
		if err != nil || again != got {
			t.Fatalf("%q becomes %q, then %q: %v", raw, got, again, err)
		}
		u, err := url.Parse(got)
		if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Path == "" || u.Scheme != "http" && u.Scheme != "https" || len(got) > kyro.MaxURL {
			t.Fatalf("%q becomes %q", raw, got)
		}
		if !fetch.SameSite(raw, got) {
			t.Fatalf("%q is of another site than %q", got, raw)
		}
	})
}
