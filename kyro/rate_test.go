package kyro_test

import (
	"testing"
	"time"

	"kyrochat/kyro"
)

func TestRateScaled(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		count int
		by    float64
		want  int
	}{
		{300, 1, 300}, {300, 2.5, 750}, {300, 0.5, 150}, {5, 0.5, 3}, {5, 0.001, 1}, {5, 0, 0}, {0, 10, 0}, {kyro.NoLimit - 1, 1000, kyro.NoLimit - 1},
	} {
		got := kyro.Rate{Count: c.count, Per: time.Minute}.Scaled(c.by)
		if got.Count != c.want || got.Unlimited() != (c.want == 0) || c.want > 0 && got.Per != time.Minute {
			t.Errorf("%d scaled by %g: %+v, want %d", c.count, c.by, got, c.want)
		}
	}
}

// Whoever waits as long as is told must not be refused again: what is told is rounded up.
func TestRefusal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		wait, told time.Duration
		message    string
	}{
		{33333333, 34 * time.Millisecond, "Too many logins in a short time. Try again in 1s."},
		{1500 * time.Millisecond, 1500 * time.Millisecond, "Too many logins in a short time. Try again in 2s."},
		{15 * time.Minute, 15 * time.Minute, "Too many logins in a short time. Try again in 15m0s."},
	} {
		got := kyro.Allowance{RetryAfter: c.wait}.Refusal("logins")
		if got.Code != kyro.CodeRateLimited || got.RetryAfter != c.told || got.Message != c.message || got.InPayload() {
			t.Errorf("%v: %+v", c.wait, got)
		}
	}
}
