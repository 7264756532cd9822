package program

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"kyrochat/client"
	"kyrochat/internal/manual"
	"kyrochat/internal/required"
	"kyrochat/internal/testdb"
)

// TestTheManual does what the documentation says, page by page and from top to bottom, as its reader would: commands in a
// shell that remembers what was set, operations with the token that the last answer gave, scripts with Node. What is shown
// as an answer must come. See package manual for what a block says of itself, and manual_shell_test.go for what stands in
// for what is elsewhere.
func TestTheManual(t *testing.T) {
	t.Parallel()
	emulator := emulatorIn(t.TempDir())
	for _, page := range manualPages(t) {
		if !slices.ContainsFunc(page.Blocks, executed) {
			continue
		}
		t.Run(page.Path, func(t *testing.T) {
			t.Parallel()
			readThrough(t, page, nil, emulator)
		})
		if strings.HasPrefix(page.Path, "docs/guide") {
			t.Run(page.Path+" with PostgreSQL and Redis", func(t *testing.T) {
				t.Parallel()
				readThrough(t, page, map[string]string{"DATABASE_URL": testdb.PostgresURL(t), "REDIS_URL": testdb.Redis(t).URL}, emulator)
			})
		}
	}
}

// executed says whether a block is run here.
func executed(b manual.Block) bool {
	return slices.Contains([]string{"sh", "graphql", "js"}, b.Language) && !b.Is("shown") && !b.Is("elsewhere")
}

// pageReader is somebody who does what a page says.
type pageReader struct {
	t       *testing.T
	page    *manual.Page
	at      manual.Block // that is being read
	sh      *shell
	ids     map[string]string // of the page, and what they are here
	token   string            // the last one that an answer had
	output  string            // of the block before
	lacking bool              // Node
}

func readThrough(t *testing.T, page *manual.Page, settings map[string]string, emulator func() (string, error)) {
	t.Helper()
	r := &pageReader{t: t, page: page, ids: map[string]string{}}
	r.sh = newShell(r, settings, emulator)
	for i, block := range page.Blocks {
		if !executed(block) {
			continue
		}
		r.at = block
		block.Text = r.here(block.Text)
		var variables string
		var answer *manual.Block
		for _, next := range page.Blocks[i+1:] {
			if next.Is("variables") {
				variables = r.here(next.Text)
			} else if next.Is("answer") {
				answer = &next
			}
			if !next.Is("variables") || answer != nil {
				break
			}
		}
		switch block.Language {
		case "sh":
			r.sh.do(block.Text)
			r.learnToken(r.output)
			if answer == nil && toldErrors.MatchString(r.output) {
				r.failf("the page shows no answer, so it should succeed: %s", r.output)
			}
		case "graphql":
			r.operation(block, variables, answer)
			continue
		case "js":
			if !r.script(block) {
				continue
			}
		}
		if answer != nil {
			r.compare(*answer)
		}
	}
}

// failf ends the reading at the block that is being read.
func (r *pageReader) failf(format string, args ...any) {
	r.t.Helper()
	r.t.Fatalf("%s:%d: "+format, append([]any{r.page.Path, r.at.Line}, args...)...)
}

var idInText = regexp.MustCompile(`\b(?:user|bot|doc|chunk|conv|msg|upload|session|key|export|gap|crawl|audit)_[0-9]+\b`)

// here is a text of the page with the addresses and ids that are meant.
func (r *pageReader) here(text string) string {
	text = idInText.ReplaceAllStringFunc(text, func(id string) string {
		if meant, known := r.ids[id]; known {
			return meant
		}
		return id
	})
	return r.sh.withAddresses(text)
}

var toldErrors = regexp.MustCompile(`"errors": ?\[\s*\{`)

var tokenInOutput = regexp.MustCompile(`"accessToken": ?"([^"]+)"`)

// learnToken takes the token of an answer, to be sent from now on.
func (r *pageReader) learnToken(output string) {
	if found := tokenInOutput.FindAllStringSubmatch(output, -1); found != nil {
		r.token = found[len(found)-1][1]
	}
}

