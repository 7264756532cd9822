package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// layers says what each package imports of the project, itself aside. Whatever is not named may import nothing of it,
// and a permission that is not used any more is taken back.
var layers = map[string][]string{
	"kyro":                     {},
	"text":                     {},
	"account":                  {"kyro", "text"},
	"catalog":                  {"kyro"},
	"insight":                  {"kyro", "text"},
	"inspect":                  {"kyro", "store", "text"},
	"ingest":                   {"kyro", "text", "ingest/chunk"},
	"ingest/bucket":            {"kyro"},
	"ingest/chunk":             {"kyro", "text"},
	"ingest/extract":           {"kyro", "text"},
	"ingest/fetch":             {"kyro"},
	"ingest/files":             {"kyro", "text", "host", "ingest"},
	"export":                   {"kyro"},
	"export/folder":            {"kyro", "host"},
	"answer":                   {"kyro", "text"},
	"store":                    {"kyro", "text", "migrations"},
	"jobs":                     {"kyro"},
	"ai":                       {"kyro", "text"},
	"host":                     {},
	"live":                     {"kyro"},
	"auth":                     {"kyro"},
	"mail":                     {"kyro"},
	"meter":                    {"kyro"},
	"trace":                    {"kyro"},
	"backup":                   {},
	"migrations":               {},
	"client":                   {},
	"command":                  {},
	"demo":                     {"client", "host", "text"},
	"doctor":                   {"ai", "auth", "command", "config", "host", "ingest/bucket", "ingest/extract", "kyro", "live", "mail", "store", "text", "trace", "transport"},
	"eval":                     {"client", "host", "text"},
	"graph":                    {"kyro", "graph/scalar", "graph/model", "graph/plan"},
	"graph/model":              {"kyro"},
	"graph/plan":               {},
	"graph/scalar":             {"kyro"},
	"transfer":                 {"kyro", "ingest", "export"},
	"transport":                {"kyro"},
	"resolvers":                {"kyro", "graph", "graph/model", "graph/plan", "account", "catalog", "ingest", "answer", "insight", "export"},
	"web":                      {"kyro"},
	"deploy":                   {},
	"deploy/cleanmachine":      {"internal/manual"},
	"chaos":                    {"client", "kyro", "internal/gemini", "internal/pinecone", "internal/port", "internal/postgres", "internal/redis", "internal/smtp"},
	"bench":                    {"auth", "client", "kyro", "insight", "store", "ingest/chunk", "ingest/extract", "internal/gemini", "internal/postgres"},
	"internal/apidoc":          {},
	"internal/commanded":       {},
	"internal/commonpasswords": {"auth"},
	"internal/corpus":          {"kyro", "ingest/extract"},
	"internal/coverage":        {},
	"internal/emulate":         {"internal/gemini", "internal/pinecone", "internal/s3", "internal/smtp", "internal/website"},
	"internal/envtest":         {},
	"internal/gemini":          {"text", "internal/script"},
	"internal/graphgen":        {},
	"internal/logtest":         {"kyro"},
	"internal/manual":          {},
	"internal/mutants":         {},
	"internal/pinecone":        {"internal/port"},
	"internal/port":            {},
	"internal/postgres":        {},
	"internal/racetest":        {},
	"internal/redis":           {"internal/port"},
	"internal/required":        {},
	"internal/retrievalset":    {"kyro", "ai", "answer"},
	"internal/s3":              {"internal/script"},
	"internal/schemacheck":     {},
	"internal/script":          {},
	"internal/smtp":            {"internal/port", "internal/script"},
	"internal/testdb":          {"store", "jobs", "internal/postgres", "internal/redis", "internal/required"},
	"internal/website":         {},
	"config":                   {"kyro", "text", "account", "ai", "answer", "auth", "ingest/bucket", "ingest/fetch", "live", "mail", "store", "transport"},
	"operator":                 {"account", "auth", "backup", "command", "config", "host", "ingest", "ingest/files", "inspect", "jobs", "kyro", "live", "setup", "store", "text"},
	"setup":                    {"ai", "answer", "config", "ingest", "ingest/bucket", "insight", "jobs", "kyro", "live", "store", "transport"},
	"program":                  nil, // knows everybody
	".":                        {"program"},
}

