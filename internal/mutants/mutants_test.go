package main

import (
	"strings"
	"testing"
)

// TestReport: of the changes of a small package its tests notice all but one, which changes nothing, and one that they do not reach.
func TestReport(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := report(t.Context(), &out, "./testdata/sums", "", 2); err != nil {
		t.Fatal(err)
	}
	const want = `LIVED sums.go:10:8: < is <=
NOT REACHED sums.go:19:39: && is ||
./testdata/sums: 5 killed, 0 hung, 1 lived, 1 not reached of 7; 83.3 % of those that a test reaches are noticed
`
	if out.String() != want {
		t.Errorf("%s, want %s", out.String(), want)
	}
	if err := report(t.Context(), &out, "./testdata/sums", "^nothing$", 2); err == nil {
		t.Error("a package without files to change is no mistake")
	}
}
