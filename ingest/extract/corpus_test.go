package extract

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kyrochat/kyro"
)

// corpusFile is a line of the manifest of the corpus, which internal/corpus makes and measures.
type corpusFile struct{ name, format, warnings string }

func (f corpusFile) path() string { return filepath.Join("testdata", "corpus", f.name) }

func (f corpusFile) mimeType() string {
	return map[string]string{"pdf": PDF, "docx": DOCX, "pptx": PPTX, "xlsx": XLSX, "html": HTML, "md": Markdown,
		"txt": Plain, "csv": CSV, "json": JSON}[f.format]
}

func corpus(t testing.TB) []corpusFile {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "corpus", "manifest.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	var files []corpusFile
	for line := range strings.Lines(string(data)) {
		if cells := strings.Split(strings.TrimSpace(line), "\t"); cells[0] != "file" {
			files = append(files, corpusFile{cells[0], cells[1], strings.TrimPrefix(cells[7], "-")})
		}
	}
	return files
}

// TestCorpus compares what is read out of every file of the corpus with what was, block by block. A change that is
// meant is taken by -update, and seen in the difference of the golden files.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for _, f := range corpus(t) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			ex := mustReadCorpus(t, f)
			checkExtraction(t, ex)
			var codes []string
			for _, w := range ex.Warnings {
				if !slices.Contains(codes, w.Code) {
					codes = append(codes, w.Code)
				}
			}
			if got := strings.Join(codes, ","); got != f.warnings {
				t.Errorf("warnings %q, want %q", got, f.warnings)
			}
			if ex.Pages != len(ex.PageChars) {
				t.Errorf("%d pages, and the characters of %d", ex.Pages, len(ex.PageChars))
			}
			got := fmt.Sprintf("pages %d with %v characters\n\n%s", ex.Pages, ex.PageChars, show(ex))
			golden := filepath.Join("testdata", "corpus", "golden", f.name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatalf("%v: make it with -update, and read it", err)
			}
			if got != string(want) {
				t.Errorf("%s is read in another way now. Got\n%s", f.name, got)
			}
		})
	}
}

// mustReadCorpus reads a file as a child process does.
func mustReadCorpus(t *testing.T, f corpusFile) kyro.Extraction {
	t.Helper()
	r := &reader{}
	if f.format == "pdf" {
		turn.Lock()
		defer turn.Unlock()
		e, err := engine()
		if err != nil {
			t.Fatal(err)
		}
		r.pdf = e
	}
	ex, err := r.read(kyro.Original{Path: f.path(), MimeType: f.mimeType()}, kyro.DefaultLimits(), func(int, int) {})
	if err != nil {
		t.Fatal(err)
	}
	return ex
}
