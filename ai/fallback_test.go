package ai_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"

	"kyrochat/ai"
	"kyrochat/internal/gemini"
	"kyrochat/kyro"
)

// scripted is a model that gives pieces, and then an error or an end.
type scripted struct {
	pieces []string
	err    error
	before func()
}

func (s scripted) Answer(context.Context, kyro.Prompt) iter.Seq2[kyro.Delta, error] {
	return func(yield func(kyro.Delta, error) bool) {
		if s.before != nil {
			s.before()
		}
		for _, p := range s.pieces {
			if !yield(kyro.Delta{Text: p}, nil) {
				return
			}
		}
		if s.err != nil {
			yield(kyro.Delta{}, s.err)
			return
		}
		yield(kyro.Delta{Finish: &kyro.Finish{Reason: kyro.FinishStop}}, nil)
	}
}

func TestFallbackStandsInBeforeTheFirstPieceOnly(t *testing.T) {
	t.Parallel()
	offline := scripted{pieces: []string{"offline"}}
	for name, c := range map[string]struct {
		model scripted
		text  string
		code  kyro.Code
	}{
		"it works":                {scripted{pieces: []string{"one ", "two"}}, "one two", ""},
		"it is away":              {scripted{err: kyro.Errorf(kyro.CodeUpstreamFailed, "-")}, "offline", ""},
		"its quota is used up":    {scripted{err: kyro.Errorf(kyro.CodeUpstreamQuota, "-")}, "offline", ""},
		"it is silent":            {scripted{err: kyro.Errorf(kyro.CodeTimeout, "-")}, "offline", ""},
		"it declines":             {scripted{err: kyro.Errorf(kyro.CodeContentBlocked, "-")}, "", kyro.CodeContentBlocked},
		"it does not take it":     {scripted{err: kyro.Errorf(kyro.CodeValidation, "-")}, "", kyro.CodeValidation},
		"something else is wrong": {scripted{err: errors.New("-")}, "", kyro.CodeInternal},
		"it breaks off":           {scripted{pieces: []string{"one "}, err: kyro.Errorf(kyro.CodeUpstreamFailed, "-")}, "one ", kyro.CodeUpstreamFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := listen(t, ai.Fallback{Model: c.model, Offline: offline}.Answer(t.Context(), kyro.Prompt{}))
			if h.text != c.text || kyro.ErrorCode(h.err) != c.code || (h.finish == nil) != (c.code != "") {
				t.Errorf("heard %+v", h)
			}
		})
	}
	t.Run("somebody left", func(t *testing.T) {
		t.Parallel()
		ctx, leave := context.WithCancel(t.Context())
		h := listen(t, ai.Fallback{Model: scripted{before: leave, err: kyro.Errorf(kyro.CodeTimeout, "-")}, Offline: offline}.Answer(ctx, kyro.Prompt{}))
		if h.text != "" || kyro.ErrorCode(h.err) != kyro.CodeTimeout {
			t.Errorf("heard %+v", h)
		}
	})
	t.Run("somebody has heard enough", func(t *testing.T) {
		t.Parallel()
		for range (ai.Fallback{Model: scripted{err: kyro.Errorf(kyro.CodeTimeout, "-")}, Offline: scripted{pieces: []string{"one ", "two"}}}).Answer(t.Context(), kyro.Prompt{}) {
			break
		}
	})
}

func TestFallbackSaysThatItIsOffline(t *testing.T) {
	t.Parallel()
	e := gemini.Start(t)
	e.Script(gemini.Script{Status: 403})
	g, err := ai.NewGemini(ai.GeminiConfig{APIKey: e.Key, URL: e.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	h := listen(t, ai.Fallback{Model: g, Offline: &ai.Extractive{}}.Answer(t.Context(), prompt("hi")))
	if h.err != nil || h.finish == nil || !slices.Contains(h.finish.Notices, kyro.NoticeOfflineAnswer) {
		t.Errorf("heard %+v", h)
	}
}
