package main

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"kyrochat/internal/testdb"
)

func TestAreaUnderTheCurve(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	drawn := func(mean float64) (list []float64) {
		for range 1000 {
			list = append(list, mean+random.NormFloat64())
		}
		return list
	}
	for name, c := range map[string]struct {
		known, unknown []float64
		area, within   float64
	}{
		"always slower": {[]float64{3, 4}, []float64{1, 2}, 1, 0},
		"always faster": {[]float64{1, 2}, []float64{3, 4}, 0, 0},
		"ties":          {[]float64{1, 2, 3}, []float64{1, 2, 3}, 0.5, 0},
		"the same":      {drawn(10), drawn(10), 0.5, 0.04},
		"a little":      {drawn(10.5), drawn(10), 0.638, 0.04}, // the normal distribution at 0.5/sqrt(2)
	} {
		area, apart := told{known: c.known, unknown: c.unknown}.area()
		if math.Abs(area-c.area) > c.within+1e-9 {
			t.Errorf("%s: %.3f, want %.3f", name, area, c.area)
		}
		if len(c.known) == 1000 && (apart < 0.02 || apart > 0.03) {
			t.Errorf("%s: within %.3f", name, apart)
		}
	}
}

// TestTimesAreTaken runs it once, briefly; what the times tell is for a quiet machine to say.
func TestTimesAreTaken(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(t.Context(), []string{"-signin=sign-in", "-pairs", "10", "-database", testdb.PostgresURL(t)}, &out, t.Output()); err != nil {
		t.Fatal(err)
	}
	if page := out.String(); !strings.Contains(page, "| sign-in | 10 | ") || !strings.Contains(page, "told apart") {
		t.Error(page)
	}
	for _, bad := range []string{"-signin=nothing", "-pairs=3"} {
		if err := run(t.Context(), []string{bad}, &out, &out); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}
