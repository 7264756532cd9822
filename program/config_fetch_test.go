package program

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"kyrochat/internal/website"
	"kyrochat/kyro"
)

func TestFetchSettings(t *testing.T) {
	t.Parallel()
	c, err := readConfig(env(map[string]string{"KYRO_FETCH_ALLOW": "127.0.0.0/8:8080, 10.0.0.0/8:80-90,[::1]:8080", "KYRO_FETCH_DNS": "127.0.0.1:5353", "KYRO_FETCH_DELAY": "0"}))
	if err != nil || len(c.Fetch.Allow) != 3 || c.Fetch.DNS != "127.0.0.1:5353" || c.Fetch.Delay != 0 || c.Fetch.Timeout != 30*time.Second || c.Fetch.MaxBytes != 5<<20 {
		t.Errorf("%+v, %v", c.Fetch, err)
	}
	for name, values := range map[string][]string{
		"KYRO_FETCH_ALLOW":   {"localhost:80", "10.0.0.0/33:80", "10.0.0.0/8:0", "all", "127.0.0.1:8080,nonsense"},
		"KYRO_FETCH_DNS":     {"127.0.0.1", "dns.example:53", "127.0.0.1:0", "on"},
		"KYRO_FETCH_TIMEOUT": {"0", "36s", "30"}, "KYRO_FETCH_MAX_BYTES": {"0", "5MiB"}, "KYRO_FETCH_DELAY": {"-1s", "soon"}, "KYRO_FETCH_AGENT": {"1.0", "Bot\r\nX: y", "Böt/1"},
	} {
		for _, value := range values {
			if _, err := readConfig(env(map[string]string{name: value})); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s=%q: %v", name, value, err)
			}
		}
	}
}

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
	c, err := readConfig(env(map[string]string{
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
