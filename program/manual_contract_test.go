package program

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"kyrochat/graph"
	"kyrochat/internal/manual"
)

// schemaOf is the contract, read.
func schemaOf(t *testing.T) *ast.Schema {
	t.Helper()
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphqls", Input: graph.Contract()})
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestOperationsOnPagesAreValid, also those that are shown only.
func TestOperationsOnPagesAreValid(t *testing.T) {
	t.Parallel()
	schema := schemaOf(t)
	for _, page := range manualPages(t) {
		for _, b := range page.Blocks {
			if b.Language != "graphql" {
				continue
			}
			document, err := parser.ParseQuery(&ast.Source{Input: b.Text})
			if err != nil {
				t.Errorf("%s:%d: %v", page.Path, b.Line, err)
				continue
			}
			for _, operation := range document.Operations { // several in one block are alternatives
				alone := &ast.QueryDocument{Operations: ast.OperationList{operation}, Fragments: document.Fragments, Position: document.Position}
				for _, err := range validator.ValidateWithRules(schema, alone, rules.NewDefaultRules()) {
					t.Errorf("%s:%d: %v", page.Path, b.Line, err)
				}
			}
		}
	}
}

// forBuilders are pages whose readers write programs against the contract.
var forBuilders = []string{"README.md", "docs/start.md", "docs/concepts.md", "docs/guide.md"}

var (
	memberName = regexp.MustCompile(`^([A-Z]\w+)\.([a-z]\w*)$`)
	fieldName  = regexp.MustCompile(`^[a-z]+[a-z0-9]*(?:[A-Z][a-z0-9]*)+$`)
	valueName  = regexp.MustCompile(`^[A-Z]{2,}(?:_[A-Z]+)*$`)
)

// ofLibraries are words in the form of fields that are of JavaScript and its libraries, or of HTTP.
var ofLibraries = []string{"localStorage", "cacheExchange", "shouldRetry", "retryAttempts", "connectionParams", "webSocketImpl", "dataIdFromObject", "keyFields", "typePolicies", "retryAfterMs",
	"POST", "GET", "PUT", "HEAD", "DELETE", "OPTIONS", "PATH", "GOGC", "GOMEMLIMIT"}

// TestNamesOnPagesAreInTheContract: fields, arguments, types and values that are written as code.
func TestNamesOnPagesAreInTheContract(t *testing.T) {
	t.Parallel()
	schema := schemaOf(t)
	names, valueNames := map[string]bool{}, topLevelCodes(t, schema)
	for _, definition := range schema.Types {
		for _, field := range definition.Fields {
			names[field.Name] = true
			for _, argument := range field.Arguments {
				names[argument.Name] = true
			}
		}
		for _, value := range definition.EnumValues {
			valueNames[value.Name] = true
		}
	}
	for _, page := range manualPages(t) {
		if !slices.Contains(forBuilders, page.Path) {
			continue
		}
		for _, code := range page.Codes {
			where, text := fmt.Sprintf("%s:%d", page.Path, code.Line), strings.TrimSuffix(code.Text, "()")
			if found := memberName.FindStringSubmatch(text); found != nil {
				if definition := schema.Types[found[1]]; definition != nil && definition.Fields.ForName(found[2]) == nil {
					t.Errorf("%s: %s has no %s", where, found[1], found[2])
				}
			}
			if slices.Contains(ofLibraries, text) {
				continue
			}
			if fieldName.MatchString(text) && !names[text] || valueName.MatchString(text) && !valueNames[text] && !settingName.MatchString(text) {
				t.Errorf("%s: the contract has no %s", where, text)
			}
		}
	}
}

var listedCode = regexp.MustCompile(`\b[A-Z]{3,}(?:_[A-Z]+)+\b`)

// topLevelCodes are the codes that the description of ErrorCode names besides its values.
func topLevelCodes(t *testing.T, schema *ast.Schema) map[string]bool {
	t.Helper()
	codes := map[string]bool{}
	for _, name := range listedCode.FindAllString(schema.Types["ErrorCode"].Description, -1) {
		codes[name] = true
	}
	if len(codes) < 20 {
		t.Fatalf("only %d codes were found", len(codes))
	}
	return codes
}

var codeRow = regexp.MustCompile("(?m)^\\| ((?:`[A-Z_]+`(?:, )?)+) \\|")

// TestEveryCodeHasSomethingToDo in the guide: the table of what an app does has all codes, each once, and no others.
func TestEveryCodeHasSomethingToDo(t *testing.T) {
	t.Parallel()
	schema := schemaOf(t)
	there := topLevelCodes(t, schema)
	for _, value := range schema.Types["ErrorCode"].EnumValues {
		there[value.Name] = true
	}
	guide, err := manual.Read("docs/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]int{}
	for _, row := range codeRow.FindAllStringSubmatch(guide.Text, -1) {
		for name := range strings.SplitSeq(row[1], ", ") {
			told[strings.Trim(name, "`")]++
		}
	}
	for name := range there {
		if told[name] != 1 {
			t.Errorf("docs/guide.md tells %d times what to do about %s", told[name], name)
		}
	}
	for name := range told {
		if !there[name] {
			t.Errorf("docs/guide.md tells what to do about %s, which is no code", name)
		}
	}
}

var (
	alertName  = regexp.MustCompile(`(?m)^ +- alert: (\w+)$`)
	runbookURL = regexp.MustCompile(`(?m)^ +runbook_url: "?([^"\n]+)"?$`)
)

// TestEveryAlertHasARunbook: a heading of its own, to which the alert leads.
func TestEveryAlertHasARunbook(t *testing.T) {
	t.Parallel()
	page, err := manual.Read("docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("deploy/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	alerts := map[string]bool{}
	for _, rule := range strings.Split(string(text), "- alert: ")[1:] {
		name, _, _ := strings.Cut(rule, "\n")
		alerts[name] = true
		url := runbookURL.FindStringSubmatch(rule)
		if url == nil {
			t.Errorf("%s has no runbook_url", name)
			continue
		}
		path, anchor, _ := strings.Cut(url[1], "#")
		if !strings.HasSuffix(path, "docs/operations.md") || page.Anchors[anchor] != name {
			t.Errorf("%s leads to %s, where no heading is called %s", name, url[1], name)
		}
	}
	for _, heading := range slices.Sorted(maps.Values(page.Anchors)) {
		if strings.HasPrefix(heading, "KyroChat") && !alerts[heading] {
			t.Errorf("docs/operations.md has a runbook for %s, which is no alert", heading)
		}
	}
	if len(alerts) < 10 || len(alertName.FindAllString(string(text), -1)) != len(alerts) {
		t.Errorf("only %d alerts were found", len(alerts))
	}
}
