package program

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"kyrochat/config"
	"kyrochat/internal/manual"
)

// manualPages are those of the documentation, in the order of their paths.
func manualPages(t *testing.T) []*manual.Page {
	t.Helper()
	paths := []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md"}
	for _, folder := range []string{"docs", "deploy"} {
		err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
			if strings.HasSuffix(path, ".md") {
				paths = append(paths, filepath.ToSlash(path))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	all := make([]*manual.Page, 0, len(paths))
	for _, path := range paths {
		page, err := manual.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page)
	}
	return all
}

// withoutFence are pages whose blocks are indented, since they are made of something else, and where these are tried.
var withoutFence = map[string]string{"docs/api.md": "TestTheContractShowsARow"}

// TestEveryBlockIsAccountedFor: what a page shows as code is run by TestTheManual, by a test or a step of CI that it names, or
// it says why it is not run at all.
func TestEveryBlockIsAccountedFor(t *testing.T) {
	t.Parallel()
	tests := testNames(t)
	for _, page := range manualPages(t) {
		for i, b := range page.Blocks {
			where := fmt.Sprintf("%s:%d", page.Path, b.Line)
			elsewhere := b.Attributes["elsewhere"]
			switch {
			case b.Indented:
				if !tests[withoutFence[page.Path]] {
					t.Errorf("%s: give the block a fence, so that it can be run", where)
				}
			case b.Is("variables") || b.Is("answer"):
				if i == 0 || b.Is("variables") && page.Blocks[i-1].Language != "graphql" {
					t.Errorf("%s: nothing stands before it that it could belong to", where)
				}
			case b.Is("shown"):
				if len(b.Attributes["shown"]) < 10 {
					t.Errorf("%s: say why it is not run", where)
				}
			case elsewhere != "":
				checkElsewhere(t, where, elsewhere, b.Text, tests)
			case b.Language == "mermaid": // a drawing
			case !executed(b):
				t.Errorf("%s: a block of %q is neither run nor says what runs it (elsewhere) or why nothing does (shown)", where, b.Language)
			}
		}
	}
}

func checkElsewhere(t *testing.T, where, elsewhere, text string, tests map[string]bool) {
	t.Helper()
	if strings.HasPrefix(elsewhere, "Test") {
		if !tests[elsewhere] {
			t.Errorf("%s: there is no %s", where, elsewhere)
		}
		return
	}
	if target, ok := strings.CutPrefix(elsewhere, "make "); ok {
		if !regexp.MustCompile(`\bmake\b[^\n]* ` + target + `\b`).MatchString(ofCI(t)) {
			t.Errorf("%s: CI does not make %s", where, target)
		}
		return
	}
	steps, err := os.ReadFile(elsewhere)
	if err != nil {
		t.Errorf("%s: neither a test, a target of make nor a file with its commands: %v", where, err)
		return
	}
	page, _, _ := strings.Cut(where, ":")
	for line := range strings.Lines(text) {
		command, _, _ := strings.Cut(strings.TrimSpace(line), "#")
		words := strings.Fields(command)
		word := strings.Join(words[:min(2, len(words))], " ")
		if word == "go run" {
			word = strings.Join(words[:3], " ")
		}
		if strings.HasSuffix(elsewhere, ".mjs") || strings.HasPrefix(elsewhere, "deploy/cleanmachine/") { // which reads the page itself
			word = page
		}
		if !strings.Contains(string(steps), word) {
			t.Errorf("%s: %s does not run %q", where, elsewhere, strings.TrimSpace(command))
		}
	}
}

// ofCI are the steps of CI, wherever they are.
func ofCI(t *testing.T) string {
	t.Helper()
	steps := ""
	for _, path := range append([]string{".ci/run"}, must(filepath.Glob(".github/workflows/*"))...) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		steps += string(text)
	}
	return steps
}

var testFunction = regexp.MustCompile(`(?m)^func (Test\w+|Benchmark\w+|Fuzz\w+)\(`)

// testNames are the names of all tests.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	eachFile(t, func(path string) {
		if !strings.HasSuffix(path, "_test.go") {
			return
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range testFunction.FindAllStringSubmatch(string(text), -1) {
			names[found[1]] = true
		}
	})
	return names
}