// compare holds what came of a command or script against what the page shows.
func (r *pageReader) compare(answer manual.Block) {
	r.t.Helper()
	var err error
	if answer.Language == "json" {
		err = r.sameJSON(answer, values(r.t, r.output), false)
	} else {
		err = sameLines(r.here(answer.Text), r.output)
	}
	if err != nil {
		r.failf("%v\nall that came:\n%s", err, r.output)
	}
}

// operation sends an operation and compares what is answered, in all of its events where it subscribes.
func (r *pageReader) operation(block manual.Block, variables string, answer *manual.Block) {
	r.t.Helper()
	r.sh.ensureServer()
	document, err := parser.ParseQuery(&ast.Source{Input: block.Text})
	if err != nil {
		r.failf("%v", err)
	}
	request := map[string]any{"query": block.Text}
	if variables != "" {
		request["variables"] = json.RawMessage(variables)
	}
	token := r.token
	if as := block.Attributes["as"]; as == "nobody" {
		token = ""
	} else if as != "" {
		token = r.sh.variable(as)
	}
	var came []any
	subscribes := document.Operations[0].Operation == ast.Subscription
	if subscribes {
		came = r.events(request, token, answer)
	} else {
		came = values(r.t, r.post(request, token))
	}
	if answer != nil {
		if err := r.sameJSON(*answer, came, subscribes); err != nil {
			r.failf("%v\nall that came:\n%s", err, r.output)
		}
	} else if problem := problems(came); problem != "" {
		r.failf("the page shows no answer, so it should succeed: %s", problem)
	}
}

func (r *pageReader) post(request map[string]any, token string) string {
	r.t.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		r.failf("the variables: %v", err)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.sh.server()+"/graphql", bytes.NewReader(body))
	if err != nil {
		r.failf("%v", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.failf("%v", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		r.failf("%v", err)
	}
	r.output = string(text)
	r.learnToken(r.output)
	return r.output
}

// events follows a subscription to its end, or until all that the page shows has come.
func (r *pageReader) events(request map[string]any, token string, answer *manual.Block) (came []any) {
	r.t.Helper()
	c, err := client.New(r.sh.server(), client.Options{})
	if err != nil {
		r.failf("%v", err)
	}
	c.SetToken(token)
	var variables map[string]any
	if raw, given := request["variables"].(json.RawMessage); given {
		if err := json.Unmarshal(raw, &variables); err != nil {
			r.failf("the variables: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	r.output = ""
	for raw, err := range c.Subscribe(ctx, request["query"].(string), variables) {
		if err != nil {
			r.failf("%v\n%s", err, r.output)
		}
		event := `{"data":` + string(raw) + "}\n"
		r.output += event
		came = append(came, values(r.t, event)...)
		if answer != nil && answer.Is("begins") && r.sameJSON(*answer, came, true) == nil {
			break
		}
	}
	return came
}

// script runs a script with Node and the packages of internal/clients. It says whether that could be.
func (r *pageReader) script(block manual.Block) bool {
	r.t.Helper()
	packages, err := filepath.Abs("internal/clients/node_modules")
	if err == nil {
		_, err = os.Stat(packages)
	}
	if err == nil {
		_, err = exec.LookPath("node")
	}
	if err != nil {
		if required.Has("node") {
			r.failf("KYRO_TEST_REQUIRE asks for node: %v; npm ci in internal/clients installs the packages", err)
		}
		if !r.lacking {
			r.t.Logf("SKIPPED WITHOUT NODE AND ITS PACKAGES: the scripts of the page. npm ci in internal/clients installs them: %v", err)
		}
		r.lacking = true
		return false
	}
	r.sh.ensureServer()
	if name := block.Attributes["file"]; name != "" {
		r.sh.write(name, block.Text)
		return false
	}
	if _, err := os.Lstat(r.sh.path("node_modules")); err != nil {
		if err := os.Symlink(packages, r.sh.path("node_modules")); err != nil {
			r.failf("%v", err)
		}
		r.sh.write("package.json", `{"type": "module"}`)
		// What browsers and later Nodes have by themselves.
		r.sh.write("browser.js", "import { WebSocket } from 'ws';\nglobalThis.WebSocket ??= WebSocket;\nglobalThis.token = process.env.token;\n")
	}
	r.sh.write("script.js", "import './browser.js';\n"+block.Text)
	r.output = r.sh.run("node script.js")
	r.learnToken(r.output)
	return true
}
