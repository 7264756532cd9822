package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"

	"kyrochat/ingest/extract"
	"kyrochat/kyro"
)

const (
	// extractArgument makes this program a child that reads files.
	extractArgument = "extract"
	corpusFolder    = "ingest/extract/testdata/corpus"
	largeFiles      = 3
	largePages      = 300
	chunkedBytes    = 4 << 20
)

// reading is a set of PDFs and how long both sides took for all of them, in seconds, by round.
type reading struct {
	name         string
	files        []string
	bytes, pages int
	ours, theirs []float64
}

// measureIngest reads PDFs beside pdftotext, and cuts a text beside @langchain/textsplitters, in turns.
func measureIngest(ctx context.Context, o options, args []string, say func(string, ...any)) ([]byte, error) {
	busy := loadAverage()
	program, err := exec.LookPath("pdftotext")
	if err != nil {
		return nil, fmt.Errorf("pdftotext is needed: it is in poppler-utils")
	}
	folder, err := os.MkdirTemp("", "bench-ingest-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	say("making PDFs, installing @langchain/textsplitters ...")
	large, err := largePDFs(folder)
	if err != nil {
		return nil, err
	}
	small, err := filepath.Glob(filepath.Join(corpusFolder, "*.pdf"))
	if err != nil || len(small) == 0 {
		return nil, fmt.Errorf("%s is not there: run this at the root of the repository", corpusFolder)
	}
	readings := []*reading{{name: "the corpus' PDFs", files: small}, {name: fmt.Sprintf("%d generated PDFs of %d pages", largeFiles, largePages), files: large}}
	pool := extract.NewPool(nil, kyro.DefaultLimits(), slog.New(slog.DiscardHandler))
	defer pool.Close()
	for _, r := range readings {
		if err := r.measure(ctx, pool, program, o.rounds, say); err != nil {
			return nil, err
		}
	}
	cut, err := measureChunks(ctx, folder, o.rounds, say)
	if err != nil {
		return nil, err
	}
	version, _ := exec.CommandContext(ctx, program, "-v").CombinedOutput()
	return reportIngest(ctx, args, busy, firstLine(version), readings, cut), nil
}

func firstLine(b []byte) string {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return string(line)
}

// measure reads the files one after the other, by each side in turns. The engine is warm, as it is in a server; pdftotext
// is started for each file, as it has to be.
func (r *reading) measure(ctx context.Context, pool *extract.Pool, program string, rounds int, say func(string, ...any)) error {
	for round := range rounds + 1 {
		r.pages, r.bytes = 0, 0
		start := time.Now()
		for _, path := range r.files {
			ex, err := pool.Extract(ctx, kyro.Original{Path: path, MimeType: extract.PDF}, nil)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			r.pages += ex.Pages
			r.bytes += int(info.Size())
		}
		ours := time.Since(start).Seconds()
		start = time.Now()
		for _, path := range r.files {
			cmd := exec.CommandContext(ctx, program, path, "-")
			cmd.Stdout = io.Discard
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("pdftotext %s: %w", path, err)
			}
		}
		if theirs := time.Since(start).Seconds(); round > 0 { // the first warms both up
			r.ours, r.theirs = append(r.ours, ours), append(r.theirs, theirs)
		}
	}
	say("%s: %.1f pages/s, pdftotext %.1f", r.name, float64(r.pages)/median(r.ours), float64(r.pages)/median(r.theirs))
	return nil
}

// largePDFs writes reports of many pages with headings, prose and tables.
func largePDFs(folder string) ([]string, error) {
	var paths []string
	for i := range largeFiles {
		r := rand.New(rand.NewPCG(7, uint64(i)))
		doc := fpdf.New("P", "mm", "A4", "")
		translate := doc.UnicodeTranslatorFromDescriptor("")
		for page := range largePages {
			doc.AddPage()
			doc.SetFont("Helvetica", "B", 15)
			doc.CellFormat(0, 10, translate(title(r)), "", 1, "L", false, 0, "")
			doc.SetFont("Times", "", 11)
			doc.MultiCell(0, 5, translate(prose(r, 2000)), "", "J", false)
			for row := range 8 {
				for range 4 {
					doc.CellFormat(40, 6, fmt.Sprintf("%s %d", translate(words[r.IntN(len(words))]), page*8+row), "1", 0, "L", false, 0, "")
				}
				doc.Ln(6)
			}
		}
		path := filepath.Join(folder, fmt.Sprintf("large%d.pdf", i))
		if err := doc.OutputFileAndClose(path); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// reportIngest writes the page.
func reportIngest(ctx context.Context, args []string, busy, version string, readings []*reading, c cutting) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Measured on %s at revision %s with `%s`: %d cores%s, %s, %s, Node %s, %s. Medians of %d rounds in turns, one file at a time. Load average before: %s.\n\n",
		time.Now().Format(time.DateOnly), revision(ctx), strings.Join(append([]string{"go run ./bench"}, args...), " "), runtime.NumCPU(), processor(),
		runtime.Version(), version, c.node, c.splitter, len(c.ours), busy)
	b.WriteString("| reading | files | MB | pages | MB/s | pdftotext | pages/s | pdftotext | ratio |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range readings {
		mb, pages := float64(r.bytes)/1e6, float64(r.pages)
		ours, theirs := median(r.ours), median(r.theirs)
		fmt.Fprintf(&b, "| %s | %d | %.1f | %d | %.2f | %.2f | %.0f | %.0f | %.2f |\n",
			r.name, len(r.files), mb, r.pages, mb/ours, mb/theirs, pages/ours, pages/theirs, ratios(r.theirs, r.ours))
	}
	mb := float64(c.bytes) / 1e6
	b.WriteString("\n| cutting | MB | passages | theirs | MB/s | theirs | ratio |\n|---|---|---|---|---|---|---|\n")
	fmt.Fprintf(&b, "| Markdown, read before | %.1f | %d | %d | %.1f | %.1f | %.2f |\n", mb, c.passages, c.pieces, mb/median(c.ours), mb/median(c.theirs), ratios(c.theirs, c.ours))
	return b.Bytes()
}

// ratios is the median of how many times the one took as long as the other, round by round.
func ratios(a, b []float64) float64 {
	all := make([]float64, len(a))
	for i := range a {
		all[i] = a[i] / b[i]
	}
	return median(all)
}