// eachFile walks through what the repository holds.
func eachFile(t *testing.T, see func(path string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git" || entry.Name() == "testdata" || path == "data") {
			return filepath.SkipDir
		}
		if !entry.IsDir() {
			see(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestLinksLeadSomewhere, to a file that is there and a heading that it has.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	anchors := map[string]map[string]string{}
	all := manualPages(t)
	for _, page := range all {
		anchors[page.Path] = page.Anchors
	}
	for _, page := range all {
		for _, link := range page.Links {
			if strings.Contains(link.Text, "://") || strings.HasPrefix(link.Text, "mailto:") {
				continue
			}
			path, anchor, _ := strings.Cut(link.Text, "#")
			target := page.Path
			if path != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(page.Path), path))
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s:%d: there is no %s", page.Path, link.Line, target)
				continue
			}
			if anchor != "" && anchors[target][anchor] == "" {
				t.Errorf("%s:%d: %s has no heading #%s", page.Path, link.Line, target, anchor)
			}
		}
	}
}

// byOthers are variables of the environment that the server does not read, and a file that does.
var byOthers = map[string]string{
	"KYRO_TEST_REQUIRE": "internal/required/required.go", "KYRO_TEST_DATABASE_URL": "internal/testdb/database.go", "KYRO_BINARY": "examples/check/server.mjs",
	"KYRO_URL": "examples/serve.mjs", "KYRO_MEASURE_BACKUP": "program/backup_size_e2e_test.go",
}

var settingName = regexp.MustCompile(`\b(?:KYRO_[A-Z0-9_]*[A-Z0-9]|OTEL_[A-Z_]*[A-Z]|(?:GEMINI|PINECONE)_API_KEY(?:_FILE)?|(?:DATABASE|REDIS|SMTP)_URL(?:_FILE)?)\b`)

// TestSettingsOnPagesAreRead: whatever page names a setting, there is one of this name.
func TestSettingsOnPagesAreRead(t *testing.T) {
	t.Parallel()
	read := map[string]bool{}
	if _, err := config.Read(func(name string) string { read[name] = true; return "" }); err != nil {
		t.Fatal(err)
	}
	for name, path := range byOthers {
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), name) {
			t.Errorf("%s does not read %s: %v", path, name, err)
		}
	}
	for _, page := range manualPages(t) {
		for _, name := range settingName.FindAllString(page.Text, -1) {
			if !read[name] && byOthers[name] == "" {
				t.Errorf("%s names %s, which nothing reads", page.Path, name)
			}
		}
	}
}

var (
	commandName  = regexp.MustCompile(`(?:^|[\s;&|(/])(?:kyrochat|go run \.) (admin (?:audit )?[a-z-]+|[a-z]+)\b(.*)`)
	programName  = regexp.MustCompile(`(?:^|[\s;&|(])go run \./(\S+)(.*)`)
	targetName   = regexp.MustCompile(`(?:^|[\s;&|(])make( [a-z][a-z -]*)`)
	givenValue   = regexp.MustCompile(`(?:^|[\s;&|(])make [a-z].*? ([A-Z]+)=`)
	benchCommand = regexp.MustCompile(`go test .*-bench .*`)
	folderName   = regexp.MustCompile(`(?:^| )(\./[a-z/]+)`)
	flagName     = regexp.MustCompile(`(?:^|\s)--?([a-z][a-z0-9-]*)`)
	nameOfTest   = regexp.MustCompile(`\b(?:Test|Benchmark)[A-Z]\w+\b`)
	listedTarget = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
	usageCommand = regexp.MustCompile(`(?m)^  kyrochat ([a-z]+)`)
	usageOfAdmin = regexp.MustCompile(`(?m)^  ((?:audit )?[a-z-]+)`)
)

