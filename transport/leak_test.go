package transport_test

import (
	"net/http"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails where goroutines are left when all tests are over: each has an owner that ends it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(withoutIdle{m}) }

// withoutIdle closes what the tests' own clients keep open for the next request.
type withoutIdle struct{ *testing.M }

func (m withoutIdle) Run() int {
	defer http.DefaultClient.CloseIdleConnections()
	return m.M.Run()
}
