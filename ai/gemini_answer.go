package ai

import (
	"context"
	"iter"
	"strings"
	"time"

	"google.golang.org/genai"

	"kyrochat/kyro"
)

// How answers are asked for.
const (
	// thinkingReserve is added to the limit of output tokens, of which thinking takes its share: else a short limit
	// would leave nothing to answer with. What is visible is held to the bot's own limit.
	thinkingReserve = 2_048
	// drainTime is how long a connection gets to end after the answer did. One that does is used again.
	drainTime = 100 * time.Millisecond

	completeTimeout = 3 * time.Second // of a short text, tries and all
)

// Answer streams what the model writes. It is tried again at most twice, within three seconds, and only while nothing has
// come: never after the first piece. FirstByte counts over all tries, and Idle from then on; thoughts count as life, but
// are not shown. An answer that ends without saying that it is finished is UPSTREAM_FAILED, and one that was blocked
// CONTENT_BLOCKED, also after pieces. Where ctx is done the request is given up at once, and ctx's error given.
func (g *Gemini) Answer(ctx context.Context, p kyro.Prompt) iter.Seq2[kyro.Delta, error] {
	return func(yield func(kyro.Delta, error) bool) {
		a := &geminiAnswer{g: g, prompt: p, caller: ctx, yield: yield, limit: kyro.MaxOutputTokens, model: g.modelOf(p.Bot)}
		if p.Bot.MaxOutputTokens != nil {
			a.limit = *p.Bot.MaxOutputTokens
		}
		if err := a.run(); err != nil && !a.stopped {
			yield(kyro.Delta{}, err)
		}
	}
}

func (g *Gemini) modelOf(b kyro.Bot) string {
	if b.Model != nil && *b.Model != "" {
		return strings.TrimSpace(*b.Model)
	}
	return g.cfg.Model
}

// geminiAnswer is one answer on its way, over all of its tries.
type geminiAnswer struct {
	g       *Gemini
	prompt  kyro.Prompt
	model   string
	limit   int // of visible tokens
	caller  context.Context
	yield   func(kyro.Delta, error) bool
	stopped bool // nobody listens any more

	ctx         context.Context // of all tries, with the clocks
	cancel      context.CancelCauseFunc
	first, idle *time.Timer

	begun  bool // something came
	wrote  bool // visible text did
	long   bool // as much as its bot allows
	finish *kyro.Finish
	usage  kyro.MessageUsage
}

func (a *geminiAnswer) run() error {
	if !modelName.MatchString(a.model) {
		return a.g.noModel(a.model).err
	}
	a.ctx, a.cancel = context.WithCancelCause(a.caller)
	defer a.cancel(nil)
	a.first = time.AfterFunc(a.g.cfg.FirstByte, func() { a.cancel(errFirstByte) })
	defer a.first.Stop()
	a.idle = time.AfterFunc(time.Hour, func() { a.cancel(errIdle) })
	a.idle.Stop()
	defer a.idle.Stop()
	tries := a.g.newTries(answerBudget, mostRetries)
	for {
		f := a.try(tries.patience())
		if f == nil {
			return nil
		}
		if a.begun || !tries.again(a.ctx, a.g.way(a.model), f) {
			return f.outcome(a.caller, a.ctx)
		}
	}
}

// try asks once.
func (a *geminiAnswer) try(patience time.Duration) (f *failure) {
	c, f := a.g.begin(a.ctx, callAnswer, a.g.way(a.model), patience)
	if f != nil {
		return f
	}
	defer func() { c.end(f) }()
	for resp, err := range a.g.events(a.ctx, a.model, contentsOf(a.prompt.Messages), a.config()) {
		if err != nil {
			if a.finish != nil {
				break // it was late with its end, or was cut after it
			}
			return a.g.judge(a.caller, a.ctx, a.model, err)
		}
		a.first.Stop()
		a.idle.Stop()
		a.begun = true
		c.works()
		if f := a.take(resp); f != nil {
			return f
		}
		if a.long {
			break
		}
		if a.finish != nil {
			a.idle.Reset(drainTime)
		} else {
			a.idle.Reset(a.g.cfg.Idle)
		}
	}
	a.idle.Stop()
	if a.finish == nil {
		return a.cut()
	}
	a.finish.Usage = a.usage
	if !a.yield(kyro.Delta{Finish: a.finish}, nil) {
		a.stopped = true
	}
	return nil
}

