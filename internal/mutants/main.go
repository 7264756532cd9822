// Mutants changes the code of packages in small ways, one at a time, and tells which changes none of the package's own tests
// notices: a comparison is turned round or moved by one, && becomes ||, + becomes -, a break a continue, and each the other way.
//
// All changes of a package are compiled into one test binary, which makes the one that its environment names (mutant schemata:
// Untch, Offutt and Harrold, "Mutation Analysis Using Mutant Schemata", 1993), so that trying one costs no compiling. Each is tried
// by the tests that reach it, those that are quick first.
//
//	go run ./internal/mutants [-files REGEXP] [-at-once N] PACKAGE...
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"strings"
)

func main() {
	files := flag.String("files", "", "change only files whose names it matches")
	atOnce := flag.Int("at-once", runtime.NumCPU(), "how many changes are tried at once")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	for _, name := range flag.Args() {
		if err := report(ctx, os.Stdout, name, *files, *atOnce); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// report tries all changes of a package and tells those that lived, and the sum.
func report(ctx context.Context, out io.Writer, name, files string, atOnce int) error {
	only, err := regexp.Compile(files)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	made, err := rewrite(name, folder, only)
	if err != nil {
		return err
	}
	b, err := compile(ctx, made, folder)
	if err != nil {
		return err
	}
	if len(b.unfit) > 0 {
		fmt.Fprintf(out, "%s: not asked, since they fail without any change: %s\n", name, strings.Join(b.unfit, ", "))
	}
	fates, err := b.tryAll(ctx, made.mutants, atOnce)
	if err != nil {
		return err
	}
	count := map[fate]int{}
	for i, m := range made.mutants {
		count[fates[i]]++
		if fates[i] == lived || fates[i] == unreached {
			fmt.Fprintf(out, "%s %s: %s\n", fates[i], m.at, m.change)
		}
	}
	var parts []string
	for _, f := range []fate{killed, hung, lived, unreached} {
		parts = append(parts, fmt.Sprintf("%d %s", count[f], strings.ToLower(string(f))))
	}
	reached := len(made.mutants) - count[unreached]
	fmt.Fprintf(out, "%s: %s of %d; %.1f %% of those that a test reaches are noticed\n", name, strings.Join(parts, ", "), len(made.mutants),
		100*float64(count[killed]+count[hung])/float64(max(reached, 1)))
	return nil
}
