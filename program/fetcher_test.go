package program

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"kyrochat/config"
	"kyrochat/internal/envtest"
	"kyrochat/internal/website"
	"kyrochat/kyro"
)

// TestFetcherDoesWhatIsSet reaches what is excepted, by the name server that is set and under the name that is, and
// nothing else.
func TestFetcherDoesWhatIsSet(t *testing.T) {
	t.Parallel()
	site, err := website.Start(website.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(site.Close)
	dns, err := website.StartDNS()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dns.Close)
	dns.Addr("docs.example", "127.0.0.1")
	site.Set("/page", website.Page{Body: "Hello."})
	site.Set("/long", website.Page{Body: strings.Repeat("a", 101)})
	site.Robots("User-agent: examplebot\nDisallow: /private\n")
	c, err := config.Read(envtest.Of(map[string]string{
		"KYRO_FETCH_ALLOW": site.Address.String(), "KYRO_FETCH_DNS": dns.Address, "KYRO_FETCH_DELAY": "0", "KYRO_FETCH_MAX_BYTES": "100", "KYRO_FETCH_AGENT": "ExampleBot/2 (+https://example.com/)",
	}))
	if err != nil {
		t.Fatal(err)
	}
	f, err := newFetcher(c, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	root := "http://docs.example:" + site.URL[strings.LastIndexByte(site.URL, ':')+1:]
	got, err := f.Fetch(t.Context(), kyro.Fetch{URL: root + "/page"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(got.Body)
	_ = got.Body.Close()
	if err != nil || string(text) != "Hello." || site.Hits("/page")[0].Header.Get("User-Agent") != "ExampleBot/2 (+https://example.com/)" {
		t.Errorf("%q, %v", text, err)
	}
	for _, address := range []string{root + "/private", root + "/long", "http://127.0.0.2:80/", "http://docs.example/"} {
		if _, err := f.Fetch(t.Context(), kyro.Fetch{URL: address}); err == nil {
			t.Errorf("%s was fetched", address)
		}
	}
	site.Set("/page", website.Page{Status: http.StatusGone})
	if _, err := f.Fetch(t.Context(), kyro.Fetch{URL: root + "/page"}); kyro.ErrorCode(err) != kyro.CodeFetchFailed {
		t.Error(err)
	}
}
