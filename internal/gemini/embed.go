package gemini

import (
	"maps"
	"math"
	"net/http"
	"strings"
	"time"
	"unicode"

	"kyrochat/text"
)

const maxDims = 3072

// embed answers batchEmbedContents.
func (e *Emulator) embed(x *exchange) *apiError {
	var in embedRequest
	if refused := readJSON(x.r, &in); refused != nil {
		return refused
	}
	x.note(func(q *Request) {
		q.Kind = KindEmbed
		for _, r := range in.Requests {
			q.Texts = append(q.Texts, r.Content.text())
			q.TaskType = r.TaskType
			if r.OutputDimensionality != nil {
				q.Dims = *r.OutputDimensionality
			}
		}
	})
	if refused := in.check(x.model); refused != nil {
		return refused
	}
	s := e.script(x.request)
	if refused := x.trouble(s); refused != nil {
		return refused
	}
	if wait := e.spend(len(in.Requests)); wait > 0 {
		return quotaError(x.request.Model, x.method, false, wait)
	}
	var out struct {
		Embeddings []embedding `json:"embeddings"`
	}
	for _, r := range in.Requests {
		dims := maxDims
		if r.OutputDimensionality != nil {
			dims = *r.OutputDimensionality
		}
		if s.Dims > 0 {
			dims = s.Dims
		}
		out.Embeddings = append(out.Embeddings, embedding{e.vector(withoutTask(r.Content.text()), dims)})
	}
	switch {
	case s.Missing > 0:
		out.Embeddings = out.Embeddings[:max(0, len(out.Embeddings)-s.Missing)]
	case s.Missing < 0:
		for range -s.Missing {
			out.Embeddings = append(out.Embeddings, out.Embeddings[0])
		}
	}
	x.note(func(q *Request) { q.Status = http.StatusOK })
	writeJSON(x.w, http.StatusOK, out)
	return nil
}

// spend takes so many texts off the quota of this minute; where there are fewer it takes none, and says how long it is to
// the next.
func (e *Emulator) spend(texts int) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	if minute := now.Truncate(time.Minute); !minute.Equal(e.minute) {
		e.minute, e.embedded = minute, 0
	}
	if e.options.Quota > 0 && e.embedded+texts > e.options.Quota {
		return e.minute.Add(time.Minute).Sub(now)
	}
	e.embedded += texts
	return 0
}

// withoutTask takes off what the second generation of models is told a text is for.
func withoutTask(s string) string {
	if task, query, told := strings.Cut(s, " | query: "); told && strings.HasPrefix(task, "task: ") {
		return query
	}
	if title, body, told := strings.Cut(s, " | text: "); told && strings.HasPrefix(title, "title: ") {
		return body
	}
	return s
}

// Alike makes words mean the same to embeddings, as a real model knows of car and automobile by itself: what is found by
// meaning alone can be tried with them.
func (e *Emulator) Alike(words ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	alike := maps.Clone(e.alike)
	if alike == nil {
		alike = map[string]string{}
	}
	for _, word := range words {
		alike[text.Fold(word)] = text.Fold(words[0])
	}
	e.alike = alike
}

// vector makes the vector of a text by signed feature hashing: its words, what is common to forms of a word, and pairs
// of neighbours in scripts without spaces. Texts are near each other where they share words or parts of them. Only vectors
// of full length are normalised, as those of the real models.
func (e *Emulator) vector(s string, dims int) []float32 {
	e.mu.Lock()
	f := features{counts: map[string]float64{}, alike: e.alike}
	e.mu.Unlock()
	for _, r := range text.Fold(s) {
		f.add(r)
	}
	f.endWord()
	return hashed(f.counts, dims)
}

type features struct {
	counts map[string]float64
	alike  map[string]string
	word   []rune
	last   rune // the character before, where it belongs to a script without spaces
}

func (f *features) add(r rune) {
	switch {
	case dense(r):
		f.endWord()
		if f.last != 0 {
			f.counts[string([]rune{f.last, r})]++
		}
		f.counts[string(r)] += 0.3
		f.last = r
		return
	case unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r):
		f.word = append(f.word, r)
	default:
		f.endWord()
	}
	f.last = 0
}

func (f *features) endWord() {
	if len(f.word) == 0 {
		return
	}
	if same, ok := f.alike[string(f.word)]; ok {
		f.word = []rune(same)
	}
	weight := min(1, float64(len(f.word))/5) // short words are mostly function words
	f.counts[string(f.word)] += weight
	for n := 3; n <= 5 && n < len(f.word); n++ {
		f.counts["^"+string(f.word[:n])] += weight * 0.4
	}
	f.word = f.word[:0]
}

func dense(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai)
}

// hashed sums the features in whole numbers, so that their order does not matter and equal texts get equal vectors.
func hashed(counts map[string]float64, dims int) []float32 {
	const unit = 1 << 20
	sums := make([]int64, dims)
	for feature, n := range counts {
		h := uint64(0xcbf29ce484222325)
		for i := range len(feature) {
			h = (h ^ uint64(feature[i])) * 0x100000001b3
		}
		h ^= h >> 29
		w := int64(unit * math.Sqrt(n))
		if h>>20&1 == 1 {
			w = -w
		}
		sums[(h>>32)%uint64(dims)] += w
	}
	var square float64
	for _, v := range sums {
		square += float64(v) * float64(v)
	}
	if square == 0 {
		sums[0], square = 1, 1
	}
	length := 1.0
	if dims < maxDims {
		length = 0.7
	}
	values := make([]float32, dims)
	for i, v := range sums {
		values[i] = float32(length * float64(v) / math.Sqrt(square))
	}
	return values
}
