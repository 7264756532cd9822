package text_test

import (
	"math"
	"testing"

	"kyrochat/text"
)

func TestBytes(t *testing.T) {
	t.Parallel()
	for n, want := range map[uint64]string{
		0: "0 bytes", 1: "1 byte", 1023: "1023 bytes", 1 << 10: "1 KiB", 1536: "1.5 KiB", 32 << 20: "32 MiB", 1<<30 + 1: "1 GiB",
		5<<30 + 1<<29: "5.5 GiB", math.MaxUint64: "17179869184 GiB",
	} {
		if got := text.Bytes(n); got != want {
			t.Errorf("%d are %s, want %s", n, got, want)
		}
	}
}
