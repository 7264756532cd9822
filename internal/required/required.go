// Package required says what tests may not do without, which is what KYRO_TEST_REQUIRE lists: postgres, redis, and programs
// by their names. A test that lacks something else is skipped.
package required

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Has says whether a test must fail where this is not installed.
func Has(what string) bool {
	list := strings.FieldsFunc(os.Getenv("KYRO_TEST_REQUIRE"), func(r rune) bool { return r == ',' || r == ' ' })
	return slices.Contains(list, what)
}

// Missing ends a test that cannot do without something: it fails where that is required, and is skipped elsewhere.
func Missing(t testing.TB, what string, why error) {
	t.Helper()
	if Has(what) {
		t.Fatalf("KYRO_TEST_REQUIRE asks for %s: %v", what, why)
	}
	t.Skipf("SKIPPED WITHOUT %s: %v. Install it.", strings.ToUpper(what), why)
}

// Program finds a program that a test runs, or ends the test.
func Program(t testing.TB, name string) (path string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, name, err)
	}
	return path
}
