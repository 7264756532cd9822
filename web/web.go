// Package web holds the pages that the server itself serves, and how they are served: the playground, which is
// GraphiQL, built from web/playground by "make playground". Its bundle is made and not kept: without it, a page in its
// place says how to make it. Nothing is loaded from anywhere else.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"
)

//go:embed all:playground/dist
var dist embed.FS

//go:embed unbuilt.html
var unbuilt []byte

// AssetPath is where the playground's assets are, each under a name that has the hash of its content.
const AssetPath = "/playground/"

// contentTypes are those of the assets. Nothing of another type is served.
var contentTypes = map[string]string{
	".js":  "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8",
	".ttf": "font/ttf",
	".txt": "text/plain; charset=utf-8",
}

// Bundle gives what "make playground" had built when the server was compiled, if anything: index.html, and the assets,
// gzipped.
func Bundle() fs.FS {
	bundle, err := fs.Sub(dist, "playground/dist")
	if err != nil {
		panic(err) // the path is a constant
	}
	return bundle
}

// Playground serves GraphiQL at "/" and its assets below AssetPath, or a page that says how to build it where the
// bundle has no index.html. It is for development: it needs introspection.
func Playground(bundle fs.FS) http.Handler {
	page, err := fs.ReadFile(bundle, "index.html")
	if err != nil {
		return getOnly(unbuiltPage)
	}
	tag := `"` + hash(page) + `"`
	return getOnly(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			serveAsset(w, r, bundle)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", playgroundPolicy(r.Host))
		h.Set("Cache-Control", "no-cache")
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(page))
	})
}

// getOnly refuses every method that is not for reading.
func getOnly(serve http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "This page can only be read; GraphQL is at /graphql.", http.StatusMethodNotAllowed)
			return
		}
		serve(w, r)
	})
}

// plainHost is a host that a policy can name. Others, such as an IPv6 address, are left to 'self'.
var plainHost = regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]+)?$`)

// playgroundPolicy allows what the page needs and no more. Its editor makes style elements; 'self' is a websocket too,
// but not in every browser.
func playgroundPolicy(host string) string {
	connect := "'self'"
	if plainHost.MatchString(host) {
		connect += " ws://" + host + " wss://" + host
	}
	return "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; worker-src 'self'; connect-src " + connect +
		"; img-src 'self' data:; font-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// serveAsset serves a file of the bundle, for ever: another content has another name.
func serveAsset(w http.ResponseWriter, r *http.Request, bundle fs.FS) {
	name := strings.TrimPrefix(r.URL.Path, AssetPath)
	contentType, known := contentTypes[path.Ext(name)]
	if !known {
		http.NotFound(w, r)
		return
	}
	content, err := fs.ReadFile(bundle, name+".gz")
	if err != nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	if acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
	} else if content, err = unpack(content); err != nil {
		http.Error(w, "The playground was not built well: run make playground again.", http.StatusInternalServerError)
		return
	}
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Type", contentType)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// acceptsGzip is what every browser does.
func acceptsGzip(r *http.Request) bool {
	for each := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		coding, weight, _ := strings.Cut(each, ";")
		if strings.TrimSpace(coding) == "gzip" {
			return !refused.MatchString(weight)
		}
	}
	return false
}

// refused is the weight of what a client does not accept.
var refused = regexp.MustCompile(`^\s*q=0(\.0*)?\s*$`)

func unpack(packed []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
}

// unbuiltPolicy allows the page its one style element.
var unbuiltPolicy = "default-src 'none'; img-src data:; style-src 'sha256-" + hash(styleOf(unbuilt)) + "'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// unbuiltPage says how to build the playground, and where everything else is.
func unbuiltPage(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", unbuiltPolicy)
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Type", "text/html; charset=utf-8")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(unbuilt))
}

func styleOf(page []byte) []byte {
	_, style, _ := bytes.Cut(page, []byte("<style>"))
	style, _, _ = bytes.Cut(style, []byte("</style>"))
	return style
}

func hash(content []byte) string {
	sum := sha256.Sum256(content)
	return base64.StdEncoding.EncodeToString(sum[:])
}
