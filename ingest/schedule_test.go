package ingest

import (
	"testing"
	"time"
)

func TestIntervalsGrowWithFailures(t *testing.T) {
	t.Parallel()
	s := &Service{hour: time.Hour}
	for _, c := range []struct {
		hours, failures int
		want            time.Duration
	}{
		{24, 0, 24 * time.Hour}, {24, 4, 24 * time.Hour}, {24, 5, 48 * time.Hour}, {24, 6, 96 * time.Hour}, {24, 1_000, mostApart},
		{8_760, 7, 8_760 * time.Hour}, {1, 9, 32 * time.Hour},
	} {
		if got := s.interval(c.hours, c.failures); got != c.want {
			t.Errorf("every %d hours, after %d failures: %v, want %v", c.hours, c.failures, got, c.want)
		}
	}
}
