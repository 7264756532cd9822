package fetch_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"kyrochat/ingest/fetch"
	"kyrochat/internal/website"
	"kyrochat/kyro"
)

func zipped(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// addresses are those of the pages, without what they have in common.
func addresses(pages []string, root string) string {
	var list []string
	for _, p := range pages {
		list = append(list, strings.TrimPrefix(p, root))
	}
	return strings.Join(list, " ")
}

func TestSitemapsAreRead(t *testing.T) {
	t.Parallel()
	site := startSite(t)
	f := reader(t, site)
	root := site.URL
	index := func(locations ...string) website.Page {
		return website.Page{Type: "text/xml", Body: "<sitemapindex><sitemap><loc>" + strings.Join(locations, "</loc></sitemap><sitemap><loc>") + "</loc></sitemap></sitemapindex>"}
	}
	site.Sitemap("/plain.xml", "/a", "/b?utm_source=x", "/a#part", "/b", "/c&d", "https://other.example/", "ftp://127.0.0.1/", "http://127.0.0.2/a")
	site.Set("/packed.xml.gz", website.Page{Type: "application/x-gzip", Body: zipped(t, "<urlset><url><loc>"+root+"/packed</loc></url></urlset>")})
	site.Set("/twice.xml.gz", website.Page{Type: "application/xml", Packed: 1, Body: zipped(t, "<urlset><url><loc>"+root+"/twice</loc></url></urlset>")})
	site.Set("/list.txt", website.Page{Type: "text/plain", Body: "\ufeff" + root + "/l1\r\n\r\n" + root + "/l2\n"})
	site.Set("/latin.xml", website.Page{Type: "application/xml", Body: "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><urlset><url><loc>" + root + "/\xfc</loc></url></urlset>"})
	site.Set("/index.xml", index(root+"/plain.xml", root+"/packed.xml.gz", root+"/missing.xml", root+"/deeper.xml", "https://other.example/s.xml", root+"/plain.xml"))
	site.Set("/deeper.xml", index(root+"/list.txt", root+"/index.xml"))
	site.Set("/images.xml", website.Page{Body: `<urlset xmlns:image="i"><url><image:image><image:loc>` + root + `/image</image:loc></image:image><loc> ` + root + `/page
 </loc><lastmod>2026-03-01</lastmod></url><url><lastmod>2026</lastmod></url></urlset>`})
	site.Set("/half.xml", website.Page{Body: "<urlset><url><loc>" + root + "/half</loc></url><url><loc>" + root + "/lost"})
	site.Set("/comments.xml", website.Page{Body: "<?xml version='1.0'?><!DOCTYPE urlset [<!ENTITY a 'b'>]><!-- <url> --><x:urlset xmlns:x='s'><x:url><loc><![CDATA[" + root + "/cdata]]></loc></x:url></x:urlset>"})
	for path, want := range map[string]string{
		"/plain.xml": "/a /b /c&d", "/packed.xml.gz": "/packed", "/twice.xml.gz": "/twice", "/list.txt": "/l1 /l2", "/latin.xml": "/%C3%BC", "/index.xml": "/a /b /c&d /packed /l1 /l2", "/images.xml": "/page",
		"/half.xml": "/half", "/comments.xml": "/cdata",
	} {
		pages, err := f.Sitemap(within(t), root+path, 100)
		if got := addresses(pages, root); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", path, got, err, want)
		}
	}
	for most, want := range map[int]string{0: "", 1: "/a", 4: "/a /b /c&d /packed"} {
		if pages, err := f.Sitemap(within(t), root+"/index.xml", most); err != nil || addresses(pages, root) != want {
			t.Errorf("%d at the most: %v, %v", most, pages, err)
		}
	}
}

func TestASiteNamesItsSitemaps(t *testing.T) {
	t.Parallel()
	site := startSite(t)
	site.Sitemap("/one.xml", "/1")
	site.Sitemap("/two.xml", "/2")
	site.Sitemap("/sitemap.xml", "/3")
	if pages, err := reader(t, site).Sitemap(within(t), site.URL, 10); err != nil || addresses(pages, site.URL) != "/3" {
		t.Errorf("by its usual name: %v, %v", pages, err)
	}
	site.Robots("Sitemap: " + site.URL + "/one.xml\nUser-agent: *\nsitemap: /two.xml\nSitemap: http://10.0.0.1/s.xml")
	if pages, err := reader(t, site).Sitemap(within(t), site.URL+"/", 10); err != nil || addresses(pages, site.URL) != "/1 /2" {
		t.Errorf("by robots.txt: %v, %v", pages, err)
	}
}

