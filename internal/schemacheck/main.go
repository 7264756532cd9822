// Schemacheck fails where a part of the contract has no description, or where the contract breaks for clients of an
// earlier commit without a line "BREAKING CHANGE: …" in the message of a commit since. Without -base it compares with
// the parent of HEAD, and with nothing where there is none. What GitHub tells as the commit before a push is zeros for
// a new tag or branch, and after a forced push a commit that no clone has any more: then too it is the parent.
//
//	go run ./internal/schemacheck [-base COMMIT]
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

const contract = "schema.graphqls"

func main() {
	base := flag.String("base", "", "the commit to compare with; the parent of HEAD where none is named")
	flag.Parse()
	report, err := check(*base)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(report)
}

// check compares the contract in this folder with that of a commit, and reports what it found to be in order.
func check(base string) (report string, err error) {
	text, err := os.ReadFile(contract)
	if err != nil {
		return "", err
	}
	now, err := gqlparser.LoadSchema(&ast.Source{Name: contract, Input: string(text)})
	if err != nil {
		return "", err
	}
	if missing := Undescribed(now); len(missing) > 0 {
		return "", fmt.Errorf("without a description:\n  %s", strings.Join(missing, "\n  "))
	}
	base, note, err := comparedWith(base)
	if err != nil {
		return "", err
	}
	if base == "" {
		return contract + ": every part is described; there is no parent to compare with" + note, nil
	}
	former, err := git("show", base+":"+contract)
	if err != nil {
		return fmt.Sprintf("%s: every part is described; it is new since %s%s", contract, base, note), nil //nolint:nilerr // it is not there
	}
	before, err := gqlparser.LoadSchema(&ast.Source{Name: base, Input: former})
	if err != nil {
		return "", err
	}
	broken := Breaking(before, now)
	if len(broken) == 0 {
		return fmt.Sprintf("%s: every part is described, and nothing breaks since %s%s", contract, base, note), nil
	}
	messages, err := git("log", "--format=%B", base+"..HEAD")
	if err != nil {
		return "", fmt.Errorf("read the commit messages: %w", err)
	}
	list := strings.Join(broken, "\n  ")
	if strings.Contains("\n"+messages, "\nBREAKING CHANGE: ") {
		return fmt.Sprintf("%s breaks since %s%s, and a commit says so:\n  %s", contract, base, note, list), nil
	}
	return "", fmt.Errorf("%s breaks since %s%s; if that is meant, say so in the commit by a line \"BREAKING CHANGE: …\":\n  %s",
		contract, base, note, list)
}

var wholeHash = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// comparedWith is the commit that stands for what was named: itself, or the parent of HEAD where nothing was named or a
// hash that is not in this clone, which the note tells. It is "" where there is no parent. Any other name that is not
// there is misspelt, which is an error: who named it would take the result for another one.
func comparedWith(named string) (base, note string, err error) {
	switch {
	case strings.Trim(named, "0") == "": // none, or none before
	case there(named):
		return named, "", nil
	case wholeHash.MatchString(named):
		note = fmt.Sprintf(" (there is no commit %s in this clone)", named)
	default:
		return "", "", fmt.Errorf("there is no commit %s", named)
	}
	if !there("HEAD~1") {
		return "", note, nil
	}
	return "HEAD~1", note, nil
}

func there(commit string) bool {
	_, err := git("rev-parse", "--verify", "--quiet", commit+"^{commit}")
	return err == nil
}

func git(args ...string) (string, error) {
	out, err := exec.Command("git", args...).Output()
	return string(out), err
}
