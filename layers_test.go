package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// layers says what each package may import of the project, itself and its own subfolders aside; of the rest of the
// world, only kyro is restricted. Whatever is not named may import nothing of the project.
var layers = map[string][]string{
	"kyro":            {},
	"text":            {"kyro"},
	"account":         {"kyro", "text"},
	"catalog":         {"kyro", "text"},
	"ingest":          {"kyro", "text", "ingest/chunk"},
	"ingest/chunk":    {"kyro", "text"},
	"ingest/extract":  {"kyro", "text"},
	"ingest/files":    {"kyro", "text", "ingest"},
	"answer":          {"kyro", "text"},
	"store":           {"kyro", "text", "migrations"},
	"jobs":            {"kyro", "text"},
	"ai":              {"kyro", "text"},
	"live":            {"kyro", "text"},
	"auth":            {"kyro", "text"},
	"migrations":      {},
	"client":          {},
	"graph":           {"kyro", "graph/scalar", "graph/model", "graph/plan"},
	"graph/model":     {"kyro"},
	"graph/plan":      {},
	"graph/scalar":    {"kyro"},
	"transport":       {"kyro"},
	"resolvers":       {"kyro", "graph", "graph/model", "graph/plan", "account", "catalog", "ingest", "answer"},
	"web":             {},
	"bench":           {"auth", "client", "kyro", "internal/postgres"},
	"internal/testdb": {"store", "migrations", "internal/postgres"},
	".":               nil, // main knows everybody
}

// owners says which packages alone may import an SDK.
var owners = map[string][]string{
	"github.com/jackc/pgx/":           {"store", "jobs", "bench"},
	"modernc.org/sqlite":              {"store", "jobs"},
	"github.com/uptrace/bun":          {"store"},
	"github.com/riverqueue/":          {"jobs"},
	"github.com/golang-jwt/":          {"auth"},
	"golang.org/x/crypto":             {"auth"},
	"github.com/maypok86/otter":       {"live"},
	"github.com/klippa-app/go-pdfium": {"ingest/extract"},
	"github.com/coder/websocket":      {"transport", "client"},
	"github.com/99designs/gqlgen":     {".", "graph", "graph/model", "graph/plan", "graph/scalar", "resolvers", "transport"},
}

// TestImportLaw keeps the arrows pointing inward: kyro imports the standard library only, verbs and tools never
// import each other, and an SDK stays in its one package.
func TestImportLaw(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}|{{join .Imports ","}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(strings.TrimSpace(string(out))) {
		path, imports, _ := strings.Cut(strings.TrimSpace(line), "|")
		name := strings.TrimPrefix(strings.TrimPrefix(path, "kyrochat"), "/")
		if name == "" {
			name = "."
		}
		allowed, known := layers[name]
		if !known && !strings.HasPrefix(name, "internal/") {
			t.Errorf("%s has no place in the house: add it to the layers, with what it may import", name)
			continue
		}
		for imported := range strings.SplitSeq(imports, ",") {
			checkImport(t, name, imported, allowed)
		}
	}
}

func checkImport(t *testing.T, name, imported string, allowed []string) {
	t.Helper()
	if inner, ours := strings.CutPrefix(imported, "kyrochat/"); ours {
		if name != "." && !strings.HasPrefix(name, "internal/") && !slices.Contains(allowed, inner) {
			t.Errorf("%s imports %s, which the import law forbids", name, inner)
		}
		if strings.HasPrefix(inner, "internal/") && !strings.HasPrefix(name, "internal/") && name != "bench" {
			t.Errorf("%s imports %s: internal is for tests and measurements only", name, inner)
		}
		return
	}
	if name == "kyro" && strings.Contains(strings.SplitN(imported, "/", 2)[0], ".") {
		t.Errorf("kyro imports %s: it may import the standard library only", imported)
	}
	for sdk, packages := range owners {
		if strings.HasPrefix(imported, sdk) && !slices.Contains(packages, name) && !strings.HasPrefix(name, "internal/") {
			t.Errorf("%s imports %s, which only %v may", name, imported, packages)
		}
	}
}

// TestEnvironmentIsReadInOnePlace keeps settings in one reader.
func TestEnvironmentIsReadInOnePlace(t *testing.T) {
	out, _ := exec.Command("git", "grep", "-lE", `os\.(Getenv|LookupEnv|Environ)`, "--", "*.go").Output()
	for file := range strings.Lines(string(out)) {
		file = strings.TrimSpace(file)
		if file != "server.go" && file != "config.go" && !strings.HasSuffix(file, "_test.go") && !strings.HasPrefix(file, "internal/") {
			t.Errorf("%s reads the environment: settings are read in config.go", file)
		}
	}
}
