package answer_test

import (
	"testing"
	"time"

	"kyrochat/kyro"
)

// TestAFailedAnswerSaysWhenToTryAgain holds that what an upstream told of the wait reaches whoever asks again.
func TestAFailedAnswerSaysWhenToTryAgain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		code  kyro.Code
		after time.Duration
		told  bool
	}{
		{"a quota", kyro.CodeUpstreamQuota, 36 * time.Second, true},
		{"an upstream that is away", kyro.CodeUpstreamFailed, 15 * time.Second, true},
		{"nobody knows", kyro.CodeUpstreamFailed, 0, false},
		{"for good", kyro.CodeValidation, time.Second, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			failed := kyro.Errorf(test.code, "Not now.")
			failed.RetryAfter = test.after
			inWorld(t, breaking(failed), func(t *testing.T, w *world) {
				m := w.final(w.say("Hi").Bot.ID)
				switch at := m.Error.RetryAt; {
				case (at != nil) != test.told:
					t.Errorf("it says to try again at %v", at)
				case test.told && !at.Equal(m.CompletedAt.Add(test.after)):
					t.Errorf("it says to try again at %v, want %v after %v", at, test.after, m.CompletedAt)
				}
			})
		})
	}
}
