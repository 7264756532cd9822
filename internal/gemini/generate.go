package gemini

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"kyrochat/text"
)

// exchange is a request under way.
type exchange struct {
	e       *Emulator
	w       http.ResponseWriter
	r       *http.Request
	method  string
	model   *model
	request *Request
}

// generate answers generateContent and streamGenerateContent.
func (e *Emulator) generate(x *exchange) *apiError {
	stream := x.method == "streamGenerateContent"
	if stream && x.r.URL.Query().Get("alt") != "sse" {
		return invalid("streamGenerateContent is emulated with alt=sse only.")
	}
	var in generateRequest
	if refused := readJSON(x.r, &in); refused != nil {
		return refused
	}
	x.note(func(q *Request) { q.read(in, stream) })
	if refused := in.check(x.model); refused != nil {
		return refused
	}
	s := e.script(x.request)
	if refused := x.trouble(s); refused != nil {
		return refused
	}
	g := &generation{x: x, s: s, usage: usage{Prompt: in.tokens()}, id: fmt.Sprintf("emulated-%d", x.request.Number)}
	g.plan(in)
	if stream {
		g.stream()
		return nil
	}
	return g.unary()
}

// read notes what was asked.
func (q *Request) read(in generateRequest, stream bool) {
	if in.SystemInstruction != nil {
		q.System = in.SystemInstruction.text()
	}
	for i, c := range in.Contents {
		if i == len(in.Contents)-1 {
			q.Prompt = c.text()
			break
		}
		q.History = append(q.History, Turn{c.Role, c.text()})
	}
	if c := in.GenerationConfig; c != nil {
		q.Temperature = c.Temperature
		if c.MaxOutputTokens != nil {
			q.MaxOutputTokens = *c.MaxOutputTokens
		}
		if c.ThinkingConfig != nil && c.ThinkingConfig.ThinkingLevel != nil {
			q.ThinkingLevel = *c.ThinkingConfig.ThinkingLevel
		}
	}
	q.Kind = kindOf(*q, stream)
}

// generation is an answer on its way.
type generation struct {
	x      *exchange
	s      Script
	id     string
	pieces []piece
	finish string
	usage  usage
	text   strings.Builder
}

type piece struct {
	text    string
	thought bool
}

// plan decides what the pieces are and how the answer finishes. What the model thinks counts against the limit of
// output tokens: where it takes all of it, there is no text.
func (g *generation) plan(in generateRequest) {
	g.finish = "STOP"
	if g.s.Finish != "" {
		g.finish = g.s.Finish
	}
	thinking := g.thinking(in)
	for i := range g.s.Thoughts {
		g.pieces = append(g.pieces, piece{fmt.Sprintf("Thought %d about the question. ", i+1), true})
	}
	g.usage.Thoughts = thinking
	limit := g.x.model.OutputLimit
	if n := g.x.request.MaxOutputTokens; n > 0 {
		limit = n
	}
	if thinking >= limit {
		g.usage.Thoughts, g.finish = limit, "MAX_TOKENS"
		return
	}
	said := ""
	for _, p := range g.say() {
		if text.Tokens(said+p) > limit-thinking {
			g.finish = "MAX_TOKENS"
			return
		}
		said += p
		g.pieces = append(g.pieces, piece{p, false})
	}
}

// thinking is what thoughts take.
func (g *generation) thinking(in generateRequest) int {
	if g.s.ThoughtTokens > 0 {
		return g.s.ThoughtTokens
	}
	if !g.x.model.Thinking {
		return 0
	}
	if c := in.GenerationConfig; c != nil && c.ThinkingConfig != nil && c.ThinkingConfig.ThinkingBudget != nil {
		return max(0, min(150, *c.ThinkingConfig.ThinkingBudget))
	}
	switch g.x.request.ThinkingLevel {
	case "MINIMAL":
		return 0
	case "LOW":
		return 24
	case "HIGH":
		return 600
	}
	return 150
}

// say gives the text in pieces.
func (g *generation) say() []string {
	switch q := *g.x.request; {
	case g.s.Pieces != nil:
		return g.s.Pieces
	case g.s.Text != "":
		return g.split(g.s.Text)
	case g.s.Say != nil:
		return g.split(g.s.Say(q))
	case g.s.Reveal:
		return g.split(q.System)
	case g.s.Obey:
		return g.split(obey(q))
	default:
		return g.split(say(q))
	}
}

// split cuts a text into pieces as the script says.
func (g *generation) split(s string) (pieces []string) {
	if g.s.PieceSize <= 0 {
		return split(s)
	}
	for some := range slices.Chunk([]rune(s), g.s.PieceSize) {
		pieces = append(pieces, string(some))
	}
	return pieces
}

// split cuts a text into small pieces, at most two words each.
func split(s string) []string {
	var pieces []string
	for s != "" {
		end, spaces := len(s), 0
		for i, r := range s {
			if i > 0 && (r == ' ' || r == '\n') {
				spaces++
			}
			if spaces == 2 || i >= 24 {
				end = i
				break
			}
		}
		pieces = append(pieces, s[:end])
		s = s[end:]
	}
	return pieces
}

