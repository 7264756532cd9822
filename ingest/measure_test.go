package ingest_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"kyrochat/ingest"
	"kyrochat/kyro"
)

// TestStagesAreMeasured with how a turn leaves them.
func TestStagesAreMeasured(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file, content string
		fail          func(call int) error
		stages        []string
	}{
		"all of them": {"a.txt", five, nil, []string{"read done", "chunk done", "embed done", "look done", "activate done"}},
		"no text":     {"a.txt", " ", nil, []string{"read refused"}},
		"a quota": {"a.txt", five, func(int) error { return kyro.Errorf(kyro.CodeUpstreamQuota, "Later.") },
			[]string{"read done", "chunk done", "embed waits"}},
		"a fault": {"a.txt", five, func(int) error { return errors.New("boom") }, []string{"read done", "chunk done", "embed failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stages []string
			h := newHouse(t, func(c *ingest.Config) {
				c.Measure = ingest.Measure{
					Stage: func(stage ingest.Stage, outcome ingest.Outcome, took time.Duration) {
						if took < 0 || took > time.Minute {
							t.Errorf("%s took %v", stage, took)
						}
						stages = append(stages, string(stage)+" "+string(outcome))
					},
				}
			})
			h.embedder.fail = c.fail
			d := h.upload(t, c.file, c.content)
			_ = h.Work(t.Context(), jobOf(d))
			if !slices.Equal(stages, c.stages) {
				t.Errorf("measured %v, want %v", stages, c.stages)
			}
		})
	}
}
