// Schemacheck fails where a part of the contract has no description, or where the contract breaks for clients of the
// last commit without a line "BREAKING CHANGE: …" in the message of a commit since.
//
//	go run ./internal/schemacheck [-base HEAD~1]
package main

import (
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
	base := flag.String("base", "HEAD~1", "the commit to compare with")
	flag.Parse()
	if err := run(*base); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(base string) error {
	text, err := os.ReadFile(contract)
	if err != nil {
		return err
	}
	now, err := gqlparser.LoadSchema(&ast.Source{Name: contract, Input: string(text)})
	if err != nil {
		return err
	}
	if missing := Undescribed(now); len(missing) > 0 {
		return fmt.Errorf("without a description:\n  %s", strings.Join(missing, "\n  "))
	}
	old, err := exec.Command("git", "show", base+":"+contract).Output()
	if err != nil {
		fmt.Printf("%s: every part is described; there is no %s to compare with\n", contract, base)
		return nil
	}
	before, err := gqlparser.LoadSchema(&ast.Source{Name: base, Input: string(old)})
	if err != nil {
		return err
	}
	broken := Breaking(before, now)
	if len(broken) == 0 {
		fmt.Printf("%s: every part is described, and nothing breaks since %s\n", contract, base)
		return nil
	}
	messages, err := exec.Command("git", "log", "--format=%B", base+"..HEAD").Output()
	if err != nil {
		return fmt.Errorf("read the commit messages: %w", err)
	}
	list := strings.Join(broken, "\n  ")
	if strings.Contains("\n"+string(messages), "\nBREAKING CHANGE: ") {
		fmt.Printf("%s breaks since %s, and the commit says so:\n  %s\n", contract, base, list)
		return nil
	}
	return fmt.Errorf("%s breaks since %s; if that is meant, say so in the commit by a line \"BREAKING CHANGE: …\":\n  %s", contract, base, list)
}