// rings say where the folders of the house stand; what is below a folder stands with it. Those without a ring may see everybody.
var rings = map[string]string{
	"kyro": "ground", "text": "ground", "host": "ground", "command": "ground", "migrations": "ground",
	"account": "verb", "catalog": "verb", "ingest": "verb", "answer": "verb", "insight": "verb", "export": "verb",
	"store": "tool", "jobs": "tool", "ai": "tool", "live": "tool", "auth": "tool", "mail": "tool", "meter": "tool", "trace": "tool", "backup": "tool",
	"graph": "wire", "transport": "wire", "transfer": "wire", "resolvers": "wire", "web": "wire",
	"internal": "trial", "bench": "trial", "chaos": "trial", "deploy": "trial",
}

// serving is what only a server needs. The operator's commands work beside one that runs, and never see it.
var serving = []string{"resolvers", "transport", "transfer", "graph", "web", "catalog", "answer", "insight", "export"}

// TestNoRowBreaksTheLaw: what the law forbids, no row of the layers can permit. Verbs and tools see the ground alone, wires no tools,
// the operator nothing that serves, and what tries the house is seen by what tries it, too, and by nobody else.
func TestNoRowBreaksTheLaw(t *testing.T) {
	for name, allowed := range layers {
		from, _, _ := strings.Cut(name, "/")
		for _, other := range allowed {
			to, _, _ := strings.Cut(other, "/")
			ring, seen := rings[from], rings[to]
			switch {
			case from == to:
			case ring == "ground" && to != "kyro" && to != "migrations",
				(ring == "verb" || ring == "tool") && seen != "ground",
				ring == "wire" && seen == "tool",
				(from == "operator" || from == "inspect") && slices.Contains(serving, to),
				ring != "trial" && seen == "trial":
				t.Errorf("%s may import %s, which the law forbids", name, other)
			}
		}
	}
}

