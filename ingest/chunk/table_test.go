package chunk_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"kyrochat/ingest/chunk"
	"kyrochat/kyro"
)

// rows are so many rows of a table below a head.
func rows(head string, n int) string {
	var b strings.Builder
	b.WriteString(head)
	for i := range n {
		fmt.Fprintf(&b, "\n| R-%d | a customer of ours | %d.50 |", 1000+i, 17*i)
	}
	return b.String()
}

// TestACutTableKeepsItsColumns: whatever row a chunk begins with, the names of the columns are found and embedded with it.
func TestACutTableKeepsItsColumns(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ head, want string }{
		"names":              {"| Number | Customer | Amount |", "Number | Customer | Amount"},
		"names with figures": {"| Number | Customer | 2024 |\n|--------|:--------:|-----:|", "Number | Customer | 2024"},
		"no names":           {"| R-999 | a customer of ours | 3.50 |", ""},
		"no rows of cells":   {"Number: R-999; Customer: a customer of ours", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chunks := split(t, new(doc).h(1, "Ledger").add(kyro.BlockTable, 0, 0, rows(c.head, 120)).h(1, "End").p("Nothing more.").extraction())
			if len(chunks) < 5 {
				t.Fatalf("%d chunks", len(chunks))
			}
			for i, got := range chunks {
				want := []string{"Ledger"}
				switch {
				case i == len(chunks)-1:
					want = []string{"End"}
				case i > 0 && c.want != "":
					want = append(want, c.want)
					if first, _, _ := strings.Cut(chunk.EmbeddedText("Title", got), "\n"); first != "Title > Ledger > "+c.want {
						t.Errorf("chunk %d is embedded under %q", i, first)
					}
				}
				if !reflect.DeepEqual(got.HeadingPath, want) {
					t.Errorf("chunk %d stands under %q, want %q", i, got.HeadingPath, want)
				}
			}
		})
	}
}

// TestColumnsGoOnOnTheNextPage: there the table is a block of its own, and begins with a row.
func TestColumnsGoOnOnTheNextPage(t *testing.T) {
	t.Parallel()
	page := func(n int) *doc {
		return new(doc).add(kyro.BlockTable, 0, 1, rows("| Number | Customer | Amount |", 30)).
			add(kyro.BlockTable, 0, n, rows("| R-777 | a customer of ours | 3.50 |", 60))
	}
	under := func(d *doc) (paths []string) {
		for _, c := range split(t, d.extraction()) {
			paths = append(paths, strings.Join(c.HeadingPath, " > "))
		}
		return paths
	}
	const columns = "Number | Customer | Amount"
	if got := under(page(2)); len(got) < 4 || got[0] != "" || got[1] != columns || got[len(got)-1] != columns {
		t.Errorf("the next page stands under %q", got)
	}
	if got := under(page(4)); got[len(got)-1] != "" {
		t.Errorf("another table stands under %q", got)
	}
}

// TestTheHeadOfATableNeverEndsAChunk: there it would name the columns of nothing.
func TestTheHeadOfATableNeverEndsAChunk(t *testing.T) {
	t.Parallel()
	for n := 20; n < 45; n++ {
		ex := new(doc).h(1, "A").p(sentences(n, "a")).add(kyro.BlockTable, 0, 0, rows("| Number | Customer | Amount |", 60)).extraction()
		for i, c := range split(t, ex) {
			if strings.HasSuffix(c.Text, "| Amount |") {
				t.Errorf("%d sentences: chunk %d ends with the head", n, i)
			}
		}
	}
}
