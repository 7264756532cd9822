// Coverage adds profiles of tests up, tells how much of each package they ran, and fails where that is less than asked for.
// A statement counts as run where any of the profiles ran it; generated files do not count.
//
//	go run ./internal/coverage [-least 90] PROFILE...
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/tools/cover"
)

func main() {
	least := flag.Float64("least", 0, "the percentage of each package's statements that must have run")
	flag.Parse()
	if err := report(flag.Args(), *least, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// report tells of all packages in the profiles, which are of the module in the working folder.
func report(profiles []string, least float64, out io.Writer) error {
	sum := statements{}
	for _, name := range profiles {
		files, err := cover.ParseProfiles(name)
		if err != nil {
			return err
		}
		for _, file := range files {
			if !generated(file.FileName) {
				sum.add(file)
			}
		}
	}
	if len(sum) == 0 {
		return fmt.Errorf("no statements in %d profiles", len(profiles))
	}
	packages := sum.packages()
	var short []string
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		p := packages[name]
		mark := ""
		if p.percent() < least {
			short, mark = append(short, name), fmt.Sprintf("  less than %g", least)
		}
		fmt.Fprintf(out, "%5.1f %%  %5d of %5d  %s%s\n", p.percent(), p.ran, p.all, name, mark)
	}
	if len(short) > 0 {
		return fmt.Errorf("tests run less than %g %% of %s", least, strings.Join(short, ", "))
	}
	return nil
}

// block is a run of statements, where it is in its file.
type block struct {
	file                                 string
	startLine, startCol, endLine, endCol int
}

type counted struct{ all, ran int }

func (c counted) percent() float64 { return 100 * float64(c.ran) / float64(c.all) }

// statements are the blocks of all profiles. Each test binary tells of every block, run or not.
type statements map[block]counted

func (s statements) add(file *cover.Profile) {
	for _, b := range file.Blocks {
		key := block{file.FileName, b.StartLine, b.StartCol, b.EndLine, b.EndCol}
		c := s[key]
		c.all = b.NumStmt
		if b.Count > 0 {
			c.ran = b.NumStmt
		}
		s[key] = c
	}
}

// packages sums blocks up by package. One without a statement is left out.
func (s statements) packages() map[string]counted {
	packages := map[string]counted{}
	for b, c := range s {
		if c.all == 0 {
			continue
		}
		p := packages[path.Dir(b.file)]
		packages[path.Dir(b.file)] = counted{p.all + c.all, p.ran + c.ran}
	}
	return packages
}

// mark is how Go marks generated files: https://go.dev/s/generatedcode.
var mark = regexp.MustCompile(`^// Code generated .* DO NOT EDIT\.$`)

// generated reports whether the file says so before its package clause. The module's path is one word.
func generated(name string) bool {
	_, file, _ := strings.Cut(name, "/")
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan() && !strings.HasPrefix(lines.Text(), "package "); {
		if mark.MatchString(lines.Text()) {
			return true
		}
	}
	return false
}
