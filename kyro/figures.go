package kyro

import (
	"maps"
	"math/bits"
	"slices"
)

// Figures count what was said in a span of time. A message belongs to the time when it was stored, and an answer counts once
// it is final, also one that was replaced by another later: it was read, and it was paid for.
type Figures struct {
	Messages      int64              // of people
	Answers       int64              // that are final
	People        map[int64]struct{} // who said something, by their keys
	Conversations map[int64]struct{} // in which something was said by a person
	Groundings    map[Grounding]int64
	Finishes      map[FinishReason]int64
	Up, Down      int64 // answers that are rated so by now
	Tokens        map[string]Tokens
	Cost          Money // of answers, each by the price table as it was when it ended
	FirstToken    Times // of answers that had one
	Duration      Times
	Currency      string // that of the price table
}

// CostUnits is the cost in units of the currency.
func (f *Figures) CostUnits() float64 { return f.Cost.Units() }

// Tokens are those of a model.
type Tokens struct{ Prompt, Output int64 }

// NewFigures are those of a time in which nothing was said.
func NewFigures() *Figures {
	return &Figures{
		People: map[int64]struct{}{}, Conversations: map[int64]struct{}{}, Groundings: map[Grounding]int64{},
		Finishes: map[FinishReason]int64{}, Tokens: map[string]Tokens{},
	}
}

// Add adds those of another span.
func (f *Figures) Add(o *Figures) {
	f.Messages, f.Answers, f.Up, f.Down = f.Messages+o.Messages, f.Answers+o.Answers, f.Up+o.Up, f.Down+o.Down
	f.Cost += o.Cost
	maps.Copy(f.People, o.People)
	maps.Copy(f.Conversations, o.Conversations)
	for g, n := range o.Groundings {
		f.Groundings[g] += n
	}
	for r, n := range o.Finishes {
		f.Finishes[r] += n
	}
	for model, t := range o.Tokens {
		f.AddTokens(model, t)
	}
	f.FirstToken.add(o.FirstToken)
	f.Duration.add(o.Duration)
}

// AddTokens adds tokens of a model.
func (f *Figures) AddTokens(model string, t Tokens) {
	sum := f.Tokens[model]
	f.Tokens[model] = Tokens{sum.Prompt + t.Prompt, sum.Output + t.Output}
}

// AllTokens are those of all models.
func (f *Figures) AllTokens() (sum Tokens) {
	for _, t := range f.Tokens {
		sum.Prompt, sum.Output = sum.Prompt+t.Prompt, sum.Output+t.Output
	}
	return sum
}

// Times count durations in milliseconds by their size. A duration is kept as it is up to 127 ms, and from there on to less
// than 1.6 %: rounded down to seven significant binary digits, as histograms of high dynamic range do.
type Times []uint32

const (
	timeDigits = 7
	longest    = 1<<24 - 1 // ms, some four and a half hours; what is longer counts as that
)

// TimeBucket is where a duration is counted.
func TimeBucket(ms int) int {
	ms = min(max(ms, 0), longest)
	shift := max(0, bits.Len(uint(ms))-timeDigits)
	return shift<<(timeDigits-1) + ms>>shift
}

// TimeOf is the shortest duration in a bucket.
func TimeOf(bucket int) int {
	const half = 1 << (timeDigits - 1)
	if bucket < 2*half {
		return bucket
	}
	return (bucket%half + half) << (bucket/half - 1)
}

// Count counts durations of a bucket.
func (t *Times) Count(bucket int, n uint32) {
	if bucket >= len(*t) {
		*t = append(*t, make([]uint32, bucket+1-len(*t))...)
	}
	(*t)[bucket] += n
}

func (t *Times) add(o Times) {
	if len(o) > 0 {
		t.Count(len(o)-1, 0)
	}
	for bucket, n := range o {
		(*t)[bucket] += n
	}
}

// Percentile is the least duration that so many percent do not exceed, nearest rank; nil where there is none.
func (t Times) Percentile(percent int) *int {
	all := int64(0)
	for _, n := range t {
		all += int64(n)
	}
	if all == 0 {
		return nil
	}
	rank := (all*int64(percent) + 99) / 100
	for bucket, n := range t {
		if rank -= int64(n); rank <= 0 {
			ms := TimeOf(bucket)
			return &ms
		}
	}
	return nil // not reached: the ranks are all there
}

// Keys are those of a set, in order.
func Keys(set map[int64]struct{}) []int64 { return slices.Sorted(maps.Keys(set)) }
