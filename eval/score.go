package eval

import (
	"math"
	"slices"
	"time"
)

// Outcome is what came of one question.
type Outcome struct {
	Number       int // in the set, from 1
	Language     string
	Text         string
	Unanswerable bool
	FollowUp     bool
	Passages     int       // expected
	Search       *Searched // nil where nothing was to be searched
	Answer       *Answered // nil where no answer was asked for
}

// Searched is what came of a search.
type Searched struct {
	Ranks []int  // of each expected passage, from 1; 0: not found
	Error string // a code; then nothing was found
	Took  time.Duration
}

// Answered is what came of an answer.
type Answered struct {
	Completed     bool
	Error         string // a code, where it is not completed
	Said          string
	Expected      bool // there are expected answers
	Right         bool // one of them is in it
	Grounding     string
	Notices       []string
	Citations     []Citation
	CitedPassages []bool // for each expected passage, whether it is cited
	FirstToken    *time.Duration
	Total         time.Duration // 0 where it did not come to an end
	Tokens        *Tokens
}

// Tokens are those of one answer, or of all.
type Tokens struct {
	Prompt int `json:"prompt"`
	Output int `json:"output"`
}

// notFound is the grounding of an answer that says that there is none.
const notFound = "NOT_FOUND"

func (a *Answered) declined() bool { return a.Completed && a.Grounding == notFound }

// Share is a part of a whole. Where the whole is 0 there is no figure.
type Share struct {
	Part, Of int
}

// Value is the share, and whether there is one.
func (s Share) Value() (float64, bool) { return float64(s.Part) / float64(max(1, s.Of)), s.Of > 0 }

func (s *Share) count(yes bool) {
	s.Of++
	if yes {
		s.Part++
	}
}

// Mean is a mean over so many questions. Where there are none there is no figure.
type Mean struct {
	Sum float64
	Of  int
}

// Value is the mean, and whether there is one.
func (m Mean) Value() (float64, bool) { return m.Sum / float64(max(1, m.Of)), m.Of > 0 }

// Latency is how long something took.
type Latency struct{ times []time.Duration }

// Of is how often it was measured.
func (l Latency) Of() int { return len(l.times) }

// Percentile is the time that so many of a hundred took at most: one that was measured (nearest rank).
func (l Latency) Percentile(p int) time.Duration {
	if len(l.times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(l.times))
	rank := int(math.Ceil(float64(p) / 100 * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

// Figures are what was counted over some questions. What failed counts as missed in every share of what was asked.
type Figures struct {
	Questions int

	Searched      int
	Recall        [3]Share // of the expected passages: among the first 1, 5, 10
	Deep          Share    // among all that were asked of a search
	MRR           Mean     // over the questions: 1/rank of the first of their passages, 0 beyond the tenth
	SearchErrors  map[string]int
	SearchLatency Latency
	FollowUps     int // whose passages were not searched for
	Asked         int
	Completed     Share // of the questions
	Right         Share // of the questions with expected answers: has one of them
	Citations     Share // of the citations: valid
	Invalid       map[Citation]int
	Cited         Share // of the expected passages: cited
	Declined      Share // not-found precision: of the questions that were declined: unanswerable
	NotFound      Share // not-found recall: of the unanswerable questions: declined
	Groundings    map[string]int
	Notices       map[string]int
	Errors        map[string]int
	FirstToken    Latency
	Total         Latency
	Tokens        Tokens
	TokensCounted int // answers
}

// depths are those of Figures.Recall; the last is that of the MRR, too.
var depths = [3]int{1, 5, 10}

// score counts outcomes.
func score(outcomes []Outcome) Figures {
	f := Figures{
		SearchErrors: map[string]int{}, Invalid: map[Citation]int{}, Groundings: map[string]int{}, Notices: map[string]int{}, Errors: map[string]int{},
	}
	for _, o := range outcomes {
		f.Questions++
		if o.FollowUp && o.Passages > 0 {
			f.FollowUps++
		}
		if o.Search != nil {
			f.search(o.Search)
		}
		if o.Answer != nil {
			f.answer(o, o.Answer)
		}
	}
	return f
}

func (f *Figures) search(s *Searched) {
	f.Searched++
	first := 0
	for _, rank := range s.Ranks {
		for i, depth := range depths {
			f.Recall[i].count(rank > 0 && rank <= depth)
		}
		f.Deep.count(rank > 0)
		if rank > 0 && (first == 0 || rank < first) {
			first = rank
		}
	}
	f.MRR.Of++
	if first > 0 && first <= depths[2] {
		f.MRR.Sum += 1 / float64(first)
	}
	if s.Error != "" {
		f.SearchErrors[s.Error]++
		return
	}
	f.SearchLatency.times = append(f.SearchLatency.times, s.Took)
}

func (f *Figures) answer(o Outcome, a *Answered) {
	f.Asked++
	f.Completed.count(a.Completed)
	if a.Error != "" {
		f.Errors[a.Error]++
	}
	if a.Grounding != "" {
		f.Groundings[a.Grounding]++
	}
	for _, n := range a.Notices {
		f.Notices[n]++
	}
	if a.Expected {
		f.Right.count(a.Right)
	}
	for _, c := range a.Citations {
		f.Citations.count(c == ValidCitation)
		if c != ValidCitation {
			f.Invalid[c]++
		}
	}
	for i := range o.Passages {
		f.Cited.count(i < len(a.CitedPassages) && a.CitedPassages[i])
	}
	if a.declined() {
		f.Declined.count(o.Unanswerable)
	}
	if o.Unanswerable {
		f.NotFound.count(a.declined())
	}
	f.took(a)
}

// took counts what completed answers took; what failed early would flatter.
func (f *Figures) took(a *Answered) {
	if !a.Completed {
		return
	}
	if a.FirstToken != nil {
		f.FirstToken.times = append(f.FirstToken.times, *a.FirstToken)
	}
	f.Total.times = append(f.Total.times, a.Total)
	if a.Tokens != nil {
		f.Tokens.Prompt += a.Tokens.Prompt
		f.Tokens.Output += a.Tokens.Output
		f.TokensCounted++
	}
}
