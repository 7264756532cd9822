package ai

import (
	"context"
	"time"
)

// lookTimeout is how long Gemini may take to tell of a model.
const lookTimeout = 10 * time.Second

// Look asks Gemini for the models that are set and logs what is wrong with the key or their names, so that whoever starts
// a server hears of that, and not whoever asks the first question. It returns once that is known, or when ctx ends.
func (g *Gemini) Look(ctx context.Context) {
	for _, model := range []string{g.cfg.Model, g.cfg.EmbeddingModel} {
		f := g.look(ctx, model)
		switch {
		case f == nil || f.alive: // what the operator alone can mend was logged where it was judged
		case f.left:
			return
		default:
			g.log.Warn("Gemini cannot be asked for its models now; it is asked again when it is needed", "error", f.err)
			return
		}
	}
}

func (g *Gemini) look(caller context.Context, model string) *failure {
	ctx, cancel := context.WithTimeoutCause(caller, lookTimeout, errSlow)
	defer cancel()
	if _, err := g.client.Models.Get(ctx, model, nil); err != nil {
		return g.judge(caller, ctx, model, err)
	}
	return nil
}
