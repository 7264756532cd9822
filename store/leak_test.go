package store_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails where goroutines are left when all tests are over: each has an owner that ends it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
