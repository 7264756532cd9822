package web_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"kyrochat/web"
)

const script = "console.log('a script')"

// built is a bundle as "make playground" makes it.
func built(t *testing.T) fs.FS {
	t.Helper()
	return fstest.MapFS{
		".gitkeep":         {},
		"index.html":       {Data: []byte(`<script type="module" src="/playground/main-AB12.js"></script>`)},
		"main-AB12.js.gz":  {Data: gzipped(t, script)},
		"main-CD34.css.gz": {Data: gzipped(t, "body {}")},
		"icons-EF.ttf.gz":  {Data: gzipped(t, "a font")},
		"broken-00.js.gz":  {Data: []byte("no gzip")},
		"secret.env.gz":    {Data: gzipped(t, "of no type that is served")},
	}
}

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// ask sends a request to the playground with headers in pairs.
func ask(bundle fs.FS, method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	web.Playground(bundle).ServeHTTP(w, r)
	return w
}

func TestThePage(t *testing.T) {
	bundle := built(t)
	w := ask(bundle, http.MethodGet, "http://localhost:8080/")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "/playground/main-AB12.js") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff",
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; worker-src 'self'; " +
			"connect-src 'self' ws://localhost:8080 wss://localhost:8080; img-src 'self' data:; font-src 'self' data:; " +
			"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	tag := w.Header().Get("ETag")
	if again := ask(bundle, http.MethodGet, "/", "If-None-Match", tag); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
		t.Errorf("the page that the browser has: %d, %d bytes", again.Code, again.Body.Len())
	}
	newer := fstest.MapFS{"index.html": {Data: []byte("another page")}}
	if w := ask(newer, http.MethodGet, "/", "If-None-Match", tag); w.Code != http.StatusOK {
		t.Errorf("a newer page: %d", w.Code)
	}
	if w := ask(bundle, http.MethodHead, "/"); w.Code != http.StatusOK || w.Body.Len() > 0 {
		t.Errorf("HEAD: %d, %d bytes", w.Code, w.Body.Len())
	}
}

// TestHostsInThePolicy: what a client names as the host must not be able to loosen the policy.
func TestHostsInThePolicy(t *testing.T) {
	for host, want := range map[string]string{
		"chat.example.com":             "connect-src 'self' ws://chat.example.com wss://chat.example.com;",
		"127.0.0.1:18080":              "connect-src 'self' ws://127.0.0.1:18080 wss://127.0.0.1:18080;",
		"[::1]:8080":                   "connect-src 'self';",
		"a;script-src *":               "connect-src 'self';",
		"a, default-src *":             "connect-src 'self';",
		"evil.example ws://*":          "connect-src 'self';",
		"*":                            "connect-src 'self';",
		"example.com\r\nSet-Cookie: a": "connect-src 'self';",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		web.Playground(built(t)).ServeHTTP(w, r)
		if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, want) {
			t.Errorf("%q: %s", host, policy)
		}
	}
}

func TestAssets(t *testing.T) {
	bundle := built(t)
	for path, contentType := range map[string]string{
		"/playground/main-AB12.js": "text/javascript; charset=utf-8", "/playground/main-CD34.css": "text/css; charset=utf-8", "/playground/icons-EF.ttf": "font/ttf",
	} {
		w := ask(bundle, http.MethodGet, path, "Accept-Encoding", "br;q=1.0, gzip;q=0.8, *;q=0.1")
		h := w.Header()
		if w.Code != http.StatusOK || h.Get("Content-Type") != contentType || h.Get("Content-Encoding") != "gzip" || h.Get("Vary") != "Accept-Encoding" ||
			h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: %d %v", path, w.Code, h)
		}
		if path == "/playground/main-AB12.js" && !bytes.Equal(w.Body.Bytes(), gzipped(t, script)) {
			t.Errorf("%s is not served as it is stored", path)
		}
	}
	for _, encoding := range []string{"", "br", "gzip;q=0", "gzip; q=0.000", "gzipped"} {
		w := ask(bundle, http.MethodGet, "/playground/main-AB12.js", "Accept-Encoding", encoding)
		if w.Body.String() != script || w.Header().Get("Content-Encoding") != "" || w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("for %q: %q %v", encoding, w.Body, w.Header())
		}
	}
	if w := ask(bundle, http.MethodHead, "/playground/main-AB12.js"); w.Code != http.StatusOK || w.Body.Len() > 0 {
		t.Errorf("HEAD: %d, %d bytes", w.Code, w.Body.Len())
	}
	if w := ask(bundle, http.MethodGet, "/playground/broken-00.js"); w.Code != http.StatusInternalServerError || strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
		t.Errorf("a broken asset: %d %v", w.Code, w.Header())
	}
	for _, path := range []string{
		"/playground/", "/playground/main-OLD.js", "/playground/index.html", "/playground/.gitkeep", "/playground/secret.env", "/playground/main-AB12.js.gz",
		"/playground/../index.html", "/playground/%2e%2e/main-AB12.js", "/playground//main-AB12.js", "/playground/main-AB12.js/",
	} {
		if w := ask(bundle, http.MethodGet, path); w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != "" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
}

