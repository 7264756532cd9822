package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"kyrochat/ingest/extract"
	"kyrochat/kyro"
)

// floor is what a format must reach on average. Sheets and records are told with the names of their columns beside every
// value, which no reference repeats: of those it counts that every token is found.
type floor struct {
	mimeType string
	f1       float64
	recall   float64
}

var floors = map[string]floor{
	"pdf":  {extract.PDF, 0.97, 0.97},
	"docx": {extract.DOCX, 0.95, 0.95},
	"pptx": {extract.PPTX, 0.90, 0.95},
	"xlsx": {extract.XLSX, 0, 0.97},
	"html": {extract.HTML, 0.90, 0.90},
	"md":   {extract.Markdown, 0.95, 0.97},
	"txt":  {extract.Plain, 0.99, 0.99},
	"csv":  {extract.CSV, 0, 0.99},
	"json": {extract.JSON, 0, 0.99},
}

// result is what reading one file gave.
type result struct {
	entry
	score
	warnings []string
	err      error
}

// measure reads every file as the server does, in a child process, and compares the text with its reference.
func measure(ctx context.Context, folder string) ([]result, error) {
	entries, err := readManifest(folder)
	if err != nil {
		return nil, err
	}
	pool := extract.NewPool(nil, kyro.DefaultLimits(), slog.New(slog.DiscardHandler))
	defer pool.Close()
	var results []result
	for _, e := range entries {
		reference, err := os.ReadFile(filepath.Join(folder, "ref", e.reference))
		if err != nil {
			return nil, err
		}
		r := result{entry: e}
		if len(bytes.TrimSpace(reference)) == 0 {
			r.reference = ""
		}
		ex, err := pool.Extract(ctx, kyro.Original{Path: filepath.Join(folder, e.file), MimeType: floors[e.format].mimeType}, nil)
		if r.err = err; err == nil {
			r.score = compare(ex.Text, string(reference))
			for _, w := range ex.Warnings {
				if !slices.Contains(r.warnings, w.Code) {
					r.warnings = append(r.warnings, w.Code)
				}
			}
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		results = append(results, r)
	}
	return results, nil
}

// mean is what a format reached.
type mean struct {
	format         string
	files, failed  int
	f1, recall     float64 // of those that were read
	lowest         float64
	lowestOf       string
	needF1, needed float64
}

// means are the averages of each format, in the order of their names.
func means(results []result) []mean {
	var all []mean
	for format, f := range floors {
		m := mean{format: format, needF1: f.f1, needed: f.recall, lowest: 1}
		for _, r := range results {
			switch {
			case r.format != format:
				continue
			case r.err != nil:
				m.failed++
			case r.reference == "":
				continue // a scan: there is no text to be found
			default:
				m.f1 += r.f1
				m.recall += r.recall
				if r.f1 < m.lowest {
					m.lowest, m.lowestOf = r.f1, r.file
				}
			}
			m.files++
		}
		if n := float64(m.files - m.failed); n > 0 {
			m.f1, m.recall = m.f1/n, m.recall/n
			all = append(all, m)
		} else if m.files > 0 {
			m.lowest = 0
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b mean) int { return strings.Compare(a.format, b.format) })
	return all
}

// report writes the table that docs/ingestion.md shows.
func report(out io.Writer, results []result, verbose bool) error {
	var b strings.Builder
	b.WriteString("| format | files | not read | mean F1 | floor | lowest F1 | mean recall | floor |\n|---|---|---|---|---|---|---|---|\n")
	for _, m := range means(results) {
		need := "-"
		if m.needF1 > 0 {
			need = fmt.Sprintf("%.2f", m.needF1)
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %.4f | %s | %.4f %s | %.4f | %.2f |\n",
			m.format, m.files, m.failed, m.f1, need, m.lowest, m.lowestOf, m.recall, m.needed)
	}
	if verbose {
		b.WriteString("\n| file | producer | F1 | precision | recall | told |\n|---|---|---|---|---|---|\n")
		for _, r := range results {
			told := strings.Join(r.warnings, " ")
			if r.err != nil {
				told = r.err.Error()
			}
			fmt.Fprintf(&b, "| %s | %s | %.4f | %.4f | %.4f | %s |\n", r.file, r.producer, r.f1, r.precision, r.recall, told)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// check compares the committed references with what pdftotext and pandoc give on this machine.
func check(ctx context.Context, folder string, out io.Writer) error {
	entries, err := readManifest(folder)
	if err != nil {
		return err
	}
	different := 0
	for _, e := range entries {
		made, err := referenceOf(ctx, filepath.Join(folder, e.file), e.source)
		if err != nil {
			return err
		}
		kept, err := os.ReadFile(filepath.Join(folder, "ref", e.reference))
		if err != nil {
			return err
		}
		if made != nil && string(made) != string(kept) {
			different++
			fmt.Fprintf(out, "%s: %s gives another text now, F1 %.4f\n", e.file, e.source, compare(string(made), string(kept)).f1)
		}
	}
	fmt.Fprintf(out, "%d files, %d of whose references changed\n", len(entries), different)
	return nil
}
