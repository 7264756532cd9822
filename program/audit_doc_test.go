package program

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"kyrochat/graph"
	"kyrochat/kyro"
)

// TestTheAuditIsOfThisTree holds docs/security-audit.md against the tree: the files and the tests that it names are there,
// each rule and each figure has its row, in order, with a verdict and, where it is met, a place and a test; and so has each action
// of the audit log.
func TestTheAuditIsOfThisTree(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/security-audit.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := testsOfTheTree(t)
	for _, named := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(string(page), -1) {
		name := named[1]
		switch {
		case regexp.MustCompile(`^(Test|Fuzz)[A-Z]`).MatchString(name):
			if !tests[name] {
				t.Errorf("there is no %s", name)
			}
		case regexp.MustCompile(`^[.a-z][a-z0-9_./]*(\.go|/run|/fuzz)$`).MatchString(name):
			if _, err := os.Stat(name); err != nil {
				t.Errorf("%v", err)
			}
		}
	}
	rule := 0
	for _, row := range rowsOf(string(page), "The rules") {
		rule++
		if row[0] != fmt.Sprint(rule) || len(row) != 5 {
			t.Fatalf("rule %d has the row %q", rule, row)
		}
		verdict, where, shown := row[2], row[3], row[4]
		if !regexp.MustCompile(`^(<!-- FILL [^>]*--> |in part: )*(met|otherwise: |in part: |not built|see |vet, )`).MatchString(verdict) {
			t.Errorf("rule %d is %q", rule, verdict)
		}
		if strings.HasPrefix(verdict, "met") || strings.HasPrefix(verdict, "otherwise") || strings.HasPrefix(verdict, "in part") {
			if !strings.Contains(where, "`") || !strings.Contains(shown, "`") {
				t.Errorf("rule %d has no place or no test: %q", rule, row)
			}
		}
	}
	if rule != 64 {
		t.Errorf("%d rules have a row", rule)
	}
	figures := ""
	for _, row := range rowsOf(string(page), "The figures") {
		name, _, _ := strings.Cut(row[0], " ")
		figures += name + " "
	}
	if figures != "A1 A2 A3 A4 A5 A6 A7 A8 Q1 Q2 L1 L2 L3 L4 F1 F2 O1 O2 O3 G1–G15 " {
		t.Errorf("the figures are %s", figures)
	}
	var actions []string
	for _, row := range rowsOf(string(page), "The audit log") {
		name, _, _ := strings.Cut(row[0], ",")
		actions = append(actions, name)
		if !strings.Contains(row[1], "`Test") {
			t.Errorf("nothing shows %s", name)
		}
	}
	if want := kyro.AuditActions(); fmt.Sprint(actions) != fmt.Sprint(want) {
		t.Errorf("the audit log has\n%v, want\n%v", actions, want)
	}
}

// rowsOf are the cells of the first table under a heading.
func rowsOf(page, heading string) (rows [][]string) {
	_, section, _ := strings.Cut(page, "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	lines := 0
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		if lines++; lines <= 2 { // the head
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		rows = append(rows, cells)
	}
	return rows
}

// testsOfTheTree are the names of all tests.
func testsOfTheTree(t *testing.T) map[string]bool {
	t.Helper()
	tests, declared := map[string]bool{}, regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git"):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, found := range declared.FindAllSubmatch(text, -1) {
			tests[string(found[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}

// TestMutationsWithSecretsComeAlone reads in the contract which mutations take a password or a token, and tries two of each at
// once, and each beside another: one guess is one request.
func TestMutationsWithSecretsComeAlone(t *testing.T) {
	t.Parallel()
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphqls", Input: graph.Contract()})
	if err != nil {
		t.Fatal(err)
	}
	secret := regexp.MustCompile(`(?i)(password|token)$`)
	var with []string
	for _, field := range schema.Mutation.Fields {
		takes := strings.HasPrefix(field.Name, "request") // a mail, which costs others something
		for _, argument := range field.Arguments {
			takes = takes || secret.MatchString(argument.Name)
			for _, member := range schema.Types[argument.Type.Name()].Fields {
				takes = takes || secret.MatchString(member.Name)
			}
		}
		if takes {
			with = append(with, field.Name)
		}
	}
	if len(with) < 15 {
		t.Fatalf("these take secrets: %v", with)
	}
	p := &person{t: t, s: startServer(t, nil)}
	for i, name := range with {
		p.ask(fmt.Sprintf("mutation { a: %s b: %s }", name, name), nil).wantCode("", "TOO_MANY_MUTATIONS")
		p.ask(fmt.Sprintf("mutation { %s %s }", name, with[(i+1)%len(with)]), nil).wantCode("", "TOO_MANY_MUTATIONS")
	}
}
