package answer_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"kyrochat/answer"
	"kyrochat/kyro"
)

// A database that goes away while an answer is prepared costs it that while, or its attempt where the lease ends
// meanwhile. It does not fail it.
func TestAnswersOutlastADatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		away    time.Duration
		attempt int64
	}{
		{"for a moment", 3 * time.Second, 1},
		{"for longer than a lease", 40 * time.Second, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var back time.Time
			away := func() error {
				if time.Now().Before(back) {
					return kyro.Errorf(kyro.CodeUnavailable, "The database does not answer. Try again in a moment.")
				}
				return nil
			}
			inWorld(t, echo(0), func(t *testing.T, w *world) {
				back = time.Now().Add(test.away)
				w.store.failing(func(call string) error {
					if call == "SaveTurn" || call == "Message" {
						return nil
					}
					return away()
				})
				m := w.final(w.say("Hi").Bot.ID)
				if m.Status != kyro.MessageCompleted || m.Text != "You said: Hi" || m.Attempt != test.attempt {
					t.Errorf("got %s %q in attempt %d, %+v", m.Status, m.Text, m.Attempt, m.Error)
				}
				if d := time.Since(back); d > 10*time.Second {
					t.Errorf("final %v after the database was back", d)
				}
				if strings.Contains(w.logged.String(), "level=ERROR") {
					t.Errorf("an outage is told as an error:\n%s", w.logged.String())
				}
			}, func(c *answer.Config) {
				c.Retriever = retriever(func(context.Context, string) (answer.Retrieved, error) { return answer.Retrieved{}, away() })
			})
		})
	}
}
