package extract

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"codeberg.org/go-pdf/fpdf"

	"kyrochat/kyro"
)

// BenchmarkPDF reads documents in this process: the corpus, whose files are small, and one of many pages with headings,
// prose and a table each.
func BenchmarkPDF(b *testing.B) {
	corpus, err := filepath.Glob("testdata/corpus/*.pdf")
	if err != nil || len(corpus) == 0 {
		b.Fatal("the corpus is not there")
	}
	b.Run("corpus", func(b *testing.B) { benchmarkPDF(b, corpus) })
	b.Run("large", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "large.pdf")
		if err := report(100).OutputFileAndClose(path); err != nil {
			b.Fatal(err)
		}
		benchmarkPDF(b, []string{path})
	})
}

func benchmarkPDF(b *testing.B, files []string) {
	turn.Lock()
	defer turn.Unlock()
	e, err := engine()
	if err != nil {
		b.Fatal(err)
	}
	size := int64(0)
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		size += info.Size()
	}
	b.SetBytes(size)
	b.ReportAllocs()
	pages := 0
	for b.Loop() {
		for _, path := range files {
			f, err := os.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			ex, err := e.read(f, kyro.DefaultLimits(), func(int, int) {})
			if err := errors.Join(err, f.Close()); err != nil {
				b.Fatal(err)
			}
			pages += ex.Pages
		}
	}
	b.ReportMetric(float64(pages)/b.Elapsed().Seconds(), "pages/s")
}

// report is a document of many pages with a heading, prose and a table each.
func report(pages int) *fpdf.Fpdf {
	doc := fpdf.New("P", "mm", "A4", "")
	for page := range pages {
		doc.AddPage()
		doc.SetFont("Helvetica", "B", 15)
		doc.CellFormat(0, 10, fmt.Sprintf("Part %d of the records", page+1), "", 1, "L", false, 0, "")
		doc.SetFont("Times", "", 11)
		for range 8 {
			doc.MultiCell(0, 5, prose, "", "J", false)
		}
		for row := range 8 {
			for range 4 {
				doc.CellFormat(40, 6, fmt.Sprintf("value %d", page*8+row), "1", 0, "L", false, 0, "")
			}
			doc.Ln(6)
		}
	}
	return doc
}
