package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"kyrochat/internal/testdb"
	"kyrochat/kyro"
)

// TestAMonthIsWhatItsRowsSay is a small month on both databases: every figure is what the rows say.
func TestAMonthIsWhatItsRowsSay(t *testing.T) {
	t.Parallel()
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			args := []string{"-month", "-messages", "2000"}
			if database == "postgres" {
				args = append(args, "-only", "postgresql", "-plans", "-database", testdb.PostgresURL(t))
			} else {
				args = append(args, "-only", "sqlite")
			}
			var out bytes.Buffer
			if err := run(t.Context(), args, &out, t.Output()); err != nil {
				t.Fatal(err)
			}
			page := out.String()
			if n := strings.Count(page, " | 0 | "); n < 3 {
				t.Errorf("%d comparisons without a difference:\n%s", n, page)
			}
			if database == "postgres" && strings.Count(page, "Execution Time") != 4 {
				t.Errorf("the plans are missing:\n%s", page)
			}
		})
	}
}

// TestADifferenceIsFound: what is compared can differ.
func TestADifferenceIsFound(t *testing.T) {
	t.Parallel()
	told := kyro.NewFigures()
	told.Messages, told.Currency = 3, currency
	told.Duration.Count(kyro.TimeBucket(1_000), 1)
	counted := newTally()
	for i := range 3 {
		counted.count(&rawMessage{id: int64(i), user: true, at: time.Now()})
	}
	counted.took = []int64{1_020}
	told.People[0], told.Conversations[0] = struct{}{}, struct{}{}
	c := comparison{}
	c.compare(told, counted.figures(), "a day")
	if len(c.different) != 2 || !strings.Contains(strings.Join(c.different, ";"), "p50 of duration (1000 of 1020)") {
		t.Errorf("of %d figures differ %q", c.figures, c.different)
	}
	told.Messages, told.Cost = 4, 1
	c.different = nil
	c.compare(told, counted.figures(), "a day")
	if len(c.different) != 4 {
		t.Errorf("differ %q", c.different)
	}
}