// stream sends the pieces as events.
func (g *generation) stream() {
	x := g.x
	x.note(func(q *Request) { q.Status = http.StatusOK })
	x.w.Header().Set("Content-Type", "text/event-stream")
	x.w.WriteHeader(http.StatusOK)
	if g.s.Block != "" {
		g.send(g.chunk(nil, g.s.Block))
		return
	}
	pace := g.s.Pace
	if pace == 0 {
		pace = x.e.options.Pace
	}
	if g.cutShort() {
		g.pieces = g.pieces[:min(g.s.After, len(g.pieces))]
	}
	for i, p := range g.pieces {
		if i > 0 || g.s.Pace > 0 {
			x.wait(pace)
		}
		g.send(g.chunk(g.say1(p), ""))
		x.note(func(q *Request) { q.Pieces++ })
	}
	switch g.s.Then {
	case Stall:
		g.flush()
		x.hang()
	case Cut:
		g.flush()
		panic(http.ErrAbortHandler)
	case End:
		return
	case Empty:
		g.send(g.chunk(nil, ""))
		return
	case Break:
		g.send(statusError(http.StatusServiceUnavailable).body())
		return
	}
	g.send(g.chunk(g.last(), ""))
}

// cutShort reports an answer that does not come to its own end.
func (g *generation) cutShort() bool { return g.s.Then != "" || g.s.Finish != "" && g.s.After > 0 }

// unary sends everything at once.
func (g *generation) unary() *apiError {
	switch g.s.Then {
	case Stall:
		g.x.hang()
	case Cut:
		panic(http.ErrAbortHandler)
	case Break:
		return statusError(http.StatusServiceUnavailable)
	}
	g.x.note(func(q *Request) { q.Status = http.StatusOK })
	if g.s.Block != "" || g.s.Then == Empty {
		writeJSON(g.x.w, http.StatusOK, g.chunk(nil, g.s.Block))
		return nil
	}
	var whole content
	whole.Role = "model"
	for _, p := range g.pieces {
		whole.Parts = append(whole.Parts, g.say1(p).Content.Parts...)
	}
	last := g.last()
	if len(whole.Parts) > 0 && !g.blocked() {
		last.Content = &whole
	}
	if g.s.Then == End {
		last.FinishReason = ""
	}
	writeJSON(g.x.w, http.StatusOK, g.chunk(last, ""))
	return nil
}

// say1 is the candidate of one piece.
func (g *generation) say1(p piece) *candidate {
	if !p.thought {
		g.text.WriteString(p.text)
		g.usage.Candidate = text.Tokens(g.text.String())
	}
	return &candidate{Content: &content{Role: "model", Parts: []part{{Text: &p.text, Thought: p.thought}}}}
}

func (g *generation) blocked() bool { return g.finish != "STOP" && g.finish != "MAX_TOKENS" }

// last is the candidate that finishes: with an empty text and a signature, as of models that think, or without content
// where the answer was blocked or nothing was left to say it with.
func (g *generation) last() *candidate {
	c := &candidate{FinishReason: g.finish}
	if !g.blocked() && g.text.Len() > 0 {
		none := ""
		c.Content = &content{Role: "model", Parts: []part{{Text: &none, ThoughtSignature: []byte("emulated signature")}}}
	} else if !g.blocked() {
		c.Content = &content{Role: "model"}
	}
	return c
}

func (g *generation) chunk(c *candidate, block string) generateResponse {
	g.usage.Total = g.usage.Prompt + g.usage.Candidate + g.usage.Thoughts
	out := generateResponse{Usage: g.usage, ModelVersion: g.x.request.Model, ResponseID: g.id}
	if c != nil {
		if g.s.Resumable {
			c.Continuation = []byte("emulated continuation")
		}
		out.Candidates = []candidate{*c}
	}
	if block != "" {
		out.PromptFeedback = &promptFeedback{block}
	}
	return out
}

// send writes one event and pushes it out.
func (g *generation) send(v any) {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = fmt.Fprintf(g.x.w, "data: %s\r\n\r\n", b)
	}
	if err != nil || g.x.r.Context().Err() != nil {
		g.x.gone()
	}
	g.flush()
}

func (g *generation) flush() {
	if http.NewResponseController(g.x.w).Flush() != nil {
		g.x.gone()
	}
}

// countTokens answers countTokens.
func (e *Emulator) countTokens(x *exchange) *apiError {
	var in countRequest
	if refused := readJSON(x.r, &in); refused != nil {
		return refused
	}
	g := in.GenerateContentRequest
	if g == nil {
		g = &generateRequest{Contents: in.Contents}
	}
	x.note(func(q *Request) {
		q.read(*g, false)
		q.Kind = KindCount
	})
	if refused := g.check(x.model); refused != nil {
		return refused
	}
	if refused := x.trouble(e.script(x.request)); refused != nil {
		return refused
	}
	x.note(func(q *Request) { q.Status = http.StatusOK })
	writeJSON(x.w, http.StatusOK, map[string]int{"totalTokens": g.tokens()})
	return nil
}