// cut is an answer that ended without saying that it is finished.
func (a *geminiAnswer) cut() *failure {
	if a.caller.Err() != nil {
		return &failure{err: a.caller.Err(), left: true}
	}
	return &failure{err: kyro.Errorf(kyro.CodeUpstreamFailed, "The answer was cut off before its end. Ask for it again."), again: true}
}

// take passes a chunk on.
func (a *geminiAnswer) take(resp *genai.GenerateContentResponse) *failure {
	a.usage = usageOf(resp, a.model, a.usage)
	if a.finish != nil {
		return nil
	}
	if f := promptBlocked(resp); f != nil {
		return f
	}
	if len(resp.Candidates) == 0 || resp.Candidates[0] == nil {
		return nil
	}
	candidate := resp.Candidates[0]
	if s := visible(candidate); s != "" {
		a.wrote = true
		soFar := a.usage
		if !a.yield(kyro.Delta{Text: s, Usage: &soFar}, nil) {
			a.stopped = true
			return &failure{err: context.Canceled, left: true}
		}
	}
	if candidate.FinishReason != "" {
		reason, f := finished(candidate, a.wrote)
		if f != nil {
			return f
		}
		a.finish = &kyro.Finish{Reason: reason}
	} else if u := resp.UsageMetadata; u != nil && int(u.CandidatesTokenCount) > a.limit {
		a.finish, a.long = &kyro.Finish{Reason: kyro.FinishLength}, true
	}
	return nil
}

// usageOf is the usage with that of a further chunk, each of which counts from the start.
func usageOf(resp *genai.GenerateContentResponse, model string, before kyro.MessageUsage) kyro.MessageUsage {
	u := before
	if u.Model == "" {
		u.Model = strings.TrimPrefix(model, "models/")
	}
	if v := resp.ModelVersion; v != "" && modelName.MatchString(v) {
		u.Model = v
	}
	if m := resp.UsageMetadata; m != nil {
		u.PromptTokens = max(u.PromptTokens, int(m.PromptTokenCount))
		u.OutputTokens = max(u.OutputTokens, int(m.CandidatesTokenCount+m.ThoughtsTokenCount))
	}
	return u
}

func promptBlocked(resp *genai.GenerateContentResponse) *failure {
	if resp.PromptFeedback == nil || resp.PromptFeedback.BlockReason == "" || len(resp.Candidates) > 0 {
		return nil
	}
	return &failure{err: blocked().Because(whyBlocked("prompt", string(resp.PromptFeedback.BlockReason))), alive: true}
}

// visible is the text of a chunk without thoughts.
func visible(c *genai.Candidate) string {
	if c.Content == nil {
		return ""
	}
	var b strings.Builder
	for _, p := range c.Content.Parts {
		if p != nil && !p.Thought {
			b.WriteString(p.Text)
		}
	}
	return b.String()
}

// config is made for each call, since the SDK writes into what it is given.
func (a *geminiAnswer) config() *genai.GenerateContentConfig {
	c := newGenerateConfig(a.model, a.prompt.System, a.limit)
	if t := a.prompt.Bot.Temperature; t != nil {
		c.Temperature = genai.Ptr(float32(*t))
	}
	return c
}

func newGenerateConfig(model, system string, limit int) *genai.GenerateContentConfig {
	c := &genai.GenerateContentConfig{
		MaxOutputTokens: int32(limit + thinkingReserve),
		// Else the SDK would ask again by itself where a stream breaks off, and text would come from two attempts.
		AutomaticContinuation: genai.Ptr(false),
	}
	if system != "" {
		c.SystemInstruction = genai.NewContentFromText(system, genai.RoleUser)
	}
	if strings.HasPrefix(strings.TrimPrefix(model, "models/"), "gemini-3") {
		c.ThinkingConfig = &genai.ThinkingConfig{ThinkingLevel: genai.ThinkingLevelLow}
	}
	return c
}

// contentsOf leaves out messages without text, which Gemini refuses.
func contentsOf(messages []kyro.PromptMessage) []*genai.Content {
	contents := make([]*genai.Content, 0, len(messages))
	for _, m := range messages {
		if m.Text == "" {
			continue
		}
		role := genai.Role(genai.RoleUser)
		if m.Role == kyro.RoleBot {
			role = genai.RoleModel
		}
		contents = append(contents, genai.NewContentFromText(m.Text, role))
	}
	return contents
}