func TestWhatIsNoSitemap(t *testing.T) {
	t.Parallel()
	site := startSite(t)
	f := reader(t, site)
	const none = "There is no sitemap at this address: use that of one, or of the root of a site that names one in its robots.txt."
	for path, body := range map[string]string{
		"/html": "<!doctype html><html><body>Not here", "/text": "There is nothing.", "/empty": "", "/json": `{"a": 1}`, "/deep": strings.Repeat("<a>", 10_000), "/half": "<urlset><url><loc>http://",
		"/laughs": `<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><urlset><url><loc>&b;</loc>`, "/binary": "\x1f\x8bnot packed", "/feed": "<rss><channel/></rss>",
	} {
		site.Set(path, website.Page{Type: "application/xml", Body: body})
		pages, err := f.Sitemap(within(t), site.URL+path, 10)
		wantError(t, path, err, kyro.CodeFetchFailed, none)
		if len(pages) > 0 {
			t.Errorf("%s: %v", path, pages)
		}
	}
	site.Set("/bomb", website.Page{Type: "application/xml", Body: "<urlset>", Zeros: 1 << 30, Packed: 1})
	_, err := f.Sitemap(within(t), site.URL+"/bomb", 10)
	wantError(t, "a bomb", err, kyro.CodeFetchFailed, none)
	site.Set("/long", website.Page{Type: "application/xml", Body: "<urlset>" + strings.Repeat(" ", 1<<17), Endless: true, Packed: 1})
	_, err = f.Sitemap(within(t), site.URL+"/long", 10)
	wantError(t, "one without an end", err, kyro.CodeFetchFailed, none)
	site.Set("/others", website.Page{Type: "application/xml", Body: "<urlset>" + strings.Repeat("<url><loc>a</loc></url>", 51_000), Endless: true})
	if pages, err := f.Sitemap(within(t), site.URL+"/others", 10); err != nil || len(pages) > 0 {
		t.Errorf("one without an end, of nothing: %v, %v", pages, err)
	}
	_, err = f.Sitemap(within(t), site.URL+"/missing", 10)
	wantError(t, "404", err, kyro.CodeFetchFailed, "The site answered 404. There is no page at the address: check it.")
	site.Set("/busy", website.Page{Status: 503})
	_, err = f.Sitemap(within(t), site.URL+"/busy", 10)
	wantError(t, "503", err, kyro.CodeUpstreamFailed, "")
	ctx, cancel := context.WithCancel(within(t))
	cancel()
	if _, err = f.Sitemap(ctx, site.URL+"/busy", 10); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestIndexesHaveLimits: one that names itself, or more than anybody reads, ends.
func TestIndexesHaveLimits(t *testing.T) {
	t.Parallel()
	site := startSite(t)
	var b strings.Builder
	b.WriteString("<sitemapindex>")
	for i := range 1000 {
		fmt.Fprintf(&b, "<sitemap><loc>%s/s%d.xml</loc></sitemap>", site.URL, i)
		if i < 100 {
			site.Sitemap(fmt.Sprintf("/s%d.xml", i), fmt.Sprintf("/p%d", i))
		}
	}
	b.WriteString("</sitemapindex>")
	site.Set("/index.xml", website.Page{Type: "application/xml", Body: b.String()})
	pages, err := reader(t, site).Sitemap(within(t), site.URL+"/index.xml", 1000)
	if err != nil || len(pages) != 19 || len(site.Hits("")) != 21 {
		t.Errorf("%d pages by %d requests, %v", len(pages), len(site.Hits("")), err)
	}
}

func FuzzSitemap(f *testing.F) {
	for _, s := range []string{
		"<urlset><url><loc>https://example.com/a</loc><lastmod>2026-01-01</lastmod></url></urlset>", "<sitemapindex><sitemap><loc>https://example.com/s.xml</loc></sitemap></sitemapindex>", "https://example.com/a\nhttps://example.com/b\n",
		"<?xml version='1.0' encoding='koi8-r'?><urlset><url><x:loc>a</x:loc><loc><![CDATA[https://www.example.com/]]>&#47;</loc></url>", zipped(f, "<urlset><url><loc>https://example.com/z</loc></url></urlset>"), "\x1f\x8b\b\x00\x00\x00\x00\x00\x00\xff\xb2)",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		pages, err := fetch.ReadSitemap(bytes.NewReader(text), 10)
		if err != nil && kyro.ErrorCode(err) != kyro.CodeFetchFailed {
			t.Fatal(err)
		}
		if len(pages) > 10 {
			t.Fatal(pages)
		}
		for i, p := range pages {
			if again, err := fetch.CanonicalURL(p); err != nil || again != p || !fetch.SameSite(p, "https://example.com/") {
				t.Fatalf("%q: %v", p, err)
			}
			for _, other := range pages[:i] {
				if other == p {
					t.Fatalf("%s is there twice", p)
				}
			}
		}
	})
}
