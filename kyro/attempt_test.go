package kyro

import (
	"testing"
	"time"
)

func TestAttemptsWait(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	former := func(ago ...time.Duration) (list []time.Time) {
		for _, d := range ago {
			list = append(list, now.Add(-d))
		}
		return list
	}
	minutes := func(n int, each time.Duration) (list []time.Time) {
		for i := n; i > 0; i-- {
			list = append(list, now.Add(-time.Duration(i)*each))
		}
		return list
	}
	const s, m, h = time.Second, time.Minute, time.Hour
	for name, c := range map[string]struct {
		policy AttemptPolicy
		former []time.Time
		want   time.Duration
	}{
		"none":                       {AttemptsOfDevice, nil, 0},
		"no policy":                  {AttemptPolicy{}, minutes(1000, s), 0},
		"four":                       {AttemptsOfDevice, former(4*s, 3*s, 2*s, 1*s), 0},
		"five at once":               {AttemptsOfDevice, former(0, 0, 0, 0, 0), 2 * s},
		"five, two seconds ago":      {AttemptsOfDevice, former(3*s, 2*s, 2*s, 2*s, 2*s), 0},
		"six":                        {AttemptsOfDevice, former(5*s, 4*s, 3*s, 2*s, 2*s, 1*s), 3 * s},
		"nine":                       {AttemptsOfDevice, minutes(9, s), 31 * s},
		"ten":                        {AttemptsOfDevice, minutes(10, s), 15*m - 10*s},
		"more than can be made":      {AttemptsOfDevice, minutes(20, s), 15*m - 10*s},
		"the first is too long ago":  {AttemptsOfDevice, former(15*m, 5*s, 4*s, 3*s, 0), 0},
		"the first of six is":        {AttemptsOfDevice, former(15*m, 5*s, 4*s, 3*s, 1*s, 0), 2 * s},
		"the first is not, just":     {AttemptsOfDevice, former(15*m-3*s, 5*s, 4*s, 3*s, 0), 2 * s},
		"a hundred in a day":         {AttemptsOfDevice, minutes(100, 14*m), 24*h - 1400*m},
		"ten of an account":          {AttemptsOfAccount, minutes(10, s), 15*m - 10*s},
		"nine of an account":         {AttemptsOfAccount, minutes(9, s), 0},
		"a day of an account":        {AttemptsOfAccount, minutes(100, 14*m), 24*h - 1400*m},
		"thirty of a network":        {AttemptsOfNetwork, minutes(30, s), 5*m - 30*s},
		"by a clock that was ahead":  {AttemptsOfNetwork, minutes(30, -m), 5 * m},
		"of a tenth of the policy":   {AttemptsOfAccount.Scaled(0.1), former(m), 14 * m},
		"of twice the policy":        {AttemptsOfDevice.Scaled(2), minutes(9, s), 0},
		"of twice the policy, spent": {AttemptsOfDevice.Scaled(2), minutes(10, s), 1 * s},
		"of a policy switched off":   {AttemptsOfAccount.Scaled(0), minutes(1000, s), 0},
	} {
		if got := c.policy.Wait(c.former, now); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if got := AttemptsOfAccount.Scaled(0.001).Windows; got[0].Most != 1 || got[1].Most != 1 {
		t.Errorf("scaled down to %v", got)
	}
	for want, policy := range map[time.Duration]AttemptPolicy{0: {}, 24 * h: AttemptsOfDevice, 5 * m: AttemptsOfNetwork, 20 * m: {Free: 1, Within: 20 * m}, MaxAttemptDelay: {Free: 1, Within: m}} {
		if got := policy.Span(); got != want || policy.Unlimited() != (want == 0) {
			t.Errorf("attempts count for %v, want %v; unlimited: %t", got, want, policy.Unlimited())
		}
	}
	if AttemptsOfAccount.Windows[0].Most != 10 {
		t.Error("scaling changed the policy")
	}
}