func TestOnlyReading(t *testing.T) {
	for _, bundle := range []fs.FS{built(t), fstest.MapFS{}} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, "TRACE"} {
			for _, path := range []string{"/", "/playground/main-AB12.js"} {
				if w := ask(bundle, method, path); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
					t.Errorf("%s %s: %d, Allow %q", method, path, w.Code, w.Header().Get("Allow"))
				}
			}
		}
	}
}

// TestWithoutTheBundle: a clean checkout serves a page that says what to do.
func TestWithoutTheBundle(t *testing.T) {
	bundle := fstest.MapFS{".gitkeep": {}}
	w := ask(bundle, http.MethodGet, "/")
	page, policy := w.Body.String(), w.Header().Get("Content-Security-Policy")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" || w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cache-Control") != "no-cache" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	for _, want := range []string{"make playground", "/graphql", `href="/schema.graphql"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %s", want)
		}
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "style=") || strings.Contains(page, "http:") || strings.Contains(page, "https:") {
		t.Errorf("the page needs more than its policy allows: %s", page)
	}
	if !regexp.MustCompile(`^default-src 'none'; img-src data:; style-src 'sha256-[A-Za-z0-9+/]{43}='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$`).MatchString(policy) {
		t.Errorf("the policy is %s", policy)
	}
	if w := ask(bundle, http.MethodGet, "/playground/main-AB12.js"); w.Code != http.StatusNotFound {
		t.Errorf("an asset: %d", w.Code)
	}
}

// TestTheBundle checks what is embedded in this very build, where something is.
func TestTheBundle(t *testing.T) {
	bundle := web.Bundle()
	page, err := fs.ReadFile(bundle, "index.html")
	if err != nil {
		t.Skip("the playground is not built: make playground")
	}
	if bytes.Contains(page, []byte("<style")) || regexp.MustCompile(`<script[^>]*>[^<]`).Match(page) || bytes.Contains(page, []byte("https:")) {
		t.Errorf("the page has something inline, or from elsewhere: %s", page)
	}
	named := regexp.MustCompile(`(?:src|href)="(/[^"]+)"`).FindAllSubmatch(page, -1)
	if len(named) < 3 {
		t.Fatalf("the page names too little: %s", page)
	}
	for _, each := range named {
		if w := ask(bundle, http.MethodGet, string(each[1])); w.Code != http.StatusOK || w.Body.Len() == 0 {
			t.Errorf("%s: %d", each[1], w.Code)
		}
	}
}

// welcome gives the document that the playground opens with, and its variables.
func welcome(t *testing.T) (document string, variables map[string]any) {
	t.Helper()
	text, err := os.ReadFile("playground/src/welcome.graphql")
	if err != nil {
		t.Fatal(err)
	}
	values, err := os.ReadFile("playground/src/welcome.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(values, &variables); err != nil {
		t.Fatal(err)
	}
	return string(text), variables
}

// TestTheWelcomeFitsTheContract validates the worked examples against the schema.
func TestTheWelcomeFitsTheContract(t *testing.T) {
	contract, err := os.ReadFile("../schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphqls", Input: string(contract)})
	if err != nil {
		t.Fatal(err)
	}
	text, variables := welcome(t)
	document, errs := gqlparser.LoadQueryWithRules(schema, text, nil)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	used := map[string]bool{}
	kinds := map[ast.Operation]int{}
	for _, operation := range document.Operations {
		kinds[operation.Operation]++
		for _, variable := range operation.VariableDefinitions {
			used[variable.Variable] = true
			if _, given := variables[variable.Variable]; variable.Type.NonNull && !given {
				t.Errorf("%s needs the variable %s, which has no value to begin with", operation.Name, variable.Variable)
			}
		}
	}
	for name := range variables {
		if !used[name] {
			t.Errorf("no operation uses the variable %s", name)
		}
	}
	if kinds[ast.Query] == 0 || kinds[ast.Mutation] == 0 || kinds[ast.Subscription] < 2 {
		t.Errorf("the examples are %v", kinds)
	}
}
