package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// revision names what is tried.
func revision(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "an unknown revision"
	}
	return "revision " + strings.TrimSpace(string(out))
}

// report is the page of results.
func report(args []string, o options, revision string, took time.Duration, results []*result) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Run on %s at %s with `go run ./chaos %s`, seed %d, in %s: %d cores, %s.\n\n", time.Now().UTC().Format(time.DateOnly), revision,
		strings.Join(args, " "), o.seed, took.Round(time.Second), runtime.NumCPU(), runtime.Version())
	b.WriteString("| scenario | setup | time | done and injected | promise | violations |\n|---|---|---|---|---|---|\n")
	for _, r := range results {
		var done []string
		for _, name := range r.order {
			done = append(done, fmt.Sprintf("%d %s", r.counts[name], name))
		}
		done = append(done, r.notes...)
		found := fmt.Sprint(len(r.violations))
		if r.skipped != "" {
			found = "skipped: " + r.skipped
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", r.scenario.name, r.where, r.took.Round(time.Second),
			cmp.Or(strings.Join(done, "; "), "nothing"), r.scenario.promise, found)
	}
	for _, r := range results {
		for _, v := range r.violations {
			fmt.Fprintf(&b, "\n- %s on %s: %s", r.scenario.name, r.where, v)
		}
	}
	return b.Bytes()
}