// owners says which packages alone import what others wrote. Something new gets a row, or is done without.
var owners = map[string][]string{
	"github.com/minio/":                   {"ingest/bucket"},
	"github.com/jackc/pgx/":               {"store", "jobs", "bench", "chaos", "internal/postgres", "internal/testdb"},
	"modernc.org/sqlite":                  {"store", "chaos"},
	"github.com/uptrace/bun":              {"store"},
	"github.com/riverqueue/":              {"jobs"},
	"github.com/golang-jwt/":              {"auth"},
	"golang.org/x/crypto":                 {"auth"},
	"filippo.io/age":                      {"backup"},
	"github.com/klauspost/compress":       {"backup"},
	"github.com/landlock-lsm/":            {"ingest/extract"},
	"golang.org/x/net/bpf":                {"ingest/extract"},
	"golang.org/x/sys/":                   {"ingest/extract"},
	"golang.org/x/net/dns":                {"internal/website"},
	"golang.org/x/net/html":               {"ingest/extract", "ingest/fetch"},
	"golang.org/x/net/idna":               {"text", "ingest/fetch"},
	"golang.org/x/net/publicsuffix":       {"ingest/fetch"},
	"codeberg.org/readeck/":               {"ingest/extract"},
	"github.com/trustelem/zxcvbn":         {"auth"},
	"github.com/agnivade/levenshtein":     {"auth", "doctor"},
	"golang.org/x/term":                   {"host", "operator"},
	"github.com/prometheus/":              {"meter"},
	"go.opentelemetry.io/":                {"trace"},
	"github.com/maypok86/otter":           {"live"},
	"github.com/redis/go-redis":           {"live"},
	"github.com/viterin/vek":              {"ai"},
	"google.golang.org/genai":             {"ai"},
	"github.com/graph-gophers/dataloader": {"ai"},
	"github.com/sony/gobreaker":           {"ai"},
	"github.com/kljensen/snowball":        {"text"},
	"github.com/klippa-app/go-pdfium":     {"ingest/extract"},
	"github.com/tetratelabs/wazero":       {"ingest/extract"},
	"github.com/pinecone-io/":             {"ai", "internal/pinecone"},
	"google.golang.org/grpc":              {"ai", "internal/pinecone"},
	"github.com/yuin/goldmark":            {"ingest/extract", "internal/manual"},
	"github.com/wneessen/go-mail":         {"mail"},
	"github.com/coder/websocket":          {"transport", "client", "bench", "chaos"},
	"github.com/go-chi/":                  {"program"},
	"github.com/coreos/go-systemd/":       {"program"},
	"github.com/vikstrous/dataloadgen":    {"resolvers"},
	"github.com/99designs/gqlgen/api":     {"internal/graphgen"},
	"github.com/99designs/gqlgen/codegen": {"internal/graphgen"},
	"github.com/99designs/gqlgen/graphql": {"graph", "graph/model", "graph/plan", "graph/scalar", "program", "resolvers", "transport"},
	"codeberg.org/go-pdf/fpdf":            {"bench"},
	"github.com/clipperhouse/uax29/":      {"ingest/chunk", "text"},
	"github.com/gabriel-vasile/mimetype":  {"ingest/extract"},
	"github.com/gogs/chardet":             {"ingest/extract"},
	"github.com/hashicorp/golang-lru/":    {"account", "ai", "auth", "graph", "ingest/fetch", "store", "transport"},
	"github.com/vektah/gqlparser/":        {"graph", "graph/plan", "internal/apidoc", "internal/graphgen", "internal/schemacheck", "resolvers", "transport"},
	"golang.org/x/sync":                   {"ai", "bench", "chaos", "deploy/cleanmachine", "eval", "internal/mutants", "program"},
	"golang.org/x/text/cases":             {"text"},
	"golang.org/x/text/encoding":          {"ingest/extract", "internal/corpus"},
	"golang.org/x/text/unicode":           {"internal/corpus", "text"},
	"golang.org/x/tools/cover":            {"internal/coverage"},
	"golang.org/x/tools/go/":              {"internal/mutants"},
	"google.golang.org/genproto/":         {"ai", "internal/pinecone"},
	"google.golang.org/protobuf/":         {"ai", "internal/pinecone"},
}

// TestImportLaw: each package imports what its row permits and nothing else, kyro and command the standard library only, and what others wrote is
// in the packages of its row.
func TestImportLaw(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}|{{join .Imports ","}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	used := map[string]bool{}
	for line := range strings.Lines(strings.TrimSpace(string(out))) {
		path, imports, _ := strings.Cut(strings.TrimSpace(line), "|")
		name := strings.TrimPrefix(strings.TrimPrefix(path, "kyrochat"), "/")
		if name == "" {
			name = "."
		}
		if _, known := layers[name]; !known {
			t.Errorf("%s has no place in the house: add it to the layers, with what it may import", name)
			continue
		}
		used[name] = true
		for imported := range strings.SplitSeq(imports, ",") {
			used[checkImport(t, name, imported)] = true
		}
	}
	for name, allowed := range layers {
		if !used[name] {
			t.Errorf("there is no %s: take it out of the layers", name)
		}
		for _, other := range allowed {
			if !used[name+" imports "+other] {
				t.Errorf("%s does not import %s: take the permission back", name, other)
			}
		}
	}
	for sdk, packages := range owners {
		for _, name := range packages {
			if !used[name+" imports "+sdk] {
				t.Errorf("%s does not import %s: take the permission back", name, sdk)
			}
		}
	}
}

