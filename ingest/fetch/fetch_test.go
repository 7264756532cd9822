package fetch_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"kyrochat/ingest/fetch"
	"kyrochat/internal/website"
	"kyrochat/kyro"
)

func TestAPageIsFetched(t *testing.T) {
	t.Parallel()
	site := startSite(t)
	modified := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	site.Set("/help?id=7", website.Page{Body: "<h1>Help</h1>", ETag: `W/"a, b"`, Modified: modified, Packed: 1, Type: "text/html; charset=koi8-r", Header: http.Header{"Set-Cookie": {"a=b"}}})
	f := reader(t, site)
	address := site.URL + "/help?id=7"
	got, text, err := read(t, f, kyro.Fetch{URL: strings.ToUpper(site.URL[:4]) + site.URL[4:] + "/a/../help?utm_source=mail&id=7#top"})
	if err == nil { // the page with the parameter is another one to the site
		t.Fatalf("%+v, %q", got, text)
	}
	wantError(t, "the page with a parameter", err, kyro.CodeFetchFailed, "The site answered 404. There is no page at the address: check it.")
	got, text, err = read(t, f, kyro.Fetch{URL: address + "#top"})
	if err != nil || text != "<h1>Help</h1>" || got.URL != address || got.ETag != `W/"a, b"` || got.LastModified != "Sun, 01 Mar 2026 12:00:00 GMT" ||
		got.ContentType != "text/html; charset=koi8-r" || got.NotModified || got.NoIndex {
		t.Fatalf("%+v, %q, %v", got, text, err)
	}
	for _, what := range []kyro.Fetch{{URL: address, ETag: got.ETag}, {URL: address, LastModified: got.LastModified}, {URL: address, ETag: got.ETag, LastModified: got.LastModified}} {
		again, _, err := read(t, f, what)
		if err != nil || !again.NotModified || again.Body != nil || again.URL != address {
			t.Errorf("%+v: %+v, %v", what, again, err)
		}
	}
	for _, what := range []kyro.Fetch{{URL: address, ETag: `"other"`}, {URL: address, LastModified: "Sun, 01 Feb 2026 12:00:00 GMT"}, {URL: address, ETag: "a\r\nX-Evil: b"}, {URL: address, ETag: strings.Repeat("a", 2000)}} {
		if again, text, err := read(t, f, what); err != nil || again.NotModified || text != "<h1>Help</h1>" {
			t.Errorf("%+v: %+v, %q, %v", what, again, text, err)
		}
	}
	for _, hit := range site.Hits("/help?id=7") {
		for name, value := range hit.Header {
			switch {
			case name == "User-Agent" && value[0] == "KyroChatBot/1.0", name == "Accept-Encoding" && value[0] == "gzip", name == "Accept", name == "If-None-Match", name == "If-Modified-Since":
			default:
				t.Errorf("it came with %s: %q", name, value)
			}
		}
	}
	if hits := site.Hits("/robots.txt"); len(hits) != 1 {
		t.Errorf("robots.txt was read %d times", len(hits))
	}
}

