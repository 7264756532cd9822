package kyro_test

import (
	"math"
	"testing"

	"kyrochat/kyro"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	east, north, northEast := []float32{2, 0}, []float32{0, 1}, []float32{1, 1}
	for name, c := range map[string]struct {
		centres   [][]float32
		vector    []float32
		threshold float64
		want      int
	}{
		"none":                         {nil, east, 0.5, -1},
		"itself, however long":         {[][]float32{north, east}, []float32{0.1, 0}, 1, 1},
		"right at the threshold":       {[][]float32{east}, []float32{0.6, 0.8}, 0.6, 0},
		"too far":                      {[][]float32{east}, northEast, 0.71, -1},
		"the nearest of those":         {[][]float32{east, northEast, north}, []float32{0.4, 1}, 0.1, 2},
		"the first of all":             {[][]float32{east, east}, east, 0.5, 0},
		"the first of equal ones":      {[][]float32{north, east, east}, east, 0.5, 1},
		"a centre without direction":   {[][]float32{{0, 0}, nil}, east, 0.1, -1},
		"a vector of another length":   {[][]float32{east}, []float32{1, 0, 0}, 0.1, -1},
		"a question without direction": {[][]float32{east}, []float32{0, 0}, 0.1, -1},
	} {
		if got := kyro.Nearest(c.centres, c.vector, c.threshold); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestCosine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b []float32
		want float64
	}{
		{[]float32{3, 4}, []float32{6, 8}, 1}, {[]float32{3, 4}, []float32{-3, -4}, -1}, {[]float32{3, 4}, []float32{5, 0}, 0.6}, {[]float32{1, 0}, []float32{0, 1}, 0},
		{[]float32{0, 0}, []float32{1, 0}, 0}, {[]float32{1, 0}, []float32{0, 0}, 0}, {[]float32{1}, []float32{1, 0}, 0}, {nil, nil, 0},
	} {
		if got := kyro.Cosine(c.a, c.b); math.Abs(got-c.want) > 1e-9 || math.IsNaN(got) {
			t.Errorf("%v and %v: %g, want %g", c.a, c.b, got, c.want)
		}
	}
}

func TestCentre(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		vectors [][]float32
		want    []float32
		central int
	}{
		"nothing":                 {nil, nil, 0},
		"the first of equal ones": {[][]float32{{0, 1}, {1, 1}, {2, 2}, {1, 0}}, []float32{0.70710677, 0.70710677}, 1},
		"one":                     {[][]float32{{0, 3}}, []float32{0, 1}, 0},
		"each counts alike":       {[][]float32{{10, 0}, {0, 1}, {1, 1}}, []float32{0.70710677, 0.70710677}, 2},
		"those without direction": {[][]float32{{0, 0}, {1, 0}, {1, 0, 0}}, []float32{1, 0}, 1},
		"opposite ones":           {[][]float32{{1, 0}, {-1, 0}}, nil, 0},
	} {
		got := kyro.Centre(c.vectors)
		if len(got) != len(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
			continue
		}
		for i := range got {
			if math.Abs(float64(got[i]-c.want[i])) > 1e-6 {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
		}
		if len(c.vectors) > 0 && got != nil {
			if at := kyro.MostCentral(c.vectors, got); at != c.central {
				t.Errorf("%s: the %dth is most central, want the %dth", name, at, c.central)
			}
		}
	}
}

func TestChecksThatFix(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		total, answered int
		fixes           bool
	}{{0, 0, false}, {1, 1, true}, {1, 0, false}, {3, 2, false}, {5, 4, true}, {20, 16, true}, {20, 15, false}} {
		if got := (kyro.GapCheck{Total: c.total, Answered: c.answered}).Fixes(); got != c.fixes {
			t.Errorf("%d of %d: %t", c.answered, c.total, got)
		}
	}
}
