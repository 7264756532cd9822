package operator

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// printJSON prints one object on one line.
func (o *operator) printJSON(object any) error {
	encoder := json.NewEncoder(o.Out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(object)
}

// limitFlag declares how many rows are wanted at most.
func limitFlag(flags *flag.FlagSet) *int {
	limit := math.MaxInt
	flags.Func("limit", "", func(s string) (err error) {
		if limit, err = strconv.Atoi(s); err != nil || limit < 1 {
			return errors.New("use a whole number from 1")
		}
		return nil
	})
	return &limit
}

// listing is a list that is read a page at a time, and printed before more is read.
type listing[T any] struct {
	heads []string                      // as of newGrid
	cells func(*T) []string             // of a row
	line  func(*T) any                  // as JSON
	page  func(atMost int) ([]T, error) // those after the ones that it gave before
	none  string                        // is said where there are none at all
}

// print prints up to limit of them, in columns or one JSON object a line.
func (l *listing[T]) print(o *operator, limit int, asJSON bool) error {
	columns := newGrid(o.Out, l.heads...)
	n, err := paged(limit, func(atMost int) (int, error) {
		page, err := l.page(atMost)
		if err != nil {
			return 0, err
		}
		for i := range page {
			if !asJSON {
				columns.row(l.cells(&page[i])...)
			} else if err := o.printJSON(l.line(&page[i])); err != nil {
				return 0, err
			}
		}
		return len(page), columns.flush()
	})
	if err == nil && n == 0 {
		o.say("%s", l.none)
	}
	return err
}

// listAtOnce is how many rows are read at once; they are printed before the next are read.
const listAtOnce = 200

// paged calls page until that gives less than it was asked for, or enough was given, and says how many there were.
func paged(limit int, page func(atMost int) (int, error)) (sum int, err error) {
	for {
		atMost := min(limit-sum, listAtOnce)
		n, err := page(atMost)
		sum += n
		if err != nil || n < atMost || sum == limit {
			return sum, err
		}
	}
}

// clock is a time in UTC as people read it.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

func clockOr(t *time.Time, never string) string {
	if t == nil {
		return never
	}
	return clock(*t)
}

// grid prints rows in columns, a page at a time: the columns are as wide as the first page needs, and what is longer on a
// later one pushes its own row aside.
type grid struct {
	out    io.Writer
	right  []bool // columns of numbers
	widths []int
	rows   [][]string
	begun  bool
}

// newGrid takes the heads of the columns; > stands before that of a column of numbers.
func newGrid(out io.Writer, heads ...string) *grid {
	g := &grid{out: out, right: make([]bool, len(heads)), widths: make([]int, len(heads))}
	for i, head := range heads {
		heads[i], g.right[i] = strings.CutPrefix(head, ">")
	}
	g.rows = [][]string{heads}
	return g
}

func (g *grid) row(cells ...string) { g.rows = append(g.rows, cells) }

// flush prints the rows there are. A grid without rows prints nothing.
func (g *grid) flush() error {
	if !g.begun && len(g.rows) == 1 {
		return nil
	}
	if !g.begun {
		for _, cells := range g.rows {
			for i, cell := range cells {
				g.widths[i] = max(g.widths[i], utf8.RuneCountInString(cell))
			}
		}
	}
	var b strings.Builder
	for _, cells := range g.rows {
		for i, cell := range cells {
			space := strings.Repeat(" ", max(g.widths[i]-utf8.RuneCountInString(cell), 0))
			switch {
			case g.right[i]:
				b.WriteString(space + cell + "  ")
			case i == len(cells)-1:
				b.WriteString(cell)
			default:
				b.WriteString(cell + space + "  ")
			}
		}
		b.WriteByte('\n')
	}
	g.begun, g.rows = true, nil
	_, err := fmt.Fprint(g.out, b.String())
	return err
}

// listed are words as a sentence has them, some to a line.
func listed[S ~string](words []S) string {
	var b strings.Builder
	for i, word := range words {
		switch {
		case i > 0 && i%5 == 0:
			b.WriteString(",\n")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(string(word))
	}
	return b.String()
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
