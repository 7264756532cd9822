package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// facts are what the figures hold for.
func (l *lab) facts(ctx context.Context, args []string) string {
	counted := "not counted: pg_stat_statements is not there"
	if l.database.counts {
		counted = "counted by pg_stat_statements"
	}
	return fmt.Sprintf("Measured on %s at revision %s with `%s`: %d cores%s, %s, PostgreSQL %s on the same machine, %d database connections and GOGC %d for each side, %d people. Medians of %d rounds of %s. Load average before: %s. Statements are %s.",
		time.Now().Format(time.DateOnly), revision(ctx), strings.Join(append([]string{"go run ./bench"}, args...), " "), runtime.NumCPU(), processor(),
		runtime.Version(), l.database.version, l.o.pool, l.o.gogc, len(l.people), l.o.rounds, l.o.duration, l.busy, counted)
}

// revision is what was built.
func revision(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

var modelName = regexp.MustCompile(`(?m)^model name\s*:\s*(.+)$`)

func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	if found := modelName.FindSubmatch(text); found != nil {
		return fmt.Sprintf(" (%s)", found[1])
	}
	return ""
}

// loadAverage is how many processes wanted to run in the last minute: more than a fraction of one disturbs.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// report writes the page: the ratios of throughput at a glance, then everything.
func report(facts string, o options, cells []cell) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n\n", facts)
	b.WriteString("Throughput of the server, as a part of that of the handlers written by hand: the median of the rounds, and the least and the most of them.\n\n| query |")
	for _, n := range o.connections {
		fmt.Fprintf(&b, " %s |", connections(n))
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(o.connections)) + "\n")
	for i, c := range cells {
		if i%len(o.connections) == 0 {
			fmt.Fprintf(&b, "| %s |", c.query.name)
		}
		ratios := c.ratios(throughput)
		fmt.Fprintf(&b, " **%.2f** (%.2f–%.2f) |", median(ratios), slices.Min(ratios), slices.Max(ratios))
		if i%len(o.connections) == len(o.connections)-1 {
			b.WriteByte('\n')
		}
	}
	for i, c := range cells {
		if i%len(o.connections) == 0 {
			fmt.Fprintf(&b, "\n**%s**: %s; %.1f KB\n\n", c.query.name, c.query.describe, float64(c.bodyBytes)/1000)
			b.WriteString("| connections | | requests/s | p50 ms | p99 ms | CPU µs, own | CPU µs, PostgreSQL | allocations | KB allocated | statements |\n")
			b.WriteString("|---|---|---|---|---|---|---|---|---|---|\n")
		}
		c.rows(&b)
	}
	return b.Bytes()
}

func connections(n int) string {
	if n == 1 {
		return "1 connection"
	}
	return strconv.Itoa(n) + " connections"
}

// rows writes both sides and their ratios.
func (c cell) rows(b *bytes.Buffer) {
	row := func(connections, name string, value func(figure) string) {
		fmt.Fprintf(b, "| %s | %s |", connections, name)
		for f := range figureCount {
			fmt.Fprintf(b, " %s |", value(f))
		}
		b.WriteByte('\n')
	}
	row(strconv.Itoa(c.connections), "KyroChat", func(f figure) string { return written(c.median(0, f)) })
	row("", "by hand", func(f figure) string { return written(c.median(1, f)) })
	row("", "ratio", func(f figure) string {
		if r := c.ratio(f); !math.IsNaN(r) && !math.IsInf(r, 0) {
			return fmt.Sprintf("**%.2f**", r)
		}
		return "–"
	})
}

// written writes a figure with about three digits.
func written(v float64) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case math.Abs(v) >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case math.Abs(v) >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}
