package host_test

import (
	"os"
	"testing"

	"kyrochat/host"
)

// TestSomebodyLooks at a terminal that this test makes.
func TestSomebodyLooks(t *testing.T) {
	t.Parallel()
	made, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("this machine makes no terminals: %v", err)
	}
	defer func() { _ = made.Close() }()
	if terminal, is := host.Terminal(made); !is || terminal != made {
		t.Error("a terminal is not taken for one")
	}
}
