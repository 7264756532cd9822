package eval

import (
	"encoding/json"
	"io"
	"math"
	"slices"
	"time"
)

// Report is what was measured.
type Report struct {
	Set       string
	Server    ServerInfo
	Options   Options
	Documents int
	Chosen    int // questions that were to be asked
	Outcomes  []Outcome
	All       Figures
	Languages []Language // those that questions name, in order of their names
}

// Language are the figures of the questions in one language.
type Language struct {
	Name string
	Figures
}

func newReport(r *run, chosen int, outcomes []Outcome) *Report {
	report := &Report{
		Set: r.set.Name, Server: r.info, Options: r.options, Documents: len(r.documents), Chosen: chosen,
		Outcomes: outcomes, All: score(outcomes),
	}
	in := map[string][]Outcome{}
	for _, o := range outcomes {
		if o.Language != "" {
			in[o.Language] = append(in[o.Language], o)
		}
	}
	for name, some := range in {
		report.Languages = append(report.Languages, Language{name, score(some)})
	}
	slices.SortFunc(report.Languages, func(a, b Language) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return report
}

// WriteJSON writes all of the report, question by question.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r.document())
}

// object is a JSON object whose keys are written in order of their names.
type object = map[string]any

func (r *Report) document() any {
	languages := object{}
	for _, l := range r.Languages {
		languages[l.Name] = r.figures(l.Figures)
	}
	questions := make([]any, len(r.Outcomes))
	for i, o := range r.Outcomes {
		questions[i] = o.document()
	}
	return struct {
		Set       string     `json:"set"`
		Server    ServerInfo `json:"server"`
		Settings  object     `json:"settings"`
		Documents int        `json:"documents"`
		Chosen    int        `json:"questionsChosen"`
		Complete  bool       `json:"complete"`
		Figures   object     `json:"figures"`
		Languages object     `json:"languages"`
		Questions []any      `json:"questions"`
	}{
		r.Set, r.Server, object{
			"k": r.Options.Depth, "concurrency": r.Options.Concurrency, "answers": !r.Options.NoAnswers,
			"topK": r.Options.TopK, "minScore": r.Options.MinScore, "model": r.Options.Model,
		}, r.Documents, r.Chosen, len(r.Outcomes) == r.Chosen, r.figures(r.All), languages, questions,
	}
}

func (r *Report) figures(f Figures) object {
	all := object{"questions": f.Questions, "retrieval": nil, "answers": nil}
	if f.Searched > 0 {
		all["retrieval"] = object{
			"searched": f.Searched, "followUpsLeftOut": f.FollowUps, "recall1": f.Recall[0].document(), "recall5": f.Recall[1].document(),
			"recall10": f.Recall[2].document(), "recallK": f.Deep.document(), "mrr10": f.MRR.document(), "errors": f.SearchErrors,
			"latencyMs": f.SearchLatency.document(),
		}
	}
	if f.Asked > 0 {
		all["answers"] = object{
			"asked": f.Asked, "completed": f.Completed.document(), "right": f.Right.document(),
			"citations": f.Citations.document(), "invalidCitations": f.Invalid, "cited": f.Cited.document(),
			"notFoundPrecision": f.Declined.document(), "notFoundRecall": f.NotFound.document(),
			"grounding": f.Groundings, "notices": f.Notices, "errors": f.Errors,
			"firstTokenMs": f.FirstToken.document(), "totalMs": f.Total.document(),
			"tokens": object{"prompt": f.Tokens.Prompt, "output": f.Tokens.Output, "of": f.TokensCounted},
		}
	}
	return all
}

func (s Share) document() object {
	value, measured := s.Value()
	return object{"value": orNull(value, measured), "part": s.Part, "of": s.Of}
}

func (m Mean) document() object {
	value, measured := m.Value()
	return object{"value": orNull(value, measured), "of": m.Of}
}

func (l Latency) document() object {
	return object{
		"p50": orNull(millis(l.Percentile(50)), l.Of() > 0), "p95": orNull(millis(l.Percentile(95)), l.Of() > 0), "of": l.Of(),
	}
}

// orNull is a figure with four decimals, or null where there is none.
func orNull(value float64, measured bool) any {
	if !measured {
		return nil
	}
	return math.Round(value*10_000) / 10_000
}

// millis is a time in milliseconds, to the tenth.
func millis(d time.Duration) float64 {
	return math.Round(float64(d)/float64(100*time.Microsecond)) / 10
}

// document is one question with what came of it.
func (o *Outcome) document() any {
	d := object{
		"number": o.Number, "question": o.Text, "language": o.Language, "unanswerable": o.Unanswerable, "followUp": o.FollowUp,
		"retrieval": nil, "answer": nil, "missed": o.missed(),
	}
	if s := o.Search; s != nil {
		d["retrieval"] = object{"ranks": s.Ranks, "error": s.Error, "ms": millis(s.Took)}
	}
	if a := o.Answer; a != nil {
		answer := object{
			"completed": a.Completed, "error": a.Error, "text": a.Said, "grounding": a.Grounding, "notices": a.Notices,
			"citations": a.Citations, "citedPassages": a.CitedPassages, "tokens": a.Tokens, "right": nil, "firstTokenMs": nil, "totalMs": nil,
		}
		if a.Expected {
			answer["right"] = a.Right
		}
		if a.FirstToken != nil {
			answer["firstTokenMs"] = millis(*a.FirstToken)
		}
		if a.Total > 0 {
			answer["totalMs"] = millis(a.Total)
		}
		d["answer"] = answer
	}
	return d
}

// missed says in words what was not as it should be.
func (o *Outcome) missed() []string {
	missed := []string{}
	if s := o.Search; s != nil {
		switch {
		case s.Error != "":
			missed = append(missed, "search failed: "+s.Error)
		case slices.Contains(s.Ranks, 0):
			missed = append(missed, "passage not found by the search")
		}
	}
	a := o.Answer
	if a == nil {
		return missed
	}
	switch {
	case !a.Completed:
		return append(missed, "no answer: "+a.Error)
	case o.Unanswerable && !a.declined():
		missed = append(missed, "answered, though no document does")
	case !o.Unanswerable && a.declined():
		missed = append(missed, "declined, though a document answers it")
	case a.Expected && !a.Right:
		missed = append(missed, "the answer does not contain what was expected")
	}
	for _, c := range a.Citations {
		if c != ValidCitation {
			missed = append(missed, "a citation is invalid: "+string(c))
		}
	}
	return missed
}