// checkImport sees that the package may import the other, and says which permission it uses.
func checkImport(t *testing.T, name, imported string) (permission string) {
	t.Helper()
	if inner, ours := strings.CutPrefix(imported, "kyrochat/"); ours {
		switch {
		case name != "program" && !slices.Contains(layers[name], inner):
			t.Errorf("%s imports %s, which the import law forbids", name, inner)
		case name == "program" && strings.HasPrefix(inner, "internal/"):
			t.Errorf("the program imports %s: internal is for tests, measurements and generators only", inner)
		}
		return name + " imports " + inner
	}
	foreign := strings.Contains(strings.SplitN(imported, "/", 2)[0], ".")
	if (name == "kyro" || name == "command") && foreign {
		t.Errorf(name+" imports %s: it may import the standard library only", imported)
	}
	for sdk, packages := range owners {
		if !strings.HasPrefix(imported, sdk) {
			continue
		}
		if !slices.Contains(packages, name) {
			t.Errorf("%s imports %s, which only %v may", name, imported, packages)
		}
		permission = name + " imports " + sdk
	}
	if foreign && permission == "" {
		t.Errorf("%s imports %s, which has no row among the owners", name, imported)
	}
	return permission
}

// TestEveryPackageSaysWhatItIs, in a comment that go doc shows.
func TestEveryPackageSaysWhatItIs(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{if .GoFiles}}{{.ImportPath}}|{{.Doc}}{{else}}{{.ImportPath}}|only tests{{end}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		if path, doc, _ := strings.Cut(strings.TrimSpace(line), "|"); doc == "" {
			t.Errorf("%s has no comment", path)
		}
	}
}

// mayRead are the files that may call for the environment: the door of the program, which hands it on as a function, and config,
// which reads settings by it.
var mayRead = regexp.MustCompile(`^program/(program|clock_chaos)\.go$|^config/|^internal/`)

// TestEnvironmentIsReadInOnePlace keeps settings in one reader.
func TestEnvironmentIsReadInOnePlace(t *testing.T) {
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "list", "-f", `{{range .GoFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	reads := regexp.MustCompile(`\bos\.(Getenv|LookupEnv|Environ)\b|\bgetenv\("(?:KYRO|OTEL|GEMINI|PINECONE|DATABASE|REDIS|SMTP)_`)
	for file := range strings.Lines(string(out)) {
		file, err := filepath.Rel(root, strings.TrimSpace(file))
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !mayRead.MatchString(filepath.ToSlash(file)) && reads.Match(text) {
			t.Errorf("%s reads the environment: settings are read in config", file)
		}
	}
}

// TestTheDrawingIsOfThisHouse: every folder with a package of ours is drawn, every folder that is drawn is there, and so are the files of
// the folders that have many.
func TestTheDrawingIsOfThisHouse(t *testing.T) {
	page, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, drawing, _ := strings.Cut(string(page), "## The house\n")
	drawing, _, _ = strings.Cut(drawing, "\n```\n")
	drawn := map[string]string{} // what is said of each folder
	folder := ""
	for line := range strings.Lines(drawing) {
		if first, _, _ := strings.Cut(line, " "); strings.HasSuffix(first, "/") {
			folder = strings.TrimSuffix(first, "/")
		} else if first != "" {
			folder = ""
		}
		drawn[folder] += line
	}
	delete(drawn, "")
	for folder := range drawn {
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			t.Errorf("%s is drawn, and is no folder", folder)
		}
	}
	for name := range layers {
		if folder, _, _ := strings.Cut(name, "/"); folder != "." && drawn[folder] == "" {
			t.Errorf("%s is not drawn", folder)
		}
	}
	for _, folder := range []string{"program", "operator"} {
		checkDrawnFiles(t, folder, drawn[folder])
	}
}

// checkDrawnFiles sees that what is drawn of a folder names its files and no others.
func checkDrawnFiles(t *testing.T, folder, drawn string) {
	t.Helper()
	files, err := filepath.Glob(folder + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	matched := map[string]bool{}
	names := regexp.MustCompile(`[a-z0-9_*]+\.go`).FindAllString(drawn, -1)
	for _, file := range files {
		said := false
		for _, name := range names {
			if is, err := filepath.Match(name, filepath.Base(file)); err != nil {
				t.Fatal(err)
			} else if is {
				said, matched[name] = true, true
			}
		}
		if !said && !strings.HasSuffix(file, "_test.go") {
			t.Errorf("%s is not drawn", file)
		}
	}
	for _, name := range names {
		if !matched[name] {
			t.Errorf("%s/%s is drawn, and is not there", folder, name)
		}
	}
}
