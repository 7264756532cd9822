package website_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/internal/website"
)

func start(t *testing.T) *website.Site {
	t.Helper()
	s, err := website.Start(website.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// get asks for a page, with headers in pairs.
func get(t *testing.T, url string, headers ...string) (*http.Response, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response, string(text), err
}

func TestPagesAreServed(t *testing.T) {
	t.Parallel()
	s := start(t)
	changed := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	s.Set("/a?b=c", website.Page{Body: "all", ETag: `"1"`, Modified: changed, Packed: 1})
	s.Set("one.example/a?b=c", website.Page{Body: "one", Type: "-", Status: 201})
	s.Set("/a?b=c", website.Page{Status: 503, Times: 2})
	for i, want := range []string{"503 ", "201 one", "503 ", "200 all", "304 ", "304 ", "404 "} {
		url, headers := s.URL+"/a?b=c", [][]string{nil, {"Host", "one.example"}, nil, nil, {"If-None-Match", `"1"`}, {"If-Modified-Since", changed.Format(http.TimeFormat)}, nil}[i]
		if i == 6 {
			url = s.URL + "/a"
		}
		response, text, err := get(t, url, headers...)
		if err != nil {
			t.Fatal(err)
		}
		if code := response.Status[:4]; code+text != want && want != "404 " || response.Status[:3] != want[:3] {
			t.Errorf("%d: %s %q, want %q", i, response.Status, text, want)
		}
	}
	hits := s.Hits("/a?b=c")
	if len(hits) != 6 || hits[1].Host != "one.example" || hits[4].Header.Get("If-None-Match") != `"1"` || hits[4].Status != 304 || len(s.Hits("")) != 7 {
		t.Errorf("%+v", hits)
	}
	if err := s.Wait(t.Context(), "/a", 1); err != nil {
		t.Error(err)
	}
	s.Remove("/a?b=c")
	if response, _, err := get(t, s.URL+"/a?b=c"); err != nil || response.StatusCode != 404 {
		t.Errorf("it is still there: %v", err)
	}
}

func TestSitesMisbehave(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.Set("/cut", website.Page{Body: "this is cut", Cut: true})
	s.Set("/raw", website.Page{Raw: "no HTTP at all"})
	for _, path := range []string{"/cut", "/raw"} {
		if _, text, err := get(t, s.URL+path); err == nil {
			t.Errorf("%s: %q", path, text)
		}
	}
	s.Set("/slow", website.Page{Body: "abc", Slow: time.Millisecond})
	s.Set("/long", website.Page{Body: "abc", Zeros: 1000, Packed: 1})
	if _, text, err := get(t, s.URL+"/slow"); err != nil || text != "abc" {
		t.Errorf("%q, %v", text, err)
	}
	if _, text, err := get(t, s.URL+"/long"); err != nil || text != "abc"+strings.Repeat("\x00", 1000) {
		t.Errorf("%q, %v", text, err)
	}
	s.Example()
	if _, text, err := get(t, s.URL+"/sitemap.xml"); err != nil || strings.Count(text, "<loc>"+s.URL) != 5 {
		t.Errorf("%q, %v", text, err)
	}
}

func TestNamesChange(t *testing.T) {
	t.Parallel()
	d, err := website.StartDNS()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, d.Address)
	}}
	look := func(name string) string {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		addrs, err := resolver.LookupNetIP(ctx, "ip", name)
		if err != nil {
			return "none"
		}
		var list []string
		for _, a := range addrs {
			list = append(list, a.Unmap().String())
		}
		slices.Sort(list)
		return strings.Join(list, " ")
	}
	d.Set("Changes.example", website.Answer{Addrs: []netip.Addr{netip.MustParseAddr("198.100.0.1")}, TTL: 3600}, website.Answer{Addrs: []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}})
	d.Set("other.example", website.Answer{CNAME: "real.example", Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}})
	var many []netip.Addr
	for i := range 100 {
		many = append(many, netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}))
	}
	d.Set("many.example", website.Answer{Addrs: many, Cut: true})
	for _, c := range [][2]string{
		{"changes.example.", "198.100.0.1"}, {"changes.example.", "127.0.0.1 ::1"}, {"CHANGES.example.", "127.0.0.1 ::1"}, {"other.example.", "10.0.0.1"}, {"missing.example.", "none"},
	} {
		if got := look(c[0]); got != c[1] {
			t.Errorf("%s means %s, want %s", c[0], got, c[1])
		}
	}
	if got := look("many.example."); len(strings.Fields(got)) != 100 {
		t.Errorf("by TCP there is %s", got)
	}
	if asked := d.Asked(); !slices.Equal(asked, []string{"changes.example", "other.example", "missing.example", "many.example"}) {
		t.Errorf("asked for %q", asked)
	}
}