// TestWhatSitesAnswer: what the same question may get another answer to later is told from what it does not.
func TestWhatSitesAnswer(t *testing.T) {
	t.Parallel()
	site := startSite(t)
	for code, want := range map[int]kyro.Code{
		200: "", 203: "", 204: kyro.CodeFetchFailed, 206: kyro.CodeFetchFailed, 300: kyro.CodeFetchFailed, 304: kyro.CodeFetchFailed, 400: kyro.CodeFetchFailed, 401: kyro.CodeFetchFailed,
		403: kyro.CodeFetchFailed, 404: kyro.CodeFetchFailed, 410: kyro.CodeFetchFailed, 451: kyro.CodeFetchFailed, 408: kyro.CodeUpstreamFailed, 425: kyro.CodeUpstreamFailed, 429: kyro.CodeUpstreamFailed,
		500: kyro.CodeUpstreamFailed, 501: kyro.CodeFetchFailed, 502: kyro.CodeUpstreamFailed, 503: kyro.CodeUpstreamFailed, 504: kyro.CodeUpstreamFailed, 522: kyro.CodeUpstreamFailed,
	} {
		path := "/" + strconv.Itoa(code)
		site.Set(path, website.Page{Status: code, Body: "a"})
		_, _, err := read(t, reader(t, site), kyro.Fetch{URL: site.URL + path})
		if want == "" {
			if err != nil {
				t.Errorf("%d: %v", code, err)
			}
			continue
		}
		wantError(t, path, err, want, "")
		if known, ok := errors.AsType[*kyro.Error](err); ok && !strings.Contains(known.Message, "answered "+strconv.Itoa(code)) {
			t.Errorf("%d: %v", code, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	site := startSite(t)
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	f := open(t, fetch.Options{Allow: []fetch.Exception{only(site.Address)}, Now: func() time.Time { return now }})
	for value, want := range map[string]time.Duration{
		"": time.Minute, "7": 7 * time.Second, " 120 ": 2 * time.Minute, "Fri, 01 May 2026 12:05:00 GMT": 5 * time.Minute, "Fri, 01 May 2020 12:05:00 GMT": time.Second, "0": time.Second, "-5": time.Minute,
		"99999999999999999999": time.Minute, "1000000000": 24 * time.Hour, "soon": time.Minute,
	} {
		site.Set("/busy", website.Page{Status: 429, Header: http.Header{"Retry-After": {value}}})
		_, err := f.Fetch(within(t), kyro.Fetch{URL: site.URL + "/busy"})
		known, ok := errors.AsType[*kyro.Error](err)
		if !ok || known.Code != kyro.CodeUpstreamFailed || known.RetryAfter != want {
			t.Errorf("%q: %v, again after %v", value, err, known.RetryAfter)
		}
	}
}

func TestRedirectionsAreFollowed(t *testing.T) {
	t.Parallel()
	site := startSite(t)
	f := reader(t, site)
	chain := func(n int) {
		for i := range n {
			site.Set("/r"+strconv.Itoa(i), website.Page{Status: []int{301, 302, 303, 307, 308}[i%5], Location: "./r" + strconv.Itoa(i+1) + "#x", Header: http.Header{"Set-Cookie": {"a=b; Path=/"}}})
		}
		site.Set("/r"+strconv.Itoa(n), website.Page{Body: "the end", ETag: `"e"`})
	}
	chain(3)
	got, text, err := read(t, f, kyro.Fetch{URL: site.URL + "/r0"})
	if err != nil || text != "the end" || got.URL != site.URL+"/r3" {
		t.Errorf("%+v, %q, %v", got, text, err)
	}
	for _, hit := range site.Hits("/r3") {
		if hit.Header.Get("Referer")+hit.Header.Get("Cookie")+hit.Header.Get("Authorization") != "" {
			t.Errorf("it came with %v", hit.Header)
		}
	}
	if again, _, err := read(t, f, kyro.Fetch{URL: site.URL + "/r0", ETag: `"e"`}); err != nil || !again.NotModified || again.URL != site.URL+"/r3" {
		t.Errorf("%+v, %v", again, err)
	}
	chain(4)
	_, _, err = read(t, f, kyro.Fetch{URL: site.URL + "/r0"})
	wantError(t, "four of them", err, kyro.CodeFetchFailed, "The site leads from one address to the next, more than 3 times.")
	site.Set("/loop", website.Page{Location: "/loop"})
	_, _, err = read(t, f, kyro.Fetch{URL: site.URL + "/loop"})
	wantError(t, "a loop", err, kyro.CodeFetchFailed, "")
	for _, location := range []string{"javascript:alert(1)", "ftp://example.com/", "http://user@" + site.Address.String() + "/r4", "http://", "http://%zz/", "/" + strings.Repeat("a", 3000)} {
		site.Set("/strange", website.Page{Status: 302, Location: location})
		_, _, err = read(t, f, kyro.Fetch{URL: site.URL + "/strange"})
		wantError(t, location, err, kyro.CodeFetchFailed, unreachable)
	}
	site.Set("/nowhere", website.Page{Status: 302})
	_, _, err = read(t, f, kyro.Fetch{URL: site.URL + "/nowhere"})
	wantError(t, "without a location", err, kyro.CodeFetchFailed, "The site answered 302. Check that the address opens in a browser without signing in, then try again.")
	site.Set("/meta", website.Page{Body: `<meta http-equiv="refresh" content="0; url=/r4">`, Header: http.Header{"Refresh": {"0; url=/r4"}}})
	if got, _, err := read(t, f, kyro.Fetch{URL: site.URL + "/meta"}); err != nil || got.URL != site.URL+"/meta" {
		t.Errorf("a page that refreshes itself was followed: %+v, %v", got, err)
	}
}

func TestEncryptionIsNotGivenUp(t *testing.T) {
	t.Parallel()
	dns := startDNS(t)
	plain := startSite(t)
	secure, err := website.Start(website.Options{TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(secure.Close)
	dns.Addr("example.com", "127.0.0.1")
	dns.Addr("other.test", "127.0.0.1")
	f := open(t, fetch.Options{Allow: []fetch.Exception{only(plain.Address), only(secure.Address)}, DNS: dns.Address, Roots: secure.Roots})
	named := func(scheme, host string, at netip.AddrPort) string {
		return scheme + "://" + host + ":" + strconv.Itoa(int(at.Port()))
	}
	plain.Set("/", website.Page{Location: named("https", "example.com", secure.Address) + "/end"})
	secure.Set("/end", website.Page{Body: "encrypted"})
	secure.Set("/down", website.Page{Location: named("http", "example.com", plain.Address) + "/"})
	if got, text, err := read(t, f, kyro.Fetch{URL: named("http", "example.com", plain.Address)}); err != nil || text != "encrypted" || got.URL != named("https", "example.com", secure.Address)+"/end" {
		t.Errorf("up: %+v, %q, %v", got, text, err)
	}
	_, _, err = read(t, f, kyro.Fetch{URL: named("https", "example.com", secure.Address) + "/down"})
	wantError(t, "down", err, kyro.CodeFetchFailed, "The site leads from https to an address without it, which is not followed.")
	for _, bad := range []string{named("https", "other.test", secure.Address), named("https", "example.com", plain.Address), named("http", "example.com", secure.Address)} {
		before := len(secure.Hits(""))
		_, _, err = read(t, f, kyro.Fetch{URL: bad})
		if strings.HasPrefix(bad, "http:") { // a server of TLS says in HTTP that it is one
			wantError(t, bad, err, kyro.CodeFetchFailed, "")
		} else {
			wantError(t, bad, err, kyro.CodeFetchFailed, unreachable)
		}
		if len(secure.Hits("")) != before {
			t.Errorf("%s was read", bad)
		}
	}
}

// TestWhatFailsBeforeAnAnswerHasOneText, whatever it is.
func TestWhatFailsBeforeAnAnswerHasOneText(t *testing.T) {
	t.Parallel()
	site, dns := startSite(t), startDNS(t)
	silent, mute := setTrapSilent(t), website.Answer{Silent: true}
	closed := setTrap(t, "127.0.0.1:0")
	at := func(l interface{ String() string }) netip.AddrPort { return netip.MustParseAddrPort(l.String()) }
	gone := at(closed.Addr())
	_ = closed.Close()
	dns.Set("mute.example", mute)
	f := open(t, fetch.Options{
		Allow: []fetch.Exception{only(site.Address), only(at(silent)), only(gone)}, DNS: dns.Address, Dial: 200 * time.Millisecond, TLS: 100 * time.Millisecond, Header: 100 * time.Millisecond,
	})
	site.Set("/robots.txt", website.Page{Status: 404})
	for path, p := range map[string]website.Page{
		"/silent": {Silent: true}, "/no-http": {Raw: "SSH-2.0-OpenSSH_9.2\r\n"}, "/nothing": {Raw: "\n"}, "/half": {Raw: "HTTP/1.1 200 OK\r\nContent-"},
		"/long-head": {Raw: "HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("a", 70<<10) + "\r\n\r\nbody"}, "/heads": {Raw: strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 4000) + "HTTP/1.1 200 OK\r\n\r\n"},
		"/lengths": {Raw: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"},
	} {
		site.Set(path, p)
		_, err := f.Fetch(within(t), kyro.Fetch{URL: site.URL + path})
		wantError(t, path, err, kyro.CodeFetchFailed, unreachable)
	}
	for _, address := range []string{
		"http://" + silent.String() + "/", "https://" + silent.String() + "/", "http://" + gone.String() + "/", "http://mute.example/", "http://missing.example/",
		"http://127.0.0.1:" + strconv.Itoa(int(gone.Port())+1) + "/", "https://10.0.0.1/",
	} {
		_, err := f.Fetch(within(t), kyro.Fetch{URL: address})
		wantError(t, address, err, kyro.CodeFetchFailed, unreachable)
	}
}

func TestBodiesHaveLimits(t *testing.T) {
	t.Parallel()
	site := startSite(t)
	f := open(t, fetch.Options{Allow: []fetch.Exception{only(site.Address)}, MaxPage: 64 << 10, MaxFile: 256 << 10})
	const page = 64 << 10
	pdf := strings.Repeat("%PDF", page/4)
	for path, c := range map[string]struct {
		page website.Page
		want kyro.Code
		size int
	}{
		"/fits":            {website.Page{Body: strings.Repeat("a", page)}, "", page},
		"/fits-packed":     {website.Page{Body: strings.Repeat("a", page), Packed: 1}, "", page},
		"/too-long":        {website.Page{Body: strings.Repeat("a", page+1)}, kyro.CodeFileTooLarge, 0},
		"/too-long-packed": {website.Page{Body: strings.Repeat("a", page+1), Packed: 1}, kyro.CodeFileTooLarge, page},
		"/too-long-after":  {website.Page{Body: "a", Zeros: page}, kyro.CodeFileTooLarge, page},
		"/file-fits":       {website.Page{Type: "application/pdf", Body: pdf, Zeros: 3 * page}, "", 4 * page},
		"/file-too-long":   {website.Page{Type: "application/pdf", Body: pdf, Zeros: 3*page + 1}, kyro.CodeFileTooLarge, 4 * page},
		"/text-too-long":   {website.Page{Type: "text/plain", Zeros: page + 1}, kyro.CodeFileTooLarge, page},
		"/bomb":            {website.Page{Body: "a", Zeros: 10 << 30, Packed: 1}, kyro.CodeFileTooLarge, page},
		"/endless":         {website.Page{Body: strings.Repeat("a", 1000), Endless: true}, kyro.CodeFileTooLarge, page},
		"/cut":             {website.Page{Body: strings.Repeat("a", 1000), Cut: true}, kyro.CodeUpstreamFailed, -1},
		"/cut-packed":      {website.Page{Body: strings.Repeat("abc", 1000), Packed: 1, Cut: true}, kyro.CodeUpstreamFailed, -1},
		"/packed-twice":    {website.Page{Body: "a", Packed: 2, Header: http.Header{"Content-Encoding": {"gzip, gzip"}}}, kyro.CodeFetchFailed, 0},
		"/packed-lines":    {website.Page{Body: "a", Packed: 2, Header: http.Header{"Content-Encoding": {"gzip", "gzip"}}}, kyro.CodeFetchFailed, 0},
		"/brotli":          {website.Page{Body: "a", Header: http.Header{"Content-Encoding": {"br"}}}, kyro.CodeFetchFailed, 0},
		"/not-packed":      {website.Page{Body: strings.Repeat("This is not packed. ", 10), Header: http.Header{"Content-Encoding": {"gzip"}}}, kyro.CodeFetchFailed, 0},
		"/identity":        {website.Page{Body: "a", Header: http.Header{"Content-Encoding": {"identity"}}}, "", 1},
		"/empty-packed":    {website.Page{Body: "", Header: http.Header{"Content-Encoding": {"gzip"}}}, "", 0},
		"/empty":           {website.Page{}, "", 0},
	} {
		site.Set(path, c.page)
		_, text, err := read(t, f, kyro.Fetch{URL: site.URL + path})
		if c.want == "" && err != nil {
			t.Errorf("%s: %v", path, err)
		} else if c.want != "" {
			wantError(t, path, err, c.want, "")
		}
		if c.size >= 0 && len(text) != c.size {
			t.Errorf("%s: %d bytes, want %d", path, len(text), c.size)
		}
	}
}

func TestTypes(t *testing.T) {
	t.Parallel()
	site := startSite(t)
	f := reader(t, site)
	for kind, good := range map[string]bool{
		"text/html": true, "TEXT/HTML ; charset=utf-8": true, "application/xhtml+xml": true, "text/plain": true, "text/markdown; variant=GFM": true, "text/csv": true, "application/json": true, "application/pdf": true,
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document": true, "application/octet-stream": true, "-": true, "text/html; charset": true, "binary/octet-stream": true,
		"image/png": false, "text/css": false, "application/zip": false, "application/javascript": false, "video/mp4": false, "text/html, image/png": false, "nonsense": false, "<b>text</b>": false,
		"application/" + strings.Repeat("a", 500): false, "multipart/x-mixed-replace": false,
	} {
		site.Set("/typed", website.Page{Type: kind, Body: "a"})
		_, text, err := read(t, f, kyro.Fetch{URL: site.URL + "/typed"})
		if good {
			if err != nil || text != "a" {
				t.Errorf("%s: %q, %v", kind, text, err)
			}
			continue
		}
		wantError(t, kind, err, kyro.CodeUnsupportedType, "")
		if len(err.Error()) > 250 || strings.Contains(err.Error(), "<") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestNoIndexIsTold(t *testing.T) {
	t.Parallel()
	site := startSite(t)
	f := reader(t, site)
	for value, want := range map[string]bool{
		"": false, "all": false, "noindex": true, "NoIndex, nofollow": true, "none": true, "nofollow": false, "otherbot: noindex": false, "kyrochatbot: noindex": true, "KyroChatBot: nofollow, noindex": true,
		"otherbot: noindex, nofollow": false, "unavailable_after: 25 Jun 2027 15:00:00 PST, noindex": true, "max-snippet:20, noindex": true, "otherbot: noindex, kyrochatbot: none": true,
	} {
		site.Set("/x", website.Page{Body: "a", Header: http.Header{"X-Robots-Tag": {"nofollow", value}}})
		if got, _, err := read(t, f, kyro.Fetch{URL: site.URL + "/x"}); err != nil || got.NoIndex != want {
			t.Errorf("%q: %t, %v", value, got.NoIndex, err)
		}
	}
}

// TestLeavingEndsIt: whoever does not want the page any more is not kept, before the answer and in the middle of it.
func TestLeavingEndsIt(t *testing.T) {
	t.Parallel()
	site := startSite(t)
	f := reader(t, site)
	site.Set("/silent", website.Page{Silent: true})
	ctx, cancel := context.WithCancel(within(t))
	ended := make(chan error, 1)
	go func() {
		_, err := f.Fetch(ctx, kyro.Fetch{URL: site.URL + "/silent"})
		ended <- err
	}()
	if err := site.Wait(within(t), "/silent", 1); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	site.Set("/endless", website.Page{Body: "a", Slow: time.Millisecond, Endless: true})
	ctx, cancel = context.WithCancel(within(t))
	got, err := f.Fetch(ctx, kyro.Fetch{URL: site.URL + "/endless"})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.Copy(io.Discard, got.Body); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	_ = got.Body.Close()
	if _, err := got.Body.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("a closed body is read: %v", err)
	}
	got, err = f.Fetch(within(t), kyro.Fetch{URL: site.URL + "/endless"})
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	_, err = io.Copy(io.Discard, got.Body)
	wantError(t, "the fetcher is closed", err, kyro.CodeUpstreamFailed, "")
	_ = got.Body.Close()
}

// TestHeadersThatCannotBeKept: databases take UTF-8 alone, and what is sent back must be one header.
func TestHeadersThatCannotBeKept(t *testing.T) {
	t.Parallel()
	site := startSite(t)
	f := open(t, fetch.Options{Allow: []fetch.Exception{only(site.Address)}})
	site.Set("/", website.Page{Body: "a page", Header: http.Header{
		"Etag": {"\"a\xff\""}, "Last-Modified": {"\xe4"}, "Content-Type": {"text/html; charset=\xff"},
	}})
	got, text, err := read(t, f, kyro.Fetch{URL: site.URL + "/"})
	if err != nil || text != "a page" || got.ETag+got.LastModified+got.ContentType != "" {
		t.Errorf("%q, %+v, %v", text, got, err)
	}
}
