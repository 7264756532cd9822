package smtp

import (
	"context"
	"strings"
	"testing"
	"time"
)

// Start serves an emulator on ports of the loopback until the end of the test.
func Start(t testing.TB, o ...Options) *Emulator {
	t.Helper()
	var options Options
	if len(o) > 0 {
		options = o[0]
	}
	e, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("closing the emulated mail server: %v", err)
		}
	})
	return e
}

// MustWait is Wait for tests, which fail after five minutes: machines that test are busy.
func (e *Emulator) MustWait(t testing.TB, wanted func(Mail) bool) Mail {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	m, err := e.Wait(ctx, wanted)
	if err != nil {
		t.Fatalf("the mail that was waited for did not come; %d others did", len(e.Mails()))
	}
	return m
}

// To wants a mail to the address whose subject holds the words; "" for any.
func To(address, subject string) func(Mail) bool {
	return func(m Mail) bool {
		for _, to := range m.To {
			if strings.EqualFold(to, address) {
				return strings.Contains(m.Subject, subject)
			}
		}
		return false
	}
}