// TestCommandsOnPagesAreThere, with their flags, and so are targets of make, with their variables, and tests. What a page has
// measured by a benchmark, "make bench" measures too.
func TestCommandsOnPagesAreThere(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	commands := map[string]bool{}
	for _, found := range usageCommand.FindAllStringSubmatch(usage, -1) {
		commands[found[1]] = true
	}
	status, help, said := operated(t, nil, "admin", "help")
	if status != 0 {
		t.Fatal(said)
	}
	for _, found := range usageOfAdmin.FindAllStringSubmatch(help, -1) {
		commands["admin "+found[1]] = true
	}
	commands["admin help"], commands["serve"], commands["extract"] = true, true, true // which the list does not need or hides
	tests := testNames(t)
	for _, page := range manualPages(t) {
		for _, line := range commandLines(page) {
			where := fmt.Sprintf("%s:%d", page.Path, line.Line)
			command, _, _ := strings.Cut(line.Text, " #")
			if found := commandName.FindStringSubmatch(command); found != nil {
				if !commands[found[1]] {
					t.Errorf("%s: there is no command %q", where, found[1])
				}
				checkFlags(t, where, found[2], "program", "operator")
			}
			if found := programName.FindStringSubmatch(command); found != nil {
				checkFlags(t, where, found[2], found[1])
			}
			checkMake(t, where, command, string(makefile))
		}
		for _, name := range nameOfTest.FindAllString(page.Text, -1) {
			if !slices.ContainsFunc(slices.Collect(maps.Keys(tests)), func(full string) bool { return strings.HasPrefix(full, name) }) {
				t.Errorf("%s names %s, which is no test", page.Path, name)
			}
		}
	}
}

// checkMake sees that make knows the targets that a command names and reads the variables, and that it has the packages of a
// benchmark.
func checkMake(t *testing.T, where, command, makefile string) {
	t.Helper()
	var targets []string
	for _, found := range listedTarget.FindAllStringSubmatch(makefile, -1) {
		targets = append(targets, found[1])
	}
	if found := targetName.FindStringSubmatch(command); found != nil {
		for _, target := range strings.Fields(found[1]) {
			if !slices.Contains(targets, target) {
				t.Errorf("%s: make knows no %s", where, target)
			}
		}
	}
	if found := givenValue.FindStringSubmatch(command); found != nil && !strings.Contains(makefile, "("+found[1]+")") {
		t.Errorf("%s: make reads no %s", where, found[1])
	}
	_, bench, _ := strings.Cut(makefile, "\nbench:")
	bench, _, _ = strings.Cut(bench, "\n\n")
	for _, folder := range folderName.FindAllStringSubmatch(benchCommand.FindString(command), -1) {
		if !slices.Contains(strings.Fields(bench), folder[1]) {
			t.Errorf("%s: make bench leaves out %s", where, folder[1])
		}
	}
}

// commandLines are the lines of shell of a page, and its spans of code.
func commandLines(page *manual.Page) []manual.Place {
	lines := slices.Clone(page.Codes)
	for _, b := range page.Blocks {
		if b.Language != "sh" {
			continue
		}
		for i, line := range strings.Split(strings.ReplaceAll(b.Text, "\\\n", "  "), "\n") {
			lines = append(lines, manual.Place{Text: line, Line: b.Line + 1 + i})
		}
	}
	return lines
}

// checkFlags sees that a program names each flag, as Go's flag package takes them, in one of its folders.
func checkFlags(t *testing.T, where, arguments string, folders ...string) {
	t.Helper()
	arguments = regexp.MustCompile(`"[^"]*"|'[^']*'|[|&;].*`).ReplaceAllString(arguments, "")
	names := flagName.FindAllStringSubmatch(arguments, -1)
	if len(names) == 0 {
		return
	}
	source := ""
	for _, folder := range folders {
		for _, path := range must(filepath.Glob(filepath.Join(folder, "*.go"))) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			source += string(text)
		}
	}
	for _, name := range names {
		if !strings.Contains(source, `"`+name[1]+`"`) && name[1] != "help" {
			t.Errorf("%s: there is no flag -%s", where, name[1])
		}
	}
}

var pathName = regexp.MustCompile(`^\.?[A-Za-z][\w./*-]*/(?:[\w.*-]+\.(?:go|md|mjs|js|ts|tsx|yml|json|sql|tsv|sh))?$|^[a-z][\w*-]*(?:\*|_test)?\.(?:go|graphqls|yml)$`)

// TestPathsOnPagesAreThere: files and folders of the repository that are written as code, from its root or from the page, or
// by their name alone.
func TestPathsOnPagesAreThere(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git") {
			return filepath.SkipDir
		}
		names[filepath.Base(path)] = true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range manualPages(t) {
		for _, code := range page.Codes {
			path := strings.TrimSuffix(code.Text, "/")
			if !pathName.MatchString(code.Text) || names[path] {
				continue
			}
			if len(must(filepath.Glob(path))) == 0 && len(must(filepath.Glob(filepath.Join(filepath.Dir(page.Path), path)))) == 0 {
				t.Errorf("%s:%d: there is no %s", page.Path, code.Line, code.Text)
			}
		}
	}
}
