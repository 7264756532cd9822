package main

import (
	"os"
	"path/filepath"
	"testing"

	"kyrochat/ingest/extract"
)

// TestMain makes the test binary its own extractor, as the program is.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "extract" {
		if err := extract.Main(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const folder = "../../ingest/extract/testdata/corpus"

// TestFloors holds what docs/ingestion.md promises of each format.
func TestFloors(t *testing.T) {
	t.Parallel()
	results, err := measure(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.err != nil {
			t.Errorf("%s: %v", r.file, r.err)
		}
	}
	for _, m := range means(results) {
		if m.f1 < m.needF1 || m.recall < m.needed {
			t.Errorf("%s: mean F1 %.4f, recall %.4f; needed are %.2f and %.2f", m.format, m.f1, m.recall, m.needF1, m.needed)
		}
	}
}

// TestCorpusIsWhole: every file is in the manifest, every format is there, and five producers at least have a part in it.
func TestCorpusIsWhole(t *testing.T) {
	t.Parallel()
	entries, err := readManifest(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(recipes) || len(entries) < 40 {
		t.Errorf("%d files, of %d recipes", len(entries), len(recipes))
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.*"))
	if err != nil || len(files) != len(entries)+2 {
		t.Errorf("%d files are there beside the manifest and the questions, %d are in it (%v)", len(files)-2, len(entries), err)
	}
	var size int64
	formats := map[string]bool{}
	for _, e := range entries {
		formats[e.format] = true
		for _, path := range []string{e.file, filepath.Join("ref", e.reference)} {
			info, err := os.Stat(filepath.Join(folder, path))
			if err != nil {
				t.Error(err)
				continue
			}
			size += info.Size()
		}
	}
	if len(formats) != len(floors) {
		t.Errorf("%d formats, of %d", len(formats), len(floors))
	}
	if size > 5<<19 {
		t.Errorf("the corpus takes %d bytes", size)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]map[string]int{
		"One fish, one ﬁsh.":      {"One": 1, "one": 1, "fish": 2, ",": 1, ".": 1},
		"soft\u00ADhyphen":        {"softhyphen": 1},
		"a\nb\r\nc":               {"a": 1, "b": 1, "c": 1},
		"绿茶100克":                  {"绿": 1, "茶": 1, "100": 1, "克": 1},
		"| a | b |\n|---|---|":    {"a": 1, "b": 1},
		"• one\n- two .....3":     {"one": 1, "two": 1, "3": 1},
		"naïve, na\u0069\u0308ve": {"naïve": 2, ",": 1},
	} {
		got := tokens(text)
		if len(got) != len(want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
		for token, n := range want {
			if got[token] != n {
				t.Errorf("%q: %q is there %d times, want %d", text, token, got[token], n)
			}
		}
	}
	if s := compare("a b c d", "a b x"); s.recall != 2.0/3 || s.precision != 0.5 || s.f1 != 4.0/7 {
		t.Errorf("score %+v", s)
	}
}
