// Schemacheck fails where a part of the contract has no description, or where the contract breaks for clients of an
// earlier commit without a line "BREAKING CHANGE: …" in the message of a commit since. Without -base it compares with
// the parent of HEAD, and with nothing where there is none.
//
//	go run ./internal/schemacheck [-base COMMIT]
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
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
	named := base != ""
	base = cmp.Or(base, "HEAD~1")
	if _, err := git("rev-parse", "--verify", "--quiet", base+"^{commit}"); err != nil {
		if named {
			return "", fmt.Errorf("there is no commit %s", base)
		}
		return contract + ": every part is described; there is no parent to compare with", nil
	}
	former, err := git("show", base+":"+contract)
	if err != nil {
		return fmt.Sprintf("%s: every part is described; it is new since %s", contract, base), nil //nolint:nilerr // it is not there
	}
	before, err := gqlparser.LoadSchema(&ast.Source{Name: base, Input: former})
	if err != nil {
		return "", err
	}
	broken := Breaking(before, now)
	if len(broken) == 0 {
		return fmt.Sprintf("%s: every part is described, and nothing breaks since %s", contract, base), nil
	}
	messages, err := git("log", "--format=%B", base+"..HEAD")
	if err != nil {
		return "", fmt.Errorf("read the commit messages: %w", err)
	}
	list := strings.Join(broken, "\n  ")
	if strings.Contains("\n"+messages, "\nBREAKING CHANGE: ") {
		return fmt.Sprintf("%s breaks since %s, and a commit says so:\n  %s", contract, base, list), nil
	}
	return "", fmt.Errorf("%s breaks since %s; if that is meant, say so in the commit by a line \"BREAKING CHANGE: …\":\n  %s",
		contract, base, list)
}

func git(args ...string) (string, error) {
	out, err := exec.Command("git", args...).Output()
	return string(out), err
}
